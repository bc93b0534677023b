"""Crops, each from a place of its own."""

import keras
from keras import ops

from cnnlib import checks
from cnnlib.augment.moving import Moving, affine_places


@keras.saving.register_keras_serializable("cnnlib")
class Crop(Moving):
    """A part of each image, from a place of its own; its middle outside of training.

    With ``padding`` and a flip it is what CIFAR networks are trained with since He et
    al. (arXiv:1512.03385). Pixels are copied, never mixed.

    Args:
        size: of the output, a number or (height, width); None for the image's own.
        padding: pixels added at every side before.
        fill_mode: of the padding, as in ``Moving``.
        **kwargs: ``flip``, ``fill_value``, ``fill_label`` and ``seed``, as there.
    """

    def __init__(self, size=None, *, padding=0, fill_mode="constant", **kwargs):
        super().__init__(interpolation="nearest", fill_mode=fill_mode, **kwargs)
        self.size = None if size is None else checks.pair("Crop", "size", size)
        self.padding = checks.integer("Crop", "padding", padding, least=0)

    def check(self, height, width):
        if min(self._room(height, width)) < 0:
            rows, columns = self.size
            raise ValueError(
                f"Crop takes {rows}×{columns} pixels out of images that "
                f"are {height}×{width} with a padding of {self.padding}: too few"
            )

    def _room(self, height: int, width: int) -> tuple[int, int]:
        """How far the crop can be moved, down and to the right."""
        rows, columns = self.size or (height, width)
        return height + 2 * self.padding - rows, width + 2 * self.padding - columns

    def draw(self, n, height, width):
        """Matrices, float32 (n, 2, 3), as those of ``Warp``."""
        u = keras.random.uniform((n, 4), dtype="float32", seed=self.generator)
        signs, starts = [], []
        for i, room in enumerate(self._room(height, width)):
            start = ops.minimum(ops.floor(u[:, i] * (room + 1)), room) - self.padding
            flips = ("vertical", "horizontal")[i] in (self.flip or "")
            back = u[:, 2 + i] < 0.5 * flips
            last = (self.size or (height, width))[i] - 1
            signs.append(1 - 2 * ops.cast(back, "float32"))
            starts.append(ops.where(back, start + last, start))
        none = ops.zeros_like(u[:, 0])
        rows = [signs[0], none, starts[0], none, signs[1], starts[1]]
        return ops.reshape(ops.stack(rows, axis=1), (-1, 2, 3))

    def rest(self, n, height, width):
        down, right = (room // 2 - self.padding for room in self._room(height, width))
        middle = ops.convert_to_tensor([[1, 0, down], [0, 1, right]], dtype="float32")
        return ops.broadcast_to(middle, (n, 2, 3))

    def places(self, drawn, height, width):
        return affine_places(drawn, *(self.size or (height, width)))
