"""`check`: stored outputs are run again and compared, and what passed is remembered."""

import nbformat
import pytest
from small_course import code, markdown, picture, printed

DRAWS = """from matplotlib.figure import Figure
figure = Figure(figsize=({}, 4))
figure.subplots().plot([0, 1], [0, 1])
display(figure)"""


def test_outputs_that_agree_pass(checked_course, capsys):
    course = checked_course
    course.add("00_a", code("print(6 * 7)"), markdown("text"), code("1 + 1"))
    course.solve("00_a", code("print('solved')"))
    course.run("notebooks")
    capsys.readouterr()
    assert course.run("check") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "00_a  2 passed" in lines
    assert "solutions/00_a  1 passed" in lines
    assert lines[-1].startswith("3 passed in ")


def test_an_output_that_differs_is_named_and_reported_whole(checked_course, capsys):
    course = checked_course
    stored = [printed("41\n")]
    course.add(
        "00_a", code("pass"), markdown("## Sums"), code("print(42)", outputs=stored)
    )
    course.add("01_b", code("print(43)", outputs=[printed("43\n")]))
    assert course.run("check") == 1
    out = capsys.readouterr().out
    assert "00_a  cell 2/2  Sums: Cell outputs differ" in out
    assert "'42" in out
    assert "'41" in out
    assert out.splitlines()[-1].startswith("2 passed, 1 failed in ")


def test_figures_are_compared(checked_course, capsys):
    course = checked_course
    course.add("00_a", code("%matplotlib inline\n" + DRAWS.format(6)))
    assert course.run("notebooks") == 0
    assert course.run("check") == 0
    nb = course.read("00_a")
    nb.cells[1].outputs[-1].data["image/png"] = picture(5).data["image/png"]
    course.notebook("00_a").write_text(nbformat.writes(nb))
    capsys.readouterr()
    assert course.run("check") == 1
    assert "figure 1 was" in capsys.readouterr().out


SHOWS = """import base64, io
from IPython.display import HTML, Image, clear_output, display, publish_display_data
from PIL import Image as Picture
kinds = {"JPEG": io.BytesIO(), "PNG": io.BytesIO()}
for kind, file in kinds.items():
    Picture.linear_gradient("L").save(file, kind)
page = HTML("<p>")
def figure(alt):
    png = base64.b64encode(kinds["PNG"].getvalue()).decode()
    publish_display_data({"image/png": png}, {"image/png": {"alt": alt}})"""

# What a cell shows, and what it shows where the course has changed meanwhile.
CHANGES = [
    ("print('a'); display(page); print('b')", "display(page); print('a'); print('b')"),
    ("display(page); print('a')", "print('a'); display(page)"),
    ("figure('It rises.')", "figure('It falls.')"),
    (
        "Image(kinds['JPEG'].getvalue())",
        "Picture.radial_gradient('L').save(kinds['JPEG'], 'JPEG')\n"
        "Image(kinds['JPEG'].getvalue())",
    ),
]


def test_order_words_and_jpegs_are_compared(checked_course, capsys):
    course = checked_course
    course.add("00_a", code(SHOWS), *(code(source) for source, _ in CHANGES))
    assert course.run("notebooks") == 0
    assert course.run("check") == 0
    nb = course.read("00_a")
    stored = [output.output_type for output in nb.cells[2].outputs]
    assert stored == ["stream", "display_data", "stream"]
    for cell, (_, source) in zip(nb.cells[2:], CHANGES, strict=True):
        cell.source = source
    course.notebook("00_a").write_text(nbformat.writes(nb))
    capsys.readouterr()
    assert course.run("check") == 1
    out = capsys.readouterr().out
    for number in (2, 3, 4, 5):
        assert f"00_a  cell {number}/5  A lesson: Cell outputs differ" in out
    assert "were ['It rises.'], they are ['It falls.']" in out


def test_a_cell_that_never_ran_is_compared_and_one_that_clears_is_refused(
    checked_course, capsys
):
    course = checked_course
    course.add("00_a", code("print(1)"), code(SHOWS), code("clear_output()"))
    nb = course.read("00_a")
    nb.cells[1].execution_count = None
    course.notebook("00_a").write_text(nbformat.writes(nb))
    assert course.run("check") == 1
    out = capsys.readouterr().out
    assert "00_a  cell 1/3  A lesson: Cell outputs differ" in out
    assert "00_a  cell 3/3  A lesson: clear_output is not compared: show it" in out


def test_an_exception_is_reported(checked_course, capsys):
    checked_course.add("00_a", code("1 / 0"), code("pass"))
    assert checked_course.run("check") == 1
    out = capsys.readouterr().out
    assert "ZeroDivisionError" in out
    assert out.splitlines()[-1].startswith("1 passed, 1 failed in ")


def test_only_what_did_not_pass_as_it_is_now_is_checked(checked_course, capsys):
    course = checked_course
    course.add("00_a", code("pass"))
    course.add("01_b", code("print(2)", outputs=[printed("1\n")]))
    assert course.run("check") == 1
    capsys.readouterr()
    assert course.run("check", "--changed") == 1
    out = capsys.readouterr().out
    assert "00_a  passed as it is now" in out
    assert out.splitlines()[-1].startswith("1 failed in ")

    course.add("01_b", code("print(2)", outputs=[printed("2\n")]))
    assert course.run("check", "--changed") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 passed in ")


@pytest.mark.parametrize("changed", [[], ["--changed"]])
def test_ci_checks_all(checked_course, changed, capsys, monkeypatch):
    monkeypatch.setenv("CI", "true")
    checked_course.add("00_a", code("pass"))
    for _ in range(2):
        assert checked_course.run("check", *changed) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("1 passed in ")


def test_a_comparison_that_cannot_start_fails(checked_course, capsys):
    checked_course.add("00_a", code("pass"))
    conftest = checked_course.root / "notebooks/conftest.py"
    conftest.write_text("raise ImportError('no such thing')")
    assert checked_course.run("check") == 1
    out = capsys.readouterr().out
    assert "no such thing" in out
    assert "00_a  its kernel starts: pytest ended with 4" in out
    assert out.splitlines()[-1].startswith("1 failed in ")


BANDED = """from cnnlib.bands import percent
print("plain:", percent({}, 80, 90), "of 90 digits")"""


@pytest.mark.parametrize(
    ("value", "low", "status"), [(0.861, 80, 0), (0.861, 81, 1), (0.95, 80, 1)]
)
def test_of_a_measured_value_only_its_band_is_compared(
    checked_course, value, low, status
):
    course = checked_course
    stored = printed(f"plain: 84.7 % (between {low} and 90) of 90 digits\n")
    course.add("00_a", code(BANDED.format(value), outputs=[stored]))
    assert course.run("check") == status
