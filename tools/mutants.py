"""Plants faults in ``cnnlib`` and ``tools``, and counts which of them tests notice.

    make mutants            (or: python -m tools.mutants --count 40 --room fooling)

``make coverage``, which comes first, tells which tests run through a line. A fault is
given the tests of its room and those that run through it, the latter and the quick ones
first, until one fails. Each fault is planted in a copy of the tree, and its tests
run in a child of a process that has imported Keras already. What came out is added to
``results/mutants.csv`` at once, so that a run that was stopped goes on; the table by
room is printed at the end. What was found in a file that changed since is not counted,
and tried again. It is no part of ``make test``.
"""

import argparse
import ast
import collections
import contextlib
import csv
import hashlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from tools import faults

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "build/coverage"
COMPUTED = ROOT / "build/computed"
RECORD = ROOT / "results/mutants.csv"
PACKAGES = ("cnnlib", "tools")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "build", "__pycache__", ".*_cache")
BUDGET = 90  # seconds of tests that a fault is given, as they take without it
HANG, WAIT = 900, 3600  # seconds of computing, or of waiting, are a hang, and noticed


def room(name: str) -> str:
    """The room of a file: "fooling" of cnnlib/fooling/lbfgs.py, "tools" of those."""
    package, *rest = Path(name).parts
    return package if package == "tools" else rest[0].removesuffix(".py")


def statement(tree: ast.Module, lineno: int) -> range | None:
    """The lines that run with a line inside of a function; None for any other line."""
    inside, lines = False, None
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        last = node.end_lineno
        if isinstance(node, ast.Match):
            last = node.subject.end_lineno
        elif body := getattr(node, "body", None):
            last = max(node.lineno, body[0].lineno - 1)
            if isinstance(node, ast.FunctionDef):
                inside |= last < lineno <= node.end_lineno
        # Later in the walk is deeper in the tree.
        if node.lineno <= lineno <= last:
            lines = range(node.lineno, last + 1)
    return lines if inside else None


@dataclass(frozen=True)
class Fault:
    """A fault that can be planted, and who noticed it: a test, "none", or "" so far.

    ``source`` is a digest of the file without it, ``number`` its place among the faults
    of that file.
    """

    name: str
    source: str
    number: int
    line: int
    what: str
    test: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from others, whoever noticed it."""
        return self.name, self.source, self.number


def digest(path: Path) -> str:
    """The first digits of a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


FIELDS = [field.name for field in fields(Fault)]


def recorded() -> list[Fault]:
    """The faults on record whose files are as they were; the last word on each."""
    if not RECORD.exists():
        return []
    last = {}
    with RECORD.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            numbers = {name: int(row[name]) for name in ("number", "line")}
            fault = Fault(**row | numbers)
            path = ROOT / fault.name
            if path.exists() and digest(path) == fault.source:
                last[fault.key] = fault
    return list(last.values())


