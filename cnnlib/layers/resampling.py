"""Windows and enlargements for networks that segment."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.graph import Layer


@keras.saving.register_keras_serializable("cnnlib")
class CropLike(Layer):
    """A window of the first of two images, as large as the second.

    Takes [(n, height, width, maps), (n, rows, columns, …)] to (n, rows, columns, maps);
    sides may be unknown. ``offset`` rows and columns are left out above and on the
    left; None takes the middle. A first image that is known to be too small is refused.
    """

    def __init__(self, offset=None, **kwargs):
        super().__init__(**kwargs)
        if offset is not None:
            checks.integer("CropLike", "offset", offset, least=0)
        self.offset = offset

    def __call__(self, inputs, **kwargs):
        have, want = (tuple(np.shape(x))[1:3] for x in inputs)
        for h, w in zip(have, want, strict=True):
            if None not in (h, w) and h < w + (self.offset or 0):
                raise ValueError(
                    f"CropLike takes no {want[0]}×{want[1]} places with "
                    f"offset={self.offset} out of {have[0]}×{have[1]}"
                )
        return super().__call__(inputs, **kwargs)

    def call(self, inputs):
        x, like = inputs
        have, want = ops.shape(x)[1:3], ops.shape(like)[1:3]
        if self.offset is None:
            top, left = ((h - w) // 2 for h, w in zip(have, want, strict=True))
        else:
            top = left = self.offset
        return x[:, top : top + want[0], left : left + want[1]]


@keras.saving.register_keras_serializable("cnnlib")
class FixedConv2DTranspose(keras.layers.Conv2DTranspose):
    """A transposed convolution whose kernel is never trained.

    With ``trainable=False`` it would be again, once the model it is in has been frozen
    and thawed.
    """

    def add_weight(self, *args, **kwargs):
        return super().add_weight(*args, **{**kwargs, "trainable": False})


@keras.saving.register_keras_serializable("cnnlib")
class Bilinear(keras.initializers.Initializer):
    """The kernel of a transposed convolution that interpolates linearly.

    Each map by itself, no map into another; for a stride s the kernel's side is 2s, as
    in the code of FCN (1411.4038).
    """

    def __call__(self, shape, dtype=None):
        side, _, maps_out, maps_in = shape
        factor = (side + 1) // 2
        center = factor - 1 if side % 2 else factor - 0.5
        tent = 1 - np.abs(np.arange(side) - center) / factor
        kernel = np.zeros(shape, "float32")
        for i in range(min(maps_out, maps_in)):
            kernel[:, :, i, i] = np.outer(tent, tent)
        return ops.cast(ops.convert_to_tensor(kernel), dtype or keras.config.floatx())
