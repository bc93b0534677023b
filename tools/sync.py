"""Writes what is said about notebooks elsewhere: neighbours' links, README, map.

A notebook says everything about itself in its first cell. What others say of it is made
from there: the line of links in its neighbours' "What we saw", and the tables between
two comments, ``<!-- notebooks -->`` and ``<!-- /notebooks -->`` in the README,
``<!-- sections -->`` and ``<!-- /sections -->`` in the notebook with the map. The
README's pictures, ``notebooks/pictures/CELL.png``, are those of the cells that they are
named after. Between ``<!-- launch -->`` and ``<!-- /launch -->`` stand the badges that
open the course elsewhere, once ``pyproject.toml`` says where it lies.
"""

import base64
import io
import re
from pathlib import Path

import nbformat
from PIL import Image, PngImagePlugin

from cnnlib import claims
from tools import launch
from tools.course import Course, CourseError, Lesson, digest, read, write

COMMAND = "make sync"
LAST = "## What we saw"
PICTURE = re.compile(r"\((notebooks/pictures/([\w-]+)\.png)\)")
WIDTH = 1000  # pixels of a picture in the README
WAYS = re.compile(r"(?m)^\*\*(?:Before|Next):\*\* .*$")


def _lesson(path: Path) -> Lesson:
    return Lesson.of(path, read(path))


def ways(path: Path) -> str:
    """The line of links to a notebook's neighbours; the last one leads to the first."""
    paths = sorted(path.parent.glob("[0-9][0-9]_*.ipynb"))
    here, links = paths.index(path), []
    if here:
        links.append(f"**Before:** {_lesson(paths[here - 1]).link()}")
    if here + 1 < len(paths):
        links.append(f"**Next:** {_lesson(paths[here + 1]).link()}")
    elif here:
        links.append(f"**Back to:** {_lesson(paths[0]).link()}")
    return " · ".join(links)


def _notebooks(lessons: list[Lesson]) -> str:
    """The README's table."""
    rows = ["| notebook | talk section | minutes | after it you can |"]
    rows.append("| --- | --- | --- | --- |")
    for lesson in lessons:
        able = lesson.sentence.removeprefix("After this page you can ").rstrip(".")
        able = able.replace("|", r"\|")
        about = f"{lesson.section} | {lesson.minutes}"
        rows.append(f"| {lesson.link('notebooks/')} | {about} | {able} |")
    return "\n".join(rows)


def _sections(lessons: list[Lesson]) -> str:
    """The map: which notebooks a section of the talk is told in."""
    rows = ["| section of the talk | notebook |", "| --- | --- |"]
    for number, title in claims.SECTIONS.items():
        told = [lesson.link() for lesson in lessons if number in lesson.sections]
        rows.append(f"| {number} {title} | {', '.join(told) or '–'} |")
    return "\n".join(rows)


def _filled(text: str, name: str, table: str) -> str:
    """The text with a new table, or nothing, between the two comments of its name."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, opened, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if bool(opened) != bool(closed):
        raise CourseError(f"{start} and {end} belong together, one is missing")
    said = f"\n\n{table}\n\n" if table else "\n"
    return f"{before}{start}{said}{end}{after}" if opened else text


def _figures(nb: nbformat.NotebookNode) -> dict[str, bytes]:
    """The first figure of each cell that has one, as PNG, by the cell's id."""
    found = {}
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                png = base64.b64decode(output.data["image/png"])
                found.setdefault(cell.id, png)
    return found


def _small(png: bytes) -> bytes:
    """A figure for the README; the digest of what it was made from is in it."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    height = round(image.height * WIDTH / image.width)
    image = image.resize((WIDTH, height), Image.Resampling.LANCZOS).quantize(256)
    told = PngImagePlugin.PngInfo()
    told.add_text("made from", digest(png))
    made = io.BytesIO()
    image.save(made, "PNG", optimize=True, pnginfo=told)
    return made.getvalue()


def _pictures(course: Course, readme: str, figures: dict) -> dict[Path, bytes]:
    """The README's pictures that are not those of their cells, as they should be.

    Raises:
        CourseError: the README names a cell that has no figure.
    """
    late = {}
    for place, cell in PICTURE.findall(readme):
        if cell not in figures:
            raise CourseError(f"README.md shows {place}, and no cell {cell} has one")
        path, made_from = course.root / place, None
        if path.exists():
            with Image.open(path) as image:
                made_from = image.info.get("made from")
        if made_from != digest(figures[cell]):
            late[path] = _small(figures[cell])
    return late


def behind(course: Course) -> dict[Path, str | bytes]:
    """The files that are behind the notebooks, each with what it should hold.

    Raises:
        CourseError: the README has no place for the table, or shows a figure that there
            is not; or a notebook has no title.
    """
    lessons = [_lesson(path) for path in course.notebooks()]
    readme = course.root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if "<!-- notebooks -->" not in text:
        raise CourseError("README.md has no <!-- notebooks --> for the table")
    filled = _filled(text, "notebooks", _notebooks(lessons))
    first = lessons[0].stem if lessons else ""
    badges = launch.badges(launch.written(course), first)
    texts = {readme: _filled(filled, "launch", badges)}
    figures = {}
    for path in course.notebooks():
        nb = read(path)
        figures |= _figures(nb)
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = _filled(cell.source, "sections", _sections(lessons))
                if cell.source.startswith(LAST):
                    said = WAYS.sub("", cell.source).rstrip()
                    cell.source = f"{said}\n\n{ways(path)}".rstrip()
        # The outputs' digest stays as it is: nothing here vouches for them.
        texts[path] = nbformat.writes(nb).rstrip("\n") + "\n"
    return {
        path: content
        for path, content in texts.items()
        if content != path.read_text(encoding="utf-8")
    } | _pictures(course, text, figures)


def sync(course: Course) -> list[Path]:
    """Bring every file up to the notebooks, and return those that were behind."""
    late = behind(course)
    for path, content in late.items():
        write(path, content)
    return list(late)
