"""GoogLeNet (2014), BN-Inception (2015) and Inception v3 (2015).

A module is a set of branches whose outputs are joined, and a branch a list of steps,
written as in the papers' figures::

    module(x, "mixed5b", [(64, 1)], [(48, 1), (64, 5)], ["avg", (32, 1)])

A step is a convolution (filters, kernel size, stride, padding), at least the first two,
or one of ``POOLS``. A list in place of the last step forks the branch.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.layers import LocalResponseNormalization
from cnnlib.models import blocks
from cnnlib.models.blocks import he_conv
from cnnlib.models.entry import entry
from cnnlib.models.pretrained import load

POOLS = {
    "avg": partial(layers.AveragePooling2D, 3, 1, "same"),
    "max": partial(layers.MaxPooling2D, 3, 1, "same"),
    "halve": partial(layers.MaxPooling2D, 3, 2, "valid"),
    "halve up": partial(layers.MaxPooling2D, 3, 2, "same"),  # an odd side rounds up
}
V = "valid"  # the figures' letter for a convolution without padding
TALL, WIDE = (7, 1), (1, 7)


def relu_conv(x, filters, kernel_size, strides=1, padding="same", *, name):
    """A convolution with bias and ReLU: GoogLeNet has no batch normalization."""
    return he_conv(filters, kernel_size, strides, padding, name=f"{name}_conv")(x)


def slim_conv(x, filters, kernel_size, strides=1, padding="same", *, name, scale=False):
    """Convolution, batch normalization, ReLU, as all but GoogLeNet have them."""
    return blocks.steps(
        x,
        "conv bn relu",
        filters,
        kernel_size,
        strides,
        name=name,
        padding=padding,
        norm={**blocks.SLIM_NORM, "scale": scale},
    )


def branch(x, name: str, steps: Sequence, conv) -> list:
    """Follow the steps from ``x``; the outputs at their ends, several after a fork."""
    for i, step in enumerate(steps, start=1):
        if isinstance(step, list):
            return [
                conv(x, *convolution, name=f"{name}{i}{letter}")
                for letter, convolution in zip("abc", step, strict=False)
            ]
        if step in POOLS:
            x = POOLS[step](name=f"{name}{i}_pool")(x)
        else:
            x = conv(x, *step, name=f"{name}{i}")
    return [x]


def module(x, name: str, *branches: Sequence, conv=slim_conv):
    """Branches from ``x``, joined along the maps; ``conv`` makes each convolution."""
    ends = []
    for letter, steps in zip("abcd", branches, strict=False):
        ends += branch(x, f"{name}_{letter}", steps, conv)
    return layers.Concatenate(name=f"{name}_join")(ends)


def modules(x, table: dict[str, Sequence], conv=slim_conv):
    """The modules of a table, name to branches, one after the other."""
    for name, branches in table.items():
        x = module(x, name, *branches, conv=conv)
    return x


def head(x, classes: int, dropout: float):
    """Mean over all places, dropout, dense: ``pool``, ``dropout`` and ``logits``."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return blocks.scores(classes)(x)


# Table 1 of 1409.4842: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection.
GOOGLENET = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY = {"inception4a": "auxiliary1", "inception4d": "auxiliary2"}


