"""Writes what is said about notebooks elsewhere: neighbours' links, README, map.

A notebook says everything about itself in its first cell. What others say of it is made
from there: the line of links in its neighbours' "What we saw", and the tables between
two comments, ``<!-- notebooks -->`` and ``<!-- /notebooks -->`` in the README,
``<!-- sections -->`` and ``<!-- /sections -->`` in the notebook with the map.
"""

import re
from pathlib import Path

import nbformat

from cnnlib import claims
from tools.course import Course, CourseError, Lesson, write

COMMAND = "make sync"
LAST = "## What we saw"
WAYS = re.compile(r"(?m)^\*\*(?:Before|Next):\*\* .*$")


def _lesson(path: Path) -> Lesson:
    return Lesson.of(path, nbformat.read(path, as_version=4))


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
    rows = ["| notebook | talk section | after it you can |", "| --- | --- | --- |"]
    for lesson in lessons:
        able = lesson.sentence.removeprefix("After this page you can ").rstrip(".")
        able = able.replace("|", r"\|")
        rows.append(f"| {lesson.link('notebooks/')} | {lesson.section} | {able} |")
    return "\n".join(rows)


def _sections(lessons: list[Lesson]) -> str:
    """The map: which notebooks a section of the talk is told in."""
    rows = ["| section of the talk | notebook |", "| --- | --- |"]
    for number, title in claims.SECTIONS.items():
        told = [lesson.link() for lesson in lessons if number in lesson.sections]
        rows.append(f"| {number} {title} | {', '.join(told) or '–'} |")
    return "\n".join(rows)


def _filled(text: str, name: str, table: str) -> str:
    """The text with a new table between the two comments of its name."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, opened, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if bool(opened) != bool(closed):
        raise CourseError(f"{start} and {end} belong together, one is missing")
    return f"{before}{start}\n\n{table}\n\n{end}{after}" if opened else text


def behind(course: Course) -> dict[Path, str]:
    """The files that are behind the notebooks, each with the text it should have.

    Raises:
        CourseError: the README has no place for the table, or a notebook no title.
    """
    lessons = [_lesson(path) for path in course.notebooks()]
    readme = course.root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if "<!-- notebooks -->" not in text:
        raise CourseError("README.md has no <!-- notebooks --> for the table")
    texts = {readme: _filled(text, "notebooks", _notebooks(lessons))}
    for path in course.notebooks():
        nb = nbformat.read(path, as_version=4)
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = _filled(cell.source, "sections", _sections(lessons))
                if cell.source.startswith(LAST):
                    said = WAYS.sub("", cell.source).rstrip()
                    cell.source = f"{said}\n\n{ways(path)}".rstrip()
        # The outputs' digest stays as it is: nothing here vouches for them.
        texts[path] = nbformat.writes(nb, indent=1).rstrip("\n") + "\n"
    return {
        path: text
        for path, text in texts.items()
        if text != path.read_text(encoding="utf-8")
    }


def sync(course: Course) -> list[Path]:
    """Bring every file up to the notebooks, and return those that were behind."""
    late = behind(course)
    for path, text in late.items():
        write(path, text)
    return list(late)
