"""SciPy is the judge."""

import numpy as np
import pytest
from moved import MODES, array, pictures, rng
from scipy import ndimage

from cnnlib import augment
from cnnlib.augment.sampling import INTERPOLATIONS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [0, 1])
def test_sampling_is_scipys_in_every_mode(mode, order):
    x = pictures(2, 7, 10, 3)
    rows = rng.uniform(-15, 22, (2, 6, 5)).astype("float32")
    columns = rng.uniform(-22, 32, (2, 6, 5)).astype("float32")
    how = ("nearest", "bilinear")[order]
    found = array(augment.sample(x, rows, columns, how, mode, 0.25))
    for i in range(2):
        for c in range(3):
            expected = ndimage.map_coordinates(
                *(x[i, ..., c], [rows[i], columns[i]]),
                order=order,
                mode=MODES[mode],
                cval=0.25,
            )
            np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-4)


def test_bicubic_sampling_is_keys_kernel():
    def keys(t):
        t = abs(t)
        if t <= 1:
            return 1.5 * t**3 - 2.5 * t**2 + 1
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0

    x = pictures(1, 8, 9, 1)
    rows = rng.uniform(2, 5, (1, 4, 6)).astype("float32")
    columns = rng.uniform(2, 6, (1, 4, 6)).astype("float32")
    found = array(augment.sample(x, rows, columns, "bicubic"))
    for place in np.ndindex(4, 6):
        r, c = rows[0][place], columns[0][place]
        expected = sum(
            x[0, i, j, 0] * keys(r - i) * keys(c - j) for i, j in np.ndindex(8, 9)
        )
        assert found[0][place][0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_bicubic_sampling_goes_on_beyond_the_border_as_the_other_modes_do(mode):
    x = pictures(1, 4, 5, 1)
    # SciPy's padding knows the modes by NumPy's names.
    how = dict(zip(MODES, ("constant", "edge", "symmetric", "reflect")))  # noqa: B905
    padded = np.pad(x, ((0, 0), (9, 9), (9, 9), (0, 0)), how[mode])
    rows = rng.uniform(-6, 9, (1, 5, 5)).astype("float32")
    columns = rng.uniform(-6, 9, (1, 5, 5)).astype("float32")
    found = array(augment.sample(x, rows, columns, "bicubic", mode))
    expected = array(augment.sample(padded, rows + 9, columns + 9, "bicubic", mode))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_sampling_at_the_pixels_is_exact(interpolation):
    x = pictures(2, 5, 7, 2) * 300
    rows, columns = (np.stack([a, a]) for a in np.mgrid[:5.0, :7.0].astype("float32"))
    for mode in MODES:
        found = augment.sample(x, rows, columns, interpolation, mode, 9)
        np.testing.assert_array_equal(array(found), x)


def test_an_image_of_one_pixel_can_be_sampled_anywhere():
    x = np.full((1, 1, 1, 1), 3, "float32")
    rows = np.array([[[-2.5, 0, 1, 7]]], "float32")
    for mode in set(MODES) - {"constant"}:
        for how in INTERPOLATIONS:
            found = array(augment.sample(x, rows, rows, how, mode))
            np.testing.assert_allclose(found, 3, rtol=1e-6)
