"""Affine maps (flips, turns, zooms, shifts, shears) and elastic deformations."""

import functools
import math

import keras
import numpy as np
from keras import ops
from scipy import ndimage

from cnnlib import checks
from cnnlib.augment.moving import Moving, affine_places


@keras.saving.register_keras_serializable("cnnlib")
class Warp(Moving):
    """Flip, shear, zoom, rotate and shift, in this order, by reading each pixel once.

    Numbers are drawn per image, uniformly from their ranges: a number r means from −r
    to r, a pair (low, high) means itself. All is about the middle of the image. With
    every range at zero the images come back bit for bit.

    Args:
        rotation: in degrees, counterclockwise.
        zoom: a number z means factors from 1 / (1 + z) to 1 + z, uniform in their
            logarithm, so that enlarging is as likely as shrinking; a pair, factors.
        translation: down and to the right, each as a part of height and width.
        shear: in degrees: how far columns lean, the top to the left.
        **kwargs: ``flip``, interpolation, fill and ``seed``, as in ``Moving``.
    """

    def __init__(self, *, rotation=0, zoom=0, translation=0, shear=0, **kwargs):
        super().__init__(**kwargs)
        self.rotation, self.zoom = rotation, zoom
        self.translation, self.shear = translation, shear
        if checks.is_number(zoom) and zoom >= 0:
            zoom = (1 / (1 + zoom), 1 + zoom)
        self._ranges = (
            _range("rotation", rotation),
            _range("zoom", zoom),
            _range("translation", translation),
            _range("shear", shear, below=90),
        )
        if self._ranges[1][0] <= 0:
            raise ValueError(f"zoom takes factors above 0; given {zoom!r}")
        # Where pixels only change places there is nothing between them to read.
        if self._ranges == ((0, 0), (1, 1), (0, 0), (0, 0)):
            self._reading = "nearest"

    def draw(self, n, height, width):
        """The matrices, float32 (n, 2, 3): see ``matrices``."""
        if self.flip or any(low < high for low, high in self._ranges):
            u = keras.random.uniform((n, 7), dtype="float32", seed=self.generator)
        else:  # as in an Elastic alone, which draws enough
            u = ops.zeros((n, 7), "float32")
        rotation, zoom, translation, shear = self._ranges
        ranges = [rotation, np.log(zoom), translation, translation, shear]
        turn, zoom, down, right, lean = (
            low + (high - low) * u[:, i] for i, (low, high) in enumerate(ranges, 2)
        )
        flip = [
            1 - 2 * ops.cast(axis in (self.flip or "") and u[:, i] < 0.5, "float32")
            for i, axis in enumerate(("vertical", "horizontal"))
        ]
        return matrices(height, width, flip, turn, ops.exp(zoom), (down, right), lean)

    def places(self, drawn, height, width):
        return affine_places(drawn, height, width)


def matrices(
    height, width, flip=(1, 1), rotation=0, zoom=1, translation=(0, 0), shear=0
):
    """The affine maps of ``Warp``, from a pixel of the output to where it is read.

    Settings are those of ``Warp`` for one image each, numbers or tensors (n,), with
    ``rotation`` a tensor and ``flip`` (up and down, left and right) −1 or 1.

    Returns:
        float32 (n, 2, 3): (row, column) = m[:, :2] · (row', column') + m[:, 2], which
        is how ``scipy.ndimage.affine_transform`` reads, too.
    """
    turn, lean = (ops.cast(a, "float32") * (math.pi / 180) for a in (rotation, shear))
    cos, sin = ops.cos(turn) / zoom, ops.sin(turn) / zoom
    tan = ops.tan(lean)
    up, left = flip
    a, b = up * cos, up * sin  # backwards: turned back, shrunk, straightened, flipped
    c, d = -left * (sin + tan * cos), left * (cos - tan * sin)
    middle = (height - 1) / 2, (width - 1) / 2
    down = middle[0] + translation[0] * height
    right = middle[1] + translation[1] * width
    rows = [a, b, middle[0] - (a * down + b * right)]
    columns = [c, d, middle[1] - (c * down + d * right)]
    return ops.stack([ops.stack(rows, axis=-1), ops.stack(columns, axis=-1)], axis=1)


def _range(name: str, value, below: float = math.inf) -> tuple[float, float]:
    """(low, high) from a number or a pair."""
    alone = checks.is_number(value)
    pair = (-value, value) if alone else tuple(np.atleast_1d(value))
    numbers = len(pair) == 2 and all(map(checks.is_number, pair))
    if not numbers or not -below < pair[0] <= pair[1] < below:
        limit = "" if below == math.inf else f" below {below}"
        raise ValueError(
            f"{name} takes a range of at least 0, or a pair (low, high){limit}; given "
            f"{value!r}"
        )
    return float(pair[0]), float(pair[1])


@keras.saving.register_keras_serializable("cnnlib")
class Elastic(Warp):
    """Elastic deformation as in U-Net (arXiv:1505.04597), with a warp if one is wanted.

    A normal vector is drawn for every node of a coarse grid over the image, corners on
    corners; between the nodes the field is SciPy's cubic spline. Each pixel is read
    once, at its place in the warp plus its vector.

    Args:
        displacement: the standard deviation in pixels; the paper's 10 is for 512×512.
        grid: nodes along a side, at least 2; the paper's are 3.
        **kwargs: those of ``Warp``.
    """

    def __init__(self, displacement=10.0, grid=3, **kwargs):
        super().__init__(**kwargs)
        checks.number("Elastic", "displacement", displacement, least=0)
        self.displacement = displacement
        self.grid = checks.integer("Elastic", "grid", grid, least=2)
        if displacement:
            self._reading = self.interpolation

    def draw(self, n, height, width):
        """The matrices, and the vectors (rows, columns) of the grid, (n, g, g, 2)."""
        shape = (n, self.grid, self.grid, 2)
        vectors = keras.random.normal(
            shape, stddev=self.displacement, dtype="float32", seed=self.generator
        )
        return super().draw(n, height, width), vectors

    def places(self, drawn, height, width):
        transforms, vectors = drawn
        down, across = _splines(height, self.grid), _splines(width, self.grid)
        lines = ops.einsum("nijk,wj->kniw", vectors, across)
        # Written as a sum, it is made where pixels are read, and no field is stored.
        field = sum(
            down[:, i, None] * lines[:, :, i, None, :] for i in range(self.grid)
        )
        rows, columns = super().places(transforms, height, width)
        return rows + field[0], columns + field[1]


@functools.lru_cache(maxsize=64)
def _splines(side: int, nodes: int) -> np.ndarray:
    """How much each node counts at each pixel of a cubic spline: (side, nodes)."""
    places = np.linspace(0, nodes - 1, side)
    splines = [
        ndimage.map_coordinates(unit, [places], order=3, mode="mirror")
        for unit in np.eye(nodes)
    ]
    return np.stack(splines, axis=1).astype("float32")
