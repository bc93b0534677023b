"""Plants faults in ``cnnlib``, one at a time, and counts which the tests notice.

    make mutants            (or: python -m tools.mutants --count 40 --room fooling)

Each fault is planted in a copy of the tree. First the tests run that mirror its file,
then those of its room. What came out is added to ``build/mutants.csv`` at once, so that
a run that was stopped goes on; the table by room is printed at the end. It takes a
minute a fault, so it is no part of ``make test``.
"""

import argparse
import ast
import collections
import copy
import csv
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "build/mutants.csv"
LEFT_OUT = (".git", ".venv*", "build", "__pycache__", "data", ".pytest_cache")
PROCESSOR = 900  # seconds that a run of tests may compute; more is a hang, and noticed

SWAPS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
WORDS = {
    "same": "valid",
    "valid": "same",
    "nearest": "bilinear",
    "bilinear": "nearest",
    "reflect": "constant",
    "horizontal": "vertical",
    "relu": "linear",
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "argmax": "argmin",
    "argmin": "argmax",
    "floor": "ceil",
    "ceil": "floor",
    "mean": "sum",
    "sum": "mean",
    "sorted": "list",
    "rint": "floor",
}


class Faults(ast.NodeVisitor):
    """All places of a module where a fault can be planted, with what it does there."""

    def __init__(self):
        self.found: list[tuple[ast.AST, str]] = []

    def visit(self, node):
        kind = type(node)
        if kind in (ast.FunctionDef, ast.ClassDef, ast.Module) and ast.get_docstring(
            node
        ):
            node.body[0].value.kind = "docstring"
        if kind is ast.Raise:  # what an error says is not what the code does
            return
        if kind is ast.Constant and node.kind != "docstring":
            value = node.value
            if isinstance(value, bool):
                self.found.append((node, f"{value} → {not value}"))
            elif isinstance(value, int):
                self.found.append((node, f"{value} → {value + 1}"))
            elif isinstance(value, float):
                self.found.append((node, f"{value} → {value * 1.5 or 1.0:g}"))
            elif value in WORDS:
                self.found.append((node, f"{value!r} → {WORDS[value]!r}"))
        if kind in (ast.Name, ast.Attribute):
            name = node.id if kind is ast.Name else node.attr
            if name in WORDS and isinstance(node.ctx, ast.Load):
                self.found.append((node, f"{name} → {WORDS[name]}"))
        if kind is ast.Compare and type(node.ops[0]) in SWAPS:
            self.found.append((node, f"another {type(node.ops[0]).__name__}"))
        if kind in (ast.BinOp, ast.BoolOp, ast.AugAssign) and type(node.op) in SWAPS:
            self.found.append((node, f"another {type(node.op).__name__}"))
        if kind is ast.UnaryOp and isinstance(node.op, (ast.Not, ast.USub)):
            self.found.append((node, f"no {type(node.op).__name__}"))
        if kind is ast.Call:
            for i, word in enumerate(node.keywords):
                if word.arg not in (None, "name", "alt"):
                    self.found.append((node, f"without {word.arg}= #{i}"))
        if kind is ast.If and not any(isinstance(n, ast.Raise) for n in ast.walk(node)):
            self.found.append((node, "if never"))
        self.generic_visit(node)


def planted(source: str, number: int) -> tuple[str, int, str]:
    """The source with one fault, its line, and what it is."""
    tree = ast.parse(source)
    faults = Faults()
    faults.visit(tree)
    node, what = faults.found[number]
    kind = type(node)
    if kind is ast.Constant:
        value = node.value
        if isinstance(value, bool):
            node.value = not value
        elif isinstance(value, int):
            node.value = value + 1
        elif isinstance(value, float):
            node.value = value * 1.5 or 1.0
        else:
            node.value = WORDS[value]
    elif kind is ast.Name:
        node.id = WORDS[node.id]
    elif kind is ast.Attribute:
        node.attr = WORDS[node.attr]
    elif kind is ast.Compare:
        node.ops[0] = SWAPS[type(node.ops[0])]()
    elif kind in (ast.BinOp, ast.BoolOp, ast.AugAssign):
        node.op = SWAPS[type(node.op)]()
    elif kind is ast.UnaryOp:
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
    elif kind is ast.Call:
        del node.keywords[int(what.rpartition("#")[2])]
    else:
        node.test = ast.Constant(False)
    return ast.unparse(ast.fix_missing_locations(tree)), node.lineno, what


