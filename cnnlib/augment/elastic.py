"""Elastic deformations."""

import functools

import keras
import numpy as np
from keras import ops
from scipy import ndimage

from cnnlib import checks
from cnnlib.augment.warp import Warp


@keras.saving.register_keras_serializable("cnnlib")
class Elastic(Warp):
    """Elastic deformation as in U-Net (arXiv:1505.04597), with a warp if one is wanted.

    A vector is drawn for every node of a coarse grid over the image, its corners on the
    corners, both components from a normal distribution of their own; between the nodes
    the field is a cubic spline, which is SciPy's. Each pixel is read once, at its place
    in the warp plus its vector.

    Args:
        displacement: the standard deviation of both components, in pixels. The paper
            takes 10, for images of 512×512.
        grid: nodes along a side, at least 2. The paper takes 3.
        **kwargs: those of ``Warp``: its ranges, interpolation, fill and seed.

    Raises:
        ValueError: as ``Warp``; a displacement below 0, or too coarse a grid.
    """

    def __init__(self, displacement=10.0, grid=3, **kwargs):
        super().__init__(**kwargs)
        checks.number("Elastic", "displacement", displacement, least=0)
        self.displacement = displacement
        self.grid = checks.integer("Elastic", "grid", grid, least=2)

    def draw(self, n, height, width):
        """The matrices, and the vectors (rows, columns) of the grid, (n, g, g, 2)."""
        shape = (n, self.grid, self.grid, 2)
        vectors = keras.random.normal(
            shape, stddev=self.displacement, dtype="float32", seed=self.generator
        )
        return super().draw(n, height, width), vectors

    def places(self, drawn, height, width):
        """Rows and columns, float32 (n, height, width): the warp's, displaced."""
        transforms, vectors = drawn
        down, across = _splines(height, self.grid), _splines(width, self.grid)
        lines = ops.einsum("nijk,wj->kniw", vectors, across)
        # Written as a sum, it is made where pixels are read, and no field is stored.
        field = sum(
            down[:, i, None] * lines[:, :, i, None, :] for i in range(self.grid)
        )
        rows, columns = super().places(transforms, height, width)
        return rows + field[0], columns + field[1]

    def _interpolation(self):
        return self.interpolation if self.displacement else super()._interpolation()


@functools.lru_cache(maxsize=64)
def _splines(side: int, nodes: int) -> np.ndarray:
    """How much each node counts at each pixel of a cubic spline: (side, nodes)."""
    places = np.linspace(0, nodes - 1, side)
    splines = [
        ndimage.map_coordinates(unit, [places], order=3, mode="mirror")
        for unit in np.eye(nodes)
    ]
    return np.stack(splines, axis=1).astype("float32")
