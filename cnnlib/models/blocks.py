"""The pieces that the networks share: convolution, normalization, activation, head.

Each takes a tensor and a name and returns a tensor; the layers it makes carry that
name, so that a summary reads like the paper's table.
"""

import keras
import numpy as np
from keras import layers

from cnnlib.layers import RepeatedUnit

# Normalization in keras.applications' ResNet and DenseNet.
KERAS_NORM = {"epsilon": 1.001e-5, "momentum": 0.99}

# The start of 1502.01852, a Gaussian with variance 2 over the fan-in. Keras's
# ``he_normal`` cuts its tails off, which also takes half as long again. A dict, since
# layers that share an initializer start from the same numbers.
HE_GAUSSIAN = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"},
}


def conv_bn(
    x,
    filters: int,
    kernel_size=3,
    strides=1,
    *,
    name: str,
    padding: str = "same",
    activation: str | None = "relu",
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    scale: bool = True,
    use_bias: bool = False,
):
    """Convolution, batch normalization, activation: ``name_conv``, ``_bn``, ``_relu``.

    No bias by default: the normalization's shift does its work. ``activation=None``
    leaves the last step out. ``epsilon`` and ``momentum`` are those of most papers'
    code (1e-5, and 0.9 in Keras's sense); pass others where the source has others.
    """
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        use_bias=use_bias,
        kernel_initializer=HE_GAUSSIAN,
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(
        momentum=momentum, epsilon=epsilon, scale=scale, name=f"{name}_bn"
    )(x)
    if activation is None:
        return x
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def bn_relu(x, *, name: str, epsilon: float = 1e-5, momentum: float = 0.9):
    """Batch normalization and ReLU ahead of a convolution: ``name_bn``, ``_relu``."""
    x = layers.BatchNormalization(
        momentum=momentum, epsilon=epsilon, name=f"{name}_bn"
    )(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def logits(x, classes: int):
    """Mean over all places, then a dense layer: ``pool`` and ``logits``."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(classes, name="logits")(x)


def centred_conv(
    x,
    filters: int,
    kernel_size: int = 3,
    strides: int = 1,
    *,
    name: str,
    use_bias: bool = False,
):
    """A convolution with as many zeros on either side: ``name_conv``.

    That is what papers mean by padding. Keras's "same" agrees at stride 1; at stride 2
    it pads even images below and to the right only, so here ``name_pad`` comes first.
    """
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        use_bias=use_bias,
        kernel_initializer=HE_GAUSSIAN,
        name=f"{name}_conv",
    )(x)


def repeat(unit, x, count: int, *, stage: str, scan: bool):
    """Units 2 to ``count`` of a stage, all alike: ``unit(x, name=...)`` each.

    Named ``stage_2``, ``stage_3`` and so on; with ``scan``, one layer ``stage_2to9``
    that is traced once. There the first normalization's moving variance starts at i in
    unit i, about what a sum of i branches has: started at 1, as Keras does, it lets the
    stream double in every unit of a network that has not been trained yet, and hundreds
    of units overflow.
    """
    if not scan or count == 1:
        for i in range(2, count + 1):
            x = unit(x, name=f"{stage}_{i}")
        return x
    inner = keras.Input(x.shape[1:], name="unit_input")
    model = keras.Model(inner, unit(inner, name="unit"), name="unit")
    layer = RepeatedUnit(model, count - 1, name=f"{stage}_2to{count}")
    x = layer(x)
    for weight in layer.weights:
        if weight.name == "unit_a_bn_moving_variance":
            rows = np.arange(2, count + 1)[:, None]
            weight.assign(np.broadcast_to(rows, weight.shape))
    return x


def dense_block(x, units: int, unit, *, name: str) -> tuple:
    """A dense block (1608.06993): each unit reads all that came before it.

    Args:
        x: what the block starts from.
        units: how many units.
        unit: (tensor, name) to the unit's new maps.
        name: of the block; the units are ``name_1``, ``name_2``, …

    Returns:
        ``x`` with all new maps behind it, and a list of the new maps by unit.
    """
    new = []
    for i in range(1, units + 1):
        new.append(unit(x, f"{name}_{i}"))
        # What was there comes first: Keras walks a graph depth first, in this order,
        # so that its recursion takes one step for each unit and not one for each layer.
        x = layers.Concatenate(name=f"{name}_{i}_concat")([x, new[-1]])
    return x, new
