"""Bands in stored notebooks: how wide they may be, where one is missing, the record."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat import v4
from small_course import code, printed

from cnnlib.bands import Measured, band, percent
from cnnlib.claims import Verdict
from tools import bands, numbers

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def notebook(*texts):
    cells = [code("x", outputs=[printed(text)]) for text in texts]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return v4.new_notebook(cells=cells)


# --- what is printed ------------------------------------------------------------------


def test_values_are_found_in_lines_and_tables_with_their_place():
    text = (
        f"plain {percent(0.104, 5, 20)}  {band(3, high=4)}\nresidual {band(7, 6, 9)}\n"
    )
    found = numbers.printed(notebook("nothing\n", text))
    assert [(one.cell, one.index, one.text) for one in found] == [
        ("cell-1", 0, "10.4"),
        ("cell-1", 1, "3"),
        ("cell-1", 2, "7"),
    ]
    assert found[0].line == "plain # % #"
    assert found[2].measured == Measured(7, 6, 9)


def test_a_value_shown_as_the_last_expression_counts_too():
    shown = v4.new_output(
        "execute_result", data={"text/plain": repr(band(7, 6, 9))}, execution_count=1
    )
    nb = v4.new_notebook(cells=[code("x", outputs=[shown])])
    assert [one.text for one in numbers.printed(nb)] == ["7"]


@pytest.mark.parametrize(
    "line", ["above 90 %: True", "same: False.", "[True, True]", "(0.5, False)"]
)
def test_a_line_of_truth_is_found(line):
    assert numbers.truths(notebook(f"3\n{line}\n4\n")) == [line]


def test_truth_elsewhere_is_not():
    assert numbers.truths(notebook("True positives: 3\nTrueness\n")) == []


def test_the_course_prints_numbers_not_trues():
    read = [nbformat.read(path, as_version=4) for path in NOTEBOOKS]
    assert sum(len(numbers.truths(nb)) for nb in read) <= 20


def test_the_table_counts_what_is_printed(tmp_path):
    nb = notebook(f"a\nb {band(7, 6, 9)}\n", "it is: True\n")
    nbformat.write(nb, tmp_path / "01_one.ipynb")
    rows = numbers.table([tmp_path / "01_one.ipynb"]).splitlines()
    assert rows[1].split() == ["01_one", "3", "1", "1"]
    assert rows[2].split() == ["all", "3", "1", "1"]


# --- how wide a band may be -----------------------------------------------------------

INF = float("inf")
SEEN = [  # unit, values, the last digit that is printed
    ("%", [90.8, 92.2, 97.1], 0.1),
    ("%", [98.9, 99.7, 100.0], 0.1),
    ("", [-0.021, 0.032], 0.001),
    ("", [3.1e-7, 8.8e-6, 4e-5], 1e-8),
    ("of 90 digits", [89, 90, 90], 1),
    ("steps", [41, 41, 41], 1),
    ("", [0.0, 0.0], 0.01),
    ("%", [0.3, 2.9], 0.1),
    ("%", [103.1, 104.0], 0.1),
]


def judged(low, high, values, last=0.1, unit="", line="#"):
    measured = Measured(0, low, high)
    one = numbers.Printed("cell", 0, line, "0", unit, measured)
    return numbers.verdict(one, values, last)


@pytest.mark.parametrize(("unit", "values", "last"), SEEN)
def test_a_proposed_band_is_accepted_and_one_of_twice_its_width_is_not(
    unit, values, last
):
    low, high = numbers.proposal(unit, values, last)
    assert low <= min(values)
    assert max(values) <= high
    assert judged(low, high, values, last, unit) == ""
    if numbers.by_ratio(unit, values):
        factor = (high / low) ** 0.5
        wide = low / factor, high * factor
    else:
        wide = low - (high - low) / 2, high + (high - low) / 2
    found = judged(*wide, values, last, unit)
    assert re.search(r"too wide: \S+ to \S+ was seen, \S+ to \S+ is proposed", found)


@pytest.mark.parametrize(("unit", "values", "last"), SEEN[:5])
def test_a_band_without_margin_is_too_narrow(unit, values, last):
    assert "too narrow" in judged(min(values), max(values), values, last, unit)


def test_runs_that_agree_by_chance_leave_room_for_another_machine():
    assert numbers.spread("%", [91.0, 91.1], 0.1) == 3
    assert numbers.spread("of 200 digits", [199, 200], 1) == 8
    assert numbers.spread("s", [10.0, 10.0], 0.01) == 0.5
    assert numbers.spread("", [0.1, 0.1], 0.1) == 0.2
    assert numbers.spread("%", [80.0, 90.0], 0.1) == 10
    assert numbers.proposal("%", [91.0, 91.1], 0.1) == (89.5, 92.6)


@pytest.mark.parametrize(
    ("low", "high", "wrong"),
    [
        (30, 70, ""),
        (20, 70, "wide"),
        (30, 80, "wide"),
        (38, 70, "narrow"),
        (30, 62, "narrow"),
    ],
)
def test_each_end_is_looked_at_by_itself(low, high, wrong):
    found = judged(low, high, [40.0, 60.0])
    assert wrong in found
    assert bool(found) == bool(wrong)


def test_of_a_band_with_one_end_only_that_is_looked_at():
    seen = [90.0, 94.0]
    assert judged(87.5, INF, seen) == ""
    assert "wide" in judged(80, INF, seen)
    assert "narrow" in judged(89.9, INF, seen)
    assert "wide" in judged(-INF, 99, seen)


def test_a_band_need_not_pass_what_no_value_can_exceed():
    assert judged(97.4, 100, [98.9, 100.0], unit="%") == ""
    assert judged(0, 3, [0, 2], 1) == ""
    assert "wide" in judged(97.4, 102, [98.9, 100], unit="%")
    assert judged(0.96, 1, [0.989, 0.991], 0.001) == ""
    assert "narrow" in judged(0.96, 1, [0.989, 1.1], 0.001)
    assert judged(86, 90, [88, 90], 1, unit="of 90 digits") == ""


def test_rounding_errors_need_no_spread():
    seen = [3e-8, 5e-8]
    assert judged(-INF, 1e-6, seen, 1e-8, line="differ by #") == ""
    assert judged(-INF, 5, seen, 1e-8, line="differ by #")


@pytest.mark.parametrize(
    ("printed", "last"), [(["90.8", "90"], 0.1), (["1,200"], 1), (["3.1e-07"], 1e-8)]
)
def test_the_last_digit_that_is_printed(printed, last):
    assert numbers.step(printed) == pytest.approx(last)


# --- what the guard says --------------------------------------------------------------


@pytest.fixture
def look(tmp_path):
    """What the guard says of a text, where some values were seen before."""

    def look(text, seen=None, line=None):
        nb = notebook(text)
        path = tmp_path / "notebooks/06_lesson.ipynb"
        if seen is not None:
            file = numbers.record(tmp_path, "06_lesson")
            file.parent.mkdir(parents=True, exist_ok=True)
            line = line or numbers.printed(nb)[0].line
            row = ",".join(["cell-0", "0", f'"{line}"', *seen])
            file.write_text(f"# how\n# where\ncell,index,line,as stored\n{row}\n")
        return numbers.complaints(path, nb)

    return look


LINE = "accuracy: {} % (between {} and {})\n"


def test_a_good_band_is_not_complained_of(look):
    assert look(LINE.format(91, 88.5, 94.5), ["90.0", "92.0", "93.0"]) == []


@pytest.mark.parametrize(
    ("text", "seen", "complaint"),
    [
        (
            LINE.format(95, 88.5, 94.5),
            ["90.0", "92.0", "93.0"],
            "95 is outside its band",
        ),
        (LINE.format(91, 86, 94.5), ["90.0", "92.0", "93.0"], "too wide"),
        (LINE.format(91, 88.5, 97), ["90.0", "92.0", "93.0"], "too wide"),
        (LINE.format(91, 89, 96), ["90.0", "95.0"], "too narrow"),
        (LINE.format(91, 89, 94), None, "has no record: make bands NOTEBOOK=06"),
        ("above 90 %: True\n", None, "prints 'above 90 %: True': print the number"),
        (f"{Verdict('dropout', 'holds', 'it helps')}\n", None, "names no data set"),
        (
            f"{Verdict('dropout', 'holds', 'it helps [digits; seed 0]')}\n",
            None,
            "claim dropout names no data set, size and seeds",
        ),
    ],
)
def test_a_wrong_number_is_complained_of(look, text, seen, complaint):
    found = look(text, seen)
    assert len(found) == 1
    assert complaint in found[0]


def test_a_record_of_other_bounds_is_one(look):
    line = "accuracy: # % (between 1 and 99)"
    assert look(LINE.format(91, 88.5, 94.5), ["90.0", "92.0", "93.0"], line) == []


def test_a_record_of_another_line_is_no_record(look):
    found = look(LINE.format(91, 89, 94), ["90.0"], line="loss: # %")
    assert "has no record" in found[0]


@pytest.mark.parametrize("ruling", ["holds", "corrected", "open here", "cited"])
def test_a_measured_claim_that_names_its_setting_is_accepted(look, ruling):
    told = "it helps" if ruling == "cited" else "it helps [90 digits; seeds 0 to 4]"
    assert look(f"{Verdict('dropout', ruling, told)}\n") == []


# --- other seeds ----------------------------------------------------------------------


def shifted(*sources):
    nb = v4.new_notebook(cells=[code(source) for source in sources])
    numbers.shift_seeds(nb, 2)
    return [cell.source for cell in nb.cells]


def test_seeds_that_reach_the_library_are_shifted():
    assert shifted(
        "keras.utils.set_random_seed(3)",
        "rng = np.random.default_rng(seed)",
        "Dropout(0.5, seed=1)(x)",
        "split(x, random_state=0)",
        "restart(net, build, seed)",
    ) == [
        "keras.utils.set_random_seed(3 + 2)",
        "rng = np.random.default_rng(seed + 2)",
        "Dropout(0.5, seed=1 + 2)(x)",
        "split(x, random_state=0 + 2)",
        "restart(net, build, seed + 2)",
    ]


def test_a_seed_that_the_notebooks_own_function_passes_on_is_shifted_once():
    source = "def train(seed):\n    set_random_seed(seed)"
    assert shifted(source, "train(seed=1)") == [
        "def train(seed):\n    set_random_seed(seed + 2)",
        "train(seed=1)",
    ]


def test_everything_else_is_left_alone():
    sources = ["%matplotlib inline", "f(3, seeds=4)", "split(random_state=None)"]
    assert shifted(*sources) == sources


# --- measuring ------------------------------------------------------------------------

SEEDED = """import numpy as np
from cnnlib.bands import band
value = np.random.default_rng(0).integers(1000)
print("drawn:", band(value, 800, 900))"""


def test_bands_are_measured_in_every_way_and_written_down(course, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(bands, "WAYS", bands.WAYS[:3])
    course.add("01_one", code(SEEDED), code("assert value == 850"))
    course.add("02_two", code("raise ValueError"))  # it has no band, and does not run
    course.run("notebooks", "01")
    nb = course.read("01_one")
    nb.cells[1].outputs = [printed("drawn: 850 (between 800 and 900)\n")]
    nbformat.write(nb, course.notebook("01_one"))
    capsys.readouterr()
    assert course.run("--jobs", "2", "bands") == 1
    said = capsys.readouterr().out
    seen = numbers.seen(numbers.record(course.root, "01_one"))
    values = [int(text) for text in seen["cell-1", 0][1]]
    drawn = [np.random.default_rng(seed).integers(1000) for seed in range(3)]
    assert values == drawn
    assert "01_one  seeds + 1: AssertionError" in said
    assert "'drawn: #': 850: its band is too narrow" in said
