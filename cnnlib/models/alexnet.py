"""AlexNet (Krizhevsky, Sutskever, Hinton 2012) in two towers, and ZFNet after it."""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import LocalResponseNormalization
from cnnlib.models.blocks import classifier, inputs
from cnnlib.models.entry import entry

# The initial weights of both papers; as a dict, or towers would be twins.
NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 0.01}}
_conv = partial(layers.Conv2D, activation="relu", kernel_initializer=NORMAL)


# Figure 2, in two parts, behind each of which the towers meet: maps of both towers,
# kernel size, stride, where the biases start from, and what follows.
ALEXNET = (
    {"conv1": (96, 11, 4, 0, "norm, pool"), "conv2": (256, 5, 1, 1, "norm, pool")},
    {
        "conv3": (384, 3, 1, 0, ""),
        "conv4": (384, 3, 1, 1, ""),
        "conv5": (256, 3, 1, 1, "pool"),
    },
)


@entry(
    year=2012,
    paper="doi:10.1145/3065386",
    trainable=60_965_224,
    total=60_965_224,
    published="60 M",
    source="abstract",
    top1=40.7,
    top5=18.2,
    protocol="table 2: one network, mean over ten crops",
)
def alexnet(
    *,
    input_shape: Sequence[int] = (227, 227, 3),
    classes: int = 1000,
    groups: int = 2,
    dropout: float = 0.5,
) -> keras.Model:
    """AlexNet with 60,965,224 parameters, or 62,378,344 with ``groups=1``.

    NIPS 2012, figure 2. Two towers, one on each of two GPUs, hold half of the maps
    each; they meet before conv3, and again before the dense layers. Local response
    normalization and overlapping pooling, 3×3 with stride 2, follow conv1 and conv2;
    the same pooling follows conv5. Weights start from N(0, 0.01²); biases from 1 in
    conv2, conv4, conv5 and the hidden dense layers, and from 0 in the rest. The paper
    subtracts the training set's mean image from 0 to 255.

    Where it is not the paper's text: the input is 227×227, since 224 does not give the
    55×55 maps of its figure; a tower normalizes over its own maps alone, on which the
    paper is silent.

    Args:
        input_shape: both sides at least 67.
        groups: 2 towers, or 1 that holds all maps.
        dropout: rate after each hidden dense layer.
    """
    image, classes = inputs(
        "alexnet", input_shape, classes, smallest=67, any_size=False
    )
    checks.choice("alexnet", "groups", groups, (1, 2))

    x = image
    for part in ALEXNET:
        towers = []
        for letter in "ab"[:groups]:
            y = x
            for stage, (filters, size, strides, bias, then) in part.items():
                name = f"{stage}_{letter}"
                y = _conv(
                    filters // groups,
                    size,
                    strides,
                    "valid" if strides > 1 else "same",
                    bias_initializer=keras.initializers.Constant(bias),
                    name=f"{name}_conv",
                )(y)
                if "norm" in then:
                    y = LocalResponseNormalization(name=f"{name}_norm")(y)
                if "pool" in then:
                    y = layers.MaxPooling2D(3, 2, name=f"{name}_pool")(y)
            towers.append(y)
        x = towers[0]
        if groups == 2:
            x = layers.Concatenate(name=f"{stage}_join")(towers)
    x = classifier(x, classes, dropout=dropout, start=NORMAL, bias=1)
    return keras.Model(image, x, name="alexnet")


# Figure 3: maps, kernel size, stride and padding of each convolution.
ZFNET = ((96, 7, 2, 1), (256, 5, 2, 0), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))


@entry(
    year=2013,
    paper="1311.2901",
    trainable=62_357_608,
    total=62_357_608,
    top1=38.4,
    top5=16.5,
    protocol="table 2: one network as in figure 3, mean over ten crops",
)
def zfnet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.5,
) -> keras.Model:
    """ZFNet (Zeiler, Fergus 2013) with 62,357,608 parameters.

    arXiv:1311.2901, figure 3 and section 3: AlexNet without towers, its first two
    convolutions 7×7 and 5×5, with stride 2. 3×3 pooling with stride 2 follows conv1,
    conv2 and conv5; weights start from N(0, 0.01²), biases from 0. The padding is what
    gives the figure's 110, 55, 26, 13 and 6 rows; the first two poolings round up.

    Where it is not theirs: the figure's "contrast norm." after the first two poolings,
    which the paper does not define, is AlexNet's normalization; in training they also
    rescale filters of conv1 whose root mean square exceeds 0.1. The paper subtracts the
    mean image from 0 to 255.

    Args:
        input_shape: both sides at least 53.
        dropout: rate after each hidden dense layer.
    """
    image, classes = inputs("zfnet", input_shape, classes, smallest=53, any_size=False)
    x = image
    for i, (filters, size, strides, padding) in enumerate(ZFNET, start=1):
        if padding:
            x = layers.ZeroPadding2D(padding, name=f"conv{i}_pad")(x)
        x = _conv(filters, size, strides, name=f"conv{i}_conv")(x)
        if i in (1, 2):
            x = layers.MaxPooling2D(3, 2, "same", name=f"conv{i}_pool")(x)
            x = LocalResponseNormalization(name=f"conv{i}_norm")(x)
    x = layers.MaxPooling2D(3, 2, name="conv5_pool")(x)
    x = classifier(x, classes, dropout=dropout, start=NORMAL)
    return keras.Model(image, x, name="zfnet")
