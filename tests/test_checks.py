"""The one-line refusals that all rooms share."""

import math

import keras
import numpy as np
import pytest

from cnnlib import checks


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_numpys_integers_are_integers(value):
    assert checks.integer("f", "n", value) == 3
    assert type(checks.integer("f", "n", value)) is int
    assert checks.pair("f", "size", (value, 4)) == (3, 4)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, np.float32(2)])
def test_what_is_no_positive_integer_is_refused(value):
    with pytest.raises(ValueError, match="f takes n=1 or more; given"):
        checks.integer("f", "n", value)


def test_the_least_is_the_callers():
    assert checks.integer("f", "n", 0, least=0) == 0
    with pytest.raises(ValueError, match="f takes n=2 or more; given 1"):
        checks.integer("f", "n", 1, least=2)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "said"),
    [
        ({"least": 0, "most": 1}, (0, 0.5, 1), (-0.1, 1.1), "from 0 to 1"),
        ({"least": 0, "below": 1}, (0, 0.9), (1, -1), "from 0 to below 1"),
        ({"above": 0}, (1e-9, 7), (0, -1), "above 0"),
        ({"above": 0, "most": 1}, (1,), (0, 1.5), "above 0 to 1"),
        ({}, (-5, 5), (), "a finite number"),
    ],
)
def test_numbers_lie_between_their_bounds(bounds, inside, outside, said):
    for value in inside:
        assert checks.number("f", "rate", value, **bounds) == value
        assert type(checks.number("f", "rate", np.float32(value), **bounds)) is float
    for value in (*outside, math.nan, math.inf, "1", None, True):
        with pytest.raises(ValueError, match=f"f takes rate {said}; given"):
            checks.number("f", "rate", value, **bounds)


def test_a_span_has_two_ends_in_order():
    assert checks.span("f", "range", [0, 255]) == (0, 255)
    for value in (1, (1,), (0, 1, 2), (1, 1), (2, 1), (0, math.nan), ("0", "1"), None):
        with pytest.raises(ValueError, match=r"f takes range=\(low, high\), finite"):
            checks.span("f", "range", value)


def test_a_choice_is_one_of_its_kind():
    checks.choice("f", "norm", "l2", ("linf", "l2"))
    checks.choice("f", "groups", 2, (1, 2))
    checks.choice("f", "groups", np.int64(2), (1, 2))
    for value in ("L2", None, 2):
        with pytest.raises(ValueError, match="f takes norm='linf' or 'l2'; given"):
            checks.choice("f", "norm", value, ("linf", "l2"))
    with pytest.raises(ValueError, match="f takes groups=1 or 2; given True"):
        checks.choice("f", "groups", True, (1, 2))


def test_an_unknown_name_gets_the_nearest():
    checks.named("network", "unet", ["vgg16", "unet"])
    with pytest.raises(ValueError, match=r"no network is called 'unets'; .* 'unet'\."):
        checks.named("network", "unets", ["vgg16", "unet"])
    with pytest.raises(ValueError, match="Known: vgg16, unet"):
        checks.named("network", None, ["vgg16", "unet"])
    for name in ("UNET", "e"):  # in capitals, and like none of them
        with pytest.raises(ValueError, match=r"the nearest is 'unet'"):
            checks.named("network", name, ["vgg16", "unet"])


@pytest.mark.parametrize("value", [0, (3,), (3, 4, 5), (3, 0), 2.0, "34", (True, 2)])
def test_a_size_is_one_side_or_two(value):
    assert checks.pair("f", "size", 3) == (3, 3)
    with pytest.raises(ValueError, match="f takes size in whole pixels from 1"):
        checks.pair("f", "size", value)


def test_a_networks_shape_and_classes():
    shape, classes = checks.network("net", [np.int64(8), 9, 3], np.int8(4))
    assert (shape, classes) == ((8, 9, 3), 4)
    assert checks.network("net", (None, 8, 3), 2)[0] == (None, 8, 3)
    assert checks.network("net", (5, 3), 2, dimensions=1)[0] == (5, 3)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((8, 8), {}),
        ((8, 8, 0), {}),
        ((8, 7, 3), {"smallest": 8}),
        ((8, 7, 3), {"smallest": (8, 8)}),
        ((None, 8, 3), {"any_size": False}),
        ((8, 8, None), {}),
        (8, {}),
        ((8.0, 8, 3), {}),
    ],
)
def test_a_shape_that_a_network_cannot_take(shape, options):
    with pytest.raises(ValueError, match=r"net takes input_shape=\(height, width"):
        checks.network("net", shape, 2, **options)


def test_classes_are_counted_from_one():
    with pytest.raises(ValueError, match="net takes classes=1 or more; given 0"):
        checks.network("net", (8, 8, 3), 0)


def test_depths_come_in_units():
    assert checks.units("net", 20, step=6, first=2) == 3
    for depth, near in [(21, "20 and 26"), (2, "8 and 14"), (0, "8 and 14")]:
        with pytest.raises(ValueError, match=f"6n\\+2 layers; given {depth}.*{near}"):
            checks.units("net", depth, step=6, first=2)


def test_values_are_finite():
    assert checks.finite("f", "images", [1, 2]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="f takes finite images"):
        checks.finite("f", "images", [1.0, np.nan])


def test_labels_are_from_zero():
    checks.labels("f", "y", np.array([0, 2]), 3)
    for wrong, said in [([0, 3], "given 0 to 3"), ([-1, 2], "given -1 to 2")]:
        with pytest.raises(ValueError, match=f"f takes y from 0 to 2; {said}"):
            checks.labels("f", "y", np.array(wrong), 3)


def test_values_are_seen_unless_they_are_yet_to_come():
    seen = checks.visible(keras.ops.convert_to_tensor([1.0, 2.0]))
    np.testing.assert_array_equal(seen, [1, 2])
    assert checks.visible(keras.Input((3,))) is None


def test_half_precision_is_checked_for_what_is_not_finite():
    half = keras.ops.convert_to_tensor([1.0, np.inf], dtype="bfloat16")
    with pytest.raises(ValueError, match="f takes finite images"):
        checks.finite("f", "images", np.asarray(half))


@pytest.mark.parametrize(
    ("dimensions", "smallest", "said"),
    [
        (1, 5, r"\(length, channels\) with a length of at least 5"),
        (
            2,
            (8, 9),
            r"\(height, width, channels\) with height and width at least 8 × 9",
        ),
        (2, (8, 8), r"\(height, width, channels\) with height and width at least 8"),
        (
            3,
            (2, 8, 9),
            r"\(frames, height, width, channels\) with frames, height and width at "
            "least 2 × 8 × 9",
        ),
    ],
)
def test_a_refused_shape_is_told_axes_and_least_sides(dimensions, smallest, said):
    options = {"dimensions": dimensions, "smallest": smallest}
    with pytest.raises(ValueError, match=f"net takes input_shape={said}; given 1$"):
        checks.network("net", 1, 2, **options)
