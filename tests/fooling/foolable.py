"""Small networks, some of which can be fooled with pencil and paper."""

import keras
import numpy as np
from keras import layers

from cnnlib import datasets


def straight(weights, bias=None, name="straight"):
    """Logits x·W + b on images (height, width, 1); W is (pixels, classes)."""
    pixels, classes = np.shape(weights)
    side = round(pixels**0.5)
    model = keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Flatten(),
            layers.Dense(classes, name="logits"),
        ],
        name=name,
    )
    model.layers[-1].set_weights(
        [np.asarray(weights), np.zeros(classes) if bias is None else np.asarray(bias)]
    )
    return model


def bent(seed=0, shape=(6, 6, 1), classes=4, scale=1.0):
    """A small random network with a hidden layer."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.Dense(12, activation="tanh"),
            layers.Dense(classes, kernel_initializer=keras.initializers.Orthogonal(2)),
            layers.Rescaling(scale),
        ],
        name="bent",
    )


def some(seed, n=5, shape=(6, 6, 1), classes=4):
    """A random batch within 0 and 1, some pixels at the bounds, and labels."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.2, 1.2, (n, *shape)).clip(0, 1).astype("float32")
    return x, rng.integers(classes, size=n)


def digits():
    """The 8×8 digits, float32 from 0 to 1."""
    given = datasets.load("digits")
    x, x_test = (a / np.float32(16) for a in (given.x_train, given.x_test))
    return x, given.y_train, x_test, given.y_test


def compiled(model, rate=0.01):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def untrained(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, name="logits"),
        ],
        name="small",
    )


def logits(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def predicted(model, x):
    return logits(model, x).argmax(axis=1)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")
