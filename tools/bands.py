"""Measures how far each banded value spreads: other seeds, other threads, no oneDNN."""

import contextlib
import csv
import dataclasses
import io
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tools import numbers
from tools.course import CourseError, read, write
from tools.execute import executed, quick_env
from tools.progress import Run
from tools.record import machine
from tools.runner import THREADS, Runner, name_of, report


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to run the course: what is added to its seeds, and its arithmetic."""

    name: str
    shift: int = 0
    threads: int = 1
    onednn: bool = True


WAYS = [
    Way("as stored"),
    *(Way(f"seeds + {by}", by) for by in range(1, 6)),
    Way("2 threads", threads=2),
    Way("no oneDNN", onednn=False),
    Way("2 threads, no oneDNN", threads=2, onednn=False),
]

# A value outside its band is printed like any other, so that the rest is seen too.
PRELUDE = "import cnnlib.bands as _bands; _bands.outside = lambda sentence: None\n"


def _prepare(way: Way):
    def prepare(nb) -> None:
        numbers.shift_seeds(nb, way.shift)
        first = next(cell for cell in nb.cells if cell.cell_type == "code")
        first.source = PRELUDE + first.source

    return prepare


def _errors(nb) -> list[str]:
    """What raised in a notebook where it should not: verdicts that moved."""
    errors = [
        output
        for cell in nb.cells
        if "raises-exception" not in cell.metadata.get("tags", ())
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]
    return [" ".join(f"{e.ename}: {e.evalue}".split()) for e in errors]


def bands(runner: Runner, names: list[str]) -> int:
    """Run notebooks in every way; write what was seen to ``results/bands``.

    Args:
        runner: runs them.
        names: notebooks by stem or number; all that print a band where empty.

    Returns:
        0; 1 where a band is too narrow or too wide for what was seen, or a verdict
        moved. All of these are told.
    """
    course, say = runner.course, runner.progress.say
    paths = [course.notebook(name) for name in names] or course.notebooks()
    stored = {p: numbers.printed(read(p)) for p in paths}
    found: dict[Path, dict[str, dict]] = {path: {} for path in paths if stored[path]}
    moved, errors = [], []
    left = {path: list(WAYS) for path in found}

    def work(path: Path, env: dict[str, str], run: Run):
        way = left[path].pop()
        run.name = f"{run.name}, {way.name}"
        env = env | dict.fromkeys(THREADS, str(way.threads))
        env["TF_ENABLE_ONEDNN_OPTS"] = str(int(way.onednn))
        with executed(path, env, run, _prepare(way)) as (nb, _):
            return way, numbers.printed(nb), _errors(nb)

    # All at once, so that no core waits for the end of a round.
    runs = [path for path in found for _ in WAYS]
    with contextlib.closing(runner.run(runs, work, quick_env())) as done:
        for path, outcome in done:
            if isinstance(outcome, CourseError):
                errors.append(outcome)
                continue
            way, values, raised = outcome
            found[path][way.name] = {(v.cell, v.index): v for v in values}
            moved += [f"{name_of(path)}  {way.name}: {line}" for line in raised]
    for path, ways in found.items():
        if len(ways) < len(WAYS):  # it failed, which is told below
            continue
        write(numbers.record(course.root, path.stem), _csv(path, ways))
        nb = read(path)
        moved += [f"{name_of(path)}  {line}" for line in numbers.complaints(path, nb)]
    for line in moved:
        say(line)
    report(errors)
    return 1 if moved else 0


def _csv(path: Path, ways: dict[str, dict]) -> str:
    """The record of one notebook: a row for each value, a column for each way."""
    here, out = machine(), io.StringIO()
    versions = [f"{name} {version(name)}" for name in ("keras", "tensorflow")]
    out.write(
        f"# make bands NOTEBOOK={path.stem[:2]}, {datetime.now(UTC):%Y-%m-%d}\n"
        f"# {here['cpu']}, {here['cores']} cores, {here['os']}; "
        f"Python {platform.python_version()}, {', '.join(versions)}\n"
    )
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["cell", "index", "line", *(way.name for way in WAYS)])
    for key, first in ways[WAYS[0].name].items():
        seen = [ways[w.name][key].text if key in ways[w.name] else "" for w in WAYS]
        rows.writerow([*key, first.line, *seen])
    return out.getvalue()