@entry(
    year=2014,
    paper="1409.4842",
    trainable=6_998_552,
    total=6_998_552,
    published="12× fewer than AlexNet",
    source="section 1",
    top5=10.07,
    protocol="table 3: one network, one crop",
)
def googlenet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    auxiliary: bool = False,
    dropout: float = 0.4,
) -> keras.Model:
    """GoogLeNet with 6,998,552 parameters, 13,378,280 with both auxiliary heads.

    arXiv:1409.4842, table 1 and section 5. Nine inception modules; biases and ReLU, no
    batch normalization; local response normalization before and after conv2.

    The auxiliary heads, on 4a and 4d, are for training alone, with a weight of 0.3 in
    the loss::

        model = googlenet(auxiliary=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        weights = {"logits": 1.0, "auxiliary1": 0.3, "auxiliary2": 0.3}
        model.compile("sgd", loss=dict.fromkeys(weights, loss), loss_weights=weights)
        model.fit(images, dict.fromkeys(weights, labels))

    The output is then a dict of three logits, by the names above. The paper subtracts a
    mean from 0 to 255. It does not give the normalization's constants (AlexNet's are
    used), padding (``same``; the heads' pooling has none) or initial weights (He's);
    here the last pooling takes the mean over all places, at any input size.

    Args:
        input_shape: with the heads both sides at least 65.
        auxiliary: whether to add the two heads.
        dropout: rate before the logits.
    """
    smallest, what = (65, " with auxiliary heads") if auxiliary else (1, "")
    image, classes = blocks.inputs(
        f"googlenet{what}",
        input_shape,
        classes,
        smallest=smallest,
        any_size=not auxiliary,
    )

    def halve(x, stage):
        return layers.MaxPooling2D(3, 2, "same", name=f"{stage}_pool")(x)

    x = halve(relu_conv(image, 64, 7, 2, name="conv1"), "conv1")
    x = LocalResponseNormalization(name="conv1_norm")(x)
    x = relu_conv(x, 64, 1, name="conv2_reduce")
    x = relu_conv(x, 192, 3, name="conv2")
    x = halve(LocalResponseNormalization(name="conv2_norm")(x), "conv2")
    outputs = {}
    for name, (one, reduce3, three, reduce5, five, pool) in GOOGLENET.items():
        threes, fives = [(reduce3, 1), (three, 3)], [(reduce5, 1), (five, 5)]
        branches = ([(one, 1)], threes, fives, ["max", (pool, 1)])
        x = module(x, name, *branches, conv=relu_conv)
        if auxiliary and name in AUXILIARY:
            outputs[AUXILIARY[name]] = _auxiliary(x, AUXILIARY[name], classes)
        if name in ("inception3b", "inception4e"):
            x = halve(x, name)
    outputs["logits"] = head(x, classes, dropout)
    outputs = outputs if auxiliary else outputs["logits"]
    return keras.Model(image, outputs, name="googlenet")


