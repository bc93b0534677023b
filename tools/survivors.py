"""Shows the faults that no test noticed to the notebooks that reach their files.

    make survivors          (after make mutants)

A notebook notices where one of its outputs comes out different, and does not without
the fault. What came out is added to ``results/mutants.csv``.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tools import faults, mutants
from tools.course import Course
from tools.execute import quick_env
from tools.runner import jobs_of
from tools.stale import Keys

ROOT = mutants.ROOT
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


def main() -> None:
    """Show every fault that is left to notebooks, in their order; print the table."""
    course = Course(ROOT)
    known = Keys(course, quick_env())
    reached = {path.stem[:2]: known.files(path) for path in course.notebooks()}
    left = [fault for fault in mutants.recorded() if fault.test == "none"]
    with tempfile.TemporaryDirectory(prefix="survivors-") as folder:
        trees = Trees(Path(folder), jobs_of(os.environ.get("JOBS")))

        def work(fault: mutants.Fault) -> None:
            file = ROOT / fault.name
            numbers = [number for number, files in reached.items() if file in files]
            mutants.record(replace(fault, test=noticed(trees, fault, numbers)))

        with ThreadPoolExecutor(len(trees.all)) as pool:
            list(pool.map(work, left))
    print(mutants.table(mutants.recorded()))


if __name__ == "__main__":
    main()
