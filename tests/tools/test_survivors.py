"""Faults that no test notices are shown to notebooks, one after the other."""

import subprocess

import pytest

from tools import mutants, survivors

SOURCE = "def double(x):\n    return x * 2\n"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A tree with one module, and what each check saw of it."""
    root, seen = tmp_path / "course", []
    (root / "cnnlib").mkdir(parents=True)
    (root / "cnnlib/square.py").write_text(SOURCE)

    def check(tree, number, *measure):
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
    assert [number for number, _ in seen] == asked
    assert all("x * 3" in source for _, source in seen)
    assert [tree.joinpath(by_two.name).read_text() for tree in trees.all] == [SOURCE]


def test_a_notebook_that_fails_without_a_fault_ends_it(course, tmp_path, monkeypatch):
    trees, _ = course
    monkeypatch.setattr(survivors, "MEASURED", tmp_path / "notebooks")
    (trees.all[0] / "cnnlib/square.py").write_text(SOURCE.replace("2", "3"))
    with pytest.raises(SystemExit, match="02 fails without a fault:\n02 differs"):
        survivors.measured(trees, ["01", "02"])
    assert (tmp_path / "notebooks-01.seconds").exists()
    assert not (tmp_path / "notebooks-02.seconds").exists()


def test_a_check_runs_in_the_copy(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/__init__.py").touch()
    (tmp_path / "tools/__main__.py").write_text(
        "import pathlib, sys; print(*sys.argv[1:], pathlib.Path.cwd()); sys.exit(3)"
    )
    done = survivors.check(tmp_path, "05")
    assert done.returncode == 3
    assert done.stdout == f"--jobs 1 check 05 {tmp_path}\n"
