"""Values with their bands: what is printed, what is refused, and reading them back."""

import math
import re

import numpy as np
import pytest

from cnnlib.bands import PATTERN, BandError, Measured, band, differ, parse, percent


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (lambda: percent(0.908, 85, 97), "90.8 % (between 85 and 97)"),
        (lambda: percent(1, 99.5, 100), "100 % (between 99.5 and 100)"),
        (lambda: percent(0.9, low=85), "90 % (at least 85)"),
        (lambda: percent(1.2345, high=200), "123.4 % (at most 200)"),
        (lambda: band(1000, 999.9, 1e9), "1,000 (between 999.9 and 1e+09)"),
        (lambda: band(0.4217, 0.3, 0.5), "0.422 (between 0.3 and 0.5)"),
        (
            lambda: band(90, low=85, unit="of 90 digits"),
            "90 of 90 digits (at least 85)",
        ),
        (lambda: band(41, high=60, unit="steps"), "41 steps (at most 60)"),
        (lambda: band(-2.5, -3, -2), "-2.5 (between -3 and -2)"),
        (lambda: band(12345.6, 1e4, 2e4), "12,346 (between 10,000 and 20,000)"),
        (lambda: band(3.2e-8, high=1e-6), "3.2e-08 (at most 1e-06)"),
        (lambda: differ([1, 2], [1, 2.25], 0.5), "differ by 0.2 (at most 0.5)"),
        (lambda: differ([], [], 0.5), "differ by 0 (at most 0.5)"),
    ],
)
def test_it_says_the_value_and_its_band(told, words):
    assert told() == words


@pytest.mark.parametrize("bounds", [(0, 1), (None, 1), (3, None)])
def test_it_raises_outside_and_says_both(bounds):
    with pytest.raises(BandError, match=r"2 is outside its band \("):
        band(2, *bounds)


def test_bounds_belong_to_the_band():
    assert band(1, 1, 1) == "1 (between 1 and 1)"


def test_a_percentage_is_compared_as_it_is_printed():
    assert percent(0.84996, 85, 97) == "85 % (between 85 and 97)"
    with pytest.raises(BandError, match=r"84\.9 %"):
        percent(0.849, 85, 97)


def test_nan_lies_in_no_band():
    with pytest.raises(BandError, match="nan"):
        band(math.nan, 0, 1)


@pytest.mark.parametrize("value", [[1.0], np.ones(2), "1", None, True, 1j, {}])
def test_only_one_number_can_be_a_value_or_a_bound(value):
    with pytest.raises(TypeError, match="one number"):
        band(value, 0, 1)
    if value is not None:
        with pytest.raises(TypeError, match="one number"):
            band(0.5, value, 1)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((2, 1), "low must not exceed high"),
        ((None, None), "one or two"),
        ((math.nan, 1), "finite"),
        ((0, math.inf), "finite"),
    ],
)
def test_wrong_bounds_are_refused(bounds, words):
    with pytest.raises(ValueError, match=words):
        band(1, *bounds)


def test_numbers_of_numpy_are_numbers():
    assert band(np.float32(0.5), np.int64(0), 1) == "0.5 (between 0 and 1)"
    assert band(np.array(2), 0, 3) == "2 (between 0 and 3)"


def test_two_computations_that_disagree_or_differ_in_shape_are_refused():
    with pytest.raises(BandError, match="outside"):
        differ([1.0], [1.1])
    with pytest.raises(BandError, match="nan"):
        differ([1.0], [math.nan])
    with pytest.raises(ValueError, match="one shape"):
        differ([1.0], [1.0, 1.0])


def test_what_was_printed_is_read_back():
    text = (
        f"plain 56: {percent(0.1043, 5, 20)}; residual 20 of 5 {band(3, 1, 4)}\n"
        f"held: {band(90, low=85, unit='of 90 digits')}, {differ(1.0, 1.0)}"
    )
    assert parse(text) == [
        Measured(10.4, 5, 20),
        Measured(3, 1, 4),
        Measured(90, 85, math.inf),
        Measured(0, -math.inf, 1e-6),
    ]


def test_what_has_no_band_is_not_read():
    assert parse("3 (between friends), 4 layers (at most), 5.0 in all") == []


def without(text):
    return re.sub(PATTERN, " #", text)


def test_a_comparison_sees_all_but_the_measured_value():
    line = "20 layers  {} | 56 layers {}"
    first = without(line.format(percent(0.9, 5, 97), percent(0.105, 5, 97)))
    other = without(line.format(percent(0.0821, 5, 97), percent(0.96, 5, 97)))
    assert (
        first
        == other
        == ("20 layers # % (between 5 and 97) | 56 layers # % (between 5 and 97)")
    )
    moved = without(line.format(percent(0.9, 6, 97), percent(0.105, 5, 97)))
    assert moved != first


def test_what_a_value_is_counted_of_is_compared():
    assert without(band(2, 0, 6, "of 48 filters")) == (
        " # of 48 filters (between 0 and 6)"
    )


def test_columns_may_move_with_the_width_of_a_value():
    rows = [f"net {band(v, 0, 2000):>30}" for v in (7, 1234)]
    assert without(rows[0]) == without(rows[1])
