import numpy as np
import pytest
from labelled import rng
from scipy import ndimage

from cnnlib import segmentation


def cells(height, width, count):
    """Blobs that touch the background only: (height, width), some numbers left out."""
    labels = np.zeros((height, width), int)
    y, x = np.mgrid[:height, :width]
    for number in rng.choice(np.arange(1, 3 * count), count, replace=False):
        a, b, r = rng.integers(0, height), rng.integers(0, width), rng.integers(2, 6)
        labels[(y - a) ** 2 + (x - b) ** 2 < r**2] = number
    return labels


def slow_weights(labels, w0, sigma, balance):
    cell = labels > 0
    weights = np.ones(labels.shape)
    if balance:
        weights = np.where(cell, 1 / max(cell.mean(), 1e-9), 1 / (1 - cell.mean())) / 2
    numbers = [n for n in np.unique(labels) if n]
    if len(numbers) > 1:
        each = [ndimage.distance_transform_edt(labels != n) for n in numbers]
        d1, d2 = np.sort(each, axis=0)[:2]
        seam = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
        weights = weights + np.where(cell, 0, seam)
    return weights


def test_the_weight_map_is_the_papers_formula():
    for i in range(12):
        labels = cells(40 + i, 45, (0, 1, 2, 9, 15)[i % 5])
        settings = {
            "w0": (10, 3)[i % 2],
            "sigma": (5, 1.5, 8)[i % 3],
            "balance": i % 4 > 0,
        }
        found = segmentation.weight_map(labels, **settings)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, slow_weights(labels, **settings), atol=1e-4)


def test_weight_maps_of_a_batch_are_those_of_its_images():
    labels = np.stack([cells(20, 24, 3), cells(20, 24, 5)])
    found = segmentation.weight_map(labels)
    for one, each in zip(labels, found, strict=True):
        np.testing.assert_array_equal(segmentation.weight_map(one), each)


def test_the_weight_of_a_seam_at_its_narrowest():
    labels = np.zeros((9, 30), int)
    labels[:, :10], labels[:, 11:] = 4, 7
    found = segmentation.weight_map(labels, balance=False)
    np.testing.assert_allclose(found[:, 10], 1 + 10 * np.exp(-4 / 50), rtol=1e-6)
    np.testing.assert_array_equal(np.delete(found, 10, axis=1), 1)
    full = segmentation.weight_map(np.array([[1, 2], [1, 2]]))
    np.testing.assert_allclose(full, 0.5)  # no background at all


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        ([[0, 1], [2, -1]], {}, "takes labels from 0; given -1"),
        ([[0.0, 1.0]], {}, r"takes whole numbers.*given float64 of shape \(1, 2\)"),
        ([0, 1], {}, r"takes whole numbers.*given int64 of shape \(2,\)"),
        (np.zeros((0, 4), int), {}, r"takes whole numbers.*of shape \(0, 4\)"),
        ([[0, 1]], {"sigma": 0}, "takes sigma above 0; given 0"),
        ([[0, 1]], {"w0": -1}, "takes w0 from 0; given -1"),
    ],
)
def test_what_is_no_numbered_cells_is_refused(labels, settings, message):
    with pytest.raises(ValueError, match=f"weight_map {message}"):
        segmentation.weight_map(np.array(labels), **settings)
