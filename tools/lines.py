"""Counts the library's lines, room by room: all of them, and those that are code."""

import ast
import io
import tokenize
from pathlib import Path

from tools.course import CourseError

SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(source: str) -> int:
    """How many lines hold code: no blank lines, no comments, no docstrings."""
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            text = node.body[0]
            held.difference_update(range(text.lineno, text.end_lineno + 1))
    return len(held)


def count(folder: Path) -> dict[Path, tuple[int, int]]:
    """All lines and lines of code of every Python file below a folder."""
    sources = {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }
    return {
        path: (len(source.splitlines()), code_lines(source))
        for path, source in sources.items()
    }


def table(folder: Path, largest: int = 5) -> str:
    """A folder's lines by room, and its largest files.

    Raises:
        CourseError: the folder holds no Python.
    """
    counts = count(folder)
    if not counts:
        raise CourseError(f"there is no Python in {folder.name}/ here")
    rooms: dict[str, tuple[int, int]] = {}
    for path, (lines, code) in counts.items():
        room = path.parts[0].removesuffix(".py")
        before = rooms.get(room, (0, 0))
        rooms[room] = before[0] + lines, before[1] + code
    rooms["all"] = tuple(map(sum, zip(*counts.values(), strict=True)))
    rows = [f"{'room':24} {'lines':>7} {'code':>7}"]
    rows += [f"{room:24} {lines:7,} {code:7,}" for room, (lines, code) in rooms.items()]
    rows += ["", "largest files"]
    by_size = sorted(counts.items(), key=lambda item: item[1], reverse=True)
    for path, (lines, code) in by_size[:largest]:
        rows.append(f"{path.as_posix():24} {lines:7,} {code:7,}")
    return "\n".join(rows)
