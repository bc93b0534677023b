"""Notebooks side by side: what is shown, what hangs, is killed or interrupted."""

import io
import os
import signal
import threading

import psutil
import pytest
from small_course import code, markdown, wait_until

from tools import kernel, runner
from tools.course import Course
from tools.kernel import Limits, Watch
from tools.progress import Progress, Run, table
from tools.runner import Runner, jobs_of

# A cell that tells its kernel's process number, and waits until a file says to go on.
WAITS = """import os, time
with open('../{name}.part', 'w') as file:
    _ = file.write(str(os.getpid()))
os.rename('../{name}.part', '../{name}')
while not os.path.exists('../go'):
    time.sleep(0.05)
"""
TICK = "with open('../ticks', 'a') as file:\n    _ = file.write('{}')"


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def number(course, name):
    path = course.root / name
    wait_until(path.exists)
    return int(path.read_text())


@pytest.mark.parametrize("command", ["talk", "check", "notebooks"])
def test_two_notebooks_run_at_the_same_time(checked_course, command):
    course = checked_course
    meets = WAITS + "    if os.path.exists('../{other}'):\n        break"
    course.add("00_a", code(meets.format(name="a", other="b")))
    course.add("01_b", code(meets.format(name="b", other="a")))
    assert course.run("--jobs", "2", command) == 0  # one alone would never end


@pytest.mark.parametrize("jobs", ["0", "two", "-1", "1.5", "²"])
def test_a_number_of_jobs_that_is_none_is_refused_in_one_line(course, jobs, capsys):
    course.add("00_a", code(TICK.format("a")))
    assert course.run(f"--jobs={jobs}", "talk") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: JOBS={jobs}: how many notebooks")
    assert error.count("\n") == 1
    assert not (course.root / "build").exists()


def test_each_kernel_has_its_share_of_the_threads(course, monkeypatch):
    monkeypatch.setattr(runner, "cores", lambda: 8)
    for jobs, threads in (1, "8"), (3, "2"), (8, "1"), (20, "1"):
        env = Runner(Course(course.root), Progress(), jobs).env({})
        assert env["OMP_NUM_THREADS"] == env["TF_NUM_INTRAOP_THREADS"] == threads


def test_as_many_run_as_there_are_cores():
    assert 1 <= jobs_of(None) == jobs_of("") <= os.cpu_count()
    assert jobs_of("3") == 3


def test_the_longest_of_the_last_run_starts_first(course):
    for stem, seconds in ("00_a", 0.01), ("01_b", 1.5), ("02_c", 0.02):
        cell = f"import time; time.sleep({seconds})"
        course.add(stem, code(cell + "\n" + TICK.format(stem[-1])))
    assert course.run("--jobs", "1", "talk") == 0
    (course.root / "requirements.txt").write_text("numpy==3\n")
    (course.root / "ticks").unlink()
    assert course.run("--jobs", "1", "talk") == 0
    assert (course.root / "ticks").read_text()[0] == "b"


