"""CONTRIBUTING.md, followed once for a notebook, a network, a claim, an exercise."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from small_course import code, markdown, printed

from cnnlib import claims
from tools import build, guard, numbers, render, site, sync
from tools.__main__ import main
from tools.course import Course
from tools.execute import normalized

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FIRST = """# A guest

After this page you can tell how a notebook is added.

- Write it,
- run it,
- let the rest be made.

**Talk section:** 3 · **5 minutes**
"""
THE_LAST = """### Further reading

- Somebody: *Something*, arXiv:1234.56789."""
STATED = "**Exercise {}: one more.** Add one."


@pytest.fixture
def course(tmp_path):
    """A copy of the course's notebooks and README, to add to."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copytree(ROOT / "results/bands", tmp_path / "results/bands")
    for name in ("README.md", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data/README.md", tmp_path / "data")
    return Course(tmp_path)


def stored(path, *cells):
    """Store cells as `make notebooks` does, with outputs that a run would print."""
    nb = v4.new_notebook(cells=list(cells))
    counted = [cell for cell in nb.cells if cell.cell_type == "code"]
    for number, cell in enumerate(counted, start=1):
        cell.execution_count = number
    for number, cell in enumerate(nb.cells):
        cell.id = f"cell-{number}"
    path.write_text(normalized(nb), encoding="utf-8")


def exercises(name, ruled):
    """The statement, the answer and the check of two exercises."""
    for number in (1, 2):
        ruling = f"exercise {name[:2]}.{number} — {ruled}: because\n"
        yield markdown(STATED.format(number), "skip")
        yield code("def add(x): ...", "skip")
        check = f'check("{name[:2]}.{number}", add)'
        yield code(check, "skip", outputs=[printed(ruling)])


def guest(course, name="16_guest", first=FIRST, settles=()):
    """A notebook and its solutions, as CONTRIBUTING.md asks for them."""
    verdicts = [printed(f"{claims.Verdict(i, 'holds', 'seen')}\n") for i in settles]
    path = course.root / f"notebooks/{name}.ipynb"
    solutions = course.root / f"notebooks/solutions/{name}.ipynb"
    stored(
        path,
        markdown(first, "slide"),
        markdown("Say this.", "notes"),
        code("print(1)", outputs=[printed("1\n"), *verdicts]),
        markdown("## What we saw\n\n- A guest.", "slide"),
        markdown(f"### Exercises\n\n[Solutions](solutions/{name}.ipynb).", "skip"),
        *exercises(name, "not solved"),
        markdown(THE_LAST, "skip"),
    )
    title = markdown(f"# Solutions\n\nOf [the guest](../{name}.ipynb).", "skip")
    stored(solutions, title, *exercises(name, "solved"))
    return path, solutions


def test_a_trained_number_is_printed_with_a_band_that_fits_it(course):
    path, _ = guest(course)

    def told(text, seen=None):
        nb = nbformat.read(path, as_version=4)
        nb.cells[2].outputs = [printed(text)]
        if seen:
            record = course.root / "results/bands/16_guest.csv"
            rows = f"cell,index,line,as stored\ncell-2,0,accuracy: # %,{seen}\n"
            record.write_text(rows)
        return numbers.complaints(path, nb)

    assert_told(told("same: True\n"), "prints 'same: True': print the number")
    line = "accuracy: 90.8 % (between {})\n"
    words = "'accuracy: # %': 90.8 has no record: make bands NOTEBOOK=16"
    assert_told(told(line.format("85 and 97")), words)
    found = told(line.format("80 and 97"), seen="90,93")
    words = "its band is too wide: 90 to 93 was seen, 88.5 to 94.5 is proposed"
    assert_told(found, words)
    assert told(line.format("88.5 and 94.5"), seen="90.0,93.0") == []


def behind(course):
    return {path.name for path in sync.behind(course)}


def assert_told(complaints, words):
    """A complaint is made, in words that stand in CONTRIBUTING.md."""
    assert words in PAGE
    assert any(words in line for line in complaints), complaints


def test_a_notebook_is_one_file_and_a_command(course):
    assert behind(course) == set()
    path, solutions = guest(course)
    before = "15_beyond_images.ipynb"
    late = {"README.md", "00_start_here.ipynb", before, path.name}
    assert behind(course) == late
    assert_told(guard.complaints(path), "its links are not '**Before:** ")
    assert f"{sync.COMMAND}`" in PAGE

    assert main(["sync"], course.root) == 0
    assert behind(course) == set()
    for one in (path, course.root / "notebooks" / before):
        assert guard.complaints(one) == []
    assert guard.solution_complaints(solutions) == []
    link = "[16 A guest](notebooks/16_guest.ipynb)"
    row = f"| {link} | 3 | 5 | tell how a notebook is added |"
    assert row in (course.root / "README.md").read_text(encoding="utf-8")
    start = (course.root / "notebooks/00_start_here.ipynb").read_text(encoding="utf-8")
    assert "[06 The digits](06_mnist.ipynb), [16 A guest](16_guest.ipynb) |" in start

    told = site.told(course, course.notebooks(), {})
    index = render.plain("index.html.j2", **told)
    assert 'href="pages/16_guest.html">16 A guest</a>' in index
    assert "<p>Tell how a notebook is added.</p>" in index
    build._draw(course, path, "pages", render.page)
    page = (course.build / "pages/16_guest.html").read_text(encoding="utf-8")
    assert '<a href="15_beyond_images.html" rel="prev">← Beyond images</a>' in page


def test_a_notebook_goes_as_it_came(course):
    (course.root / "notebooks/07_datasets.ipynb").unlink()
    neighbours = {"06_mnist.ipynb", "08_augmentation.ipynb"}
    assert behind(course) == {"README.md", "00_start_here.ipynb", *neighbours}
    assert main(["sync"], course.root) == 0
    assert behind(course) == set()
    nb = nbformat.read(course.root / "notebooks/06_mnist.ipynb", as_version=4)
    saw = next(c.source for c in nb.cells if c.source.startswith("## What we saw"))
    assert saw.endswith(
        "**Before:** [05 Going deep](05_going_deep.ipynb) · "
        "**Next:** [08 Augmentation](08_augmentation.ipynb)"
    )


def test_a_second_sync_has_nothing_to_do(course, capsys):
    guest(course)
    assert main(["sync"], course.root) == 0
    assert capsys.readouterr().out.count("brought up to date") == 4
    assert main(["sync"], course.root) == 0
    assert capsys.readouterr().out == ""


def test_the_readmes_pictures_are_those_of_their_cells(course):
    picture = next((course.root / "notebooks/pictures").glob("*.png"))
    was = picture.read_bytes()
    picture.unlink()
    assert sync.behind(course) == {picture: was}
    picture.write_bytes(next(p for p in picture.parent.iterdir()).read_bytes())
    assert sync.behind(course) == {picture: was}
    assert main(["sync"], course.root) == 0
    assert picture.read_bytes() == was


def test_a_picture_of_a_cell_without_a_figure_is_refused(course, capsys):
    readme = course.root / "README.md"
    text = readme.read_text(encoding="utf-8").replace("13-a11.png", "13-01.png")
    readme.write_text(text, encoding="utf-8")
    assert main(["sync"], course.root) == 1
    assert "notebooks/pictures/13-01.png, and no cell 13-01 has" in (
        capsys.readouterr().err
    )


def test_every_picture_is_shown_in_the_readme(course):
    shown = {name for _, name in sync.PICTURE.findall((ROOT / "README.md").read_text())}
    assert shown == {p.stem for p in (ROOT / "notebooks/pictures").iterdir()}


def test_a_readme_without_a_place_for_the_table_is_refused(course, capsys):
    readme = course.root / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(text.replace("<!-- /notebooks -->", ""), encoding="utf-8")
    assert main(["sync"], course.root) == 1
    assert "belong together, one is missing" in capsys.readouterr().err
    readme.write_text("# Nothing")
    assert main(["sync"], course.root) == 1
    assert "README.md has no <!-- notebooks -->" in capsys.readouterr().err


FORGOTTEN = {
    "the first cell has no title with a sentence below it, "
    "'After this page you can ….'": FIRST.replace("After this page you can", "I"),
    "the first cell does not state the talk's section and the minutes": (
        FIRST.replace("**5 minutes**", "short")
    ),
}


@pytest.mark.parametrize("words", FORGOTTEN)
def test_what_the_first_cell_lacks_is_said(course, words):
    path, _ = guest(course, first=FORGOTTEN[words])
    assert_told(guard.complaints(path), words)


def test_a_notebook_that_was_not_run_is_noticed(course):
    path, _ = guest(course)
    nb = nbformat.read(path, as_version=4)
    nb.cells[2].source = "print(2)"
    nbformat.write(nb, path)
    stale = "its outputs are not those that `make notebooks` stored"
    assert_told(guard.complaints(path), stale)


@pytest.fixture
def claim(monkeypatch):
    """A fifty-first claim, of section 3."""
    new = claims.Claim("guests", 3, "exact", "Guests are welcome.")
    monkeypatch.setitem(claims.LEDGER, new.id, new)
    return new


def test_a_claim_is_a_row_and_a_line(course, claim, capsys):
    def owed():
        return guard.claim_complaints(course.notebooks())

    assert owed() == ["claim guests is not settled"]
    claims.holds("guests", 1 + 1 == 2, "one and one")
    assert claims.parse(capsys.readouterr().out)[0].id == "guests"
    path, _ = guest(course, settles=["guests"])
    main(["sync"], course.root)
    assert owed() == []
    assert guard.complaints(path) == []
    found = build.gather(course.notebooks())
    assert found["guests"][1] == "16_guest"
    told = site.told(course, course.notebooks(), found)
    assert "Guests are welcome." in render.plain("claims.html.j2", **told)


def test_what_is_wrong_with_a_claim_is_said(course, claim):
    assert "`claim gpu is not settled`" in PAGE
    path, _ = guest(course, settles=["guests", "jft"])
    assert_told(
        guard.complaints(path), "claim jft is settled here, and is of section 6"
    )
    twice = guard.claim_complaints(course.notebooks())
    assert twice == ["claim jft is settled twice: in 10_inception_xception, 16_guest"]
    assert "`claim jft is settled twice: in " in PAGE
    with pytest.raises(claims.ClaimError) as refused:
        claims.holds("jft", True, "seen")
    assert_told([str(refused.value)], "claim 'jft' is cited: 'holds' cannot settle it")


def test_what_an_exercise_lacks_in_its_notebook_is_said(course):
    path, solutions = guest(course)
    nb = nbformat.read(path, as_version=4)
    link, statement = nb.cells[4], nb.cells[5]
    link.source, statement.source = "### Exercises", "Add one."
    nbformat.write(nb, path)
    for words in (
        "it does not state and check two or three exercises",
        "the exercises do not link to their solutions",
    ):
        assert_told(guard.complaints(path), words)
    assert "it does not state the exercises in its notebook's words" in (
        guard.solution_complaints(solutions)
    )


def checks(folder, *tests, words):
    """Run tests of a copy of the repository, and return what they say."""
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider"]
    places = f"{folder}{os.pathsep}{folder / 'notebooks'}"
    done = subprocess.run(
        [*command, "-k", words, *tests],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


GUEST = '''"""A network that is added."""

import keras

from cnnlib import checks
from cnnlib.models.entry import entry


@entry(year=2020, paper="2001.00001", trainable=34, total=34)
def guest(*, input_shape=(28, 28, 1), classes=10):
    """Two maps and their means, 34 parameters. Images in, logits (n, classes) out."""
    shape, classes = checks.network("guest", input_shape, classes)
    image = keras.Input(shape, name="image")
    maps = keras.layers.Conv2D(2, 1, name="conv")(image)
    means = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    logits = keras.layers.Dense(classes, name="logits", dtype="float32")(means)
    return keras.Model(image, logits, name="guest")
'''


@pytest.fixture
def house(tmp_path):
    """A copy of the library and its tests, to add to."""
    for folder in ("cnnlib", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


TESTS = ("tests/models/test_catalogue.py", "tests/models/test_every_network.py")


def test_a_network_is_a_row_a_name_and_a_record(house):
    models = house / "cnnlib/models"
    (models / "guest.py").write_text(GUEST, encoding="utf-8")
    words = "guest or come_in_the_talks or every_row"

    def missing(test):
        status, said = checks(house, *TESTS, words=words)
        assert status == 1
        assert f"`{test}`" in PAGE
        assert f"::{test}" in said

    missing("test_every_row_of_every_file_is_in_the_catalogue")
    video = "from cnnlib.models.video import c3d\n"
    guest = "from cnnlib.models.guest import guest\n"
    replace(models / "__init__.py", video, video + guest)
    missing("test_the_networks_come_in_the_talks_order")
    with (house / "tests/models/catalogue.csv").open("a", encoding="utf-8") as record:
        record.write("guest,2020,2001.00001,classification,28 28 1,10,34,34,,,,,,\n")
    status, said = checks(house, *TESTS, words=words)
    assert status == 0, said
    command = [sys.executable, "-m", "cnnlib", "models"]
    listed = subprocess.run(
        command, cwd=house, env=os.environ | {"PYTHONPATH": "."}, capture_output=True
    )
    assert b"\nguest " in listed.stdout


CHAPTER = '''"""Exercises of a guest."""

from exercises import exercise


@exercise(
    "16.1",
    "right for every number",
    reference=lambda x: x + 1,
    mistakes={
        "is the number itself": lambda x: x,
        "is one less": lambda x: x - 1,
        "is twice the number": lambda x: 2 * x,
    },
)
def inputs(rng):
    for x in rng.normal(size=(3, 4)):
        yield "the answer", x
'''


def exercise_cells(answer):
    yield markdown("# A guest", "slide")
    yield code("from exercises import check", "skip")
    yield markdown(STATED.format(1), "skip")
    yield code(answer, "skip")
    yield code('check("16.1", add)', "skip")


def test_an_exercise_is_a_stub_a_solution_and_a_declaration(house):
    shutil.copytree(ROOT / "notebooks", house / "notebooks")
    test, words = "tests/notebooks/test_exercises.py", "16.1 or has_a_stub"
    notebooks = house / "notebooks"
    stored(notebooks / "16_guest.ipynb", *exercise_cells("def add(x): ..."))
    status, said = checks(house, test, words=words)
    assert status == 1
    for lack in (
        "a solution in notebooks/solutions/{}_….ipynb",
        "a declaration in notebooks/exercises/chapter{}.py",
    ):
        assert f"exercise 16.1 lacks {lack.format('16')}" in said
        assert f"exercise 03.2 lacks {lack.format('03')}" in PAGE

    solved = exercise_cells("def add(x):\n    return x + 1")
    stored(notebooks / "solutions/16_guest.ipynb", *solved)
    (notebooks / "exercises/chapter16.py").write_text(CHAPTER, encoding="utf-8")
    status, said = checks(house, test, words=words)
    assert status == 0, said
    assert "passed" in said
