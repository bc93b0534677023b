"""AlexNet (Krizhevsky, Sutskever, Hinton 2012), in two towers as it was trained."""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import LocalResponseNormalization
from cnnlib.models.blocks import scores
from cnnlib.models.entry import entry


def normal():
    """The paper's initial weights; a fresh one each time, or towers would be twins."""
    return keras.initializers.RandomNormal(stddev=0.01)


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
    conv2, conv4, conv5 and the hidden dense layers, and from 0 in the rest.

    Input: float, (n, height, width, channels); the paper subtracts the training set's
    mean image from 0 to 255. Output: logits, (n, classes).

    Where it is not the paper's text: the input is 227×227, since 224 does not give the
    55×55 maps of its figure; a tower normalizes over its own maps alone, on which the
    paper is silent.

    Args:
        input_shape: height, width, channels; both sides at least 67.
        classes: number of logits.
        groups: 2 towers, or 1 that holds all maps.
        dropout: rate after each hidden dense layer.

    Raises:
        ValueError: too small an input, no classes, or another number of towers.
    """
    shape, classes = checks.network(
        "alexnet", input_shape, classes, smallest=67, any_size=False
    )
    checks.choice("alexnet", "groups", groups, (1, 2))

    def conv(x, tower, stage, filters, size, strides=1, bias=0):
        return layers.Conv2D(
            filters // groups,
            size,
            strides,
            "valid" if strides > 1 else "same",
            activation="relu",
            kernel_initializer=normal(),
            bias_initializer=keras.initializers.Constant(bias),
            name=f"{stage}_{tower}_conv",
        )(x)

    def pool(x, tower, stage):
        return layers.MaxPooling2D(3, 2, name=f"{stage}_{tower}_pool")(x)

    def norm_pool(x, tower, stage):
        x = LocalResponseNormalization(name=f"{stage}_{tower}_norm")(x)
        return pool(x, tower, stage)

    def join(towers, stage):
        if groups == 1:
            return towers[0]
        return layers.Concatenate(name=f"{stage}_join")(towers)

    image = keras.Input(shape, name="image")
    towers = []
    for tower in "ab"[:groups]:
        x = norm_pool(conv(image, tower, "conv1", 96, 11, 4), tower, "conv1")
        x = conv(x, tower, "conv2", 256, 5, bias=1)
        towers.append(norm_pool(x, tower, "conv2"))
    both = join(towers, "conv2")
    towers = []
    for tower in "ab"[:groups]:
        x = conv(both, tower, "conv3", 384, 3)
        x = conv(x, tower, "conv4", 384, 3, bias=1)
        x = conv(x, tower, "conv5", 256, 3, bias=1)
        towers.append(pool(x, tower, "conv5"))
    x = layers.Flatten(name="flatten")(join(towers, "conv5"))
    for name in ("fc6", "fc7"):
        x = layers.Dense(
            4096,
            activation="relu",
            kernel_initializer=normal(),
            bias_initializer="ones",
            name=name,
        )(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = scores(classes, kernel_initializer=normal())(x)
    return keras.Model(image, x, name="alexnet")
