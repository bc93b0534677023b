"""Inception v4, Inception-ResNet v1 and v2 (Szegedy, Ioffe, Vanhoucke, Alemi 2016).

Modules are written as in ``cnnlib.models.inception``, figures are those of 1602.07261.
Both sides of an image are at least 75 (in the authors' code it is −1 to 1), ``dropout``
is the share dropped before the logits, ``units`` are those of the three stages.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.models.blocks import inputs
from cnnlib.models.entry import entry
from cnnlib.models.inception import (
    TALL,
    WIDE,
    V,
    figure5,
    head,
    module,
    modules,
    slim_conv,
    stem,
    stem_v3,
)
from cnnlib.models.pretrained import load


def figure7(reduce: int, middle: int, last: int, alone: int) -> list:
    """The first reduction to half the size; table 1 calls its maps k, l, m and n."""
    return [[(alone, 3, 2, V)], [(reduce, 1), (middle, 3), (last, 3, 2, V)], ["halve"]]


def figure18(middle: int, last: int) -> list:
    """The second one; figure 13 is the same with 256 maps for both."""
    return [
        [(256, 1), (384, 3, 2, V)],
        [(256, 1), (middle, 3, 2, V)],
        [(256, 1), (middle, 3), (last, 3, 2, V)],
        ["halve"],
    ]


FIGURE4 = [
    [(96, 1)],
    [(64, 1), (96, 3)],
    [(64, 1), (96, 3), (96, 3)],
    ["avg", (96, 1)],
]
FIGURE5 = [
    [(384, 1)],
    [(192, 1), (224, WIDE), (256, TALL)],
    [(192, 1), (192, TALL), (224, WIDE), (224, TALL), (256, WIDE)],
    ["avg", (128, 1)],
]
FORK = [(256, (1, 3)), (256, (3, 1))]
FIGURE6 = [
    [(256, 1)],
    [(384, 1), FORK],
    [(384, 1), (448, (3, 1)), (512, (1, 3)), FORK],
    ["avg", (256, 1)],
]
INCEPTION_V4 = {
    # Figure 3: the branching part of the stem.
    "mixed3a": [["halve"], [(96, 3, 2, V)]],
    "mixed4a": [
        [(64, 1), (96, 3, 1, V)],
        [(64, 1), (64, WIDE), (64, TALL), (96, 3, 1, V)],
    ],
    "mixed5a": [[(192, 3, 2, V)], ["halve"]],
    **{f"mixed5{letter}": FIGURE4 for letter in "bcde"},
    "mixed6a": figure7(192, 224, 256, 384),
    **{f"mixed6{letter}": FIGURE5 for letter in "bcdefgh"},
    "mixed7a": [  # figure 8
        [(192, 1), (192, 3, 2, V)],
        [(256, 1), (256, WIDE), (320, TALL), (320, 3, 2, V)],
        ["halve"],
    ],
    **{f"mixed7{letter}": FIGURE6 for letter in "bcd"},
}


_row = partial(entry, year=2016, paper="1602.07261", protocol="table 2: one crop")


@_row(trainable=42_679_816, total=42_742_984, top1=20.0, top5=5.0)
def inception_v4(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    classes: int = 1000,
    dropout: float = 0.2,
) -> keras.Model:
    """Inception v4 with 42,679,816 trainable parameters, 42,742,984 in all.

    arXiv:1602.07261, figures 3 to 9: a stem that itself branches, then 4, 7 and 3
    modules with a reduction between them. The order of 1×n and n×1 is that of the
    authors' code. The paper keeps 0.8 of the features before the logits. Where it is
    not the authors' code: the auxiliary head, which acts in training alone, is left
    out; batch normalization has a scale and a momentum of 0.99 (the code has no scale,
    and 0.9997), with the same epsilon of 1e-3.
    """
    image, classes = inputs("inception_v4", input_shape, classes, smallest=75)
    conv = partial(slim_conv, scale=True)
    x = modules(stem(image, conv), INCEPTION_V4, conv)
    return keras.Model(image, head(x, classes, dropout), name="inception_v4")


# Inception-ResNet v1: figures 10 to 13, and 7 with the filters of table 1.
V1_A = [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (32, 3), (32, 3)]]
V1_B = [[(128, 1)], [(128, 1), (128, WIDE), (128, TALL)]]
V1_C = [[(192, 1)], [(192, 1), (192, (1, 3)), (192, (3, 1))]]

# Inception-ResNet v2, with the maps of the released code: figures 16, 17 and 19.
BLOCK35 = [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]]
BLOCK17 = [[(192, 1)], [(128, 1), (160, WIDE), (192, TALL)]]
BLOCK8 = [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]]


def _residual(x, name: str, branches, scale: float, relu: bool = True, conv=slim_conv):
    """An Inception-ResNet unit: x + scale · (1×1 convolution of the joined branches).

    The last convolution has a bias and neither normalization nor activation.
    """
    y = module(x, name, *branches, conv=conv)
    y = layers.Conv2D(x.shape[-1], 1, name=f"{name}_conv")(y)
    y = layers.Rescaling(scale, name=f"{name}_scale")(y)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residuals(x, name: str, count: int, branches, scale: float, conv=slim_conv):
    """As many such units, one after the other."""
    for i in range(1, count + 1):
        x = _residual(x, f"{name}_{i}", branches, scale, conv=conv)
    return x


@_row(trainable=22_756_328, total=22_783_368, top1=21.3, top5=5.5)
def inception_resnet_v1(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    classes: int = 1000,
    units: Sequence[int] = (5, 10, 5),
    dropout: float = 0.2,
) -> keras.Model:
    """Inception-ResNet v1 with 22,756,328 trainable parameters, 22,783,368 in all.

    arXiv:1602.07261, figures 10 to 15, 7 and table 1: stages of 256, 896 and 1792 maps.
    Its authors released no code for it, so what the paper leaves open is as in
    ``inception_resnet_v2``: the scales of the residuals, 0.17, 0.1 and 0.2. Batch
    normalization has a scale, as in ``inception_v4``.
    """
    who, conv = "inception_resnet_v1", partial(slim_conv, scale=True)
    image, classes = inputs(who, input_shape, classes, smallest=75)
    x = layers.MaxPooling2D(3, 2, name="conv2b_pool")(stem(image, conv))  # figure 14
    x = conv(x, 80, 1, name="conv3b")
    x = conv(x, 192, 3, 1, V, name="conv4a")
    x = conv(x, 256, 3, 2, V, name="conv4b")
    n35, n17, n8 = _units(who, units)
    x = _residuals(x, "block35", n35, V1_A, 0.17, conv)
    x = module(x, "mixed6a", *figure7(192, 192, 256, 384), conv=conv)
    x = _residuals(x, "block17", n17, V1_B, 0.1, conv)
    x = module(x, "mixed7a", *figure18(256, 256), conv=conv)
    x = _residuals(x, "block8", n8, V1_C, 0.2, conv)
    return keras.Model(image, head(x, classes, dropout), name=who)


def _units(who: str, units: Sequence[int]) -> Sequence[int]:
    if len(units) != 3:
        raise ValueError(f"{who} takes units of three stages; given {units!r}")
    return units


@_row(trainable=55_813_192, total=55_873_736, top1=19.9, top5=4.9)
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
    without a scale and with an epsilon of 1e-3.

    Unlike the figures, the released code has the stem of Inception v3 and one more
    module, 10, 20, 10 units in place of 5, 10, 5, stages of 320, 1088 and 2080 maps, a
    last unit neither scaled nor rectified, and a 1×1 convolution to 1536 maps behind
    it. Unlike in the code, there is no auxiliary head, and the normalization's momentum
    is 0.99 (theirs is 0.9997). The published weights are of these units.
    """
    who, limits = "inception_resnet_v2", {"smallest": 75, "weights": weights}
    image, classes = inputs(who, input_shape, classes, **limits)
    n35, n17, n8 = _units(who, units)
    x = module(stem_v3(image), "mixed5b", [(96, 1)], *figure5(64)[1:])
    x = _residuals(x, "block35", n35, BLOCK35, 0.17)
    x = module(x, "mixed6a", *figure7(256, 256, 384, 384))
    x = _residuals(x, "block17", n17, BLOCK17, 0.1)
    x = module(x, "mixed7a", *figure18(288, 320))
    x = _residuals(x, "block8", n8 - 1, BLOCK8, 0.2)
    x = _residual(x, f"block8_{n8}", BLOCK8, 1.0, relu=False)
    x = slim_conv(x, 1536, 1, name="conv7b")
    model = keras.Model(image, head(x, classes, dropout), name=who)
    return load(model, weights)
