"""Highway networks (Srivastava, Greff, Schmidhuber 2015, arXiv:1505.00387).

Each layer computes T · H(x) + (1 − T) · x, where the transform gate T is learned: the
output, from 0 (x is carried on) to 1, of layers called ``stage2_3_gate`` or
``layer2_gate``. The gates' biases start from ``gate_bias``, below 0 (the paper: −1 to
−4), the lower the deeper the network.
"""

from collections.abc import Sequence

import keras
from keras import initializers, layers

from cnnlib import checks
from cnnlib.layers import GatedSum
from cnnlib.models.blocks import HE_GAUSSIAN, inputs, scores
from cnnlib.models.entry import entry


def _highway(x, layer, units, bias, *, name: str):
    """One highway layer: ``name_h``, ``name_gate`` and their mixture, ``name_mix``."""
    bias = initializers.Constant(bias)
    h = layer(units, activation="relu", name=f"{name}_h")(x)
    gate = layer(
        units, activation="sigmoid", bias_initializer=bias, name=f"{name}_gate"
    )(x)
    return GatedSum(name=f"{name}_mix")([h, gate, x])


def _conv(units, size=3, **options):
    options = {"padding": "same", "kernel_initializer": HE_GAUSSIAN, **options}
    return layers.Conv2D(units, size, **options)


@entry(
    year=2015,
    paper="1505.00387",
    trainable=2_244_328,
    total=2_244_328,
    published="2.3 M",
    source="table 1, Highway 2",
    cifar10=7.76,
    protocol="table 1, Highway 2: 92.24 % right",
)
def highway(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    widths: Sequence[int] = (32, 80, 128),
    units: Sequence[int] = (4, 5, 5),
    gate_bias: float = -2.0,
    dropout: float = 0.2,
) -> keras.Model:
    """The convolutional highway network of 19 layers for CIFAR-10.

    arXiv:1505.00387, section 3.2, table 1 ("Highway 2", about 2.3 M), by the network
    file that the authors released: 2,244,328 parameters. A stage is a 3×3 convolution
    to its width, highway layers of that width, a 2×2 max-pool; behind the last stage a
    1×1 convolution to the classes, the mean over all places, a dense layer. No batch
    normalization. Kernels start from Gaussians: a convolution's with variance 2 over
    its fan-in, which is what "xavier" is in the authors' Caffe, the dense layer's with
    deviation 0.05. The authors normalize the contrast and subtract the mean.

    Where it is not theirs: the last convolution has ``classes`` maps, theirs 100, which
    makes 2,256,838 parameters; their first one's Gaussian has deviation 1, as the 0.05
    beside it in the file is no field that Caffe reads. Of the 32 layers with 1.25 M
    parameters in the same table ("Highway 4") nothing else was published.

    Args:
        input_shape: with three stages both sides at least 4.
        widths: maps of each stage.
        units: highway layers of each stage.
        dropout: rate on the image, after each pool and before the dense layer.
    """
    checks.as_many("highway", widths=widths, units=units)
    if not widths:
        raise ValueError("highway takes one stage or more; given widths=()")
    least = 2 ** (len(widths) - 1)
    image, classes = inputs("highway", input_shape, classes, smallest=least)
    x = layers.Dropout(dropout, name="image_dropout")(image)
    for i, (width, count) in enumerate(zip(widths, units, strict=True), start=1):
        x = _conv(width, activation="relu", name=f"stage{i}_conv")(x)
        for j in range(1, count + 1):
            x = _highway(x, _conv, width, gate_bias, name=f"stage{i}_{j}")
        if i < len(widths):
            x = layers.MaxPooling2D(2, name=f"stage{i}_pool")(x)
            x = layers.Dropout(dropout, name=f"stage{i}_dropout")(x)
    x = _conv(classes, 1, activation="relu", name="head_conv")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="head_dropout")(x)
    x = scores(classes, kernel_initializer=initializers.RandomNormal(stddev=0.05))(x)
    return keras.Model(image, x, name="highway")


@entry(year=2015, paper="1505.00387", trainable=85_660, total=85_660)
def highway_mlp(
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    depth: int = 10,
    width: int = 50,
    gate_bias: float = -2.0,
) -> keras.Model:
    """The thin, deep, fully connected highway network for MNIST.

    arXiv:1505.00387, section 3.1, and 1507.06228, section 3.1: one plain layer, then 9,
    19, 49 or 99 highway layers, all of ``width`` units. 85,660 parameters at the
    defaults. Neither paper counts the logits, a further layer, in its 10 to 100. The
    plain network beside it, with 71 units a layer for about as many weights, is
    ``mlp(units=(71,) * 10, dropout=0)``, of 102,463.

    Kernels start from Keras's ``glorot_uniform``.

    Args:
        depth: layers but the logits, one plain and depth − 1 gated; at least 2.
        width: units of each layer.
    """
    image, classes = inputs("highway_mlp", input_shape, classes, any_size=False)
    checks.integer("highway_mlp", "depth", depth, least=2)
    x = layers.Flatten(name="flatten")(image)
    x = layers.Dense(width, activation="relu", name="layer1")(x)
    for i in range(2, depth + 1):
        x = _highway(x, layers.Dense, width, gate_bias, name=f"layer{i}")
    x = scores(classes)(x)
    return keras.Model(image, x, name="highway_mlp")
