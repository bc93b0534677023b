"""The two small networks that Keras has shown on MNIST since 2015.

Keras's examples scale images to 0 to 1, and end in a softmax.
"""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib.models.blocks import chain, inputs, scores
from cnnlib.models.entry import entry


@entry(year=2015, paper="Keras's mnist_mlp.py", trainable=669_706, total=669_706)
def mlp(
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    units: Sequence[int] = (512, 512),
    activation: str = "relu",
    dropout: float = 0.2,
) -> keras.Model:
    """Dense layers on the flattened image, as in Keras's example ``mnist_mlp.py``.

    669,706 parameters at the defaults.

    Args:
        units: width of each hidden layer; none gives a linear classifier.
        activation: of the hidden layers, a name that Keras knows.
        dropout: rate after each hidden layer, from 0 to below 1.
    """
    image, classes = inputs("mlp", input_shape, classes, any_size=False)
    parts = [layers.Flatten(name="flatten")]
    for i, width in enumerate(units, start=1):
        parts.append(layers.Dense(width, activation=activation, name=f"dense{i}"))
        parts.append(layers.Dropout(dropout, name=f"dropout{i}"))
    return chain(image, [*parts, scores(classes)], "mlp")


@entry(year=2015, paper="Keras's mnist_cnn.py", trainable=600_810, total=600_810)
def mnist_cnn(
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    filters: Sequence[int] = (32, 32),
    dense: int = 128,
) -> keras.Model:
    """The convolutional network of the talk: Keras's example ``mnist_cnn.py``.

    Two 3×3 convolutions, 2×2 max-pooling, dropout 0.25, a dense layer, dropout 0.5:
    600,810 parameters at the defaults, which are those of the file up to Keras 1.2,
    when the talk was given. ``filters=(32, 64)`` is the file from Keras 2 on
    (1,199,882).

    Args:
        input_shape: both sides at least 6.
        filters: of the first and the second convolution.
        dense: width of the dense layer.
    """
    image, classes = inputs(
        "mnist_cnn", input_shape, classes, smallest=6, any_size=False
    )
    if len(filters) != 2:
        raise ValueError(f"mnist_cnn takes filters of two layers; given {filters!r}")
    first, second = filters
    return chain(
        image,
        [
            layers.Conv2D(first, 3, activation="relu", name="conv1"),
            layers.Conv2D(second, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Dropout(0.25, name="dropout1"),
            layers.Flatten(name="flatten"),
            layers.Dense(dense, activation="relu", name="dense"),
            layers.Dropout(0.5, name="dropout2"),
            scores(classes),
        ],
        "mnist_cnn",
    )
