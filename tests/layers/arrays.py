"""What the layers are tried on."""

import keras
import numpy as np

rng = np.random.default_rng(0)


def numbers(*shape):
    return rng.normal(size=shape).astype("float32")


def small_unit():
    image = x = keras.Input((5, 6, 4))
    x = keras.layers.BatchNormalization(momentum=0.8, name="norm")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="tanh", name="conv")(x)
    return keras.Model(image, keras.layers.Add(name="add")([image, x]), name="unit")
