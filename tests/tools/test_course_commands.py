"""`lab`, `record` and the check of Python: bad input gets one clear line."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_course import code

from tools import check_python, lab

ROOT = Path(__file__).parents[2]


def test_a_port_in_use_is_named_with_the_remedy(course, capsys, monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("something was started"))
    course.add("00_start_here", code("1"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert course.run("lab", "--port", str(port)) == 1
    assert capsys.readouterr().err == (
        f"error: port {port} is in use: make lab PORT={port + 1}\n"
    )


def test_lab_opens_the_first_notebook_on_the_port_asked_for(course, monkeypatch):
    started = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.extend(command))
    monkeypatch.setattr(lab, "free", lambda port: True)
    course.add("01_later", code("1"))
    course.add("00_start_here", code("1"))
    assert course.run("lab", "--port", "8899") == 0
    assert "--ServerApp.port=8899" in started
    assert "--ServerApp.port_retries=0" in started
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in started


def test_a_port_is_free_until_somebody_listens():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        assert not lab.free(port)
    assert lab.free(port)


RUNS = "runs = [dict(seed=s, accuracy=a, seconds=t, iou=1 - a) for s, a, t in {}]"


def test_a_record_says_what_where_and_with_which_versions(course, monkeypatch, capsys):
    monkeypatch.setenv("CNNLIB_DATA", str(course.root))
    course.add(
        "06_run",
        code("import os, numpy\nassert os.environ['CNNLIB_SCALE'] == 'full'"),
        code(RUNS.format("[(0, 0.98, 5.0), (1, 0.99, 7.0), (2, 0.995, 6.0)]")),
    )
    before = course.notebook("06_run").read_bytes()
    assert course.run("record", "06") == 0
    result = json.loads((course.root / "results/06_run.json").read_text())
    assert result["notebook"] == "06_run"
    assert result["command"] == "CNNLIB_DATA=data make record NOTEBOOK=06_run"
    assert [run["seed"] for run in result["runs"]] == [0, 1, 2]
    assert result["median"] == {"accuracy": 0.99, "seconds": 6.0, "iou": 1 - 0.99}
    assert result["versions"]["numpy"].startswith("2.")
    assert "python" in result["versions"]
    assert set(result["machine"]) == {"cpu", "cores", "memory_gib", "os", "accelerator"}
    printed = [line.split() for line in capsys.readouterr().out.splitlines()[-5:]]
    assert printed[0] == ["seed", "accuracy", "seconds", "iou"]
    assert printed[-2:] == [
        ["2", "0.995", "6", "0.005"],
        ["median", "0.99", "6", "0.01"],
    ]
    assert course.notebook("06_run").read_bytes() == before


def test_one_run_is_a_record_too(course):
    course.add("06_run", code(RUNS.format("[(3, 0.5, 1.0)]")))
    assert course.run("record", "06") == 0
    result = json.loads((course.root / "results/06_run.json").read_text())
    assert result["median"] == {"accuracy": 0.5, "seconds": 1.0, "iou": 0.5}


@pytest.mark.parametrize(
    "source", ["x = 1", "runs = []", "runs = [{'seed': 1}]", "runs = 3"]
)
def test_a_notebook_without_runs_is_not_recorded(course, source, capsys, monkeypatch):
    monkeypatch.setenv("CNNLIB_SCALE", "full")
    course.add("06_run", code(source))
    assert course.run("record", "06_run") == 1
    error = capsys.readouterr().err
    assert "a recorded notebook leaves a list `runs`" in error
    assert error.count("\n") == 1
    assert not (course.root / "results").exists()


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 4, 0), (3, 10, 14), (3, 14, 0)])
def test_other_pythons_are_turned_away_in_one_line(version):
    line = check_python.complaint(version, [11, 12, 13])
    assert f"this is Python {version[0]}.{version[1]}," in line
    assert "needs 3.11 to 3.13" in line
    assert line.endswith("make talk PYTHON=python3.12")
    assert "\n" not in line


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9)])
def test_accepted_pythons_pass(version):
    assert check_python.complaint(version, [11, 12, 13]) is None


@pytest.mark.parametrize("version", ["3.10.14", None])
def test_make_is_told_by_the_exit_status(tmp_path, version):
    """As a command, with the version that it finds, or another one."""
    found = f"sys.version_info = {(3, 10, 14)}\n" if version else ""
    source = "import runpy, sys\n" + found
    source += f"runpy.run_path({check_python.__file__!r}, None, '__main__')"
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == bool(version)
    assert ("this is Python 3.10," in done.stderr) == bool(version)
    assert not done.stdout


def test_of_the_pythons_that_will_do_the_middle_one_is_named():
    line = check_python.complaint((3, 8), [9, 10, 11, 12, 13])
    assert line.endswith("make talk PYTHON=python3.11")


def test_the_accepted_pythons_are_those_of_pyproject():
    minors = check_python.accepted((ROOT / "pyproject.toml").read_text())
    assert sys.version_info[1] in minors
    assert check_python.accepted('requires-python = ">=3.9,<3.12"\n') == [9, 10, 11]


def test_the_check_of_python_runs_without_anything_installed():
    script = ROOT / "tools" / "check_python.py"
    done = subprocess.run([sys.executable, "-I", "-S", script], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_make_help_names_every_command():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)
    for command in ("talk", "test", "test-jax", "lab", "notebooks", "slides", "record"):
        assert f"make {command} " in done.stdout


def test_make_names_a_python_that_is_not_there():
    command = ["make", "talk", "PYTHON=python-of-nowhere"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith("error: there is no python-of-nowhere here;")


NO_NOTEBOOKS = [
    "",
    "<<<<<<< HEAD\n{}\n",
    "{}",
    "[]",
    '{"cells": [], "metadata": {}, "nbformat": 5, "nbformat_minor": 0}',
    # A cell without its source, and an output without its kind.
    '{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}}], "metadata": {},'
    ' "nbformat": 4, "nbformat_minor": 5}',
    '{"cells": [{"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {},'
    ' "outputs": [{"text": "1"}], "source": "1"}], "metadata": {}, "nbformat": 4,'
    ' "nbformat_minor": 5}',
]


@pytest.mark.parametrize("text", NO_NOTEBOOKS)
def test_a_file_that_holds_no_notebook_is_named_in_one_line(course, text, capsys):
    course.add("00_a", code("pass"))
    course.notebook("01_b").write_text(text)
    for command in ("check", "pages", "sync"):
        assert course.run(command) == 1
        lines = capsys.readouterr().err.splitlines()
        [error] = [line for line in lines if line.startswith("error: ")]
        assert "01_b.ipynb holds no notebook: " in error
