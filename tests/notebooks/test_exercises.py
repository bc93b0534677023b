"""What a check says of an empty, a right, a wrong and a failing answer."""

import numpy as np
import pytest

import exercises
from exercises import NotSolved, Wrong, alike, ask, check, verdict


@pytest.fixture(autouse=True)
def doubling(monkeypatch):
    """One exercise: write a function that doubles."""
    monkeypatch.setattr(exercises, "BOOK", {})

    @exercises.exercise("99.1", "doubled")
    def look(double, *_):
        alike(ask(double, np.array([1, 2])), [2, 4], "the double")


@pytest.mark.parametrize("stub", [None, ..., lambda x: None, lambda x: ...])
def test_an_empty_stub_is_not_solved(stub):
    assert verdict("99.1", stub).startswith("exercise 99.1 — not solved: ")


def test_every_answer_must_be_given():
    assert "— not solved" in verdict("99.1", lambda x: 2 * x, ...)


def test_a_right_answer_is_solved(capsys):
    check("99.1", lambda x: x + x)
    assert capsys.readouterr().out == "exercise 99.1 — solved: doubled\n"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (lambda x: x, "the double is off by up to 2"),
        (lambda x: [2, 4, 6], "the double has shape (3,); (2,) is expected"),
        (lambda x: np.array([2, np.nan]), "the double is off by up to nan"),
        (lambda x: np.array(["2", "4"]), "the double is made of <U1, not of numbers"),
        (lambda x: x / y, "your code raises NameError: name 'y' is not defined"),  # noqa: F821
        (lambda: 3, "your code raises TypeError: "),
        (7, "a function is asked for; this is int"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(answer, what):
    assert verdict("99.1", answer).startswith(f"exercise 99.1 — wrong: {what}")


def test_only_the_first_line_of_an_error_is_shown():
    def fails(x):
        raise ValueError("first\nsecond")

    assert verdict("99.1", fails).endswith("raises ValueError: first")


def test_a_difference_within_the_tolerance_is_none():
    alike([100.0, 1.0], [100.0, 1.0009], "it")  # relative to the largest
    with pytest.raises(Wrong):
        alike([100.0, 1.0], [100.0, 1.002], "it")
    alike([], [], "it")
    with pytest.raises(NotSolved):
        ask(lambda: None)


@pytest.mark.parametrize("number", ["99.2", "98.1", "x", "../01.1"])
def test_an_unknown_exercise_is_refused(number):
    with pytest.raises(ValueError, match=f"no exercise '{number}'"):
        verdict(number, 1)
    with pytest.raises(ValueError, match=r"of 99: 99\.1"):
        verdict("99.2", 1)
