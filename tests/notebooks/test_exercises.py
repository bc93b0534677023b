"""What the checks of all chapters stand on; each chapter's own are tested beside."""

import keras
import numpy as np
import pytest

import exercises
from exercises import NotSolved, Wrong, alike, ask, check, numbers, verdict


@pytest.mark.parametrize("left", [None, ...])
def test_what_the_stub_leaves_is_not_solved(left):
    with pytest.raises(NotSolved):
        ask(lambda x: left, 1)
    assert "not solved" in verdict("02.1", left)
    assert "not solved" in verdict("02.1", lambda *given: left)


def test_code_that_fails_is_wrong_and_says_how():
    with pytest.raises(Wrong, match=r"^your code raises ZeroDivisionError: division"):
        ask(lambda x: x / 0, 1)


def test_what_is_no_function_is_wrong():
    with pytest.raises(Wrong, match=r"a function is asked for; this is int"):
        ask(3)


def test_an_answer_may_write_into_what_it_is_given():
    given = np.zeros(3)
    assert ask(lambda x: np.add(x, 1, out=x), given).tolist() == [1, 1, 1]
    assert given.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("three", "it is made of str, not of numbers"),
        (np.array(["three"]), "it is made of <U5, not of numbers"),
        ([[1, 2], [3]], "it is no array of numbers"),
        ([None, 1], "it is made of list, not of numbers"),
        (keras.Input((2,)), "it is no array of numbers"),
        ([1, np.nan], "it has entries that are infinite or not a number"),
        ([1, np.inf], "it has entries that are infinite or not a number"),
    ],
)
def test_what_is_not_made_of_numbers_is_wrong(answer, words):
    with pytest.raises(Wrong) as wrong:
        numbers(answer, "it")
    assert str(wrong.value) == words


@pytest.mark.parametrize("kind", [list, np.array, keras.ops.convert_to_tensor])
def test_numbers_of_any_container_are_compared(kind):
    alike(kind([1.0, 2.0]), np.array([1, 2]), "it")
    with pytest.raises(Wrong, match=r"^it is off by up to 1$"):
        alike(kind([1.0, 3.0]), np.array([1, 2]), "it")


def test_small_differences_are_those_of_single_precision():
    alike([100.0005, 0], [100, 0], "it")
    with pytest.raises(Wrong, match=r"^it is off by up to 0\.002$"):
        alike([100.002, 0], [100, 0], "it")


def test_whole_numbers_do_not_wrap_round():
    with pytest.raises(Wrong, match=r"off by up to 1$"):
        alike(np.array([0], np.uint8), np.array([1], np.uint8), "it")
    alike(np.array([True]), np.array([True]), "it")


def test_another_shape_is_wrong():
    with pytest.raises(Wrong, match=r"it has shape \(2,\); \(1, 2\) is expected"):
        alike([1, 2], [[1, 2]], "it")


def test_a_known_mistake_is_named_before_its_shape():
    mistakes = {"is twice too large": [2, 4], "lacks a number": [1]}
    with pytest.raises(Wrong, match=r"^it is twice too large$"):
        alike([2, 4], [1, 2], "it", mistakes=mistakes)
    with pytest.raises(Wrong, match=r"^it lacks a number$"):
        alike([1], [1, 2], "it", mistakes=mistakes)
    alike([1, 2], [1, 2], "it", mistakes={"is right": [1, 2]})


def test_an_exercise_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"no exercise '02\.9'; of 02: 02\.1"):
        verdict("02.9", 1)
    with pytest.raises(ValueError, match=r"no exercise 'two'; of two: none"):
        verdict("two", 1)


def test_check_prints_the_verdict(capsys):
    check("02.1", ...)
    line = "exercise 02.1 — not solved: the answer is still empty\n"
    assert capsys.readouterr().out == line


@pytest.fixture
def doubling(monkeypatch):
    """One exercise: write a function that doubles."""
    monkeypatch.setattr(exercises, "BOOK", {})

    @exercises.exercise("99.1", "doubled")
    def look(double, *_):
        alike(ask(double, np.array([1, 2])), [2, 4], "the double")


@pytest.mark.usefixtures("doubling")
def test_each_verdict_has_its_words(capsys):
    check("99.1", lambda x: x + x)
    check("99.1", lambda x: x)
    check("99.1", lambda x: 2 * x, ...)  # every answer must be given
    assert capsys.readouterr().out.splitlines() == [
        "exercise 99.1 — solved: doubled",
        "exercise 99.1 — wrong: the double is off by up to 2",
        "exercise 99.1 — not solved: the answer is still empty",
    ]


@pytest.mark.usefixtures("doubling")
def test_only_the_first_line_of_an_error_is_shown():
    def fails(x):
        raise ValueError("first\nsecond")

    assert verdict("99.1", fails).endswith("raises ValueError: first")


def test_the_tolerance_is_relative_to_the_largest_number():
    alike([100.0, 1.0], [100.0, 1.0009], "it")
    with pytest.raises(Wrong):
        alike([100.0, 1.0], [100.0, 1.002], "it")
    alike([], [], "it")
