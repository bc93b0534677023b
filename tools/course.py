"""Where the course's files lie, and the small things every command needs."""

import difflib
import functools
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from cnnlib import files, scale

TITLE = "More on Convolutional Neural Networks"


class CourseError(Exception):
    """Something that a user can put right: one line, and an exit status."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook that a file holds.

    Raises:
        CourseError: it holds none, as after a merge with conflicts; or one with a cell,
            an output or a field that notebooks do not have.
        OSError: it could not be read.
    """
    try:
        nb = nbformat.read(path, as_version=4)
        nbformat.validate(nb)  # reading logs what is wrong, and goes on
        return nb
    except OSError:
        raise
    except Exception as error:  # nbformat raises whatever it meets
        reason = str(error).partition("\n")[0]
        raise CourseError(f"{path} holds no notebook: {reason}") from error


@dataclass(frozen=True)
class Course:
    """The folders under ``root``; nothing about which notebooks there are."""

    root: Path

    @property
    def build(self) -> Path:
        """Where everything that is made goes."""
        return self.root / "build"

    def notebooks(self) -> list[Path]:
        """The notebooks in the talk's order."""
        return sorted((self.root / "notebooks").glob("[0-9][0-9]_*.ipynb"))

    def solutions(self) -> list[Path]:
        """The solved exercises, one notebook for each that has any."""
        return sorted((self.root / "notebooks/solutions").glob("[0-9][0-9]_*.ipynb"))

    def notebook(self, name: str) -> Path:
        """The notebook called ``name``: its stem, its file name or its number."""
        stems = {path.stem: path for path in self.notebooks()}
        wanted = Path(name).name.removesuffix(".ipynb")
        for stem, path in stems.items():
            if wanted in (stem, stem[:2]):
                return path
        near = difflib.get_close_matches(wanted, stems)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise CourseError(f"there is no notebook {name!r}{hint}", 2)


@dataclass(frozen=True)
class Lesson:
    """What a notebook says about itself in its first cell."""

    stem: str
    title: str
    sentence: str
    section: str
    minutes: str

    @classmethod
    def of(cls, path: Path, nb: nbformat.NotebookNode) -> "Lesson":
        """Read the title, the sentence under it, the section, and the last minutes."""
        first = next((c.source for c in nb.cells if c.cell_type == "markdown"), "")
        title, _, rest = first.partition("\n")
        if not title.startswith("# "):
            raise CourseError(f"{path.name}: its first markdown cell has no '# Title'")
        sentence = rest.strip().partition("\n\n")[0].replace("\n", " ")
        minutes = ["", *re.findall(r"(\d+(?:[-–]\d+)?) ?min", rest)]
        section = [
            "",
            *re.findall(r"\*\*Talk section:\*\* ([^·\n]+?) *(?:·|\n|$)", rest),
        ]
        title = title[2:].strip()
        return cls(path.stem, title, sentence, section[-1], minutes[-1])

    @property
    def sections(self) -> list[int]:
        """The numbers of the talk's sections that it tells; none for an outline."""
        return [int(number) for number in re.findall(r"\d+", self.section)]

    def link(self, folder: str = "") -> str:
        """A link to the notebook in markdown, from where ``folder`` leads to it."""
        return f"[{self.stem[:2]} {self.title}]({folder}{self.stem}.ipynb)"


@functools.cache
def _read(path: Path, changed: int) -> Lesson:
    return Lesson.of(path, read(path))


def lessons(course: Course) -> list[Lesson]:
    """What each notebook says about itself, in the talk's order."""
    return [_read(path, path.stat().st_mtime_ns) for path in course.notebooks()]


def kernel_env() -> dict[str, str]:
    """The environment that notebooks run in, checked before anything long begins.

    Raises:
        CourseError: ``CNNLIB_SCALE`` is no scale, or ``CNNLIB_DATA`` no folder.
    """
    try:
        scale.scale()
    except ValueError as error:
        raise CourseError(str(error), 2) from None
    env = dict(os.environ)
    if data := env.get("CNNLIB_DATA"):
        if not Path(data).is_dir():
            raise CourseError(f"CNNLIB_DATA={data!r} is not a folder", 2)
        # A kernel starts in notebooks/, where a relative path would mean another place.
        env["CNNLIB_DATA"] = str(Path(data).resolve())
    # Without the first, ipykernel copies TensorFlow's C++ log lines into the outputs.
    return env | {"PYTEST_CURRENT_TEST": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def digest(*parts: object) -> str:
    """A sha256 over JSON-able values, bytes and files (by content), in order."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes()
        if not isinstance(part, bytes):
            part = json.dumps(part, sort_keys=True, ensure_ascii=False).encode()
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; text as UTF-8.

    Raises:
        CourseError: it cannot be written; a full disk, for one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.written(path) as part:
            part.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        reason = f"cannot write {path.name} in {path.parent}: {error.strerror}"
        raise CourseError(reason) from None
