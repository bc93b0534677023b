"""Residual networks (He, Zhang, Ren, Sun 2015, arXiv:1512.03385) and plain ones.

Also the five orders of convolution, normalization and ReLU in a unit that the same
authors compared a year later (arXiv:1603.05027, section 4, figure 4).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import PaddedIdentity
from cnnlib.models.blocks import KERAS_NORM, PAPER_NORM, logits, repeat, steps
from cnnlib.models.entry import variant
from cnnlib.models.pretrained import check_weights, load

PAPER = "1512.03385"
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


def cifar_unit(
    x,
    filters: int,
    strides: int = 1,
    *,
    name: str,
    kind: Unit,
    gate: Callable | None = None,
    plain: bool = False,
):
    """Two 3×3 convolutions and, unless ``plain``, the shortcut without parameters.

    The first of a kind of layer in the branch is called ``name_a``, the second
    ``name_b``. ``gate`` is a function of the branch's result and a name.
    """
    shortcut = x
    seen = Counter()
    for step in kind.branch.split():
        stride = strides if seen["conv"] == 0 else 1
        label = f"{name}_{'ab'[seen[step]]}"
        x = steps(x, step, filters, strides=stride, name=label)
        seen[step] += 1
    if gate:
        x = gate(x, name=f"{name}_gate")
    if not plain:
        if shortcut.shape != x.shape:
            identity = PaddedIdentity(filters, strides, name=f"{name}_identity")
            shortcut = identity(shortcut)
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return steps(x, kind.after, name=name)


def cifar_network(
    name: str,
    *,
    input_shape,
    classes,
    depth,
    width,
    scan: bool | None,
    kind: Unit = UNITS["original"],
    gate: Callable | None = None,
    plain: bool = False,
) -> keras.Model:
    """conv1 and three stages of n units: 6n+2 layers."""
    shape, classes = checks.network(name, input_shape, classes)
    width = checks.integer(name, "width", width)
    n = checks.units(name, depth, step=6, first=2)
    scan = depth > SCAN_FROM if scan is None else scan

    image = keras.Input(shape, name="image")
    x = steps(image, "conv bn relu", width, name="conv1")
    for i, stage in enumerate(CIFAR_STAGES):
        unit = partial(
            cifar_unit, filters=width * 2**i, kind=kind, gate=gate, plain=plain
        )
        if i == 0:  # its first activation is conv1's
            first = kind._replace(branch=kind.branch[kind.branch.index("conv") :])
            x = unit(x, kind=first, name=f"{stage}_1")
        else:
            x = unit(x, strides=2, name=f"{stage}_1")
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
    name: str | None = None,
) -> keras.Model:
    """The plain network of 6n+2 layers: ``cifar_resnet`` without its shortcuts.

    arXiv:1512.03385, section 4.2. It has as many parameters as the residual network of
    that depth, whose shortcuts have none: 269,722 at depth 20, 271,098 with moving
    statistics. The model is called "plain20" and so on.

    Input, output, arguments and errors are those of ``cifar_resnet``.
    """
    return cifar_network(
        name or f"plain{depth}",
        input_shape=input_shape,
        classes=classes,
        depth=depth,
        width=width,
        scan=scan,
        plain=True,
    )


def cifar_resnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    unit: str = "original",
    scan: bool | None = None,
    name: str | None = None,
) -> keras.Model:
    """The residual network of 6n+2 layers for small images.

    arXiv:1512.03385, section 4.2: a 3×3 convolution of 16 filters, then three stages of
    n units with 16, 32 and 64, the mean and a dense layer. Shortcuts are the paper's
    option A: identity, at a new stage every second pixel and zeros for the new maps.

    269,722 trainable parameters at depth 20, 271,098 with moving statistics;
    ``resnet32`` to ``resnet1202`` state those of the paper's other depths.

    Input: float, (n, height, width, channels), the training set's per-pixel mean
    subtracted. Output: logits, (n, classes). Normalization has epsilon 1e-5 and
    momentum 0.9; the paper names neither. Weight decay (1e-4 in the paper) is the
    optimizer's.

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
        name: of the model; by default "resnet20", or "resnet20_full_preactivation".

    Raises:
        ValueError: an impossible shape, number of classes, depth, width or unit.
    """
    checks.choice("cifar_resnet", "unit", unit, UNITS)
    usual = f"resnet{depth}" if unit == "original" else f"resnet{depth}_{unit}"
    return cifar_network(
        name or usual,
        input_shape=input_shape,
        classes=classes,
        depth=depth,
        width=width,
        scan=scan,
        kind=UNITS[unit],
    )


def _plain(depth: int, **row):
    fixes = {"depth": depth}
    name = f"plain{depth}"
    return variant(cifar_plain, name, fixes, year=2015, paper=PAPER, **row)


def _cifar(depth: int, **row):
    fixes = {"depth": depth, "unit": "original"}
    return variant(
        cifar_resnet,
        f"resnet{depth}",
        fixes,
        year=2015,
        paper=PAPER,
        source="table 6",
        **row,
    )


plain20 = _plain(depth=20, trainable=269_722, total=271_098)
plain56 = _plain(depth=56, trainable=853_018, total=857_082)
resnet20 = _cifar(depth=20, trainable=269_722, total=271_098, published=".27 M")
resnet32 = _cifar(depth=32, trainable=464_154, total=466_426, published=".46 M")
resnet44 = _cifar(depth=44, trainable=658_586, total=661_754, published=".66 M")
resnet56 = _cifar(depth=56, trainable=853_018, total=857_082, published=".85 M")
resnet110 = _cifar(depth=110, trainable=1_727_962, total=1_736_058, published="1.7 M")
resnet1202 = _cifar(
    depth=1202, trainable=19_421_274, total=19_510_906, published="19.4 M"
)


def basic(x, filters: int, strides: int, *, name: str, step: Callable, stride: str):
    """Two 3×3 convolutions; ``stride`` is for bottlenecks only."""
    y = step(x, "conv bn relu", filters, 3, strides, name=f"{name}_a")
    y = step(y, "conv bn", filters, 3, name=f"{name}_b")
    return joined(y, x, strides, name=name, step=step)


def bottleneck(
    x, filters: int, strides: int, *, name: str, step: Callable, stride: str
):
    """1×1, 3×3 and a 1×1 convolution to four times the filters."""
    first, second = (strides, 1) if stride == "1x1" else (1, strides)
    y = step(x, "conv bn relu", filters, 1, first, name=f"{name}_a")
    y = step(y, "conv bn relu", filters, 3, second, name=f"{name}_b")
    y = step(y, "conv bn", 4 * filters, 1, name=f"{name}_c")
    return joined(y, x, strides, name=name, step=step)


def joined(x, shortcut, strides: int, *, name: str, step: Callable):
    """Branch plus shortcut, then ReLU; projected ("option B") if the shapes differ."""
    if shortcut.shape != x.shape:
        maps = x.shape[-1]
        shortcut = step(shortcut, "conv bn", maps, 1, strides, name=f"{name}_proj")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return steps(x, "relu", name=name)


IMAGENET_STAGES = ("conv2", "conv3", "conv4", "conv5")
DEPTHS = {  # table 1: the unit, and how many in each stage
    18: (basic, (2, 2, 2, 2)),
    34: (basic, (3, 4, 6, 3)),
    50: (bottleneck, (3, 4, 6, 3)),
    101: (bottleneck, (3, 4, 23, 3)),
    152: (bottleneck, (3, 8, 36, 3)),
}


def resnet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    depth: int = 50,
    stride: str = "1x1",
    as_keras: bool = False,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """The residual network for ImageNet.

    arXiv:1512.03385, table 1: a 7×7 convolution and pooling; four stages of bottleneck
    units (two 3×3 convolutions in a unit at depths 18 and 34); the mean and a dense
    layer. A shortcut is a 1×1 convolution where the shape changes (option B). No
    convolution has a bias; normalization has epsilon 1e-5 and momentum 0.9.

    25,557,032 trainable parameters at depth 50, 25,610,152 with moving statistics.

    Input: float, (n, height, width, channels); the paper subtracts the training set's
    per-pixel mean from 0 to 255. Output: logits, (n, classes).

    Where it is not the authors' released Caffe network: there the normalization's
    statistics are averages over training images, the first pooling has no padding and
    rounds up, and ResNet-50's first convolution has a bias.

    Args:
        input_shape: height, width, channels.
        classes: number of logits.
        depth: 18, 34, 50, 101 or 152.
        stride: where a stage's first bottleneck halves the size: in its first 1×1
            convolution (the paper), or in its 3×3 one ("3x3", known as v1.5, half a
            percent better). Depths 18 and 34 have no bottlenecks.
        as_keras: as keras.applications has it: biases in the convolutions, which the
            normalization makes useless (25,636,712 parameters in all at depth 50),
            epsilon 1.001e-5, momentum 0.99.
        weights: None, or "imagenet" for those that keras.applications has for depths
            50, 101 and 152 (see ``models.preprocess``), at ``stride="1x1"`` and with
            the default channels and classes.
        name: of the model; by default "resnet50" and so on.

    Raises:
        ValueError: an impossible shape, number of classes, depth or ``stride``, or
            weights that do not fit.
        OSError: the weights could not be downloaded.
    """
    checks.choice("resnet", "depth", depth, DEPTHS)
    network = f"resnet{depth}"
    shape, classes = checks.network(name or network, input_shape, classes)
    where = ("1x1", "3x3") if weights is None else ("1x1",)
    checks.choice(name or network, "stride", stride, where)
    check_weights(network, weights, shape[-1], classes)
    unit, counts = DEPTHS[depth]
    norm = KERAS_NORM if as_keras else PAPER_NORM
    step = partial(steps, use_bias=as_keras, norm=norm)

    image = keras.Input(shape, name="image")
    x = step(image, "conv bn relu", 64, 7, 2, name="conv1")
    x = layers.ZeroPadding2D(1, name="conv2_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv2_pool")(x)
    for i, (stage, count) in enumerate(zip(IMAGENET_STAGES, counts, strict=True)):
        for j in range(1, count + 1):
            strides = 2 if i > 0 and j == 1 else 1
            label = f"{stage}_{j}"
            x = unit(x, 64 * 2**i, strides, name=label, step=step, stride=stride)
    model = keras.Model(image, logits(x, classes), name=name or network)
    return load(model, weights, network)


def _imagenet(depth: int, protocol: str | None = "table 3: ten crops", **row):
    return variant(
        resnet,
        f"resnet{depth}",
        {"depth": depth},
        year=2015,
        paper=PAPER,
        protocol=protocol,
        **row,
    )


# The published 27.88 % of ResNet-18 (table 2) is of option A, so it is not in the row.
resnet18 = _imagenet(
    depth=18,
    trainable=11_689_512,
    total=11_699_112,
    protocol=None,
    note="The paper's ResNet-18 has shortcuts without parameters (option A, table 2: "
    "27.88 % top-1); here they are projections, as in ``resnet34``.",
)
resnet34 = _imagenet(
    depth=34,
    trainable=21_797_672,
    total=21_814_696,
    top1=24.52,
    top5=7.46,
    protocol="table 3: ten crops, B",
)
resnet50 = _imagenet(
    depth=50,
    trainable=25_557_032,
    total=25_610_152,
    top1=22.85,
    top5=6.71,
    note="With ``as_keras=True``, 25,583,592 and 25,636,712.",
)
resnet101 = _imagenet(
    depth=101, trainable=44_549_160, total=44_654_504, top1=21.75, top5=6.05
)
resnet152 = _imagenet(
    depth=152, trainable=60_192_808, total=60_344_232, top1=21.43, top5=5.71
)
