"""Opening the course elsewhere: where it lies is known, or nothing links there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from small_course import SmallCourse, code

from tools import build, launch, render
from tools.course import Course

ROOT = Path(__file__).parents[2]
ADDRESS = '[project.urls]\nRepository = "https://github.com/some-one/a.course/"\n'
README = """# A course

<!-- launch -->
<!-- /launch -->

<!-- notebooks --><!-- /notebooks -->
"""
BINDER = (
    "https://mybinder.org/v2/gh/some-one/a.course/HEAD?labpath=notebooks%2F{}.ipynb"
)
COLAB = "https://colab.research.google.com/github/some-one/a.course/blob/colab/notebooks/{}.ipynb"


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.delenv(launch.VARIABLE, raising=False)
    course = SmallCourse(tmp_path)
    course.add("00_start", code("1 + 1"))
    course.add("01_next", code("2 + 2"))
    (tmp_path / "README.md").write_text(README)
    return course


def readme(course):
    return (course.root / "README.md").read_text("utf-8")


def test_badges_open_the_first_notebook_where_the_repository_is_known(small):
    (small.root / "pyproject.toml").write_text(ADDRESS)
    assert small.run("sync") == 0
    launched = re.findall(
        r"\[!\[([^\]]+)\]\(https://[^)]+\.svg\)\]\(([^)]+)\)", readme(small)
    )
    assert launched == [
        ("Open in Binder", BINDER.format("00_start")),
        ("Open in Colab", COLAB.format("00_start")),
    ]
    (small.root / "pyproject.toml").unlink()
    assert small.run("sync") == 0
    assert readme(small).startswith(README.partition("<!-- notebooks")[0])


def test_the_readme_does_not_depend_on_who_builds_the_pages(small, monkeypatch):
    monkeypatch.setenv(launch.VARIABLE, "some-one/a.course")
    assert small.run("sync") == 0
    assert "https" not in readme(small)


@pytest.mark.parametrize("known", ["pyproject.toml", "variable", None])
def test_a_page_links_to_both_where_the_repository_is_known(small, monkeypatch, known):
    if known == "variable":
        monkeypatch.setenv(launch.VARIABLE, "some-one/a.course")
        (small.root / "pyproject.toml").write_text(ADDRESS.replace("some-", "no-"))
    elif known:
        (small.root / "pyproject.toml").write_text(ADDRESS)
    course = Course(small.root)
    build._draw(course, small.notebook("01_next"), "pages", render.page)
    soup = BeautifulSoup(small.built("pages/01_next.html"), "html.parser")
    links = {a.text: a["href"] for a in soup.select("main a[href^=https]")}
    wanted = {"Binder": BINDER.format("01_next"), "Colab": COLAB.format("01_next")}
    assert links == (wanted if known else {})
    assert ("Run it elsewhere" in soup.text) == bool(known)


def test_a_page_is_made_anew_once_the_repository_is_known(small):
    course, path = Course(small.root), small.notebook("01_next")
    assert build._draw(course, path, "pages", render.page)
    assert not build._draw(course, path, "pages", render.page)
    (small.root / "pyproject.toml").write_text(ADDRESS)
    assert build._draw(course, path, "pages", render.page)


@pytest.mark.parametrize(
    "url",
    ["https://gitlab.com/some-one/course", "https://github.com/course", "", 'a"b/c'],
)
def test_an_address_of_another_kind_is_refused(small, capsys, monkeypatch, url):
    quoted = url.replace('"', r"\"")
    (small.root / "pyproject.toml").write_text(
        f'[project.urls]\nRepository = "{quoted}"\n'
    )
    before = readme(small)
    assert small.run("sync") == 1
    assert capsys.readouterr().err == (
        f"error: pyproject.toml: Repository is {url!r}; it takes a repository on "
        "GitHub, https://github.com/OWNER/NAME\n"
    )
    assert readme(small) == before
    monkeypatch.setenv(launch.VARIABLE, "course")
    assert small.run("alone") == 1
    assert "CNNLIB_REPOSITORY is 'course'; it takes" in capsys.readouterr().err
    assert not (small.root / "build").exists()


def test_without_a_repository_no_notebook_is_copied(small, capsys):
    assert small.run("alone") == 1
    assert "nothing says where the course lies: set CNNLIB_" in capsys.readouterr().err
    assert not (small.root / "build").exists()


def test_a_notebook_alone_differs_in_its_first_code_cell(small):
    (small.root / "pyproject.toml").write_text(ADDRESS)
    assert small.run("alone") == 0
    for stem in ("00_start", "01_next"):
        made = nbformat.read(small.root / f"build/alone/notebooks/{stem}.ipynb", 4)
        nbformat.validate(made)
        setup = made.cells.pop(1)
        assert made == small.read(stem)
        assert setup.metadata.slideshow.slide_type == "skip"
        assert '"https://github.com/some-one/a.course"' in setup.source


@pytest.fixture
def published(tmp_path):
    """A course as a repository of its own, from which it can be fetched."""
    origin = tmp_path / "origin"
    (origin / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "requirements.txt", origin)
    (origin / "notebooks/exercises.py").write_text("HERE = 'fetched'\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "All"],
    ):
        subprocess.run(["git", *command], cwd=origin, check=True)
    return origin


def test_the_setup_fetches_installs_and_moves_to_the_notebooks(published, tmp_path):
    """Run twice, as after a restart of the kernel; pip is told, and fetches nothing."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__init__.py").write_text("")
    (tmp_path / "pip/__main__.py").write_text("import sys; print('pip', *sys.argv[1:])")
    source = launch.SETUP.format(url=published.as_uri())
    source += "\nimport exercises; print(exercises.HERE, os.getcwd())"
    home = tmp_path / "home"
    home.mkdir()
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", source],
            env=os.environ | {"HOME": str(home), "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        course = home / "cnn-talk"
        assert done.stdout.splitlines() == [
            f"pip install -q -r {course / 'requirements.txt'} {course}",
            f"fetched {course / 'notebooks'}",
        ]


def test_a_course_that_cannot_be_fetched_ends_the_cell(tmp_path):
    source = launch.SETUP.format(url=(tmp_path / "nothing").as_uri())
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "'git', 'clone'" in done.stderr.splitlines()[-1]


def test_the_workflow_keeps_the_copies_on_the_branch_that_colab_is_told_of(
    published, tmp_path
):
    told = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text("utf-8"))
    job = told["jobs"]["colab"]
    assert job["permissions"] == {"contents": "write"}
    steps = {step["run"]: step for step in job["steps"] if "run" in step}
    made, kept = steps
    assert made == "make alone"
    assert steps[made]["env"] == {launch.VARIABLE: "${{ github.repository }}"}
    assert told["jobs"]["build"]["steps"][2]["env"] == steps[made]["env"]
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--bare", published, bare], check=True)
    subprocess.run(["git", "clone", "-q", bare, clone], check=True)
    (clone / "build/alone/notebooks").mkdir(parents=True)
    for text in ("first", "second"):
        (clone / "build/alone/notebooks/00.ipynb").write_text(text)
        subprocess.run(["bash", "-e", "-c", kept], cwd=clone, check=True)
        shown = ["git", "show", f"{launch.BRANCH}:notebooks/00.ipynb"]
        seen = subprocess.run(shown, cwd=bare, capture_output=True, text=True)
        assert seen.stdout == text
