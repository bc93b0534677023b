"""The pieces that the networks share: convolution, normalization, activation, head.

Each takes a tensor and a name and returns a tensor; the layers it makes carry that
name, so that a summary reads like the paper's table.
"""

from functools import partial

import keras
import numpy as np
from keras import layers

from cnnlib import checks
from cnnlib.layers import RepeatedUnit
from cnnlib.models.pretrained import check_weights

# Normalization in most papers' code, and in keras.applications' ResNet and DenseNet.
PAPER_NORM = {"epsilon": 1e-5, "momentum": 0.9}
KERAS_NORM = {"epsilon": 1.001e-5, "momentum": 0.99}
# In keras.applications' Inception and Xception.
SLIM_NORM = {"epsilon": 1e-3, "momentum": 0.99}

# The start of 1502.01852, a Gaussian with variance 2 over the fan-in. Keras's
# ``he_normal`` cuts its tails off, which also takes half as long again. A dict, since
# layers that share an initializer start from the same numbers.
HE_GAUSSIAN = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"},
}

CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D}  # by the number of sides
he_conv = partial(layers.Conv2D, activation="relu", kernel_initializer=HE_GAUSSIAN)


def inputs(
    who: str, input_shape, classes, *, name="image", weights=None, **limits
) -> tuple:
    """A network's input and its number of classes, checked (``checks.network``).

    So are ``weights``, by ``pretrained.check_weights``, before any layer is made.
    """
    shape, classes = checks.network(who, input_shape, classes, **limits)
    check_weights(who, weights, shape[-1], classes)
    return keras.Input(shape, name=name), classes


def steps(
    x,
    order: str,
    filters: int = 0,
    kernel_size: int = 3,
    strides: int = 1,
    *,
    name: str,
    padding: str = "centred",
    use_bias: bool = False,
    initializer: str | dict = HE_GAUSSIAN,
    norm: dict = PAPER_NORM,
    dropout: float = 0.0,
):
    """Those of convolution, normalization, ReLU and dropout that ``order`` names.

    Args:
        x: a tensor of series or images.
        order: such as "conv bn relu" or "bn relu conv dropout".
        name: what the layers' names begin with: ``name_conv``, ``name_bn``, …
        padding: "centred" puts as many zeros on either side, as papers mean it. Keras's
            "same" agrees at stride 1; at stride 2 it pads even images below and to the
            right only, so there ``name_pad`` comes first. Or one of Keras's.
        norm: the normalization's arguments.

    Raises:
        ValueError: ``order`` names another step.
    """
    for step in order.split():
        if step == "conv":
            keras_padding = padding
            if padding == "centred":
                keras_padding = "same"
                if strides > 1 and kernel_size > 1:
                    x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
                    keras_padding = "valid"
            x = CONVOLUTIONS[len(x.shape) - 2](
                filters,
                kernel_size,
                strides,
                keras_padding,
                use_bias=use_bias,
                kernel_initializer=initializer,
                name=f"{name}_conv",
            )(x)
        elif step == "bn":
            x = layers.BatchNormalization(name=f"{name}_bn", **norm)(x)
        elif step == "relu":
            x = layers.ReLU(name=f"{name}_relu")(x)
        elif step == "dropout":
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        else:
            raise ValueError(f"a step is conv, bn, relu or dropout; given {step!r}")
    return x


def logits(x, classes: int):
    """Mean over all places, then a dense layer: ``pool`` and ``logits``."""
    series = len(x.shape) == 3
    kind = layers.GlobalAveragePooling1D if series else layers.GlobalAveragePooling2D
    return scores(classes)(kind(name="pool")(x))


def scores(classes: int, **options):
    """The dense layer ``logits``, in float32 under every policy."""
    return layers.Dense(classes, name="logits", dtype="float32", **options)


def classifier(x, classes, units=4096, dropout=0.5, start="glorot_uniform", bias=0):
    """Two hidden dense layers, ``fc6`` and ``fc7``, with dropout, and the logits.

    ``start`` initializes the kernels, ``bias`` is where the hidden biases start from.
    """
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=start,
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
        )(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return scores(classes, kernel_initializer=start)(x)


def chain(image, parts, name: str) -> keras.Model:
    """A model of layers in a row; a Sequential has no ``input`` before it is called."""
    x = image
    for layer in parts:
        x = layer(x)
    return keras.Model(image, x, name=name)


def repeat(unit, x, count: int, *, stage: str, scan: bool):
    """Units 2 to ``count`` of a stage, all alike: ``unit(x, name=...)`` each.

    Named ``stage_2``, ``stage_3``, …; with ``scan``, one layer ``stage_2to9`` that is
    traced once. There the first moving variance starts at i in unit i, about what a sum
    of i branches has: from Keras's 1 the stream doubles in every unit of a network that
    has not been trained yet, and hundreds of units overflow.
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

    ``unit`` makes new maps of a tensor and a name, ``name_1``, ``name_2``, and so on.
    Returns ``x`` with all new maps behind it, and a list of the new maps by unit.
    """
    new = []
    for i in range(1, units + 1):
        new.append(unit(x, f"{name}_{i}"))
        # What was there comes first: Keras walks a graph depth first, in this order,
        # so that its recursion takes one step for each unit and not one for each layer.
        x = layers.Concatenate(name=f"{name}_{i}_concat")([x, new[-1]])
    return x, new
