"""Shows the faults that no test noticed to the notebooks that run through their lines.

    make survivors          (after make mutants)

A notebook notices where one of its outputs comes out different. Which notebooks run
through a line is measured first, and kept in ``build/coverage/notebooks`` (``python -m
coverage report --data-file=build/coverage/notebooks`` tells what they run of the
library). What came out is added to ``results/mutants.csv``.
"""

import ast
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tools import faults, mutants
from tools.course import Course
from tools.runner import jobs_of

ROOT = mutants.ROOT
MEASURED = mutants.MEASURED / "notebooks"
NONE = "none, nor by notebooks"


def check(tree: Path, number: str, *measure: str) -> subprocess.CompletedProcess:
    """Run the checks of one notebook and of its solutions in a copy of the tree.

    They end what hangs, too.
    """
    return subprocess.run(
        [sys.executable, *measure, "-m", "tools", "--jobs", "1", "check", number],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "CNNLIB_SCALE": "quick"},
        capture_output=True,
        text=True,
    )


def measured(trees: "Trees", numbers: list[str]) -> dict[str, float]:
    """Measure what each notebook runs, where that is not known yet; their seconds.

    Raises:
        SystemExit: a notebook fails without any fault.
    """
    options = ["-m", "coverage", "run", "--parallel-mode", f"--data-file={MEASURED}"]

    def seconds(number: str) -> float:
        note = MEASURED.with_name(f"notebooks-{number}.seconds")
        if not note.exists():
            start = time.monotonic()
            with trees.one() as tree:
                done = check(tree, number, *options, f"--context={number}")
            if done.returncode:
                sys.exit(f"error: {number} fails without a fault:\n{done.stdout}")
            note.write_text(str(time.monotonic() - start))
            print(f"{number} measured", flush=True)
        return float(note.read_text())

    with ThreadPoolExecutor(len(trees.all)) as pool:
        took = dict(zip(numbers, pool.map(seconds, numbers), strict=True))
    if not MEASURED.exists():
        combine = ["coverage", "combine", f"--data-file={MEASURED}"]
        subprocess.run([sys.executable, "-m", *combine], cwd=ROOT, check=True)
    return took


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
        (tree / fault.name).write_text(source)
        try:
            for number in numbers:
                if check(tree, number).returncode:
                    return f"notebook {number}"
        finally:
            (tree / fault.name).write_text(clean)
    return NONE


def main() -> None:
    """Show every fault that is left to notebooks, quick ones first; print the table."""
    from coverage import CoverageData

    left = [
        fault
        for fault in mutants.recorded()
        if fault.test == "none" and fault.name.startswith("cnnlib")
    ]
    notebooks = [path.stem[:2] for path in Course(ROOT).notebooks()]
    with tempfile.TemporaryDirectory(prefix="survivors-") as folder:
        trees = Trees(Path(folder), jobs_of(os.environ.get("JOBS")))
        took = measured(trees, notebooks)
        data = CoverageData(str(MEASURED))
        data.read()

        def work(fault: mutants.Fault) -> None:
            by_line = data.contexts_by_lineno(fault.name)
            tree = ast.parse((ROOT / fault.name).read_text())
            lines = mutants.statement(tree, fault.line) or by_line
            through = {name for line in lines for name in by_line.get(line, ())} - {""}
            test = noticed(trees, fault, sorted(through, key=took.get))
            mutants.record(replace(fault, test=test))

        with ThreadPoolExecutor(len(trees.all)) as pool:
            list(pool.map(work, left))
    print(mutants.table(mutants.recorded()))


if __name__ == "__main__":
    main()
