"""`talk`: what is executed when, what is written, and how failures are told."""

import json

import pytest
from small_course import code, markdown, printed

TICK = "open('../ticks', 'a').write('{}')"


def ticks(course):
    path = course.root / "ticks"
    return path.read_text() if path.exists() else ""


def test_pages_decks_and_executed_notebooks_are_written(course, capsys):
    cells = code("print(6 * 7)"), code("'a result'")
    course.add("00_first", *cells, title="First & foremost")
    before = course.notebook("00_first").read_bytes()
    assert course.run("talk") == 0
    for kind in ("pages", "decks"):
        assert ">42\n</pre>" in course.built(f"{kind}/00_first.html")
        assert "'a result'</pre>" in course.built(f"{kind}/00_first.html")
    assert "<title>First &amp; foremost</title>" in course.built("decks/00_first.html")
    cells = json.loads(course.built("executed/00_first.ipynb"))["cells"]
    assert cells[1]["outputs"][0]["text"] == ["42\n"]
    assert course.notebook("00_first").read_bytes() == before
    assert not list(course.root.rglob(".part-*"))
    assert "00_first" in capsys.readouterr().out


def test_only_what_is_stale_is_done_again(course, capsys):
    course.add("00_a", code(TICK.format("a")))
    course.add("01_b", code(TICK.format("b")))
    assert course.run("--jobs", "1", "talk") == 0
    assert sorted(ticks(course)) == ["a", "b"]
    capsys.readouterr()

    assert course.run("talk") == 0
    assert sorted(ticks(course)) == ["a", "b"]
    assert capsys.readouterr().out.count("up to date") == 2

    course.add("01_b", code(TICK.format("B")))
    assert course.run("talk") == 0
    assert sorted(ticks(course)) == ["B", "a", "b"]

    (course.root / "requirements.txt").write_text("numpy==3\n")
    assert course.run("talk") == 0
    assert sorted(ticks(course)) == ["B", "B", "a", "a", "b"]


def test_a_module_that_changed_makes_stale_who_imports_it(course):
    never = "if False:\n    from cnnlib import models\n"
    course.add("00_a", code(TICK.format("a")))
    course.add("01_b", code(never + TICK.format("b")))
    library = course.root / "cnnlib"
    library.mkdir()
    (library / "__init__.py").touch()
    assert course.run("--jobs", "1", "talk") == 0
    assert sorted(ticks(course)) == ["a", "b"]
    for count, text in enumerate(("filters = 32", "filters = 33"), 2):
        (library / "models.py").write_text(text)
        assert course.run("talk") == 0
        assert ticks(course).count("a") == 1
        assert ticks(course).count("b") == count


def test_the_scale_is_part_of_what_makes_outputs_stale(course, monkeypatch):
    course.add("00_a", code(TICK.format("a")))
    assert course.run("talk") == 0
    monkeypatch.setenv("CNNLIB_SCALE", "full")
    assert course.run("talk") == 0
    assert ticks(course) == "aa"


def test_a_page_is_made_again_where_it_is_gone(course):
    course.add("00_a", code(TICK.format("a")))
    assert course.run("talk") == 0
    (course.root / "build/pages/00_a.html").unlink()
    assert course.run("talk") == 0
    assert (course.root / "build/pages/00_a.html").exists()
    assert ticks(course) == "a"


def test_what_a_removed_notebook_left_is_removed(course):
    course.add("00_a", code("1"))
    course.add("01_b", code("1"))
    assert course.run("talk") == 0
    course.notebook("01_b").unlink()
    assert course.run("talk") == 0
    assert not list((course.root / "build").rglob("01_b*"))


def test_a_failing_cell_is_named_and_the_others_finish(course, capsys):
    course.add("00_a", code("print('fine')"))
    course.add(
        "01_b",
        code("1"),
        markdown("## Edge filters\n\ntext"),
        code("def f():\n    raise ValueError('shapes differ')\nf()"),
    )
    course.add("02_c", code(TICK.format("c")))
    assert course.run("talk") == 1
    error = capsys.readouterr().err
    first, *tail = error.splitlines()
    assert first == "error: 01_b  cell 2/2  Edge filters: ValueError: shapes differ"
    assert any("raise ValueError" in line for line in tail)
    assert "\x1b" not in error
    assert ticks(course) == "c"
    assert (course.root / "build/pages/02_c.html").exists()
    assert not list((course.root / "build").rglob("01_b*"))
    assert not (course.root / "build/index.html").exists()


def test_an_expected_exception_does_not_stop_the_talk(course):
    course.add("00_a", code("1 / 0", tags=["raises-exception"]))
    assert course.run("talk") == 0
    assert "ZeroDivisionError: division by zero" in course.built("pages/00_a.html")


