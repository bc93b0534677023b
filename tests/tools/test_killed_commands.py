"""Commands that are killed: each file is whole or absent, and the next run goes on."""

import json
import os
import random
import signal
import time

import nbformat
from small_course import code, markdown

CELLS = [
    code("import time\ntime.sleep(0.3)"),
    markdown("## A large output", "slide"),
    code("print('what was computed\\n' * 5000)"),
]


def killed(course, seconds, *argv):
    """Start a command and kill it, with all that it started, at a random moment."""
    process = course.start(*argv)
    time.sleep(random.random() * seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def timed(course, *argv):
    """Run a command to its end; how long it took."""
    start, process = time.monotonic(), course.start(*argv)
    _, error = process.communicate()
    assert process.returncode == 0, error
    return time.monotonic() - start


def whole(path):
    """Whether a file is what its name says, to the end."""
    text = path.read_text("utf-8")
    if path.suffix == ".html":
        return text.rstrip().endswith("</html>")
    if path.suffix in (".ipynb", ".json"):
        return bool(json.loads(text))
    return True


def files(folder):
    """What is in a folder, without what is hidden, and how long the last run took."""
    found = (path for path in folder.rglob("*") if path.is_file())
    found = (path for path in found if path.name != "seconds.json")
    return [p for p in found if not any(x[0] == "." for x in p.parts[-3:])]


def parts(course):
    return list(course.root.rglob(".part-*"))


def test_a_talk_that_is_killed_is_built_by_the_next_one(course, tmp_path):
    course.add("00_first", *CELLS)
    course.add("01_second", *CELLS, title="Another")
    seconds = timed(course, "talk")
    build = course.root / "build"
    expected = {path.relative_to(build) for path in files(build)}
    os.rename(build, tmp_path / "before")
    killed(course, seconds, "talk")
    assert all(whole(path) for path in files(build))
    timed(course, "talk")
    assert {path.relative_to(build) for path in files(build)} == expected
    assert all(whole(path) for path in files(build))
    assert not parts(course)


def test_stored_outputs_are_those_before_or_those_after(course):
    course.add("00_first", *CELLS)
    stored = course.notebook("00_first")
    before = stored.read_bytes()
    seconds = timed(course, "notebooks")
    after = stored.read_bytes()
    assert after != before
    stored.write_bytes(before)
    killed(course, seconds, "notebooks")
    assert stored.read_bytes() in (before, after)
    timed(course, "notebooks")
    assert stored.read_bytes() == after
    nbformat.validate(nbformat.read(stored, as_version=4))
    assert not parts(course)


def test_a_record_is_whole_or_absent(course):
    runs = "runs = [{'seed': 0, 'accuracy': 0.5, 'seconds': 1.0, 'x': 1}] * 500"
    course.add("00_first", code(runs))
    record = course.root / "results/00_first.json"
    seconds = timed(course, "record", "00")
    expected = json.loads(record.read_text())["runs"]
    record.unlink()
    killed(course, seconds, "record", "00")
    assert not record.exists() or json.loads(record.read_text())["runs"] == expected
    timed(course, "record", "00")
    assert json.loads(record.read_text())["runs"] == expected
    assert not parts(course)
