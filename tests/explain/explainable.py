"""The models that are explained here, with numbers to send through them."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
START = rng.bit_generator.state


def numbers(*shape):
    return rng.normal(size=shape).astype("float32")


def chain(*stack, shape=(24, 28, 2), name="net"):
    return keras.Sequential([keras.Input(shape), *stack], name=name)


def graph(function, shape=(24, 28, 2), name="net"):
    image = keras.Input(shape, name="image")
    return keras.Model(image, function(image), name=name)


def nested_net():
    """A two-level net: net / outer / (first, inner / (conv, pool)), logits."""
    inner = chain(
        layers.Conv2D(3, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(2, name="pool"),
        shape=(10, 10, 2),
        name="inner",
    )

    def build(x):
        return inner(layers.Conv2D(2, 3, activation="relu", name="first")(x))

    outer = graph(build, shape=(12, 12, 2), name="outer")
    return chain(
        outer,
        layers.Flatten(name="flatten"),
        layers.Dense(4, name="logits"),
        shape=(12, 12, 2),
    )


PATHS = [
    *("outer/first", "outer/inner/conv", "outer/inner/pool", "outer/inner", "outer"),
    *("flatten", "logits"),
]


def smooth_net(shape=(6, 5, 3)):
    return chain(
        layers.Conv2D(4, 3, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(3, name="logits"),
        shape=shape,
    )