@pytest.mark.parametrize("command", ["talk", "check"])
def test_a_kernel_that_is_killed_is_named_and_the_others_finish(
    checked_course, command, capsys
):
    course = checked_course
    course.add("00_a", code("pass"), markdown("## Edges"), code(WAITS.format(name="a")))
    course.add("01_b", code(WAITS.format(name="b")))

    def kill():
        number(course, "b")
        os.kill(number(course, "a"), signal.SIGKILL)
        (course.root / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    assert course.run("--jobs", "2", command) == 1
    killer.join()
    told = capsys.readouterr()
    assert "00_a  cell 2/2  Edges: the kernel died" in told.out + told.err
    capsys.readouterr()
    again = ["check", "--changed"] if command == "check" else [command]
    (course.root / "b").unlink()
    assert course.run(*again) == 0
    assert not (course.root / "b").exists()  # what finished is kept


@pytest.mark.parametrize("command", ["talk", "check"])
def test_a_kernel_that_does_nothing_is_ended(checked_course, command, capsys):
    course = checked_course
    course.add("00_a", markdown("## Rest"), code("import time; time.sleep(3600)"))
    course.add("01_b", code("pass"))
    assert course.run("--still", "5", command) == 1
    told = capsys.readouterr()
    wrong = "its kernel used no processor time for 5 s and was ended"
    assert f"00_a  cell 1/1  Rest: {wrong}" in told.out + told.err
    assert "01_b  ran" in told.out or "01_b  1 passed" in told.out
    if command == "check":
        assert "1 failed" in told.out.splitlines()[-1]


class Kernel:
    """A kernel that uses a part of a core, on a clock of its own."""

    def __init__(self, monkeypatch, share):
        self.now, self.share = 0.0, share
        monkeypatch.setattr("tools.kernel.time.monotonic", lambda: self.now)
        monkeypatch.setattr("tools.kernel.own_seconds", lambda _: 0.0)
        monkeypatch.setattr("tools.kernel._seconds", lambda _: self.now * self.share)
        monkeypatch.setattr("tools.kernel._reads_a_disk", lambda _: False)
        self.watch = Watch(os.getpid(), Limits())
        monkeypatch.setattr("tools.kernel._tree", lambda _: [None])

    def after(self, seconds, step=5.0):
        end = self.now + seconds
        while self.now < end:
            self.now += step
            if complaint := self.watch.complaint(self.now):
                return complaint
        return None


def test_slow_is_not_hanging(monkeypatch):
    assert Kernel(monkeypatch, share=0.005).after(100_000) is None


def test_an_idle_kernel_hangs_after_five_minutes(monkeypatch):
    idle = Kernel(monkeypatch, share=0.0003)
    assert idle.after(295) is None
    wrong = "its kernel used no processor time for 5 minutes and was ended"
    assert idle.after(5) == wrong


class Waiting:
    """A process that waits for a disk, or does something else, or has ended."""

    def __init__(self, status):
        self.asked = status

    def status(self):
        if self.asked is None:
            raise psutil.NoSuchProcess(1)
        return self.asked


@pytest.mark.parametrize(
    ("statuses", "reads"),
    [
        ([psutil.STATUS_SLEEPING, psutil.STATUS_DISK_SLEEP], True),
        ([None, psutil.STATUS_DISK_SLEEP], True),
        ([psutil.STATUS_SLEEPING, None], False),
    ],
)
def test_a_kernel_that_waits_for_a_disk_does_not_hang(statuses, reads, monkeypatch):
    processes = [Waiting(status) for status in statuses]
    reading = kernel._reads_a_disk
    idle = Kernel(monkeypatch, share=0.0)
    monkeypatch.setattr("tools.kernel._reads_a_disk", reading)
    monkeypatch.setattr("tools.kernel._tree", lambda _: processes)
    assert (idle.after(1000) is None) == reads


def test_time_in_which_nobody_looked_does_not_count(monkeypatch):
    assert Kernel(monkeypatch, share=0.0).after(3 * 3600, step=3600.0) is None


def test_an_endless_loop_is_ended_after_an_hour_of_processor_time(monkeypatch):
    endless = Kernel(monkeypatch, share=0.5)
    assert endless.after(7195) is None
    assert endless.after(10) == "used 60 minutes of processor time and was ended"


@pytest.mark.parametrize("command", ["talk", "check"])
def test_an_interrupt_ends_all_kernels_and_a_second_run_goes_on(
    checked_course, command
):
    course = checked_course
    course.add("00_a", code(TICK.format("a")))
    course.add("01_b", code(WAITS.format(name="b")))
    course.add("02_c", code(WAITS.format(name="c")))
    process = course.start("--jobs", "3", command)
    kernels = [number(course, "b"), number(course, "c")]
    kept = {"talk": "executed/00_a.ipynb", "check": "checked/00_a.key"}[command]
    wait_until((course.root / "build" / kept).exists)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert error.endswith("interrupted\n")  # before it, where Python dropped it first
    # Python's own way to end where the interrupt fell into an `exec`, as in an import
    # of a dataclass, is the signal, whatever was returned: 130 to a shell, too.
    assert process.returncode in (130, -signal.SIGINT)
    wait_until(lambda: not any(map(alive, kernels)))

    (course.root / "go").touch()
    again = ["check", "--changed"] if command == "check" else [command]
    assert course.run(*again) == 0
    assert (course.root / "ticks").read_text() == "a"


def test_an_interrupt_that_python_dropped_is_one_all_the_same(course, monkeypatch):
    course.add("00_a", code("1"))
    course.add("01_b", code("1"))
    progress, begun = Progress(io.StringIO()), []

    def work(path, env, run):
        begun.append(path.stem)
        progress.interrupted = True
        if len(begun) == 2:  # as long as nobody ends it
            ended.wait(5)

    def end(run):
        ended.set()

    ended = threading.Event()
    monkeypatch.setattr(Run, "end", end)
    few = Runner(Course(course.root), progress, 1)
    with pytest.raises(KeyboardInterrupt):
        list(few.run(few.course.notebooks(), work, {}))
    assert begun


def test_a_second_talk_in_the_same_folder_waits_and_says_so(course):
    course.add("00_a", code(WAITS.format(name="a") + TICK.format("a")))
    first = course.start("talk")
    number(course, "a")
    second = course.start("talk")
    line = second.stdout.readline()
    assert line.startswith("another `make talk` is at work in this folder")
    assert f"process {first.pid}" in line
    (course.root / "go").touch()
    for process in first, second:
        process.communicate()
        assert process.returncode == 0
    assert (course.root / "ticks").read_text() == "a"


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    course, capsys, monkeypatch
):
    course.add("00_a", code("1"))
    course.add("01_b", code("1"))
    write = os.replace

    def full(source, target):
        if "executed" in str(target):
            raise OSError(28, "No space left on device")
        return write(source, target)

    monkeypatch.setattr("tools.course.os.replace", full)
    assert course.run("--jobs", "1", "talk") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.endswith("build/executed: No space left on device\n")
    assert "error: cannot write 0" in error
    assert not list(course.root.rglob(".part-*"))
    assert not list((course.root / "build/executed").iterdir())


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_live_lines_stay_below_what_is_said():
    terminal = Terminal()
    progress = Progress(terminal)
    progress.live(["00_a  cell 1/3  Edges  4 s", "01_b  cell 2/2  Shapes  1 s"])
    progress.say("02_c  ran in 7 s")
    progress.live([])
    live = "00_a  cell 1/3  Edges  4 s\n01_b  cell 2/2  Shapes  1 s\n"
    wiped = "\033[2A\r\033[J"
    assert terminal.getvalue() == f"{live}{wiped}02_c  ran in 7 s\n{live}{wiped}"


def test_a_log_is_told_each_minute_what_is_still_at_it(monkeypatch):
    log = io.StringIO()
    run = Run("00_a", Progress(log))
    run.at("cell 1/3  Edges")
    for seconds in range(0, 150, 10):
        run.look(run.since + seconds)
    assert log.getvalue().splitlines() == [
        "00_a  runs",
        "00_a  cell 1/3  Edges  60 s, still at it",
        "00_a  cell 1/3  Edges  120 s, still at it",
    ]


def test_the_table_names_the_slowest_notebooks_and_cells(course, capsys):
    course.add("00_a", code("import time; time.sleep(1.5)"), title="Sleep")
    course.add("01_b", code("pass"))
    assert course.run("talk") == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(i for i, x in enumerate(lines) if x.endswith("s of processor time"))
    assert lines[head].startswith("where ")
    assert lines[head + 2].endswith("00_a")
    assert any(line.endswith("00_a  cell 1/1  Sleep") for line in lines[head:])
    assert table([], 1.0) == []