def record(fault: Fault) -> None:
    """Add what came out of a fault."""
    RECORD.parent.mkdir(exist_ok=True)
    begins = not RECORD.exists()
    with RECORD.open("a", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        if begins:
            rows.writerow(FIELDS)
        rows.writerow(astuple(fault))
    print(
        f"{fault.name}:{fault.line}  {fault.what}  noticed by {fault.test}", flush=True
    )


class Reach:
    """Which tests run through a line, and how many seconds each of them takes."""

    def __init__(self, folder: Path = MEASURED):
        from coverage import CoverageData

        if not (folder / "data").exists():
            sys.exit("error: no coverage is on record here; make coverage comes first")
        self._data = CoverageData(str(folder / "data"))
        self._data.read()
        self._by_line = {}
        self.seconds = {}
        for case in ET.parse(folder / "tests.xml").iter("testcase"):
            if case.find("skipped") is not None:  # it notices nothing
                continue
            file = case.get("classname").replace(".", "/") + ".py"
            self.seconds[f"{file}::{case.get('name')}"] = float(case.get("time"))

    def tests(self, name: str, source: str, lineno: int) -> list[str]:
        """The tests that a fault in a line is given, in the order in which they run.

        Those that run through it, then those of its room. Where none does, as through
        what runs at import, any may notice: those of its room come first.
        """
        if name not in self._by_line:
            self._by_line[name] = self._data.contexts_by_lineno(name)
        lines = statement(ast.parse(source), lineno)
        through = {
            context.rpartition("|")[0]
            for line in lines or ()
            for context in self._by_line[name].get(line, ())
        } - {""}
        own = {test for test in self.seconds if mirrors(test, name)}
        order = sorted(
            own | through if through else self.seconds,
            key=lambda test: (
                test not in through,
                test not in own,
                self.seconds.get(test, 1.0),
            ),
        )
        chosen, total = [], 0.0
        for test in order:
            total += self.seconds.get(test, 1.0)
            if chosen and total > BUDGET:
                break
            chosen.append(test)
        return chosen


def mirrors(test: str, name: str) -> bool:
    """Whether a test stands where those of a file stand."""
    file, stem = Path(test.partition("::")[0]), Path(name).stem.strip("_")
    words = file.stem.removeprefix("test_")
    beside = stem in words or words in stem or room(name) in words
    return file.parent.name == room(name) or (file.parent.name == "tests" and beside)


class Selected:
    """A plugin of pytest: run these tests in this order, note which one failed."""

    def __init__(self, tests: list[str]):
        self.order = {test: i for i, test in enumerate(tests)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items):
        """Keep those that were asked for."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )

    def pytest_runtest_logreport(self, report):
        """Note the first failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run(tree: Path, tests: list[str], result: Path) -> None:
    """Run tests in a copy of the tree, and write which failed: a child's whole life."""
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (HANG, HANG + 10))
    os.chdir(tree)
    for module in [m for m in sys.modules if m.partition(".")[0] in PACKAGES]:
        del sys.modules[module]
    sys.path[:0] = [str(tree), str(tree / "notebooks")]
    os.environ["PYTHONPATH"] = f"{tree}:{tree}/notebooks"
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    selected = Selected(tests)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    options = ["-q", "-x", "-p", "no:cacheprovider"]
    code = pytest.main([*options, *files], plugins=[selected])
    # 5: none was left, 0: all passed; else one failed, or the tests can't be imported.
    result.write_text("none" if code in (0, 5) else selected.failed or "import")


def forked(work: Callable, *arguments) -> int:
    """Begin ``work`` in a child, which leads a group of its own; return its number."""
    child = os.fork()
    if not child:
        try:
            os.setsid()
            work(*arguments)
        finally:
            os._exit(0)
    return child


def failing(tree: Path, tests: list[str]) -> str:
    """Which test fails first: its name, "none", "import", or "hang"."""
    result, end = tree.with_suffix(".run"), time.monotonic() + WAIT
    result.write_text("hang")
    child = forked(run, tree, tests, result)
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):  # what the tests left behind
        os.killpg(child, signal.SIGKILL)
    return result.read_text()


def verdict(tree: Path, name: str, source: str, tests: list[str]) -> None:
    """Write which test notices a fault, and passes without it, beside the tree."""
    file = tree / name
    clean, who = file.read_text(), "none"
    while tests:
        file.write_text(source)
        who = failing(tree, tests)
        file.write_text(clean)
        if who in ("none", "hang"):
            break
        alone = failing(tree, [who] if "::" in who else tests[:1])
        if alone == "none":
            break
        if "::" not in who:
            who = f"broken: {tests[0]} does not run without the fault"
            break
        tests, who = [test for test in tests if test != who], "none"
    tree.with_suffix(".txt").write_text(who)


