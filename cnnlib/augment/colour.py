"""Changes of colour that Keras lacks."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks


@keras.saving.register_keras_serializable("cnnlib")
class ColorShift(keras.layers.Layer):
    """AlexNet's change of colour: all pixels moved along the main axes of colours.

    Krizhevsky et al. (2012), section 4.1: to every pixel of an image is added the sum
    of the principal components of ImageNet's colours, each times its eigenvalue times a
    normal number of standard deviation 0.1, drawn once per image.

    Shapes: (n, height, width, 3), as given. Values are not clipped.

    Args:
        strength: the standard deviation of the factors.
        value_range: of the images, (0, 255) or (0, 1).
        seed: of the random numbers.

    Raises:
        ValueError: a strength below 0; and, when called, images that are not RGB.
    """

    # Of ImageNet's pixels from 0 to 1, the figures in common use; a component a row.
    EIGENVALUES = (0.2175, 0.0188, 0.0045)
    COMPONENTS = (
        (-0.5675, -0.5808, -0.5836),
        (0.7192, -0.0045, -0.6948),
        (0.4009, -0.8140, 0.4203),
    )

    def __init__(self, strength=0.1, *, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        checks.number("ColorShift", "strength", strength, least=0)
        self.strength, self.value_range, self.seed = strength, tuple(value_range), seed
        self.generator = keras.random.SeedGenerator(seed)

    def __call__(self, images, *args, **kwargs):
        """Refuse what is not RGB, in one line, before Keras adds its own."""
        if np.shape(images)[-1:] != (3,):
            raise ValueError(
                "ColorShift takes RGB images, (n, height, width, 3); given shape "
                f"{tuple(np.shape(images))}"
            )
        return super().__call__(images, *args, **kwargs)

    def call(self, images, training=True):
        """Add one colour to each image."""
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        lead = ops.shape(images)[:-3]
        factors = keras.random.normal(
            (*lead, 3), stddev=self.strength, dtype="float32", seed=self.generator
        )
        low, high = self.value_range
        axes = np.array(self.COMPONENTS) * np.array(self.EIGENVALUES)[:, None]
        axes = ops.convert_to_tensor((axes * (high - low)).astype("float32"))
        shift = ops.cast(ops.matmul(factors, axes), self.compute_dtype)
        return images + shift[..., None, None, :]
