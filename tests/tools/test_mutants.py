"""Faults are planted one at a time, and only tests that reach a line look for them."""

import ast
import csv
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import faults, mutants, survivors

ROOT = Path(__file__).parents[2]
SOURCE = '''"""Scores of 3 in all."""

HALF = 0.5


def area(width, height=2):
    """The area of 4 corners."""
    if width < 0:
        raise ValueError("at least 0")
    total = sum(
        [width, height],
        start=1,
    )
    if total > 9 and not height:
        total = -total
    return total * HALF
'''
ABOVE = """from pathlib import Path

import pytest

from cnnlib.shapes.square import double, half, unused


def test_double():
    assert double(3) == 6


def test_half_runs():
    assert half(0) == 0


@pytest.mark.skip
def test_skipped():
    assert False


def test_half_fails_elsewhere():
    half(0)
    assert Path.cwd() == Path({root!r})
"""


def every_fault(source):
    return [faults.planted(source, i) for i in range(faults.count(source))]


def test_each_fault_changes_one_place_and_is_named_with_its_line():
    named = {(line, what) for _, line, what in every_fault(SOURCE)}
    assert named == {
        (3, "0.5 → 0.75"),
        (6, "2 → 3"),
        (8, "another Lt"),
        (8, "0 → 1"),
        (10, "sum → mean"),
        (10, "without start= #0"),
        (12, "1 → 2"),
        (14, "if never"),
        (14, "another And"),
        (14, "another Gt"),
        (14, "9 → 10"),
        (14, "no Not"),
        (15, "no USub"),
        (16, "another Mult"),
    }
    before = ast.dump(ast.parse(SOURCE))
    after = {ast.dump(ast.parse(planted)) for planted, _, _ in every_fault(SOURCE)}
    assert before not in after
    assert len(after) == len(named)


def test_no_word_is_its_own_fault():
    assert all(word != other for word, other in faults.WORDS.items())
    pairs = {("min", "max"), ("argmin", "argmax"), ("floor", "ceil"), ("mean", "sum")}
    assert pairs <= faults.WORDS.items()
    assert {pair[::-1] for pair in pairs} <= faults.WORDS.items()


def test_what_is_planted_is_what_its_name_says():
    by_name = {(line, what): planted for planted, line, what in every_fault(SOURCE)}
    assert "width <= 0" in by_name[8, "another Lt"]
    assert "total > 9 or not height" in by_name[14, "another And"]
    assert "total > 9 and (not not height)" in by_name[14, "no Not"]
    assert "if False:\n        total" in by_name[14, "if never"]
    assert "total = +total" in by_name[15, "no USub"]
    assert "sum([width, height])" in by_name[10, "without start= #0"]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (3, None),  # at import
        (6, None),  # a default is
        (8, range(8, 9)),
        (9, range(9, 10)),
        (12, range(10, 14)),  # one call over four lines
        (14, range(14, 15)),
        (15, range(15, 16)),
    ],
)
def test_the_lines_that_run_with_one(line, lines):
    assert mutants.statement(ast.parse(SOURCE), line) == lines


@pytest.mark.parametrize(
    ("test", "name", "mirrored"),
    [
        ("tests/fooling/test_lbfgs.py::test_a", "cnnlib/fooling/lbfgs.py", True),
        ("tests/fooling/test_evolution.py::test_a", "cnnlib/fooling/lbfgs.py", True),
        ("tests/models/test_unet.py::test_a[3]", "cnnlib/fooling/lbfgs.py", False),
        ("tests/runs/test_runs.py::test_a", "cnnlib/runs/training.py", True),
        ("tests/test_main.py::test_a", "cnnlib/photographs.py", False),
        ("tests/test_photographs.py::test_a", "cnnlib/photographs.py", True),
        ("tests/test_datasets.py::test_a", "cnnlib/datasets/drawn.py", True),
        ("tests/tools/test_check.py::test_a", "tools/render.py", True),
    ],
)
def test_which_tests_are_a_files_own(test, name, mirrored):
    assert mutants.mirrors(test, name) == mirrored