def test_a_dead_kernel_is_told(course, capsys):
    course.add("00_a", code("import os; os._exit(1)"))
    assert course.run("talk") == 1
    assert "error: 00_a  cell 1/1  A lesson: the kernel died" in capsys.readouterr().err


def test_all_that_failed_is_told_at_the_end(course, capsys):
    course.add("00_a", code("1 / 0"))
    course.add("01_b", code("[][1]"))
    assert course.run("talk") == 1
    told = [e for e in capsys.readouterr().err.splitlines() if e.startswith("error: ")]
    assert sorted(told) == [
        "error: 00_a  cell 1/1  A lesson: ZeroDivisionError: division by zero",
        "error: 01_b  cell 1/1  A lesson: IndexError: list index out of range",
    ]


def test_cells_run_in_this_python_beside_their_notebook(course, capsys):
    course.add(
        "00_a",
        code("import os, sys\nprint(sys.prefix, os.getcwd(), sep='|')"),
        code("print(os.environ['PYTEST_CURRENT_TEST'], os.environ['CNNLIB_DATA'])"),
    )
    import sys

    (course.root / "sets").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course.root)
        patch.setenv("CNNLIB_DATA", "sets")
        assert course.run("talk") == 0
    page = course.built("pages/00_a.html")
    assert f"{sys.prefix}|{course.root / 'notebooks'}" in page
    assert f"1 {course.root / 'sets'}" in page  # absolute, wherever a kernel starts


@pytest.mark.parametrize("command", ["talk", "notebooks"])
def test_a_scale_that_is_none_is_refused_in_one_line(
    course, command, capsys, monkeypatch
):
    course.add("00_a", code(TICK.format("a")))
    monkeypatch.setenv("CNNLIB_SCALE", "fulll")
    assert course.run(command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "'fulll'" in error
    assert "did you mean 'full'?" in error
    assert ticks(course) == ""


def test_a_data_folder_that_is_not_there_is_refused(course, capsys, monkeypatch):
    course.add("00_a", code("1"))
    monkeypatch.setenv("CNNLIB_DATA", "/nowhere/at/all")
    assert course.run("talk") == 2
    assert (
        capsys.readouterr().err
        == "error: CNNLIB_DATA='/nowhere/at/all' is not a folder\n"
    )


def test_a_notebook_without_a_title_is_named(course, capsys):
    course.add("00_a", code("1"))
    nb = course.read("00_a")
    nb.cells[0].source = "no title"
    course.notebook("00_a").write_text(json.dumps(nb))
    assert course.run("talk") == 1
    assert (
        "00_a.ipynb: its first markdown cell has no '# Title'"
        in capsys.readouterr().err
    )


def says(claim, ruling="holds"):
    return code(f"print('claim {claim} — {ruling}: because')")


def test_verdicts_are_gathered_with_what_is_open(course):
    course.add("01_a", says("dense-params"), title="Networks", section=1)
    course.add("02_b", says("three-ideas"), says("edges"), section="2, 3")
    assert course.run("talk") == 0
    claims, index = course.built("claims.html"), course.built("index.html")
    assert claims.count("✓ Holds") == 3
    assert claims.count("○ Not settled") == 47
    settled = claims.partition('id="edges"')[2].partition('class="verdict')[0]
    assert ": because" in settled
    assert 'href="pages/02_b.html#claim-edges"' in settled
    assert 'id="claim-edges"' in course.built("pages/02_b.html")
    assert index.count("✓ Holds") == 3
    assert index.index("pages/01_a.html") < index.index("pages/02_b.html")
    assert "Section 2, 3 · " in index
    assert "12 min" in index
    assert "pages/03" not in index


def test_a_claim_settled_in_two_notebooks_is_refused(course, capsys):
    course.add("01_a", says("edges"))
    course.add("02_b", says("edges"))
    assert course.run("talk") == 1
    assert capsys.readouterr().err == (
        "error: claim 'edges' is settled in 01_a and in 02_b\n"
    )


def test_a_verdict_on_no_claim_is_refused(course, capsys):
    course.add("01_a", says("edgy"))
    assert course.run("talk") == 1
    assert capsys.readouterr().err == "error: 01_a settles 'edgy': no such claim\n"


def test_decks_are_made_from_stored_outputs_without_running(course, capsys):
    course.add("00_a", code(TICK.format("a"), outputs=[printed("stored\n")]))
    assert course.run("slides") == 0
    assert "stored" in course.built("decks/00_a.html")
    assert ticks(course) == ""
    capsys.readouterr()
    assert course.run("slides") == 0
    assert capsys.readouterr().out == "00_a  up to date\n"
