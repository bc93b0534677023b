"""What a terminal, a log and the table at the end are told, and how commands end."""

import io
import os
import shutil
import signal

import pytest

from tools import __main__ as commands
from tools import bands
from tools.course import CourseError
from tools.progress import SHOWN, Progress, Run, Step, table


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_live_lines_fit_the_terminal(monkeypatch):
    size = os.terminal_size((12, 4))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: size)
    terminal = Terminal()
    progress = Progress(terminal)
    progress.live(["0123456789abcdef", "two", "three", "four"])
    # A line of the whole width would begin another one.
    assert terminal.getvalue() == "0123456789a\ntwo\n"
    progress.live([])
    assert terminal.getvalue().endswith("two\n\033[2A\r\033[J")


def test_a_minute_is_one_of_the_cell_not_of_the_notebook():
    log = io.StringIO()
    run = Run("00_a", Progress(log))
    run.at("cell 1/2  Edges")
    run.began -= 1000
    run.look(run.since + 59)
    assert log.getvalue() == "00_a  runs\n"
    run.look(run.since + 61)
    run.at("cell 2/2  Shapes")
    run.look(run.since + 59)
    told = ["00_a  runs", "00_a  cell 1/2  Edges  61 s, still at it"]
    assert log.getvalue().splitlines() == told


def test_the_table_is_of_the_slowest_first_and_eight_of_each():
    runs = []
    for i in range(10):
        run = Run(f"{i:02}", Progress(io.StringIO()))
        run.steps = [Step("its kernel starts", 1, 0.5), Step("cell 1/1", 10 * i, i)]
        run.began, run.ended = 100, 100 + 10 * i + 1
        runs.append(run)
    head, columns, *rows = table(runs, 200)
    assert head == (
        "where 200 s went: 10 notebooks, 460 s one after the other, 50 s of processor "
        "time"
    )
    assert columns.split() == ["wall", "processor"]
    assert SHOWN == 8
    notebooks, cells = rows[:8], rows[9:]
    assert rows[8] == ""
    assert notebooks[0] == "  91.0 s      9.5 s  09"
    assert [row.split()[-1] for row in notebooks] == [
        f"{i:02}" for i in range(9, 1, -1)
    ]
    assert len(cells) == 8
    assert cells[0] == "  90.0 s      9.0 s  09  cell 1/1"


def test_bands_are_measured_by_five_seeds_two_threads_and_without_onednn():
    ways = [(way.name, way.shift, way.threads, way.onednn) for way in bands.WAYS]
    assert ways == [
        ("as stored", 0, 1, True),
        *((f"seeds + {i}", i, 1, True) for i in (1, 2, 3, 4, 5)),
        ("2 threads", 0, 2, True),
        ("no oneDNN", 0, 1, False),
        ("2 threads, no oneDNN", 0, 2, False),
    ]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (CourseError("no such notebook", 2), 2, "error: no such notebook"),
        (CourseError("it failed"), 1, "error: it failed"),
        (OSError(28, "No space left", "build"), 1, "error: build: No space left"),
    ],
)
def test_a_command_that_ends_badly_says_why_and_leaves_signals_as_they_were(
    error, status, told, monkeypatch, tmp_path, capsys
):
    def handlers():
        return [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]

    before = handlers()

    def do(*given):
        assert not set(handlers()) & set(before)
        raise error

    monkeypatch.setattr(commands, "_do", do)
    assert commands.main(["talk"], tmp_path) == status
    assert handlers() == before
    assert capsys.readouterr().err == f"{told}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_an_interrupt_and_noted(number, monkeypatch, tmp_path, capsys):
    noted = []

    def do(args, course, progress):
        assert not progress.interrupted
        try:
            signal.raise_signal(number)
        finally:
            noted.append(progress.interrupted)

    monkeypatch.setattr(commands, "_do", do)
    assert commands.main(["talk"], tmp_path) == 130
    assert noted == [True]
    assert capsys.readouterr().err == "interrupted\n"


def test_a_job_that_is_deaf_to_interrupts_stays_so(monkeypatch, tmp_path):
    def do(*given):
        signal.raise_signal(signal.SIGINT)
        return 0

    monkeypatch.setattr(commands, "_do", do)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert commands.main(["talk"], tmp_path) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_commands_have_their_defaults(monkeypatch):
    monkeypatch.delenv("JOBS", raising=False)
    parse = commands._parser().parse_args
    assert parse(["lab"]).port == 8888
    assert (parse(["talk"]).jobs, parse(["talk"]).still) == (None, 300)
    assert (parse(["check"]).names, parse(["check"]).changed) == ([], False)
