"""VGG-16 and VGG-19 (Simonyan, Zisserman 2014): configurations D and E of table 1."""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.models.blocks import classifier, inputs
from cnnlib.models.entry import builder, variant
from cnnlib.models.pretrained import load

WIDTHS = (64, 128, 256, 512, 512)
# The 3×3 convolutions of each stage; three dense layers make up the depth.
DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg_stages(
    x,
    depth: int,
    *,
    pool_padding: str = "valid",
    initializer: str | dict = "glorot_uniform",
) -> list:
    """The five convolutional stages of ``depth`` 16 or 19, each after its pooling.

    Layers are called ``conv1_1``, ``conv1_2``, ``conv1_pool``, ``conv2_1`` and so on.
    ``pool_padding="same"`` lets an odd side round up, as Caffe's pooling does.

    Returns:
        The outputs of the five poolings, at 1/2 to 1/32 of the input's size.
    """
    outputs = []
    for stage, (filters, convs) in enumerate(
        zip(WIDTHS, DEPTHS[depth], strict=True), start=1
    ):
        for i in range(1, convs + 1):
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer=initializer,
                name=f"conv{stage}_{i}",
            )(x)
        x = layers.MaxPooling2D(2, padding=pool_padding, name=f"conv{stage}_pool")(x)
        outputs.append(x)
    return outputs


@builder
def vgg(
    *,
    depth: int = 16,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    weights: str | None = None,
) -> keras.Model:
    """A VGG of 3×3 convolutions and three dense layers, 16 or 19 layers deep.

    arXiv:1409.1556, configurations D and E: biases, no batch normalization, dropout 0.5
    after the first two dense layers. The paper subtracts the mean colour of the
    training set from 0 to 255.

    Where it is not the paper's: weights start from Keras's ``glorot_uniform``, which
    the paper names as an alternative to its own pre-training with a shallower network.

    Args:
        depth: 16 or 19.
        input_shape: both sides at least 32; with weights 224.
    """
    checks.choice("vgg", "depth", depth, DEPTHS)
    name = f"vgg{depth}"
    limits = {"smallest": 32, "any_size": False, "weights": weights}
    image, classes = inputs(name, input_shape, classes, **limits)
    x = vgg_stages(image, depth)[-1]
    return load(keras.Model(image, classifier(x, classes), name=name), weights)


_row = partial(
    variant,
    vgg,
    year=2014,
    paper="1409.1556",
    source="table 2",
    protocol="table 3: one scale, 384, dense evaluation",
)


def _depth(depth: int, count: int, **row):
    return _row(f"vgg{depth}", {"depth": depth}, count, count, **row)


vgg16 = _depth(16, 138_357_544, published="138 M", top1=25.6, top5=8.1)
vgg19 = _depth(19, 143_667_240, published="144 M", top1=25.5, top5=8.0)
