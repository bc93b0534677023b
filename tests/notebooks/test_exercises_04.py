"""The exercises on hyperparameters: right answers pass, mistakes are named."""

import numpy as np
import pytest

from exercises import verdict

SOLVED = "— solved:"


def empty(*given): ...


@pytest.mark.parametrize("number", ["04.1", "04.3"])
@pytest.mark.parametrize("left", [None, ...])
def test_an_empty_answer_is_not_solved(number, left):
    assert "— not solved" in verdict(number, left)


def test_an_empty_function_is_not_solved():
    assert "— not solved" in verdict("04.2", empty)


@pytest.mark.parametrize(
    "answer", [(4, 1, 1), [6, 2, 2], np.array([8, 3, 3]), (4.0, 1, 1), (4, 1, 2)]
)
def test_even_filters_halve_alike(answer):
    assert SOLVED in verdict("04.1", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((3, 0, 1), "the two ends are not read alike"),
        ((3, 1, 1), "the two ends are not read alike"),
        ((4, 0, 2), "the two ends are not read alike"),
        ((5, 1, 1), "a side of 10 becomes 4, not 5"),
        ((4, 2, 2), "a side of 10 becomes 6, not 5"),
        ((2, 0, 0), "a filter of 3 to 9 is asked for, not of 2"),
        ((10, 4, 4), "a filter of 3 to 9 is asked for, not of 10"),
        ((4, -1, 3), "there can't be fewer than 0 zeros"),
        ((4, 4, 0), "some windows see nothing else"),
        ((4, 1), "the answer is not 3 whole numbers"),
        (4, "the answer is not 3 whole numbers"),
        ((4, 1.5, 0.5), "the answer is not 3 whole numbers"),
        ((4, (1, 1)), "the answer is no array of numbers"),
        ("half", "the answer is made of str"),
        ((4, np.nan, 1), "the answer has entries that are infinite or not a number"),
    ],
)
def test_other_settings_are_told_what_is_wrong(answer, words):
    line = verdict("04.1", answer)
    assert "— wrong:" in line
    assert words in line


def sees(stack, unit, order=-1, padded=1, dilated=None, end=0):
    first = last = unit
    for k, stride, dilation, before in stack[::order]:
        first = first * stride - padded * before
        last = last * stride - padded * before + (dilated or dilation) * (k - 1)
    return first, last + end


def by_trial(stack, unit):
    """Which pixels change the unit, found with plain NumPy."""
    line = np.eye(150)
    for k, stride, dilation, before in stack:
        line = np.pad(line, ((0, 0), (before, 200)))
        places = np.arange(0, line.shape[1] - dilation * (k - 1), stride)
        line = sum(line[:, places + i * dilation] for i in range(k))
    pixels = np.flatnonzero(line[:, unit])
    return np.array([pixels.min(), pixels.max()])


@pytest.mark.parametrize("function", [sees, by_trial])
def test_the_pixels_of_a_unit(function):
    assert SOLVED in verdict("04.2", function)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"end": 1}, "ends with the first pixel that is not seen"),
        ({"padded": 0}, "leaves out the zeros before"),
        ({"padded": -1}, "is off by up to"),
        ({"dilated": 1}, "leaves out the dilation"),
        ({"order": 1}, "takes the layers in the wrong order"),
    ],
)
def test_a_mistake_on_the_way_back_is_named(wrong, words):
    line = verdict("04.2", lambda stack, unit: sees(stack, unit, **wrong))
    assert "— wrong: sees([(" in line
    assert words in line


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (7, "has shape (); (2,) is expected"),
        ((7, 8, 9), "has shape (3,); (2,) is expected"),
        ("7 to 9", "is made of str"),
        ((7, np.nan), "infinite or not a number"),
        ((7, None), "is made of tuple"),
    ],
)
def test_what_are_not_two_pixels_is_wrong(answer, words):
    line = verdict("04.2", lambda stack, unit: answer)
    assert "— wrong:" in line
    assert words in line


def test_no_function_and_a_failing_one_are_wrong():
    assert "a function is asked for; this is tuple" in verdict("04.2", (3, 5))
    assert "your code raises TypeError" in verdict("04.2", lambda stack: (0, 1))


RIGHT = [(16, 3, 2, 1)] * 2 + [(16, 3, 1, 1), (16, 3, 1, 2), (32, 3, 1, 4)]


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        np.array(RIGHT, float),
        [(16, 5, 2, 1), (16, 3, 2, 1), (16, 3, 1, 2), (16, 3, 1, 3), (32, 3, 1, 3)],
        [(16, 4, 4, 1), (16, 3, 1, 1), (16, 3, 1, 3), (32, 3, 1, 4)],
    ],
)
def test_networks_that_see_far_at_small_cost(answer):
    assert SOLVED in verdict("04.3", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RIGHT[1:], "the last maps are (32, 32, 32), not (16, 16, 32)"),
        (RIGHT[:-1], "the last maps are (16, 16, 16), not"),
        ([*RIGHT[:3], RIGHT[-1]], "a unit sees 47 pixels, not 63 or more"),
        ([*RIGHT[:2], (32, 3, 1, 7)], "there are holes in the field"),
        (RIGHT[:2] + 6 * [(16, 3, 1, 1)] + [(32, 3, 1, 1)], "21,328 parameters; 15,"),
        ([(8, 3, 2, 1), *RIGHT[1:]], "layer 1 has 8 filters; 16 is the least"),
        ([(16, 3, 2, 2), *RIGHT[1:]], "layer 1 has a stride and a dilation"),
        ([(16, 3, 0, 1), *RIGHT[1:]], "are 1 to 99 here"),
        ([(16, 999, 2, 1), *RIGHT[1:]], "are 1 to 99 here"),
        ([(16, 3, 2), (32, 3, 2)], "the answer is not rows of 4 whole numbers"),
        ((32, 3, 2, 1), "the answer is not rows of 4 whole numbers"),
        ([], "the answer is not rows of 4 whole numbers"),
        (np.zeros((0, 4)), "the answer is not rows of 4 whole numbers"),
        ([(16, 3, 2, 1), (16, 3)], "the answer is no array of numbers"),
        ("small", "the answer is made of str"),
    ],
)
def test_other_networks_are_told_what_is_wrong(answer, words):
    line = verdict("04.3", answer)
    assert "— wrong:" in line
    assert words in line
