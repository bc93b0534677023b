"""Crops, each from a place of its own."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.augment.moving import Moving


@keras.saving.register_keras_serializable("cnnlib")
class Crop(Moving):
    """A part of each image, from a place of its own; flipped, if so wanted.

    With ``padding`` it is what CIFAR networks are trained with since He et al.
    (arXiv:1512.03385): pad by 4, crop to the old size, flip left to right. Outside of
    training it is the middle of the image. Pixels are copied, never mixed.

    Shapes: (n, height, width, channels) to (n, *size, channels).

    Args:
        size: of the output in pixels, a number or (height, width); None for the
            image's own.
        padding: pixels added at every side before.
        fill_mode: of the padding, as in ``Warp``.
        **kwargs: ``flip``, ``fill_value``, ``fill_label`` and ``seed``, as in ``Warp``.

    Raises:
        ValueError: a size below 1, a padding below 0, an unknown mode; and, when
            called, a size larger than the padded image, and what ``Warp`` refuses.
    """

    def __init__(self, size=None, *, padding=0, fill_mode="constant", **kwargs):
        super().__init__(interpolation="nearest", fill_mode=fill_mode, **kwargs)
        self.size = None if size is None else checks.pair("Crop", "size", size)
        self.padding = checks.integer("Crop", "padding", padding, least=0)

    def check(self, height, width):
        """Refuse images that are smaller than the crop."""
        rows, columns = self.size or (height, width)
        if min(self._room(height, width)) < 0:
            raise ValueError(
                f"Crop takes {rows}×{columns} pixels out of images that "
                f"are {height}×{width} with a padding of {self.padding}: too few"
            )

    def _room(self, height: int, width: int) -> tuple[int, int]:
        """How far the crop can be moved, down and to the right."""
        rows, columns = self.size or (height, width)
        return height + 2 * self.padding - rows, width + 2 * self.padding - columns

    def draw(self, n, height, width):
        """Top, left and whether to flip up and down, left and right: (n, 4)."""
        u = keras.random.uniform((n, 4), dtype="float32", seed=self.generator)
        corner = [
            ops.minimum(ops.floor(u[:, i] * (room + 1)), room) - self.padding
            for i, room in enumerate(self._room(height, width))
        ]
        flips = [
            ops.cast(u[:, i] < 0.5 * (axis in (self.flip or "")), "float32")
            for i, axis in ((2, "vertical"), (3, "horizontal"))
        ]
        return ops.stack([*corner, *flips], axis=1)

    def rest(self, images):
        """The middle, unflipped."""
        down, right = self._room(*images.shape[1:3])
        middle = [down // 2 - self.padding, right // 2 - self.padding, 0, 0]
        row = ops.convert_to_tensor(np.array([middle], "float32"))
        return ops.broadcast_to(row, (ops.shape(images)[0], 4))

    def places(self, drawn, height, width):
        """Rows and columns, float32 (n, *size), whole numbers all."""
        lines = []
        for i, side in enumerate(self.size or (height, width)):
            forth = ops.arange(side, dtype="float32")
            back = drawn[:, 2 + i, None] > 0
            line = ops.where(back, side - 1 - forth, forth)
            lines.append(drawn[:, i, None] + line)
        rows, columns = lines[0][:, :, None], lines[1][:, None, :]
        return rows + 0 * columns, 0 * rows + columns
