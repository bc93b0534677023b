"""Runs stored notebooks again and compares their outputs, side by side.

The comparison is nbval's, and that of figures in ``notebooks/conftest.py``: one pytest
process for each notebook, which tells its doings on a pipe.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tools.course import Course, digest, read, write
from tools.execute import outputs_digest, places, quick_env
from tools.progress import Run
from tools.runner import Runner, name_of
from tools.stale import Keys

TOOLS = Path(__file__).parent
EVENTS = "COURSE_EVENTS"  # the pipe's number, in the environment of pytest
# pytest's main, without a syntax that nbformat's checks would build at every start
# (1.4 s of processor time) and never use.
PYTEST = """import sys
sys.modules["rfc3987_syntax"] = None
import pytest
sys.exit(pytest.main())"""
OUTCOMES = ("passed", "failed", "skipped")


@dataclass
class Checked:
    """What became of a notebook's cells: how many of each outcome, and what failed."""

    counts: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    report: str = ""


def _key(course: Course, keys: Keys, path: Path) -> str:
    """A digest of what the outputs depend on, the stored ones, and what compares."""
    nb = read(path)
    conftest = course.root / "notebooks/conftest.py"
    compare = [conftest, TOOLS / "figures.py", TOOLS / "streams.py"]
    return digest(
        keys.of(path), outputs_digest(nb), *(p for p in compare if p.exists())
    )


def _passed(course: Course, path: Path) -> Path:
    """The file that holds the key with which a notebook passed."""
    return course.build / "checked" / f"{name_of(path)}.key"


def _start(course: Course, path: Path, env: dict[str, str], events: int, out):
    options = "-p no:cacheprovider --nbval --nbval-current-env -q --no-header".split()
    return subprocess.Popen(
        [sys.executable, "-c", PYTEST, *options, str(path)],
        cwd=course.root,
        env=env | {EVENTS: str(events)},
        pass_fds=[events],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for the parent, which ends this one
    )


def _follow(line: str, where: list[str], run: Run, checked: Checked) -> None:
    """Take note of what pytest told."""
    event = json.loads(line)
    if "kernel" in event:
        run.watch(event["kernel"])
    if "begins" in event:
        run.at(where[event["begins"]])
    if "ends" in event:
        run.at("its kernel ends")
    if "outcome" in event:
        checked.counts[event["outcome"]] += 1
        if event["outcome"] == "failed":
            checked.failures.append(f"{run.name}  {run.where}: {event['reason']}")


def _check(course: Course, path: Path, env: dict[str, str], run: Run) -> Checked:
    """Run a notebook and compare its outputs."""
    nb = read(path)
    named = places(nb)
    # nbval counts empty code cells too.
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    where = [named.get(index, "an empty cell") for index in code]
    checked = Checked()
    reading, writing = os.pipe()
    with (
        open(reading, encoding="utf-8") as events,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out,
    ):
        process = _start(course, path, env, writing, out)
        os.close(writing)
        run.watch(process.pid)
        for line in events:
            _follow(line, where, run, checked)
        status = process.wait()
        out.seek(0)
        checked.report = out.read()
    if run.verdict:
        checked.failures.append(f"{run.name}  {run.where}: {run.verdict}")
        checked.counts["failed"] += 1
    elif status and not checked.failures:
        checked.failures.append(f"{run.name}  {run.where}: pytest ended with {status}")
        checked.counts["failed"] += 1
    return checked


def check(runner: Runner, names: list[str], changed: bool = False) -> int:
    """Run notebooks and their solutions, and compare all outputs with the stored ones.

    Args:
        runner: runs them.
        names: notebooks by stem or number; all of them where empty.
        changed: leave out those that passed as they are now.

    Returns:
        0 where all agree, 1 where some do not.

    Raises:
        CourseError: the scale is not quick, or a name is unknown.
    """
    start = time.monotonic()
    course, say, env = runner.course, runner.progress.say, quick_env()
    paths = [course.notebook(name) for name in names] or course.notebooks()
    stems = {path.stem for path in paths}
    paths += [path for path in course.solutions() if path.stem in stems]
    known = Keys(course, env)
    keys = {path: _key(course, known, path) for path in paths}
    if changed and not os.environ.get("CI"):
        for path in paths:
            if _unchanged(course, path, keys[path]):
                say(f"{name_of(path)}  passed as it is now")
        paths = [p for p in paths if not _unchanged(course, p, keys[p])]

    def work(path: Path, env: dict[str, str], run: Run) -> Checked:
        return _check(course, path, env, run)

    counts: Counter = Counter()
    failed: list[Checked] = []
    with contextlib.closing(runner.run(paths, work, env)) as done:
        for path, checked in done:
            counts += checked.counts
            told = _told(checked.counts)
            if checked.failures:
                failed.append(checked)
                _passed(course, path).unlink(missing_ok=True)
            else:
                write(_passed(course, path), keys[path])
            say(f"{name_of(path)}  {told}")
    for checked in failed:
        say(checked.report)
    for line in (line for checked in failed for line in checked.failures):
        say(line)
    say(f"{_told(counts) or '0 passed'} in {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


def _unchanged(course: Course, path: Path, key: str) -> bool:
    file = _passed(course, path)
    return file.exists() and file.read_text("utf-8") == key


def _told(counts: Counter) -> str:
    return ", ".join(f"{counts[what]} {what}" for what in OUTCOMES if counts[what])
