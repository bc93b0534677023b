"""The layer that all layers which move pixels are made of."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.augment.inputs import MOVED, as_batches, check_inputs, images_of, in_form_of
from cnnlib.augment.sampling import FILL_MODES, INTERPOLATIONS, sample
from cnnlib.gradients import compiled

FLIPS = (None, "horizontal", "vertical", "horizontal_and_vertical")


class Moving(keras.layers.Layer):
    """A layer that reads every pixel of its output at some place of its input.

    A subclass has ``draw(n, height, width)``, random numbers for n images, and
    ``places(drawn, height, width)``, which makes of them the rows and the columns of
    the input to read at, each float32 of shape (n, rows, columns) of the output.
    """

    def __init__(
        self,
        *,
        flip=None,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        fill_label=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        who = type(self).__name__
        checks.choice(who, "flip", flip, FLIPS)
        checks.choice(who, "interpolation", interpolation, INTERPOLATIONS)
        checks.choice(who, "fill_mode", fill_mode, FILL_MODES)
        checks.number(who, "fill_value", fill_value)
        self.flip, self.interpolation = flip, interpolation
        self.fill_mode, self.fill_value = fill_mode, fill_value
        self.fill_label, self.seed = fill_label, seed
        self.generator = keras.random.SeedGenerator(seed)
        # XLA makes one loop of a sampling; TensorFlow's own kernels take twenty passes.
        self._samplers = {key: compiled(self._sampler(key)) for key in MOVED}

    def rest(self, images):
        """What is drawn outside of training; None to leave everything as it is."""
        return None

    def check(self, height: int, width: int) -> None:
        """Refuse images of a size that the layer can't do."""
        return  # AutoGraph can't read an empty function

    def __call__(self, inputs, *others, **kwargs):
        """Refuse what does not fit together, in one line, before Keras adds its own."""
        who = type(self).__name__
        images = images_of(who, inputs, *others)
        check_inputs(who, inputs)
        self.check(*np.shape(images)[-3:-1])
        if isinstance(inputs, dict) and "segmentation_masks" in inputs:
            self._check_label(inputs["segmentation_masks"].dtype)
        return super().__call__(inputs, **kwargs)

    def _check_label(self, dtype):
        """Refuse a ``fill_label`` that masks of this type would turn into another."""
        dtype = keras.backend.standardize_dtype(dtype)
        if self.fill_mode != "constant" or "float" in dtype:
            return
        if np.array(self.fill_label).astype(dtype) != self.fill_label:
            raise ValueError(
                f"{type(self).__name__} takes a fill_label that masks of {dtype} can "
                f"hold; given {self.fill_label!r}"
            )

    def call(self, inputs, training=True):
        """Move what is given; all that belongs to one image by the same numbers."""
        moved = as_batches(inputs)
        images = moved["images"]
        n, (height, width) = ops.shape(images)[0], images.shape[1:3]
        drawn = self.draw(n, height, width) if training else self.rest(images)
        moved["images"] = ops.cast(images, self.compute_dtype)
        if drawn is not None:
            moved = {key: self._samplers[key](x, drawn) for key, x in moved.items()}
        return in_form_of(inputs, moved)

    def _sampler(self, key: str) -> Callable:
        """The function of a tensor and of the numbers drawn."""

        def sampler(x, drawn):
            how, fill = self._interpolation(), self.fill_value
            if key == "segmentation_masks":
                how, fill = "nearest", self.fill_label
            elif key == "weight_maps":
                how, fill = "nearest" if how == "nearest" else "bilinear", 0
            rows, columns = self.places(drawn, *x.shape[1:3])
            return sample(x, rows, columns, how, self.fill_mode, fill)

        return sampler

    def _interpolation(self) -> str:
        return self.interpolation
