"""Shows the faults that no test noticed to the notebooks that reach their files.

    make survivors          (after make mutants)

A notebook notices where one of its outputs comes out different, and does not without
the fault. One that never runs through the faulty lines is not asked. What came out is
added to ``results/mutants.csv``.
"""

import ast
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from coverage import CoverageData

from tools import faults, mutants
from tools.course import Course, CourseError
from tools.execute import quick_env
from tools.runner import jobs_of
from tools.stale import Keys

ROOT = mutants.ROOT
TRACED = ROOT / "build/coverage/notebooks"
NONE = "none, nor by notebooks"


def check(tree: Path, number: str) -> subprocess.CompletedProcess:
    """Run the checks of one notebook and of its solutions in a copy of the tree.

    They end what hangs, too.
    """
    return subprocess.run(
        [sys.executable, "-m", "tools", "--jobs", "1", "check", number],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "CNNLIB_SCALE": "quick"},
        capture_output=True,
        text=True,
    )


def trace(tree: Path, path: Path, into: Path) -> None:
    """Write which lines a notebook runs in a copy of the tree, as coverage keeps them.

    Raises:
        CourseError: it could not be run.
    """
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    paths = {"PYTHONPATH": f"{tree}:{tree}/notebooks", "MPLBACKEND": "agg"}
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as parts:
        data = f"--data-file={parts}/lines"  # and one for each process, till combined
        for arguments in (
            ["run", "--parallel-mode", data, "-m", "tools.cells", str(path)],
            ["combine", data, parts],
        ):
            done = subprocess.run(
                [sys.executable, "-m", "coverage", *arguments],
                cwd=tree,
                env=quick_env() | threads | paths,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                raise CourseError(f"{path.name} was not traced:\n{done.stdout[-2000:]}")
        os.replace(f"{parts}/lines", into)


class Trees:
    """Copies of the tree, each of which is lent to one user at a time."""

    def __init__(self, folder: Path, number: int):
        self.all = [folder / f"course{i}" for i in range(number)]
        self._free = list(self.all)
        for tree in self.all:
            shutil.copytree(ROOT, tree, ignore=mutants.left_out)

    @contextlib.contextmanager
    def one(self):
        """A copy that nobody else has."""
        tree = self._free.pop()
        try:
            yield tree
        finally:
            self._free.append(tree)


def noticed(trees: Trees, fault: mutants.Fault, numbers: list[str]) -> str:
    """Which notebook notices a fault: "notebook 05", or that none does."""
    clean = (ROOT / fault.name).read_text()
    source, _, _ = faults.planted(clean, fault.number)
    with trees.one() as tree:
        for number in numbers:
            (tree / fault.name).write_text(source)
            failed = check(tree, number).returncode
            (tree / fault.name).write_text(clean)
            if failed and not check(tree, number).returncode:
                return f"notebook {number}"
    return NONE


class Ran:
    """Which lines each notebook runs; those of a traced one are kept in ``folder``."""

    def __init__(self, trees: Trees, folder: Path):
        self.trees, self.folder = trees, folder
        self.course = Course(ROOT)
        self.keys = Keys(self.course, quick_env())
        self._traced: dict[Path, CoverageData] = {}

    def trace(self, path: Path) -> None:
        """Learn the lines of one notebook, or of its solutions."""
        kind = path.parent.name
        into = self.folder / f"{kind}-{path.stem}-{self.keys.of(path)[:12]}"
        if not into.exists():
            print(f"{kind}/{path.name}: which lines does it run?", flush=True)
            with self.trees.one() as tree:
                trace(tree, tree / path.relative_to(ROOT), into)
        self._traced[path] = CoverageData(str(into))
        self._traced[path].read()

    def numbers(self, fault: mutants.Fault) -> list[str]:
        """The notebooks that run through a fault; all that reach it, if at import."""
        file = ROOT / fault.name
        lines = mutants.statement(ast.parse(file.read_bytes()), fault.line)

        def runs(path: Path, data: CoverageData) -> bool:
            if lines is None:
                return file in self.keys.files(path)
            return not set(lines).isdisjoint(data.lines(fault.name) or ())

        traced = self._traced.items()
        return sorted({path.stem[:2] for path, data in traced if runs(path, data)})


def main() -> None:
    """Show every fault that is left to notebooks, in their order; print the table."""
    left = [fault for fault in mutants.recorded() if fault.test == "none"]
    with tempfile.TemporaryDirectory(prefix="survivors-") as folder:
        trees = Trees(Path(folder), jobs_of(os.environ.get("JOBS")))
        ran = Ran(trees, TRACED)
        paths = [*ran.course.notebooks(), *ran.course.solutions()]

        def work(fault: mutants.Fault) -> None:
            numbers = ran.numbers(fault)
            mutants.record(replace(fault, test=noticed(trees, fault, numbers)))

        with ThreadPoolExecutor(len(trees.all)) as pool:
            list(pool.map(ran.trace, paths))
            list(pool.map(work, left))
    print(mutants.table(mutants.recorded()))


if __name__ == "__main__":
    try:
        main()
    except CourseError as error:
        sys.exit(f"error: {error}")
