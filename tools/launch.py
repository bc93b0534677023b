"""Opening the course elsewhere: Binder and Colab, once it is known where it lies.

Both are told of a repository on GitHub. ``pyproject.toml`` says which,

    [project.urls]
    Repository = "https://github.com/OWNER/NAME"

and ``CNNLIB_REPOSITORY=OWNER/NAME`` says it where pages are built for another one, as
their workflow does. Where neither does, nothing links there.

Binder builds ``environment.yml``. Colab opens a notebook alone: ``alone`` writes copies
whose first cell fetches the course around them, which the workflow keeps on the branch
``colab``.
"""

import os
import re
import tomllib
import urllib.parse

import nbformat

from tools.course import Course, CourseError, read, write

VARIABLE = "CNNLIB_REPOSITORY"
BRANCH = "colab"
HOST = "https://github.com/"
NAME = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
BADGES = {
    "Binder": "https://mybinder.org/badge_logo.svg",
    "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
}
SETUP = """\
# Opened alone, as on Colab: fetch the course around it, and install what it needs.
import os
import subprocess
import sys
from pathlib import Path

course = Path.home() / "cnn-talk"
if not (course / "notebooks").is_dir():
    subprocess.run(["git", "clone", "--depth=1", "{url}", course], check=True)
needed = ["-r", course / "requirements.txt", course]
subprocess.run([sys.executable, "-m", "pip", "install", "-q", *needed], check=True)
os.chdir(course / "notebooks")\
"""


def written(course: Course) -> str | None:
    """The repository that ``pyproject.toml`` names, as OWNER/NAME.

    Raises:
        CourseError: its address is of another kind.
    """
    file = course.root / "pyproject.toml"
    told = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
    url = told.get("project", {}).get("urls", {}).get("Repository")
    if url is None:
        return None
    return _named(f"{file.name}: Repository", url.removeprefix(HOST).rstrip("/"), url)


def repository(course: Course) -> str | None:
    """The repository that pages link to, as OWNER/NAME; None where none is known."""
    if name := os.environ.get(VARIABLE):
        return _named(VARIABLE, name, name)
    return written(course)


def _named(where: str, name: str, given: str) -> str:
    if not NAME.fullmatch(name):
        raise CourseError(
            f"{where} is {given!r}; it takes a repository on GitHub, {HOST}OWNER/NAME"
        )
    return name


def places(name: str | None, stem: str) -> dict[str, str]:
    """Where a notebook opens elsewhere: the address for each service; none of none."""
    if name is None:
        return {}
    path = f"notebooks/{stem}.ipynb"
    asked = urllib.parse.quote(path, safe="")
    return {
        "Binder": f"https://mybinder.org/v2/gh/{name}/HEAD?labpath={asked}",
        "Colab": f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{path}",
    }


def badges(name: str | None, stem: str) -> str:
    """The README's badges, which open a notebook; empty where no place is known."""
    return " ".join(
        f"[![Open in {service}]({BADGES[service]})]({url})"
        for service, url in places(name, stem).items()
    )


def alone(course: Course) -> int:
    """Write ``build/alone/notebooks``: copies that fetch the course around them.

    Returns:
        how many there are.

    Raises:
        CourseError: it is not known where the course lies.
    """
    name = repository(course)
    if name is None:
        raise CourseError(
            f"nothing says where the course lies: set {VARIABLE}=OWNER/NAME, or "
            "Repository under [project.urls] in pyproject.toml"
        )
    paths = course.notebooks()
    for path in paths:
        nb = read(path)
        setup = nbformat.v4.new_code_cell(SETUP.format(url=f"{HOST}{name}"), id="setup")
        setup.metadata["slideshow"] = {"slide_type": "skip"}
        nb.cells.insert(1, setup)
        write(course.build / "alone/notebooks" / path.name, nbformat.writes(nb))
    return len(paths)
