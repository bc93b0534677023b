"""U-Net's weight map."""

import math

import numpy as np
from scipy import ndimage

from cnnlib import checks


def weight_map(labels: np.ndarray, *, w0=10.0, sigma=5.0, balance=True) -> np.ndarray:
    """U-Net's weights, which make it learn the seams between cells (arXiv:1505.04597).

    On the background, with d1 and d2 the distances to the nearest cell and to the
    second nearest, ``w = w_class + w0 · exp(−(d1 + d2)² / 2 σ²)``, and on cells
    ``w = w_class``. Where there are fewer than two cells there is no seam. What is less
    than 1e-6 of w0 may be left out.

    Args:
        labels: (height, width) or (n, height, width) whole numbers: 0 background, every
            cell a number of its own. ``scipy.ndimage.label`` makes them from a mask.
        w0: how much the narrowest seam is worth, at least 0.
        sigma: in pixels, above 0.
        balance: whether w_class is pixels / (2 · pixels of the class), class meaning
            cell or background, in each image; else it is 1.

    Returns:
        float32 of the shape of ``labels``.
    """
    labels = np.asarray(labels)
    if labels.ndim not in (2, 3) or labels.dtype.kind not in "iu" or not labels.size:
        raise ValueError(
            "weight_map takes whole numbers, (height, width) or (n, height, width); "
            f"given {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0:
        raise ValueError(f"weight_map takes labels from 0; given {labels.min()}")
    checks.number("weight_map", "w0", w0, least=0)
    checks.number("weight_map", "sigma", sigma, above=0)
    checks.flag("weight_map", "balance", balance)
    if labels.ndim == 3:
        maps = [weight_map(x, w0=w0, sigma=sigma, balance=balance) for x in labels]
        return np.stack(maps)
    cell = labels > 0
    weights = np.ones(labels.shape)
    if balance:
        for part in (cell, ~cell):
            weights[part] = labels.size / (2 * max(part.sum(), 1))
    nearest, second = np.full((2, *labels.shape), np.inf)
    margin = math.ceil(5.3 * sigma)  # beyond it, d1 + d2 gives less than 1e-6
    _, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape) + (0 if (labels == 0).any() else 1)
    for i, box in enumerate(ndimage.find_objects(numbers), 1):
        around = tuple(
            slice(max(side.start - margin, 0), side.stop + margin) for side in box
        )
        distance = ndimage.distance_transform_edt(numbers[around] != i)
        first = nearest[around]
        second[around] = np.minimum(second[around], np.maximum(first, distance))
        nearest[around] = np.minimum(first, distance)
    seam = w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return np.where(cell, weights, weights + seam).astype("float32")
