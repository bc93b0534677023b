import contextlib
import os
import shutil

import pytest
from small_course import ROOT, SmallCourse, code, markdown, picture, printed

from tools.__main__ import main
from tools.browser import browser
from tools.course import write


@pytest.fixture
def course(tmp_path, monkeypatch):
    for knob in ("CNNLIB_SCALE", "CNNLIB_DATA", "JOBS"):
        monkeypatch.delenv(knob, raising=False)
    return SmallCourse(tmp_path)


@pytest.fixture
def checked_course(course, monkeypatch):
    """A course whose outputs can be checked: with the comparison of figures."""
    shutil.copy(ROOT / "notebooks/conftest.py", course.root / "notebooks")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("CI", raising=False)
    return course


@pytest.fixture
def full_course(course):
    """One notebook with everything that may stand on a slide, outputs stored."""
    course.add("01_before", title="Before")
    course.add(
        "02_everything",
        markdown("A secret for the speaker, $s$.", "notes"),
        markdown(
            "## Mathematics\n\nInline $x_i^2$, and\n\n$$\\sum_k W_{ik} x_k$$\n\n"
            "\\begin{aligned} a &= b \\\\ c &= \\tfrac{1}{2} \\end{aligned}\n\n"
            "[before](01_before.ipynb), [after](03_after.ipynb), "
            "[data](../data/README.md), [paper](https://arxiv.org/abs/1409.1556)",
            "slide",
        ),
        markdown("## A figure beside code", "slide"),
        code("plot(x)\nshow(x)", outputs=[printed("42 weights\n"), picture()]),
        markdown("It rises.", "fragment"),
        markdown("## A wide figure under code", "subslide"),
        code("plot(x)", outputs=[picture(12, 3, "execute_result")]),
        markdown("## Verdicts", "slide"),
        code(
            "claims.holds()",
            outputs=[
                printed(
                    "counting\n"
                    "claim three-ideas — holds: 10 < 615,440\n"
                    "claim param-race — corrected: VGG has 138 M\n"
                    "claim jft — cited: arXiv:1610.02357\n"
                )
            ],
        ),
        code("hidden()", tags=["remove-input"], outputs=[printed("seen\n")]),
        markdown("| a | b |\n|---|---|\n| 1 | 2 |"),
        code(
            "interact(show)", "slide", tags=["remove-deck"], outputs=[printed("ui\n")]
        ),
        markdown("## Left out of the deck\n\nOnly on the page.", "skip"),
        title="Everything",
    )
    (course.root / "data").mkdir()
    (course.root / "data" / "README.md").write_text("data")
    return course


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """``build/`` of the stored notebooks, made once for all of a run's processes."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    root.mkdir(exist_ok=True)
    for name in ("notebooks", "experiments", "results", "requirements.txt"):
        with contextlib.suppress(FileExistsError):
            (root / name).symlink_to(ROOT / name)
    for kind in ("computed/*.json", "pages/**/*.html", "decks/*.html"):
        for made in (ROOT / "build").glob(kind):  # what is up to date is left as it is
            place = root / made.relative_to(ROOT)
            if not place.exists():
                write(place, made.read_bytes())
    assert main(["pages"], root) == 0
    return root / "build"


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened
