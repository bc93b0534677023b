"""What a notebook reaches by its imports, and so what makes its outputs stale."""

from pathlib import Path

import pytest
from small_course import code

from tools.course import Course
from tools.imports import Library
from tools.stale import Keys

ROOT = Path(__file__).parents[2]
LIBRARY = {
    "cnnlib/__init__.py": "from cnnlib.scale import pick",
    "cnnlib/scale.py": "def pick(): ...",
    "cnnlib/plots/__init__.py": """
from cnnlib.plots.curves import curve
from cnnlib.plots.images import images as pictures
from cnnlib.plots.tables import *
LATER = 1
""",
    "cnnlib/plots/curves.py": "from cnnlib.plots.style import colour\ndef curve(): ...",
    "cnnlib/plots/images.py": "from cnnlib import augment\nx = augment.crop\n"
    "def images(): ...",
    "cnnlib/plots/style.py": "def colour(): ...",
    "cnnlib/plots/tables.py": "def table(): ...",
    "cnnlib/augment/__init__.py": "from .crops import crop\nfrom .flips import flip",
    "cnnlib/augment/crops.py": "def crop(): ...",
    "cnnlib/augment/flips.py": "def flip(): ...",
    "cnnlib/claims.py": "LEDGER = {}",
    "notebooks/exercises/__init__.py": "import importlib\n"
    "def check(n): importlib.import_module(f'{__name__}.chapter{n}')",
    "notebooks/exercises/chapter01.py": "from cnnlib import claims",
    "notebooks/exercises/chapter02.py": "from cnnlib import plots\nf(plots)",
    "results/06_a.json": "{}",
    "results/07_b.json": "{}",
}
PLOTS = {
    "plots/__init__",
    "plots/curves",
    "plots/images",
    "plots/style",
    "plots/tables",
}
CROP = {"augment/__init__", "augment/crops"}


@pytest.fixture
def reached(course):
    """The files of the library that a notebook's cells reach, shortened."""
    for name, text in LIBRARY.items():
        path = course.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def reached(*sources, stem="01_a"):
        course.add(stem, *map(code, sources))
        files = Keys(Course(course.root), {}).files(course.notebook(stem))
        names = {str(file.relative_to(course.root)) for file in files}
        return {n.removeprefix("cnnlib/").removesuffix(".py") for n in names}

    reached.root = course.root
    return reached


BASE = {"__init__"}
CURVE = BASE | {"plots/__init__", "plots/curves", "plots/style"}
USES = {
    "nothing of the library": ("import numpy", set()),
    "the package alone": ("from cnnlib import pick", BASE | {"scale"}),
    "a module": ("from cnnlib import claims", BASE | {"claims"}),
    "an attribute": ("from cnnlib import plots\nplots.curve()", CURVE),
    "an attribute of another name": ("from cnnlib import plots as p\np.curve()", CURVE),
    "a name": ("from cnnlib.plots import curve", CURVE),
    "a submodule": ("import cnnlib.plots.curves as c\nc.curve()", CURVE),
    "a chain": ("from cnnlib import plots\nplots.curves.curve()", CURVE),
    "what the module uses in turn": (
        "from cnnlib import plots\nplots.pictures()",
        BASE | {"plots/__init__", "plots/images"} | CROP,
    ),
    "a package that is passed on": ("from cnnlib import plots\nf(plots)", None),
    "an attribute by its text": ("from cnnlib import plots\ngetattr(plots, n)", None),
    "all names": ("from cnnlib.plots import *", None),
    "a name that is only starred in": ("from cnnlib.plots import table", None),
    "a name that the package makes": ("from cnnlib.plots import LATER", None),
    "a name that is nowhere": ("from cnnlib import plots\nplots.lost", None),
}
ANYWHERE = [
    "import cnnlib",
    "!python -m cnnlib table",
    "%run x.py",
    "import importlib\nimportlib.import_module(name)",
    "exec(text)",
    "this is no Python",
]


@pytest.mark.parametrize(("source", "files"), USES.values(), ids=USES)
def test_files_are_reached_by_the_names_that_are_used(reached, source, files):
    assert reached(source) == (BASE | PLOTS | CROP if files is None else files)


def test_a_name_imported_in_one_cell_is_followed_in_another(reached):
    assert reached("from cnnlib import plots", "plots.curve()") == CURVE


@pytest.mark.parametrize("source", ANYWHERE)
def test_what_cannot_be_read_reaches_everything(reached, source):
    every = {n for n in LIBRARY if n.startswith("cnnlib/")}
    shortened = {n.removeprefix("cnnlib/").removesuffix(".py") for n in every}
    assert reached(source) - {"notebooks/exercises/__init__"} >= shortened


def test_the_usual_magic_reaches_nothing(reached):
    assert reached(
        "%matplotlib inline\n%config InlineBackend.figure_format = 'png'"
    ) == (set())


@pytest.mark.parametrize(
    "line",
    [
        "import keras\nkeras.config.set_floatx('float16')",
        "import keras\nkeras.x = 1",
        "RC['size'] = 2",
        "from cnnlib.plots.style import enter\n@enter\ndef f(): ...",
        "from cnnlib.plots.style import enter\nf = enter(1)",
        "from cnnlib.plots import style\nf = style.enter(1)",
        "from cnnlib.plots.style import enter\n@enter\nclass A: ...",
        "class A:\n    B = 1\n    print(B)",
        "for x in y: f(x)",
    ],
)
def test_a_sibling_that_acts_on_import_is_reached_with_its_package(reached, line):
    style = "BOOK = {}\ndef enter(f):\n    BOOK[f] = f\n    return f"
    (reached.root / "cnnlib/plots/style.py").write_text(style)
    sibling = reached.root / "cnnlib/plots/images.py"
    sibling.write_text(f"{line}\ndef images(): ...")
    assert "plots/images" in reached("from cnnlib import plots\nplots.curve()")


@pytest.mark.parametrize(
    "line",
    [
        '"""Text."""',
        "A, B = 1, [2]",
        "x: int = 3",
        "@keras.saving.register_keras_serializable()\nclass Layer: ...",
        "@cache\ndef f(): ...",
    ],
)
def test_a_sibling_that_only_binds_names_is_not(reached, line):
    sibling = reached.root / "cnnlib/plots/images.py"
    sibling.write_text(f"{line}\ndef images(): ...")
    assert "plots/images" not in reached("from cnnlib import plots\nplots.curve()")


def test_of_the_exercises_it_is_the_notebooks_own_chapter(reached):
    shared = "notebooks/exercises/__init__"
    asks = "from exercises import check\ncheck('01.1', 2)"
    own = reached(asks, stem="01_a")
    assert own == BASE | {"claims", shared, "notebooks/exercises/chapter01"}
    other = reached(asks, stem="02_b")
    assert {shared, "notebooks/exercises/chapter02"} | PLOTS <= other
    assert "notebooks/exercises/chapter01" not in other


def test_results_are_those_that_a_notebook_names(reached):
    assert reached("open('../results/06_a.json')") == {"results/06_a.json"}
    every = {"results/06_a.json", "results/07_b.json"}
    assert reached("Path('../results').glob('*')") == every
    assert reached("print(1)") == set()


def test_data_beside_a_reached_module_counts(reached):
    (reached.root / "cnnlib/augment/table.csv").write_text("1")
    assert "augment/table.csv" in reached("from cnnlib import augment\naugment.flip")
    assert "augment/table.csv" not in reached("from cnnlib import claims")


@pytest.mark.parametrize(
    "change",
    ["cnnlib/plots/curves.py", "requirements.txt", "cnnlib/__init__.py"],
)
def test_a_change_of_what_is_reached_changes_the_key(reached, change):
    reached("from cnnlib import plots\nplots.curve()")
    course = Course(reached.root)
    before = Keys(course, {}).of(course.notebook("01"))
    (reached.root / "cnnlib/plots/tables.py").write_text("x = 1")
    assert Keys(course, {}).of(course.notebook("01")) == before
    with (reached.root / change).open("a") as file:
        file.write("\n# changed\n")
    assert Keys(course, {}).of(course.notebook("01")) != before


def test_knobs_are_part_of_the_key(reached):
    reached("1")
    course = Course(reached.root)
    keys = [
        Keys(course, {knob: "x"}).of(course.notebook("01"))
        for knob in ("CNNLIB_SCALE", "CNNLIB_DATA", "KERAS_BACKEND", "OTHER")
    ]
    assert len(set(keys)) == 4
    assert keys[3] == Keys(course, {}).of(course.notebook("01"))


def test_only_the_library_itself_acts_when_it_is_imported():
    """So no room that a notebook does not use can change what it shows."""
    assert Library(ROOT, ["cnnlib"]).acting == {"cnnlib", "cnnlib.__main__"}


def test_names_looked_up_among_a_modules_own_reach_what_it_imports(reached):
    module = reached.root / "cnnlib/claims.py"
    module.write_text(
        "from cnnlib import augment\nfrom cnnlib.plots import curve\n"
        "LEDGER = dict(globals())"
    )
    expected = CURVE | CROP | {"claims", "augment/flips"}
    assert reached("from cnnlib import claims\nclaims.LEDGER") == expected


def test_an_edit_of_augmentation_concerns_the_notebooks_that_use_it_alone():
    course = Course(ROOT)
    keys = Keys(course, {})
    for path in course.notebooks():
        reaches = ROOT / "cnnlib/augment/warp.py" in keys.files(path)
        assert reaches == ("cnnlib import augment" in path.read_text("utf-8")), path


def test_a_module_beside_the_library_is_not_ours(tmp_path):
    for name in ("cnnlib", "other"):
        (tmp_path / f"{name}.py").touch()
    library = Library(tmp_path, ["cnnlib"])
    assert library.file("cnnlib") == tmp_path / "cnnlib.py"
    assert library.file("other") is None