@dataclass
class Place:
    """A copy of the tree, the fault that is planted there, and the child at work."""

    tree: Path
    fault: Fault | None = None
    child: int = 0

    def plant(self, fault: Fault, source: str, tests: list[str]) -> None:
        """Begin to look for the test that notices a fault."""
        self.fault = fault
        self.child = forked(verdict, self.tree, fault.name, source, tests)

    def ended(self) -> str | None:
        """The verdict, once it is known."""
        if not os.waitpid(self.child, os.WNOHANG)[0]:
            return None
        self.child = 0
        return self.tree.with_suffix(".txt").read_text()


def left_out(folder: str, names: list[str]) -> set[str]:
    """What a copy of the tree lacks: what was made there, and data sets."""
    if Path(folder) == ROOT / "data":
        return set(names) - {"README.md"}
    return LEFT_OUT(folder, names)


def sample(only: str | None, number: int, seed: int) -> list[tuple[str, int]]:
    """Faults to plant, as many from every module, drawn from the seed."""
    rng = random.Random(seed)
    drawn = []
    for path in sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if path.name != "__init__.py" and only in (None, room(name)):
            places = list(range(faults.count(path.read_text())))
            rng.shuffle(places)
            drawn.append([(name, place) for place in places])
    turns = [places[i] for i in range(100) for places in drawn if i < len(places)]
    return turns[:number]


def table(found: list[Fault]) -> str:
    """By room: how many faults were planted, and who noticed."""
    rooms = collections.defaultdict(collections.Counter)
    for fault in found:
        who = "its own"
        if fault.test.startswith("notebook"):
            who = "notebooks"
        elif fault.test.startswith("none"):
            who = "none"
        elif "::" in fault.test and not mirrors(fault.test, fault.name):
            who = "others"
        rooms[room(fault.name)][who] += 1
        rooms["all"][who] += 1
    who = ("its own", "others", "notebooks", "none")
    head = "by its own  by others  by notebooks  by none  by tests  by all"
    lines = [f"{'room':14} planted  {head}"]
    for name in sorted(rooms, key=lambda name: (name == "all", name)):
        own, others, notebooks, none = (rooms[name][w] for w in who)
        total = own + others + notebooks + none
        lines.append(
            f"{name:14} {total:7}  {own:10}  {others:9}  {notebooks:12}  {none:7}  "
            f"{(own + others) / total:8.0%}  {1 - none / total:6.0%}"
        )
    return "\n".join(lines)


def preload() -> None:
    """Import what most tests import, but nothing that faults are planted in."""
    # One thread for each child; TensorFlow reads this when it is imported.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    import hypothesis.strategies  # noqa: F401
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import nbconvert  # noqa: F401
    import pytest  # noqa: F401
    import scipy.ndimage  # noqa: F401
    import skimage.data  # noqa: F401
    import sklearn.datasets  # noqa: F401


def main() -> None:
    """Plant faults, run tests, keep and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--room", help="such as fooling or tools; all by default")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    reach = Reach()
    preload()
    known = {fault.key for fault in recorded()}
    waiting = sample(given.room, given.count, given.seed)[::-1]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        places = [Place(Path(folder, f"course{i}")) for i in range(given.jobs)]
        for place in places:
            shutil.copytree(ROOT, place.tree, ignore=left_out)
            if COMPUTED.is_dir():  # what takes the site's tests a minute to compute
                shutil.copytree(COMPUTED, place.tree / "build/computed")
        while waiting or any(place.child for place in places):
            for place in places:
                if place.child and (test := place.ended()) is not None:
                    if test.startswith("broken"):
                        sys.exit(f"error: {test}")
                    record(replace(place.fault, test=test))
                while waiting and not place.child:
                    name, number = waiting.pop()
                    before = (ROOT / name).read_text()
                    source, line, what = faults.planted(before, number)
                    fault = Fault(name, digest(ROOT / name), number, line, what)
                    if fault.key not in known:
                        place.plant(fault, source, reach.tests(name, before, line))
            time.sleep(0.1)
    print(table(recorded()))


if __name__ == "__main__":
    main()