def count(source: str) -> int:
    """How many faults can be planted in a module."""
    faults = Faults()
    faults.visit(ast.parse(source))
    return len(faults.found)


def tests(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The tests of a module, nearest first: those that mirror it, then its room's."""
    room = path.relative_to(ROOT / "cnnlib").parts[0].removesuffix(".py")
    folder, stem = ROOT / "tests" / room, path.stem.strip("_")
    # A room without a folder of tests has them beside the folders.
    every = sorted((folder if folder.is_dir() else ROOT / "tests").glob("test_*.py"))
    near = [p for p in every if stem in p.stem or p.stem[5:] in stem]
    rest = [p for p in every if p not in near]
    for who, files in (("its own", near), ("its room's", rest)):
        if files:
            yield who, [str(p.relative_to(ROOT)) for p in files]


def noticed(tree: Path, files: list[str]) -> bool:
    """Whether tests fail in a copy of the tree, or hang."""
    limits = (PROCESSOR, PROCESSOR + 10)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": f"{tree}:{tree}/notebooks"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limits),
    )
    return done.returncode not in (0, 5)


def sample(room: str | None, number: int, seed: int) -> list[tuple[Path, int]]:
    """Faults to plant, as many from every module, drawn from the seed."""
    rng = random.Random(seed)
    drawn = []
    for path in sorted((ROOT / "cnnlib").rglob("*.py")):
        parts = path.relative_to(ROOT / "cnnlib").parts
        if path.name != "__init__.py" and room in (None, parts[0].removesuffix(".py")):
            places = list(range(count(path.read_text())))
            rng.shuffle(places)
            drawn.append([(path, place) for place in places])
    turns = [places[i] for i in range(50) for places in drawn if i < len(places)]
    return turns[:number]


def table(rows: list[list[str]]) -> str:
    """By room: how many faults were planted, and who noticed."""
    kinds = ("its own", "its room's", "none")
    rooms = collections.defaultdict(collections.Counter)
    for path, _, _, who in rows:
        parts = Path(path).parts
        rooms[parts[1].removesuffix(".py")][who] += 1
        rooms["all"][who] += 1
    lines = [f"{'room':14} planted  by its own  by its room's  by none"]
    for room in sorted(rooms, key=lambda name: (name == "all", name)):
        own, near, none = (rooms[room][kind] for kind in kinds)
        total = own + near + none
        lines.append(f"{room:14} {total:7}  {own:10}  {near:13}  {none:7}")
    return "\n".join(lines)


def main() -> None:
    """Plant faults, run tests, keep and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--room", help="of cnnlib, such as fooling; all by default")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    RECORD.parent.mkdir(exist_ok=True)
    rows = list(csv.reader(RECORD.open())) if RECORD.exists() else []
    known = {(path, line, what) for path, line, what, _ in rows}
    for path, place in sample(given.room, given.count, given.seed):
        source, line, what = planted(path.read_text(), place)
        name = str(path.relative_to(ROOT))
        if (name, str(line), what) in known:
            continue
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            tree = Path(folder, "course")
            shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
            Path(tree, name).write_text(source)
            who = next((w for w, files in tests(path) if noticed(tree, files)), "none")
        rows.append([name, str(line), what, who])
        with RECORD.open("a", newline="") as file:
            csv.writer(file).writerow(rows[-1])
        print(f"{name}:{line}  {what}  noticed by {who}", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
