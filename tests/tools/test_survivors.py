"""Faults that no test notices are shown to notebooks, one after the other."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tools import mutants, survivors
from tools.course import CourseError

REAL = mutants.ROOT
SOURCE = "def double(x):\n    return x * 2\n"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A tree with one module, and what each check saw of it."""
    root, seen = tmp_path / "course", []
    (root / "cnnlib").mkdir(parents=True)
    (root / "cnnlib/square.py").write_text(SOURCE)

    def check(tree, number):
        seen.append((number, (tree / "cnnlib/square.py").read_text()))
        failed = number in ("02", "03") and "3" in seen[-1][1]
        return subprocess.CompletedProcess([], int(failed), f"{number} differs")

    for module in (mutants, survivors):
        monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(survivors, "check", check)
    return survivors.Trees(tmp_path, 1), seen


def the_fault(number):
    name = "cnnlib/square.py"
    digest = mutants.digest(survivors.ROOT / name)
    return mutants.Fault(name, digest, number, 2, "", "none")


@pytest.mark.parametrize(
    ("numbers", "verdict", "asked"),
    [
        (["01", "02", "04"], "notebook 02", ["01", "02"]),
        (["01"], survivors.NONE, ["01"]),
        (["03", "02"], "notebook 03", ["03"]),
        ([], survivors.NONE, []),
    ],
)
def test_notebooks_see_a_fault_until_one_notices(course, numbers, verdict, asked):
    trees, seen = course
    by_two = the_fault(1)  # 2 → 3
    assert survivors.noticed(trees, by_two, numbers) == verdict
    faulty = [number for number, source in seen if "x * 3" in source]
    assert faulty == asked
    without = [number for number, source in seen if source == SOURCE]
    assert [f"notebook {number}" for number in without] == [verdict] * len(without)
    assert [tree.joinpath(by_two.name).read_text() for tree in trees.all] == [SOURCE]


NOTEBOOKS = {
    "01_other": "1",
    "02_only_imports": "import cnnlib.square",
    "03_after_an_error": "1 / 0\nfrom cnnlib.square import double\ndouble(2)",
    "04_too": "from cnnlib import square\nsquare.double(2)",
}


@pytest.fixture
def notebooks(course, monkeypatch):
    """Four notebooks, each line in a cell of its own; how often each was traced."""
    root, traced, trace = survivors.ROOT, [], survivors.trace
    (root / "cnnlib/__init__.py").touch()
    for folder in ("notebooks", "tools"):
        (root / folder).mkdir()
    for file in ("pyproject.toml", "tools/__init__.py", "tools/cells.py"):
        shutil.copy(REAL / file, root / file)
    for stem, source in NOTEBOOKS.items():
        cells = [v4.new_code_cell(line) for line in source.splitlines()]
        nbformat.write(v4.new_notebook(cells=cells), root / f"notebooks/{stem}.ipynb")

    def counted(tree, path, into):
        traced.append(path.name[:2])
        trace(tree, path, into)

    monkeypatch.setattr(survivors, "trace", counted)
    monkeypatch.setattr(survivors, "TRACED", root / "build/coverage/notebooks")
    monkeypatch.setattr(mutants, "RECORD", root / "mutants.csv")
    return traced


def test_each_fault_that_is_left_is_shown_to_the_notebooks_that_run_through_it(
    course, notebooks, capsys
):
    trees, seen = course
    by_two = the_fault(1)
    mutants.record(replace(by_two, number=0, test="tests/test_square.py::test_it"))
    mutants.record(by_two)
    survivors.main()
    verdicts = {fault.number: fault.test for fault in mutants.recorded()}
    assert verdicts == {0: "tests/test_square.py::test_it", 1: "notebook 03"}
    assert [number for number, _ in seen] == ["03", "03"]  # with the fault and without
    assert sorted(notebooks) == ["01", "02", "03", "04"]
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last == ["all", "2", "1", "0", "1", "0", "50%", "100%"]
    ran = survivors.Ran(trees, survivors.TRACED)  # finds what the first one kept
    for path in ran.course.notebooks():
        ran.trace(path)
    assert sorted(notebooks) == ["01", "02", "03", "04"]
    assert ran.numbers(by_two) == ["03", "04"]
    at_import = replace(by_two, line=1)
    assert ran.numbers(at_import) == ["02", "03", "04"]


def test_a_notebook_that_cannot_be_traced_is_named(course, tmp_path):
    trees, _ = course
    with pytest.raises(CourseError, match=r"05_lost.ipynb was not traced:\n.*tools"):
        survivors.trace(trees.all[0], Path("05_lost.ipynb"), tmp_path / "lines")


def test_a_notebook_that_fails_without_the_fault_notices_none(course, monkeypatch):
    trees, _ = course
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(survivors, "check", lambda tree, number: failed)
    assert survivors.noticed(trees, the_fault(1), ["01"]) == survivors.NONE


def test_a_check_runs_in_the_copy(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/__init__.py").touch()
    (tmp_path / "tools/__main__.py").write_text(
        "import pathlib, sys; print(*sys.argv[1:], pathlib.Path.cwd()); sys.exit(3)"
    )
    done = survivors.check(tmp_path, "05")
    assert done.returncode == 3
    assert done.stdout == f"--jobs 1 check 05 {tmp_path}\n"
