"""What pip is to install for the oldest, or the newest, packages that are allowed.

    python tools/versions.py oldest > build/oldest.txt

``requirements.txt`` pins one world; ``pyproject.toml`` allows a range. "oldest" are the
lower bounds of that range, with the pins of all that has none; "newest" are the names
alone, so that pip takes what the index has today. ``make test-oldest`` and ``make
test-newest`` run the tests there.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def pins(requirements: str) -> dict[str, str]:
    """The packages that a requirements file pins, and their versions."""
    lines = [line.partition("#")[0].strip() for line in requirements.splitlines()]
    return dict(line.split("==") for line in lines if line)


def bounds(pyproject: dict) -> dict[str, str]:
    """The packages that the library needs, and the lowest version of each."""
    project = pyproject["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["tensorflow"]
    return {NAME.match(line)[0]: re.split("[=>]=", line)[1] for line in needed}


def lines(end: str, requirements: str, pyproject: dict) -> list[str]:
    """The lines of a requirements file for one end, "oldest" or "newest"."""
    pinned, lowest = pins(requirements), bounds(pyproject)
    if end == "newest":
        return list(pinned)
    return [f"{name}=={lowest.get(name, pin)}" for name, pin in pinned.items()]


if __name__ == "__main__":
    if sys.argv[1:] not in (["oldest"], ["newest"]):
        sys.exit(f"error: versions takes oldest or newest; given {sys.argv[1:]}")
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    print(*lines(sys.argv[1], (ROOT / "requirements.txt").read_text(), told), sep="\n")
