# This file must also run on the Pythons that it turns away.
# ruff: noqa: UP010, UP020, UP032
"""Stop with one line where this Python is not one that the course accepts.

``make`` runs it before anything is installed. The versions come from the line
``requires-python`` of pyproject.toml. Kept valid for Python 2.7 and 3.4 as well.
"""

from __future__ import print_function

import io
import os
import re
import sys

PYPROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PYPROJECT = os.path.join(PYPROJECT, "pyproject.toml")


def accepted(pyproject):
    """Return the minor versions of Python 3 that ``requires-python`` accepts."""
    pattern = r'(?m)^requires-python = ">=3\.(\d+),<3\.(\d+)"'
    first, after = re.search(pattern, pyproject).groups()
    return list(range(int(first), int(after)))


def complaint(version, minors):
    """Return what is wrong with ``version``, one line, or None where it will do."""
    if version[0] == 3 and version[1] in minors:
        return None
    return (
        "error: this is Python {}.{}, and the course needs 3.{} to 3.{}; "
        "name one that you have: make talk PYTHON=python3.{}"
    ).format(version[0], version[1], minors[0], minors[-1], minors[len(minors) // 2])


if __name__ == "__main__":
    with io.open(PYPROJECT, encoding="utf-8") as stream:
        problem = complaint(sys.version_info, accepted(stream.read()))
    if problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
