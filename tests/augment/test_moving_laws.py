"""What holds wherever pixels are moved to, whatever they show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moved import ALL, MODES, array

from cnnlib import augment
from cnnlib.augment import Crop, Elastic
from cnnlib.augment.sampling import INTERPOLATIONS

SEEDS = st.integers(0, 2**31 - 1)
SIDES = st.tuples(st.integers(2, 30), st.integers(2, 30))
ANGLES = st.floats(-180, 180)
FACTORS = st.floats(0.4, 2.5)


STILL = {"flip": (1, 1), "rotation": 0, "zoom": 1, "translation": (0, 0), "shear": 0}


def maps(sides, *steps):
    """The affine map of each step, settings of a warp, as 3×3 of (row, column, 1)."""
    every = {
        key: np.array([(STILL | step)[key] for step in steps], "float32").T
        for key in STILL
    }
    found = array(augment.matrices(*sides, **every)).astype("float64")
    last = np.broadcast_to([[0.0, 0, 1]], (len(steps), 1, 3))
    return np.concatenate([found, last], axis=1)


def same(found, expected, sides):
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(sides))


@given(
    sides=SIDES,
    angles=st.tuples(ANGLES, ANGLES),
    factors=st.tuples(FACTORS, FACTORS),
)
def test_two_turns_and_two_zooms_are_one(sides, angles, factors):
    """And whether an image is first turned or first enlarged does not matter."""
    turns = [{"rotation": angle} for angle in (*angles, sum(angles))]
    zooms = [{"zoom": factor} for factor in (*factors, factors[0] * factors[1])]
    both = {**turns[0], **zooms[0]}
    found = maps(sides, *turns, *zooms, both)
    same(found[0] @ found[1], found[2], sides)
    same(found[3] @ found[4], found[5], sides)
    same(found[0] @ found[3], found[6], sides)
    same(found[3] @ found[0], found[6], sides)


@given(
    sides=SIDES,
    angle=ANGLES,
    factor=FACTORS,
    shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    lean=st.floats(-60, 60),
    flip=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 2),
)
def test_every_step_of_a_warp_is_undone_by_its_opposite(
    sides, angle, factor, shift, lean, flip
):
    steps = [
        ({"flip": flip}, {"flip": flip}),
        ({"rotation": angle}, {"rotation": -angle}),
        ({"zoom": factor}, {"zoom": 1 / factor}),
        ({"translation": shift}, {"translation": (-shift[0], -shift[1])}),
        ({"shear": lean}, {"shear": -lean}),
    ]
    there, back = (maps(sides, *each) for each in zip(*steps, strict=True))
    same(there @ back, np.broadcast_to(np.eye(3), (5, 3, 3)), sides)


@pytest.mark.parametrize("how", INTERPOLATIONS)
@given(seed=SEEDS, mode=st.sampled_from(list(MODES)), far=st.floats(0, 40))
def test_sampling_weighs_pixels_by_parts_of_one(how, seed, mode, far):
    """So it is linear, keeps constants, and but for bicubic never leaves the range."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, 5, 7), "float32")
    shown = np.stack([x, y, 2 * x - 3 * y, np.ones_like(x)], axis=-1)
    rows, columns = rng.uniform(-far, 6 + far, (2, 1, 3, 4)).astype("float32")
    found = augment.sample(shown[None], rows, columns, how, mode, 0.0)
    x_read, y_read, both, ones = np.moveaxis(array(found), -1, 0)
    np.testing.assert_allclose(both, 2 * x_read - 3 * y_read, atol=1e-4)
    if mode != "constant":
        np.testing.assert_allclose(ones, 1, atol=1e-4)
    if how != "bicubic":
        assert (x_read >= x.min() * ones - 1e-5).all()
        assert (x_read <= x.max() * ones + 1e-5).all()


# Compiling takes most of the time, so each is made once.
FILL = {"fill_value": 5.0, "fill_label": 5, "fill_mode": "constant"}
NEAREST = {
    "elastic": Elastic(2, 4, **ALL, flip="vertical", interpolation="nearest", **FILL),
    "crop": Crop((7, 9), padding=3, flip="horizontal_and_vertical", **FILL),
}
SMOOTH = Elastic(2, 3, **ALL, flip="horizontal", fill_mode="constant")


def again(layer, seed, given):
    """What the layer does when its draws begin at a seed."""
    layer.generator.state.assign(np.array([seed, 0]))
    return {key: array(value) for key, value in layer(given).items()}


@pytest.mark.parametrize("name", NEAREST)
@given(seed=SEEDS, data=SEEDS)
def test_images_masks_and_weight_maps_are_moved_alike(name, seed, data):
    """Each pixel with its label, each image by its own draw, no label invented."""
    labels = np.random.default_rng(data).integers(0, 4, (3, 9, 12)).astype("int32")
    moved = again(
        NEAREST[name],
        seed,
        {
            "images": labels[..., None].astype("float32"),
            "segmentation_masks": labels,
            "weight_maps": labels.astype("float32"),
        },
    )
    masks = moved["segmentation_masks"]
    np.testing.assert_array_equal(moved["images"][..., 0], masks)
    np.testing.assert_array_equal(moved["weight_maps"], np.where(masks == 5, 0, masks))
    for before, after in zip(labels, masks, strict=True):
        assert set(np.unique(after)) <= {*np.unique(before), 5}


@given(seed=SEEDS, data=SEEDS, a=st.floats(-3, 3))
def test_moving_is_linear_and_knows_nothing_of_what_it_moves(seed, data, a):
    """A weight map goes where its image goes, and a sum of images as they do."""
    x, y = np.random.default_rng(data).random((2, 2, 9, 12), "float32")
    shown = np.stack([x, y, np.float32(a) * x + y], axis=-1)
    moved = again(SMOOTH, seed, {"images": shown, "weight_maps": x})
    one, other, both = np.moveaxis(moved["images"], -1, 0)
    np.testing.assert_allclose(both, a * one + other, atol=1e-5)
    np.testing.assert_allclose(one, moved["weight_maps"], atol=1e-6)
    assert one.min() >= 0
    assert one.max() <= x.max() + 1e-6
