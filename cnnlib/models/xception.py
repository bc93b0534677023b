"""Xception (Chollet 2016): separable convolutions and residual connections."""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.models import blocks
from cnnlib.models.entry import entry
from cnnlib.models.inception import head
from cnnlib.models.pretrained import load

# Figure 5: the separable convolutions of each block with a residual connection.
ENTRY = ((128, 128), (256, 256), (728, 728))
MIDDLE = ((728, 728, 728),) * 8
EXIT = ((728, 1024),)


def separable(x, filters: int, *, name: str):
    """A separable 3×3 convolution and batch normalization; nothing in between."""
    x = layers.SeparableConv2D(
        filters, 3, padding="same", use_bias=False, name=f"{name}_sepconv"
    )(x)
    return layers.BatchNormalization(name=f"{name}_bn", **blocks.SLIM_NORM)(x)


conv = partial(blocks.steps, padding="same", norm=blocks.SLIM_NORM)


def block(x, name: str, widths: Sequence[int], *, halve: bool, relu: bool = True):
    """ReLU and separable convolution by turns, plus the input; ``halve`` pools.

    Where the block halves the size, a 1×1 convolution of stride 2 takes the input
    along; otherwise it is added as it is. ``relu=False`` leaves out the first ReLU.
    """
    shortcut = x
    for i, filters in enumerate(widths, start=1):
        if i > 1 or relu:
            x = layers.ReLU(name=f"{name}_{i}_relu")(x)
        x = separable(x, filters, name=f"{name}_{i}")
    if halve:
        x = layers.MaxPooling2D(3, 2, "same", name=f"{name}_pool")(x)
        shortcut = conv(shortcut, "conv bn", widths[-1], 1, 2, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([x, shortcut])


@entry(
    year=2016,
    paper="1610.02357",
    trainable=22_855_952,
    total=22_910_480,
    published="22,855,952",
    source="table 3",
    top1=21.0,
    top5=5.5,
    protocol="table 1: one crop",
)
def xception(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    classes: int = 1000,
    dropout: float = 0.5,
    weights: str | None = None,
) -> keras.Model:
    """Xception with 22,910,480 parameters, 22,855,952 of them trainable.

    arXiv:1610.02357, figure 5. A separable convolution here is, in the order in which
    Keras applies it, a 3×3 convolution of each map by itself, then a 1×1 convolution
    across the maps, without an activation between the two (section 4.7) and without
    biases. Batch normalization, with keras.applications' epsilon of 1e-3 and momentum
    of 0.99, follows every convolution. Images are −1 to 1 in the author's code.

    Args:
        input_shape: both sides at least 7.
        dropout: rate before the logits; the paper's 0.5 is for ImageNet alone.
    """
    limits = {"smallest": 7, "weights": weights}
    image, classes = blocks.inputs("xception", input_shape, classes, **limits)
    first = partial(conv, order="conv bn relu", padding="valid")
    x = first(image, filters=32, strides=2, name="block1_1")
    x = first(x, filters=64, name="block1_2")
    for number, widths in enumerate(ENTRY + MIDDLE + EXIT, start=2):
        halve = widths not in MIDDLE
        x = block(x, f"block{number}", widths, halve=halve, relu=number > 2)
    for name, filters in (("block14_1", 1536), ("block14_2", 2048)):
        x = separable(x, filters, name=name)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = head(x, classes, dropout)
    return load(keras.Model(image, x, name="xception"), weights)
