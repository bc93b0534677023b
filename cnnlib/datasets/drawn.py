"""Membranes to segment without a download, in the manner of electron micrographs."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cnnlib import checks


class Membranes(NamedTuple):
    """Images with their answers.

    ``images`` are uint8 (n, height, width, 1); ``masks`` int32 (n, height, width), 0
    membrane and 1 cell, as in ``class_names``; ``instances`` int32 likewise, 0 membrane
    and a number from 1 for each cell of an image.
    """

    images: np.ndarray
    masks: np.ndarray
    instances: np.ndarray
    class_names: tuple[str, ...] = ("membrane", "cell")


def membranes(
    count: int, size: int | tuple[int, int] = 128, *, cell: float = 26, seed: int = 0
) -> Membranes:
    """Draw cells between membranes, somewhat like slices of nerve tissue.

    The cells are those of a Voronoi diagram of jittered nodes, bent by a smooth field;
    the membranes on their edges vary in width and in darkness, and some nearly fade.
    Within the cells there are grain, organelles as dark as membranes, and vesicles;
    over all lie blur, uneven light and noise. So grey values alone don't tell
    membranes: the best threshold on smoothed images reaches a mean IoU of about 0.67.

    Image i depends on the seed, on i, the size and ``cell``, not on ``count``.

    Args:
        count: images.
        size: in pixels, one side or (height, width).
        cell: the distance of neighbouring nodes, in pixels, at least 8.
        seed: take one for training, another for testing.
    """
    count = checks.integer("membranes", "count", count)
    sides = checks.pair("membranes", "size", size)
    cell = checks.number("membranes", "cell", cell, least=8)
    seed = checks.integer("membranes", "seed", seed, least=0)
    drawn = [_draw(sides, cell, np.random.default_rng([seed, i])) for i in range(count)]
    images, instances = (np.stack(part) for part in zip(*drawn, strict=True))
    return Membranes(images[..., None], (instances > 0).astype("int32"), instances)


def _field(rng, shape, sigma: float) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation 1, whatever the image's size."""
    pad = int(4 * sigma) + 1
    noise = rng.normal(size=(shape[0] + 2 * pad, shape[1] + 2 * pad))
    smooth = ndimage.gaussian_filter(noise, sigma, truncate=4)
    # The standard deviation of white noise after a Gaussian filter.
    return smooth[pad:-pad, pad:-pad] * (2 * np.sqrt(np.pi) * sigma)


def _draw(shape, cell: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """One image, uint8, and its instances, int32."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    rows += 0.1 * cell * _field(rng, shape, cell / 3)
    columns += 0.1 * cell * _field(rng, shape, cell / 3)

    grid = [np.arange(-2 * cell, n + 2 * cell, cell) for n in shape]
    nodes = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)
    nodes[1::2, :, 1] += cell / 2  # every other row shifted, as in a honeycomb
    nodes = nodes.reshape(-1, 2)
    nodes += rng.uniform(-0.36 * cell, 0.36 * cell, nodes.shape)
    (near, far), (own, other) = (
        np.moveaxis(pairs, -1, 0)
        for pairs in cKDTree(nodes).query(np.stack([rows, columns], axis=-1), k=2)
    )
    apart = np.linalg.norm(nodes[own] - nodes[other], axis=-1)
    inside = (far**2 - near**2) / (2 * apart)  # how far from the edge of the cell

    half = np.clip(1.6 + 0.45 * _field(rng, shape, cell / 4), 1.1, 3)
    instances, _ = ndimage.label(inside >= half)
    sizes = np.bincount(instances.ravel())
    kept = np.flatnonzero((sizes >= 12) & (np.arange(len(sizes)) > 0))
    numbers = np.zeros(len(sizes), "int32")
    numbers[kept] = np.arange(1, len(kept) + 1)
    instances = numbers[instances]

    grey = 0.66 + 0.05 * rng.normal(size=len(nodes))[own]
    grey += 0.03 * _field(rng, shape, 1.2) + 0.03 * _field(rng, shape, 3)
    grey -= _organelles(rng, nodes, cell, rows, columns, inside - half)
    depth = np.clip(0.36 + 0.09 * _field(rng, shape, cell / 3), 0.15, 0.55)
    grey -= depth / (1 + np.exp((inside - half) / 0.5))
    light = 0.05 * _field(rng, shape, 2 * cell)
    image = ndimage.gaussian_filter(grey, 0.8) + light
    image += 0.055 * rng.normal(size=shape)
    return np.rint(255 * image.clip(0, 1)).astype("uint8"), instances


def _organelles(rng, nodes, cell: float, rows, columns, inside) -> np.ndarray:
    """How much darker dark bodies and vesicles make the cells."""
    dark = np.zeros(rows.shape)

    def add(middle, angle, long, wide, strength):
        near = tuple(
            slice(max(int(m - 1.2 * cell), 0), max(int(m + 1.2 * cell), 0))
            for m in middle
        )
        down, right = rows[near] - middle[0], columns[near] - middle[1]
        along = (np.cos(angle) * right - np.sin(angle) * down) / long
        across = (np.sin(angle) * right + np.cos(angle) * down) / wide
        beyond = np.minimum(along**2 + across**2 - 1, 10)
        ellipse = 1 / (1 + np.exp(4 * beyond))
        dark[near] = np.maximum(dark[near], strength * ellipse)

    for node in nodes:
        for _ in range(rng.poisson(0.6)):  # like mitochondria: long, of any direction
            middle = node + rng.normal(0, 0.14 * cell, 2)
            angle, strength = rng.uniform(0, np.pi), rng.uniform(0.15, 0.35)
            long, wide = cell * rng.uniform(0.12, 0.22), cell * rng.uniform(0.07, 0.12)
            add(middle, angle, long, wide, strength)
        for _ in range(rng.poisson(2)):
            add(node + rng.normal(0, 0.2 * cell, 2), 0, 1.4, 1.4, 0.25)
    return dark * np.clip(inside, 0, 1)
