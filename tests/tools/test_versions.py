"""The oldest packages are the range's lower bounds, the newest have no bounds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.specifiers import SpecifierSet

from tools import versions

ROOT = Path(__file__).parents[2]
PYPROJECT = """
[project]
dependencies = [
    "keras>=3.15",
    "weights-of_a.net==0.1.0", # pinned
]
[project.optional-dependencies]
tensorflow = ["tensorflow>=2.21"]
jax = ["jax==0.10.2"]
"""
REQUIREMENTS = "# every one\n\nkeras==3.15.1\ntensorflow==2.21.3 # why\nruff==0.17.6\n"


def test_the_oldest_are_lower_bounds_and_else_pins():
    lines = versions.lines("oldest", REQUIREMENTS, tomllib.loads(PYPROJECT))
    assert lines == ["keras==3.15", "tensorflow==2.21", "ruff==0.17.6"]


def test_the_newest_are_names_alone():
    lines = versions.lines("newest", REQUIREMENTS, tomllib.loads(PYPROJECT))
    assert lines == ["keras", "tensorflow", "ruff"]


def test_what_the_library_needs_is_pinned_within_its_range():
    pinned = versions.pins((ROOT / "requirements.txt").read_text("utf-8"))
    lowest = versions.bounds(
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    )
    assert lowest.keys() <= pinned.keys()
    for name, low in lowest.items():
        assert pinned[name] in SpecifierSet(f">={low}"), name


def test_the_file_of_each_end_is_printed():
    for end in ("oldest", "newest"):
        command = [sys.executable, ROOT / "tools/versions.py", end]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        requirements = (ROOT / "requirements.txt").read_text("utf-8")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        assert done.stdout.splitlines() == versions.lines(end, requirements, project)


def test_another_end_is_refused():
    command = [sys.executable, ROOT / "tools/versions.py", "middle"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: versions takes oldest or newest; given ['middle']\n"


def test_a_pin_has_a_line_of_its_own():
    """Notebook 00 reads the file, too, and takes what follows == for the version."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
