"""Solved exercises: stored beside their notebook, and drawn as pages of their own."""

import pytest
from bs4 import BeautifulSoup
from small_course import code, markdown


@pytest.fixture
def solved(course):
    link = "[solutions](solutions/00_a.ipynb), [others](solutions/01_b.ipynb)"
    course.add("00_a", markdown(link, "skip"), code("print('asked')"))
    course.add("01_b", code("print('b')"))
    course.solve("00_a", code("print('solved')"))
    return course


def test_solutions_are_stored_with_their_notebook(solved):
    assert solved.run("notebooks", "01") == 0
    assert not solved.read("solutions/00_a").cells[1].outputs
    assert solved.run("notebooks", "00") == 0
    assert solved.read("solutions/00_a").cells[1].outputs[0].text == "solved\n"
    assert solved.read("00_a").cells[2].outputs[0].text == "asked\n"


def test_failing_solutions_leave_their_notebook_as_it_was(solved):
    solved.solve("00_a", code("1 / 0"))
    before = solved.notebook("00_a").read_bytes()
    assert solved.run("notebooks") == 1
    assert solved.notebook("00_a").read_bytes() == before


def test_solutions_run_in_their_own_folder(course):
    course.add("00_a", code("1"))
    course.solve("00_a", code("from pathlib import Path; print(Path.cwd().name)"))
    assert course.run("notebooks") == 0
    assert course.read("solutions/00_a").cells[1].outputs[0].text == "solutions\n"


def test_solutions_are_a_page_that_leads_to_its_lesson_and_back(solved):
    solved.run("notebooks")
    assert solved.run("talk") == 0
    page = BeautifulSoup(solved.built("pages/00_a.html"), "html.parser")
    links = {a.text: a["href"] for a in page.select(".text a")}
    assert links == {"solutions": "solutions/00_a.html"}  # of 01 there are none
    solution = BeautifulSoup(solved.built("pages/solutions/00_a.html"), "html.parser")
    assert "solved" in solution.select("pre.output")[0].text
    here = solved.root / "build/pages/solutions"
    targets = [a["href"] for a in solution.select("a[href]")]
    assert "../00_a.html" in targets
    assert all((here / target).resolve().exists() for target in targets)
    assert not (solved.root / "build/decks/solutions").exists()


def test_what_removed_solutions_left_is_removed(solved):
    assert solved.run("talk") == 0
    solved.notebook("solutions/00_a").unlink()
    assert solved.run("talk") == 0
    assert not (solved.root / "build/pages/solutions/00_a.html").exists()


def test_a_changed_check_makes_outputs_stale(course):
    asks = "if False:\n    from exercises import check\n"
    course.add("00_a", code(asks + "open('../ticks', 'a').write('a')"))
    exercises = course.root / "notebooks/exercises"
    exercises.mkdir()
    (exercises / "__init__.py").touch()
    for chapter, text in ("00", "1"), ("00", "1"), ("01", "2"), ("00", "2"):
        (exercises / f"chapter{chapter}.py").write_text(text)
        assert course.run("talk") == 0
    assert (course.root / "ticks").read_text() == "aa"