def fault(name, test, line=3):
    return mutants.Fault(name, "0" * 12, 0, line, "0 → 1", test)


def test_the_table_counts_by_room_and_adds_up():
    found = [
        fault("cnnlib/fooling/lbfgs.py", "none"),
        fault("cnnlib/fooling/lbfgs.py", "notebook 13"),
        fault("cnnlib/fooling/lbfgs.py", survivors.NONE),
        fault("cnnlib/fooling/lbfgs.py", "tests/fooling/test_lbfgs.py::test"),
        fault("cnnlib/runs/training.py", "tests/models/test_unet.py::test_a"),
        fault("tools/lines.py", "import"),
        fault("tools/lines.py", "hang"),
    ]
    table = [line.split() for line in mutants.table(found).splitlines()[1:]]
    assert table == [
        ["fooling", "4", "1", "0", "1", "2", "25%", "50%"],
        ["runs", "1", "0", "1", "0", "0", "100%", "100%"],
        ["tools", "2", "2", "0", "0", "0", "100%", "100%"],
        ["all", "7", "3", "1", "1", "2", "57%", "71%"],
    ]


def test_the_last_word_on_a_fault_counts_and_none_on_a_file_that_changed(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "RECORD", tmp_path / "results/mutants.csv")
    file = tmp_path / "a.py"
    file.write_text("A = 1\n")
    assert mutants.recorded() == []
    one = mutants.Fault("a.py", mutants.digest(file), 0, 1, "1 → 2", "none")
    other = dataclasses.replace(one, number=1)
    gone = dataclasses.replace(one, name="b.py")
    for word in (one, other, gone, dataclasses.replace(one, test="notebook 02")):
        mutants.record(word)
    assert mutants.recorded() == [dataclasses.replace(one, test="notebook 02"), other]
    file.write_text("A = 2\n")
    assert mutants.recorded() == []


def test_without_coverage_it_says_what_comes_first(tmp_path):
    with pytest.raises(SystemExit, match="make coverage comes first"):
        mutants.Reach(tmp_path)


def test_a_small_tree_from_coverage_to_table(tmp_path):
    """A second run goes on, and a test that fails without a fault notices none."""
    for folder in ("cnnlib/shapes", "tests/shapes", "tools"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("faults.py", "mutants.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "cnnlib/shapes/square.py").write_text(
        "def double(x):\n    return x * 2\n\n\n"
        "def half(x):\n    return x / 2\n\n\n"
        "def unused(x):\n    return x + 7\n"
    )
    (tmp_path / "tests/shapes/test_square.py").write_text(
        ABOVE.format(root=str(tmp_path))
    )
    (tmp_path / "tests/shapes/test_nowhere.py").write_text(
        "import pytest\n\npytest.importorskip('nowhere')\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    measured = ["--cov", "--cov-context=test", "--cov-fail-under=0"]
    measured.append("--junitxml=build/coverage/tests.xml")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *measured, "tests"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
    )
    command = [sys.executable, "-m", "tools.mutants", "--room", "shapes"]
    run = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
    first = subprocess.run([*command, "--count", "4"], check=True, **run)
    again = subprocess.run([*command, "--count", "6"], check=True, **run)
    noticed, table = again.stdout.split("room")
    assert first.stdout.count("noticed by") == 4
    assert noticed.count("noticed by") == 2
    rows = "shapes 6 2 0 0 4 33% 33%"
    assert table.splitlines()[1].split() == rows.split()
    with (tmp_path / "results/mutants.csv").open() as file:
        found = [
            (row["line"], row["what"], row["test"]) for row in csv.DictReader(file)
        ]
    assert sorted(found) == [
        ("10", "7 → 8", "none"),
        ("10", "another Add", "none"),
        ("2", "2 → 3", "tests/shapes/test_square.py::test_double"),
        ("2", "another Mult", "tests/shapes/test_square.py::test_double"),
        ("6", "2 → 3", "none"),
        ("6", "another Div", "none"),
    ]
    assert (tmp_path / "cnnlib/shapes/square.py").read_text().count("return") == 3
