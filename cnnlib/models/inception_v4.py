"""Inception v4 and Inception-ResNet v2 (Szegedy, Ioffe, Vanhoucke, Alemi 2016).

Modules are written as in ``cnnlib.models.inception``.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.checks import network as check
from cnnlib.models.entry import entry
from cnnlib.models.inception import module, slim_conv, stem_v3
from cnnlib.models.pretrained import load

TALL, WIDE = (7, 1), (1, 7)


@entry(
    year=2016,
    paper="1602.07261",
    trainable=42_679_816,
    total=42_742_984,
    top1=20.0,
    top5=5.0,
    protocol="table 2: one crop",
)
def inception_v4(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    classes: int = 1000,
    dropout: float = 0.2,
) -> keras.Model:
    """Inception v4 with 42,679,816 trainable parameters, 42,742,984 in all.

    arXiv:1602.07261, figures 3 to 9: a stem that itself branches, then 4, 7 and 3
    modules with a reduction between them. Batch normalization with a scale, epsilon
    1e-3 and momentum 0.99 (the authors' code leaves the scale out). The order of 1×n
    and n×1 is that of the code. The paper keeps 0.8 of the features before the logits.

    Input: float, (n, height, width, channels); −1 to 1 in the authors' code. Output:
    logits, (n, classes).

    Args:
        input_shape: height, width, channels; both sides at least 75.
        classes: number of logits.
        dropout: rate before the logits, the share that is dropped.

    Raises:
        ValueError: too small an input, or a number of classes below 1.
    """
    check("inception_v4", input_shape, classes, smallest=75)
    conv = partial(slim_conv, scale=True)
    cell = partial(module, conv=conv)
    image = keras.Input(tuple(input_shape), name="image")
    x = conv(image, 32, 3, 2, padding="valid", name="conv1a")
    x = conv(x, 32, 3, padding="valid", name="conv2a")
    x = conv(x, 64, 3, name="conv2b")
    x = cell(x, "mixed3a", ["max/2"], [(96, 3, 2)])
    x = cell(
        x,
        "mixed4a",
        [(64, 1), (96, 3, 1)],
        [(64, 1), (64, WIDE), (64, TALL), (96, 3, 1)],
    )
    x = cell(x, "mixed5a", [(192, 3, 2)], ["max/2"])
    for name in ("mixed5b", "mixed5c", "mixed5d", "mixed5e"):
        x = cell(
            x,
            name,
            [(96, 1)],
            [(64, 1), (96, 3)],
            [(64, 1), (96, 3), (96, 3)],
            ["avg", (96, 1)],
        )
    x = cell(
        x,
        "mixed6a",
        [(384, 3, 2)],
        [(192, 1), (224, 3), (256, 3, 2)],
        ["max/2"],
    )
    for letter in "bcdefgh":
        x = cell(
            x,
            f"mixed6{letter}",
            [(384, 1)],
            [(192, 1), (224, WIDE), (256, TALL)],
            [(192, 1), (192, TALL), (224, WIDE), (224, TALL), (256, WIDE)],
            ["avg", (128, 1)],
        )
    x = cell(
        x,
        "mixed7a",
        [(192, 1), (192, 3, 2)],
        [(256, 1), (256, WIDE), (320, TALL), (320, 3, 2)],
        ["max/2"],
    )
    fork = [(256, (1, 3)), (256, (3, 1))]
    for name in ("mixed7b", "mixed7c", "mixed7d"):
        x = cell(
            x,
            name,
            [(256, 1)],
            [(384, 1), fork],
            [(384, 1), (448, (3, 1)), (512, (1, 3)), fork],
            ["avg", (256, 1)],
        )
    return keras.Model(image, _head(x, classes, dropout), name="inception_v4")


def _head(x, classes: int, dropout: float):
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(classes, name="logits")(x)


def _residual(x, name: str, scale: float, *branches, relu: bool = True):
    """An Inception-ResNet unit: x + scale · (1×1 convolution of the joined branches).

    The last convolution has a bias and neither normalization nor activation.
    """
    y = module(x, name, *branches)
    y = layers.Conv2D(x.shape[-1], 1, name=f"{name}_conv")(y)
    y = layers.Rescaling(scale, name=f"{name}_scale")(y)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


@entry(
    year=2016,
    paper="1602.07261",
    trainable=55_813_192,
    total=55_873_736,
    top1=19.9,
    top5=4.9,
    protocol="table 2: one crop",
)
def inception_resnet_v2(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    classes: int = 1000,
    units: Sequence[int] = (10, 20, 10),
    dropout: float = 0.2,
    weights: str | None = None,
) -> keras.Model:
    """Inception-ResNet v2 with 55,873,736 parameters, 55,813,192 of them trainable.

    arXiv:1602.07261, figures 15 to 19 and section 3.3, as the authors released it and
    keras.applications has it. Residuals are scaled before they are added, by 0.17, 0.1
    and 0.2 in the three stages, within the 0.1 to 0.3 of the paper. Batch normalization
    without a scale, epsilon 1e-3 and momentum 0.99.

    Input: float, (n, height, width, channels); −1 to 1 in the authors' code. Output:
    logits, (n, classes).

    Where the released code is not the paper's figures: the stem is that of Inception v3
    and one more module; there are 10, 20, 10 units in place of 5, 10, 5; the stages
    have 320, 1088 and 2080 maps; the last unit is neither scaled nor rectified, and a
    1×1 convolution to 1536 maps follows it.

    Args:
        input_shape: height, width, channels; both sides at least 75.
        classes: number of logits.
        units: of the three stages, each at least 1.
        dropout: rate before the logits, the share that is dropped.
        weights: None, or "imagenet" for those of keras.applications (see
            ``models.preprocess``), at three channels, 1000 classes and these units.

    Raises:
        ValueError: too small an input, a number of classes below 1, units other than
            three positive numbers, or weights that do not fit.
    """
    check("inception_resnet_v2", input_shape, classes, smallest=75)
    if len(units) != 3 or min(units) < 1:
        raise ValueError(f"units are three positive numbers; given {units!r}")
    image = keras.Input(tuple(input_shape), name="image")
    x = module(
        stem_v3(image),
        "mixed5b",
        [(96, 1)],
        [(48, 1), (64, 5)],
        [(64, 1), (96, 3), (96, 3)],
        ["avg", (64, 1)],
    )
    for i in range(1, units[0] + 1):
        x = _residual(
            x,
            f"block35_{i}",
            0.17,
            [(32, 1)],
            [(32, 1), (32, 3)],
            [(32, 1), (48, 3), (64, 3)],
        )
    x = module(
        x,
        "mixed6a",
        [(384, 3, 2)],
        [(256, 1), (256, 3), (384, 3, 2)],
        ["max/2"],
    )
    for i in range(1, units[1] + 1):
        x = _residual(
            x,
            f"block17_{i}",
            0.1,
            [(192, 1)],
            [(128, 1), (160, WIDE), (192, TALL)],
        )
    x = module(
        x,
        "mixed7a",
        [(256, 1), (384, 3, 2)],
        [(256, 1), (288, 3, 2)],
        [(256, 1), (288, 3), (320, 3, 2)],
        ["max/2"],
    )
    for i in range(1, units[2] + 1):
        last = i == units[2]
        x = _residual(
            x,
            f"block8_{i}",
            1.0 if last else 0.2,
            [(192, 1)],
            [(192, 1), (224, (1, 3)), (256, (3, 1))],
            relu=not last,
        )
    x = slim_conv(x, 1536, 1, name="conv7b")
    model = keras.Model(image, _head(x, classes, dropout), name="inception_resnet_v2")
    return load(model, weights)
