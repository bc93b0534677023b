"""SciPy is the judge of geometry, and matrices composed one by one in NumPy."""

import numpy as np
import pytest
from moved import ALL, MODES, array, pictures, rng, twin
from scipy import ndimage

from cnnlib import augment
from cnnlib.augment import Warp


def by_hand(height, width, flip, rotation, zoom, translation, shear):
    """From input to output, one matrix for each step, in (row, column)."""
    t, s = np.deg2rad(rotation), np.tan(np.deg2rad(shear))
    middle = np.eye(3)
    middle[:2, 2] = (height - 1) / 2, (width - 1) / 2
    shift = np.eye(3)
    shift[:2, 2] = translation[0] * height, translation[1] * width
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]
    lean = np.array([[1, 0, 0], [s, 1, 0], [0, 0, 1]])
    steps = [np.diag([*flip, 1]), lean, np.diag([zoom, zoom, 1]), turn, shift]
    whole = np.linalg.inv(middle)
    for step in steps:
        whole = step @ whole
    return middle @ whole


def test_the_matrices_are_the_composition_of_flip_shear_zoom_turn_and_shift():
    for _ in range(50):
        height, width = rng.integers(1, 40, 2)
        settings = {
            "flip": rng.choice([-1.0, 1.0], 2),
            "rotation": rng.uniform(-180, 180),
            "zoom": rng.uniform(0.3, 3),
            "translation": rng.uniform(-1, 1, 2),
            "shear": rng.uniform(-60, 60),
        }
        expected = np.linalg.inv(by_hand(height, width, **settings))[:2]
        settings["rotation"] = np.array([settings["rotation"]], "float32")
        found = array(augment.matrices(height, width, **settings))
        assert found.shape == (1, 2, 3)
        np.testing.assert_allclose(found[0], expected, atol=3e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", ["constant", "mirror"])
def test_a_warp_equals_scipys_affine_transform(mode):
    layer = Warp(
        flip="horizontal_and_vertical", **ALL, fill_mode=mode, fill_value=0.5, seed=4
    )
    x = pictures(6, 13, 17, 2)
    drawn = array(twin(layer).draw(6, 13, 17))
    assert len({m.tobytes() for m in drawn}) == 6
    found = array(layer(x))
    for i, c in np.ndindex(6, 2):
        m = drawn[i]
        expected = ndimage.affine_transform(
            *(x[i, ..., c], m[:, :2], m[:, 2]), order=1, mode=MODES[mode], cval=0.5
        )
        np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-4)


def test_positive_settings_turn_left_enlarge_and_move_down_and_right():
    x = np.zeros((1, 9, 9, 1), "float32")
    x[0, 4, 6] = 1  # right of the middle

    def found(**ranges):
        moved = array(Warp(**ranges, fill_mode="constant")(x))[0, ..., 0]
        return tuple(int(i) for i in np.unravel_index(moved.argmax(), moved.shape))

    assert found(rotation=(90, 90)) == (2, 4)
    assert found(zoom=(2, 2)) == (4, 8)
    assert found(translation=(2 / 9, 2 / 9)) == (6, 8)
    x = np.roll(x, -2, axis=1)  # above the middle, too
    assert found(shear=(45, 45)) == (2, 4)


def test_numbers_fill_their_ranges_and_are_drawn_on_their_own():
    def drawn(**ranges):
        return array(Warp(**ranges, seed=2).draw(3000, 11, 21))

    def fills(numbers, low, high):
        assert low - 1e-4 <= numbers.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < numbers.max() <= high + 1e-4
        assert np.mean(numbers) == pytest.approx(
            (low + high) / 2, abs=(high - low) / 50
        )

    m = drawn(rotation=(-10, 50))
    fills(np.rad2deg(np.arctan2(m[:, 0, 1], m[:, 0, 0])), -10, 50)
    m = drawn(zoom=0.5)
    fills(-np.log(m[:, 0, 0]), -np.log(1.5), np.log(1.5))
    m = drawn(zoom=(1, 2))
    fills(-np.log(m[:, 0, 0]), 0, np.log(2))
    m = drawn(shear=30)
    fills(np.rad2deg(np.arctan(-m[:, 1, 0])), -30, 30)
    m = drawn(translation=0.25)
    down, right = -m[:, 0, 2] / 11, -m[:, 1, 2] / 21
    fills(down, -0.25, 0.25)
    fills(right, -0.25, 0.25)
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.06
