"""VGG-16 and VGG-19 (Simonyan, Zisserman 2014): configurations D and E of table 1."""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.models.blocks import scores
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
    name: str | None = None,
) -> keras.Model:
    """A VGG of 3×3 convolutions and three dense layers, 16 or 19 layers deep.

    arXiv:1409.1556, configurations D and E: biases, no batch normalization, dropout 0.5
    after the first two dense layers.

    Input: float, (n, height, width, channels); the paper subtracts the mean colour of
    the training set from 0 to 255. Output: logits, (n, classes).

    Where it is not the paper's: weights start from Keras's ``glorot_uniform``, which
    the paper names as an alternative to its own pre-training with a shallower network.

    Args:
        depth: 16 or 19.
        input_shape: height, width, channels; both sides at least 32.
        classes: number of logits.
        weights: None, or "imagenet" (see ``models.preprocess``), at the defaults.
        name: of the model; "vgg16" or "vgg19" where it is None.

    Raises:
        ValueError: another depth, too small an input, no classes, unfitting weights.
    """
    checks.choice("vgg", "depth", depth, DEPTHS)
    name = name or f"vgg{depth}"
    shape, classes = checks.network(
        name, input_shape, classes, smallest=32, any_size=False
    )
    image = keras.Input(shape, name="image")
    x = vgg_stages(image, depth)[-1]
    x = layers.Flatten(name="flatten")(x)
    for i in (6, 7):
        x = layers.Dense(4096, activation="relu", name=f"fc{i}")(x)
        x = layers.Dropout(0.5, name=f"fc{i}_dropout")(x)
    x = scores(classes)(x)
    return load(keras.Model(image, x, name=name), weights)


_row = partial(
    variant,
    vgg,
    year=2014,
    paper="1409.1556",
    source="table 2",
    protocol="table 3: one scale, 384, dense evaluation",
)
vgg16 = _row(
    "vgg16",
    {"depth": 16},
    trainable=138_357_544,
    total=138_357_544,
    published="138 M",
    top1=25.6,
    top5=8.1,
)
vgg19 = _row(
    "vgg19",
    {"depth": 19},
    trainable=143_667_240,
    total=143_667_240,
    published="144 M",
    top1=25.5,
    top5=8.0,
)