def _auxiliary(x, name: str, classes: int):
    x = layers.AveragePooling2D(5, 3, name=f"{name}_pool")(x)
    x = relu_conv(x, 128, 1, name=name)
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(1024, activation="relu", name=f"{name}_fc")(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    return layers.Dense(classes, name=name, dtype="float32")(x)


# Figure 5 of 1502.03167: 1×1, 3×3 reduce, 3×3, double 3×3 reduce, double 3×3, pool
# projection. 3c and 4e halve the size and have neither 1×1 nor projection.
BN_INCEPTION = {
    "inception3a": (64, 64, 64, 64, 96, 32),
    "inception3b": (64, 64, 96, 64, 96, 64),
    "inception3c": (0, 128, 160, 64, 96, 0),
    "inception4a": (224, 64, 96, 96, 128, 128),
    "inception4b": (192, 96, 128, 96, 128, 128),
    "inception4c": (160, 128, 160, 128, 160, 128),
    "inception4d": (96, 128, 192, 160, 192, 128),
    "inception4e": (0, 128, 192, 192, 256, 0),
    "inception5a": (352, 192, 320, 160, 224, 128),
    "inception5b": (352, 192, 320, 192, 224, 128),
}


@entry(
    year=2015,
    paper="1502.03167",
    trainable=11_285_224,
    total=11_305_256,
    published="13.6 M",
    source="section 4.2",
    top1=25.2,
    top5=7.8,
    protocol="1512.00567, table 3: one crop",
)
def bn_inception(
    *, input_shape: Sequence[int] = (224, 224, 3), classes: int = 1000
) -> keras.Model:
    """BN-Inception with 11,305,256 parameters, 11,285,224 of them trainable.

    arXiv:1502.03167, figure 5: GoogLeNet with batch normalization before each ReLU, two
    convolutions of 3×3 in place of one of 5×5, and pooling by the mean in most modules.
    No convolution has a bias; released networks that have one count 11,295,240 without
    moving statistics. The paper's 13.6 M do not follow from its figure, whose columns
    add up to 608 maps in 4c and 4d, where it writes 576.

    Where it is not the paper's: conv1 is a plain convolution (theirs is separable, with
    a depth multiplier of 8); the normalization's constants and the initial weights,
    which it does not give, are those of the networks below.
    """
    image, classes = blocks.inputs("bn_inception", input_shape, classes)
    conv, halve = partial(slim_conv, scale=True), POOLS["halve up"]
    x = conv(image, 64, 7, 2, padding="centred", name="conv1")
    x = conv(halve(name="conv1_pool")(x), 64, 1, name="conv2_reduce")
    x = halve(name="conv2_pool")(conv(x, 192, 3, name="conv2"))
    for name, (one, reduce3, three, reduced, double, pool) in BN_INCEPTION.items():
        stride = (1, "same") if one else (2, "centred")
        branches = [
            [(reduce3, 1), (three, 3, *stride)],
            [(reduced, 1), (double, 3), (double, 3, *stride)],
        ]
        if one:
            kind = "max" if name == "inception5b" else "avg"
            branches = [[(one, 1)], *branches, [kind, (pool, 1)]]
        else:
            branches.append(["halve up"])
        x = module(x, name, *branches, conv=conv)
    return keras.Model(image, blocks.logits(x, classes), name="bn_inception")


def stem(x, conv=slim_conv):
    """The first three convolutions, from Inception v3 on: 147×147×64."""
    x = conv(x, 32, 3, 2, V, name="conv1a")
    x = conv(x, 32, 3, 1, V, name="conv2a")
    return conv(x, 64, 3, name="conv2b")


def stem_v3(x):
    """Of Inception v3 and, in its authors' code, of Inception-ResNet v2: 35×35×192."""
    x = layers.MaxPooling2D(3, 2, name="conv2b_pool")(stem(x))
    x = slim_conv(x, 80, 1, padding=V, name="conv3b")
    x = slim_conv(x, 192, 3, padding=V, name="conv4a")
    return layers.MaxPooling2D(3, 2, name="conv4a_pool")(x)


# The modules of 1512.00567, by figure, in the order of its authors' code. 5×5
# convolutions are factorized into two of 3×3, 7×7 into 1×7 and 7×1; in the last modules
# 1×3 and 3×1 stand side by side.


def figure5(pool: int) -> list:
    """``pool`` are the maps behind the pooling; the code leaves one 5×5 as it is."""
    return [
        [(64, 1)],
        [(48, 1), (64, 5)],
        [(64, 1), (96, 3), (96, 3)],
        ["avg", (pool, 1)],
    ]


def figure6(n: int) -> list:
    """``n`` are the maps between the convolutions of 7."""
    return [
        [(192, 1)],
        [(n, 1), (n, WIDE), (192, TALL)],
        [(n, 1), (n, TALL), (n, WIDE), (n, TALL), (192, WIDE)],
        ["avg", (192, 1)],
    ]


FORK = [(384, (1, 3)), (384, (3, 1))]
FIGURE7 = [[(320, 1)], [(384, 1), FORK], [(448, 1), (384, 3), FORK], ["avg", (192, 1)]]
INCEPTION_V3 = {
    "mixed5b": figure5(32),
    "mixed5c": figure5(64),
    "mixed5d": figure5(64),
    "mixed6a": [  # figure 10, as 7a is: half the size, by convolutions and a pooling
        [(384, 3, 2, V)],
        [(64, 1), (96, 3), (96, 3, 2, V)],
        ["halve"],
    ],
    "mixed6b": figure6(128),
    "mixed6c": figure6(160),
    "mixed6d": figure6(160),
    "mixed6e": figure6(192),
    "mixed7a": [
        [(192, 1), (320, 3, 2, V)],
        [(192, 1), (192, WIDE), (192, TALL), (192, 3, 2, V)],
        ["halve"],
    ],
    "mixed7b": FIGURE7,
    "mixed7c": FIGURE7,
}


@entry(
    year=2015,
    paper="1512.00567",
    trainable=23_817_352,
    total=23_851_784,
    published="below 25 M",
    source="abstract",
    top1=21.2,
    top5=5.6,
    protocol="table 3: one crop",
)
def inception_v3(
    *,
    input_shape: Sequence[int] = (299, 299, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    weights: str | None = None,
) -> keras.Model:
    """Inception v3 with 23,851,784 parameters, 23,817,352 of them trainable.

    arXiv:1512.00567, table 1 and figures 5 to 7 and 10; where the paper leaves details
    open, its authors' code: batch normalization without a scale, epsilon 1e-3, images
    of −1 to 1, and the modules' names.

    Where table 1 has three convolutions of 3×3 after the first pooling, one of stride
    2, the code has a 1×1, a 3×3 and a pooling. Unlike in the code, there is no
    auxiliary head, and the normalization's momentum is 0.99, Keras's default (theirs is
    0.9997).

    Args:
        input_shape: both sides at least 75.
        dropout: rate before the logits, the share that is dropped.
    """
    who, limits = "inception_v3", {"smallest": 75, "weights": weights}
    image, classes = blocks.inputs(who, input_shape, classes, **limits)
    x = modules(stem_v3(image), INCEPTION_V3)
    model = keras.Model(image, head(x, classes, dropout), name=who)
    return load(model, weights)
