"""Residual networks (He, Zhang, Ren, Sun 2015, arXiv:1512.03385) and plain ones.

Also the five orders of convolution, normalization and ReLU in a unit that the same
authors compared a year later (arXiv:1603.05027, section 4, figure 4).
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import keras
from keras import layers

from cnnlib.layers import PaddedIdentity
from cnnlib.models.blocks import KERAS_NORM, bn_relu, centred_conv, logits, repeat
from cnnlib.models.checks import check, one_of, positive, units
from cnnlib.models.pretrained import load

SCAN_FROM = 200  # layers; a graph of Keras's ends at about 900 operations in a row


class Unit(NamedTuple):
    """A residual unit: its branch, what follows the addition, what ends the network."""

    branch: str
    after: str = ""
    end: str = ""


# Figure 4 of arXiv:1603.05027, (a) to (e). Pre-activation, (d) and (e), takes the
# first activation right after conv1, before the paths split, and one more at the end.
UNITS = {
    "original": Unit("conv bn relu conv bn", after="relu"),
    "bn_after_addition": Unit("conv bn relu conv", after="bn relu"),
    "relu_before_addition": Unit("conv bn relu conv bn relu"),
    "relu_only_preactivation": Unit("relu conv bn relu conv bn", end="relu"),
    "full_preactivation": Unit("bn relu conv bn relu conv", end="bn relu"),
}
CIFAR_STAGES = ("conv2", "conv3", "conv4")


def steps(x, kinds: str, filters: int = 0, strides: int = 1, *, name: str):
    """Apply "conv", "bn" and "relu" in the order given; only the first one strides."""
    seen = Counter()
    for kind in kinds.split():
        label = f"{name}_{'abc'[seen[kind]]}" if "conv" in kinds else name
        if kind == "conv":
            x = centred_conv(x, filters, 3, 1 if seen[kind] else strides, name=label)
        elif kind == "bn":
            x = layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, name=f"{label}_bn"
            )(x)
        else:
            x = layers.ReLU(name=f"{label}_relu")(x)
        seen[kind] += 1
    return x


def cifar_unit(
    x, filters: int, strides: int = 1, *, name: str, kind: Unit, gate=None, plain=False
):
    """Two convolutions and, unless ``plain``, the shortcut without parameters."""
    shortcut = x
    x = steps(x, kind.branch, filters, strides, name=name)
    if gate:
        x = gate(x, name=f"{name}_gate")
    if not plain:
        if shortcut.shape != x.shape:
            identity = PaddedIdentity(filters, strides, name=f"{name}_identity")
            shortcut = identity(shortcut)
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return steps(x, kind.after, name=name)


def cifar_network(
    name, *, input_shape, classes, depth, width, scan, kind=UNITS["original"], **options
) -> keras.Model:
    """conv1 and three stages of n units: 6n+2 layers."""
    check(name, input_shape, classes)
    if not positive(width):
        raise ValueError(f"{name} takes width=1 or more filters; given {width!r}")
    n = units(name, depth, step=6, first=2)
    scan = depth > SCAN_FROM if scan is None else scan

    image = keras.Input(tuple(input_shape), name="image")
    x = bn_relu(centred_conv(image, width, name="conv1"), name="conv1")
    for i, stage in enumerate(CIFAR_STAGES):
        unit = partial(cifar_unit, filters=width * 2**i, kind=kind, **options)
        entry = unit
        if stage == "conv2":  # its first activation is conv1's
            first = kind._replace(branch=kind.branch[kind.branch.index("conv") :])
            entry = partial(unit, kind=first)
        x = entry(x, strides=1 if stage == "conv2" else 2, name=f"{stage}_1")
        x = repeat(unit, x, n, stage=stage, scan=scan)
    x = steps(x, kind.end, name="end")
    return keras.Model(image, logits(x, classes), name=name)


def cifar_plain(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    scan: bool | None = None,
) -> keras.Model:
    """The plain network of 6n+2 layers: ``cifar_resnet`` without its shortcuts.

    arXiv:1512.03385, section 4.2. As many parameters as the residual network of that
    depth, whose shortcuts have none: 269,722 at depth 20, 271,098 with
    moving statistics.

    Input, output, arguments and errors are those of ``cifar_resnet``.
    """
    return cifar_network(
        f"plain{depth}",
        **{"input_shape": input_shape, "classes": classes, "depth": depth},
        **{"width": width, "scan": scan, "plain": True},
    )


def cifar_resnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    unit: str = "original",
    scan: bool | None = None,
) -> keras.Model:
    """The residual network of 6n+2 layers for small images.

    arXiv:1512.03385, section 4.2: a 3×3 convolution of 16 filters, then three stages of
    n units with 16, 32 and 64, the mean and a dense layer. Shortcuts are the paper's
    option A: identity, at a new stage every second pixel and zeros for the new maps.

    269,722 trainable parameters at depth 20, 271,098 with moving statistics;
    ``resnet32`` to ``resnet1202`` state those of the paper's other depths.

    Input: float, (n, height, width, channels), the training set's per-pixel mean
    subtracted. Output: logits, (n, classes). Normalization as in the authors' code:
    epsilon 1e-5, momentum 0.9. Weight decay (1e-4 in the paper) is the optimizer's.

    Args:
        input_shape: height, width, channels.
        classes: number of logits.
        depth: 6n+2, with n units in each stage.
        width: filters of the first stage; the paper's is 16.
        unit: the order within a unit, one of arXiv:1603.05027, figure 4: "original",
            "bn_after_addition", "relu_before_addition", "relu_only_preactivation",
            "full_preactivation". All have the same number of parameters. At a new stage
            the shortcut takes the stream as it is, before any activation.
        scan: whether the units of a stage but the first are one ``RepeatedUnit``, which
            has their weights stacked and is traced once; None means from 200 layers on.
            Without it Keras refuses about 900 operations in a row (RecursionError).

    Raises:
        ValueError: an impossible shape, number of classes, depth, width or unit.
    """
    one_of("cifar_resnet", "unit", unit, UNITS)
    return cifar_network(
        f"resnet{depth}" if unit == "original" else f"resnet{depth}_{unit}",
        **{"input_shape": input_shape, "classes": classes, "depth": depth},
        **{"width": width, "scan": scan, "kind": UNITS[unit]},
    )


# The depths that the paper trains: trainable parameters, and with moving statistics.
CIFAR_COUNTS = {
    20: (269_722, 271_098),
    32: (464_154, 466_426),
    44: (658_586, 661_754),
    56: (853_018, 857_082),
    110: (1_727_962, 1_736_058),
    1202: (19_421_274, 19_510_906),
}


def _named(builder, depth: int):
    """``builder`` at one depth, as a function that says how large it is."""

    def build(
        *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, width: int = 16
    ) -> keras.Model:
        return builder(
            input_shape=input_shape, classes=classes, depth=depth, width=width
        )

    trainable, total = CIFAR_COUNTS[depth]
    build.__name__ = builder.__name__.replace("cifar_", "") + str(depth)
    build.__qualname__ = build.__name__
    build.__doc__ = f"""``{builder.__name__}({depth=})``: {trainable:,} parameters.

    Those are trained; {total:,} with moving statistics. arXiv:1512.03385, section 4.2.
    Input, output, arguments and errors are those of ``{builder.__name__}``.
    """
    return build


plain20, plain56 = (_named(cifar_plain, depth) for depth in (20, 56))
resnet20, resnet32, resnet44, resnet56, resnet110, resnet1202 = (
    _named(cifar_resnet, depth) for depth in CIFAR_COUNTS
)


def basic(x, filters: int, strides: int = 1, *, name: str, conv, norm, **_):
    """Two 3×3 convolutions; a 1×1 one on the shortcut where the shape changes."""
    shortcut = x
    x = norm(conv(x, filters, 3, strides, name=f"{name}_a"), name=f"{name}_a_bn")
    x = layers.ReLU(name=f"{name}_a_relu")(x)
    x = norm(conv(x, filters, 3, name=f"{name}_b"), name=f"{name}_b_bn")
    return joined(x, shortcut, strides, name=name, conv=conv, norm=norm)


def bottleneck(x, filters: int, strides: int = 1, *, name: str, conv, norm, stride):
    """1×1, 3×3 and a 1×1 convolution to four times the filters."""
    shortcut = x
    first, second = (strides, 1) if stride == "1x1" else (1, strides)
    x = norm(conv(x, filters, 1, first, name=f"{name}_a"), name=f"{name}_a_bn")
    x = layers.ReLU(name=f"{name}_a_relu")(x)
    x = norm(conv(x, filters, 3, second, name=f"{name}_b"), name=f"{name}_b_bn")
    x = layers.ReLU(name=f"{name}_b_relu")(x)
    x = norm(conv(x, 4 * filters, 1, name=f"{name}_c"), name=f"{name}_c_bn")
    return joined(x, shortcut, strides, name=name, conv=conv, norm=norm)


def joined(x, shortcut, strides: int, *, name: str, conv, norm):
    """Branch plus shortcut, then ReLU; projected ("option B") if the shapes differ."""
    if shortcut.shape != x.shape:
        shortcut = conv(shortcut, x.shape[-1], 1, strides, name=f"{name}_proj")
        shortcut = norm(shortcut, name=f"{name}_proj_bn")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


IMAGENET_STAGES = ("conv2", "conv3", "conv4", "conv5")
DEPTHS = {  # table 1: the unit, and how many in each stage
    18: (basic, (2, 2, 2, 2)),
    34: (basic, (3, 4, 6, 3)),
    50: (bottleneck, (3, 4, 6, 3)),
    101: (bottleneck, (3, 4, 23, 3)),
    152: (bottleneck, (3, 8, 36, 3)),
}


def _norm(x, *, name: str, epsilon: float = 1e-5, momentum: float = 0.9):
    return layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x)


def _imagenet(
    depth: int, input_shape, classes, stride="1x1", as_keras=False, weights=None
) -> keras.Model:
    name = f"resnet{depth}"
    check(name, input_shape, classes)
    one_of(name, "stride", stride, ("1x1", "3x3") if weights is None else ("1x1",))
    unit, counts = DEPTHS[depth]
    conv = partial(centred_conv, use_bias=as_keras)
    norm = partial(_norm, **(KERAS_NORM if as_keras else {}))

    image = keras.Input(tuple(input_shape), name="image")
    x = norm(conv(image, 64, 7, 2, name="conv1"), name="conv1_bn")
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="conv2_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv2_pool")(x)
    for i, (stage, count) in enumerate(zip(IMAGENET_STAGES, counts, strict=True)):
        for j in range(count):
            x = unit(
                *(x, 64 * 2**i, 2 if i and not j else 1),
                **{"name": f"{stage}_{j + 1}", "stride": stride},
                **{"conv": conv, "norm": norm},
            )
    return load(keras.Model(image, logits(x, classes), name=name), weights)


def resnet18(
    *, input_shape: Sequence[int] = (224, 224, 3), classes: int = 1000
) -> keras.Model:
    """ResNet-18: 11,689,512 trainable parameters, 11,699,112 with moving statistics.

    arXiv:1512.03385, table 1: basic units (two 3×3 convolutions), 2 in each of four
    stages; projections where the shape changes. See ``resnet50`` for the rest.
    """
    return _imagenet(18, input_shape, classes)


def resnet34(
    *, input_shape: Sequence[int] = (224, 224, 3), classes: int = 1000
) -> keras.Model:
    """ResNet-34: 21,797,672 trainable parameters, 21,814,696 with moving statistics.

    arXiv:1512.03385, table 1: basic units, 3, 4, 6 and 3; projections where the shape
    changes (the paper's option B). See ``resnet50`` for the rest.
    """
    return _imagenet(34, input_shape, classes)


def resnet50(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    stride: str = "1x1",
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-50: 25,557,032 trainable parameters, 25,610,152 with moving statistics.

    arXiv:1512.03385, table 1: bottleneck units, 3, 4, 6 and 3 in four stages, after a
    7×7 convolution and pooling; the mean, and a dense layer. No convolution has a bias;
    epsilon is 1e-5 and momentum 0.9, as in the authors' code.

    Input: float, (n, height, width, channels); the paper subtracts the training set's
    per-pixel mean from 0 to 255. Output: logits, (n, classes).

    Args:
        input_shape: height, width, channels.
        classes: number of logits.
        stride: where a stage's first unit halves the size: in its first 1×1 convolution
            (the paper), or in its 3×3 one (``"3x3"``, known as v1.5, half a percent
            better).
        as_keras: as keras.applications has it: biases in the convolutions, which the
            normalization makes useless (25,636,712 parameters in all), epsilon
            1.001e-5, momentum 0.99.
        weights: None, or "imagenet" for those of keras.applications (see
            ``models.preprocess``), at ``stride="1x1"``, the default shape and classes.

    Raises:
        ValueError: an impossible shape, number of classes or ``stride``, or weights
            that do not fit.
        OSError: the weights could not be downloaded.
    """
    return _imagenet(50, input_shape, classes, stride, as_keras, weights)


def resnet101(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    stride: str = "1x1",
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-101: 44,549,160 trainable parameters, 44,654,504 with moving statistics.

    arXiv:1512.03385, table 1: 3, 4, 23 and 3 bottleneck units; else ``resnet50``.
    """
    return _imagenet(101, input_shape, classes, stride, as_keras, weights)


def resnet152(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    stride: str = "1x1",
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-152: 60,192,808 trainable parameters, 60,344,232 with moving statistics.

    arXiv:1512.03385, table 1: 3, 8, 36 and 3 bottleneck units; else ``resnet50``.
    """
    return _imagenet(152, input_shape, classes, stride, as_keras, weights)
