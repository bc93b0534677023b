"""Affine maps: flips, turns, zooms, shifts and shears."""

import math

import keras
import numpy as np
from keras import ops

from cnnlib.augment.moving import Moving


@keras.saving.register_keras_serializable("cnnlib")
class Warp(Moving):
    """Flip, shear, zoom, rotate and shift, in this order, by reading each pixel once.

    Numbers are drawn per image, uniformly from their ranges: a number r means from −r
    to r, a pair (low, high) means itself. All is about the middle of the image. With
    every range at zero the images come back bit for bit.

    Shapes: as given. Places outside of the image are filled as in SciPy, whose modes
    "grid-constant", "nearest", "grid-wrap", "reflect" and "mirror" these are.

    Args:
        rotation: in degrees, counterclockwise.
        zoom: a number z means factors from 1 / (1 + z) to 1 + z, uniform in their
            logarithm, so that enlarging is as likely as shrinking; a pair, factors.
        translation: down and to the right, each as a part of height and width.
        shear: in degrees: how far columns lean, the top to the left.
        flip: "horizontal" (left becomes right), "vertical", "horizontal_and_vertical",
            each with probability 1/2, or None, the default.
        interpolation: "bilinear", the default; "bicubic" (Keys' kernel, a = −1/2:
            sharper, may leave the range by an eighth or so); "nearest".
        fill_mode: "reflect" (d c b a | a b c d), the default, "mirror"
            (d c b | a b c d), "wrap", "nearest", or "constant".
        fill_value: for images, where the mode is "constant"; 0 by default.
        fill_label: for masks, likewise; a number that their type can hold.
        seed: of the random numbers; None, the default, for other ones each time.

    Raises:
        ValueError: a range that is negative, upside down or impossible; an unknown
            mode; and, when called, images or maps of shapes that do not fit together,
            an empty batch, values that are not finite, or masks that can't hold
            ``fill_label``.
    """

    def __init__(self, *, rotation=0, zoom=0, translation=0, shear=0, **kwargs):
        super().__init__(**kwargs)
        self._ranges = (
            _range("rotation", rotation),
            _zooms(zoom),
            _range("translation", translation),
            _range("shear", shear, below=90),
        )
        self.rotation, self.zoom = rotation, zoom
        self.translation, self.shear = translation, shear

    def draw(self, n, height, width):
        """The matrices, float32 (n, 2, 3): see ``matrices``."""
        if self.flip or any(low < high for low, high in self._ranges):
            u = keras.random.uniform((n, 7), dtype="float32", seed=self.generator)
        else:  # as in an Elastic alone, which draws enough
            u = ops.zeros((n, 7))

        def within(column, bounds):
            low, high = bounds
            return low + (high - low) * u[:, column]

        def sign(column, axis):
            flips = axis in (self.flip or "")
            return ops.where(u[:, column] < 0.5, -1.0, 1.0) if flips else 1.0

        rotation, zoom, translation, shear = self._ranges
        return matrices(
            height,
            width,
            flip=(sign(0, "vertical"), sign(1, "horizontal")),
            rotation=within(2, rotation),
            zoom=ops.exp(within(3, np.log(zoom))),
            translation=(within(4, translation), within(5, translation)),
            shear=within(6, shear),
        )

    def places(self, drawn, height, width):
        """Rows and columns, float32 (n, height, width), that the matrices lead to."""
        rows = ops.arange(height, dtype="float32")[:, None]
        columns = ops.arange(width, dtype="float32")
        m = drawn[..., None, None]
        return tuple(
            m[:, i, 0] * rows + m[:, i, 1] * columns + m[:, i, 2] for i in (0, 1)
        )

    def _interpolation(self):
        """Where pixels only change places there is nothing between them to read."""
        still = self._ranges == ((0, 0), (1, 1), (0, 0), (0, 0))
        return "nearest" if still else self.interpolation


def matrices(
    height, width, *, flip=(1, 1), rotation=0, zoom=1, translation=(0, 0), shear=0
):
    """The affine maps of ``Warp``, from a pixel of the output to where it is read.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        flip: up and down, left and right: −1 to flip, 1 not to.
        rotation: degrees, counterclockwise.
        zoom: the factor of enlargement.
        translation: down, to the right, as parts of height and width.
        shear: degrees.

    Each setting is a number or a tensor (n,), rotation being the latter.

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
    pair = (-value, value) if np.ndim(value) == 0 else tuple(value)
    if len(pair) != 2 or not -below < pair[0] <= pair[1] < below:
        limit = "" if below == math.inf else f" below {below}"
        raise ValueError(
            f"{name} takes a range of at least 0, or a pair (low, high){limit}; given "
            f"{value!r}"
        )
    return float(pair[0]), float(pair[1])


def _zooms(value) -> tuple[float, float]:
    """(low, high) factors from a number or a pair."""
    if np.ndim(value) == 0 and value >= 0:
        value = (1 / (1 + value), 1 + value)
    low, high = _range("zoom", value)
    if low <= 0:
        raise ValueError(f"zoom takes factors above 0; given {value!r}")
    return low, high
