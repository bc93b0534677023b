"""Residual networks (He, Zhang, Ren, Sun 2015, arXiv:1512.03385) and plain ones.

Also the five orders of convolution, normalization and ReLU in a unit that the same
authors compared a year later (arXiv:1603.05027, section 4, figure 4). No convolution
has a bias; normalization has epsilon 1e-5 and momentum 0.9. Weight decay (1e-4 in the
paper) is the optimizer's: ``training.SGD(l2=1e-4)``.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import PaddedIdentity
from cnnlib.models.blocks import KERAS_NORM, PAPER_NORM, inputs, logits, repeat, steps
from cnnlib.models.entry import builder, variant
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


def cifar_unit(
    x, filters: int, strides: int = 1, *, name: str, kind: Unit, gate=None, plain=False
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
    unit: Callable,
    input_shape,
    classes,
    depth,
    width,
    scan: bool | None,
    *,
    first: Callable | None = None,
    step: int = 6,
    start: str = "conv bn relu",
    end: str = "",
) -> keras.Model:
    """conv1 and three stages of n units of ``step`` / 3 layers; ``first`` begins."""
    image, classes = inputs(name, input_shape, classes)
    n = checks.units(name, depth, step=step, first=2)
    scan = depth > SCAN_FROM if scan is None else scan

    x = steps(image, start, width, name="conv1")
    x = (first or unit)(x, width, name="conv2_1")
    x = repeat(partial(unit, filters=width), x, n, stage="conv2", scan=scan)
    for stage, filters in (("conv3", 2 * width), ("conv4", 4 * width)):
        x = unit(x, filters, 2, name=f"{stage}_1")
        x = repeat(partial(unit, filters=filters), x, n, stage=stage, scan=scan)
    x = steps(x, end, name="end")
    return keras.Model(image, logits(x, classes), name=name)


@builder
def cifar_plain(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    scan: bool | None = None,
) -> keras.Model:
    """The plain network of 6n+2 layers: ``cifar_resnet`` without its shortcuts.

    arXiv:1512.03385, section 4.2; 269,722 parameters at depth 20, as many as with
    shortcuts, 271,098 with moving statistics. Arguments are ``cifar_resnet``'s; the
    model is called "plain20" and so on.
    """
    name = f"plain{depth}"
    unit = partial(cifar_unit, kind=UNITS["original"], plain=True)
    return cifar_network(name, unit, input_shape, classes, depth, width, scan)


@builder
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
    269,722 trainable parameters at depth 20, 271,098 with moving statistics. Of images
    the paper subtracts the training set's per-pixel mean.

    Args:
        depth: 6n+2, with n units in each stage.
        width: filters of the first stage; the paper's is 16.
        unit: the order within a unit, one of ``UNITS``, which have as many parameters.
            At a new stage the shortcut takes the stream as it is, before activation.
        scan: whether the units of a stage but the first are one ``RepeatedUnit``, which
            has their weights stacked and is traced once; None means from 200 layers on.
            Without it Keras refuses about 900 operations in a row (RecursionError).
    """
    checks.choice("cifar_resnet", "unit", unit, UNITS)
    kind = UNITS[unit]
    name = f"resnet{depth}" + ("" if unit == "original" else f"_{unit}")
    # conv1's activation is the first unit's, too.
    branch = kind.branch[kind.branch.index("conv") :]
    first = partial(cifar_unit, kind=kind._replace(branch=branch))
    build = partial(cifar_network, first=first, end=kind.end)
    unit = partial(cifar_unit, kind=kind)
    return build(name, unit, input_shape, classes, depth, width, scan)


_row = partial(variant, year=2015, paper="1512.03385")


def _cifar(depth: int, trainable: int, total: int, **row):
    name, fixes = f"resnet{depth}", {"depth": depth, "unit": "original"}
    row = {"source": "table 6", "protocol": "table 6", **row}
    return _row(cifar_resnet, name, fixes, trainable, total, **row)


plain20 = _row(cifar_plain, "plain20", {"depth": 20}, 269_722, 271_098)
plain56 = _row(cifar_plain, "plain56", {"depth": 56}, 853_018, 857_082)
resnet20 = _cifar(20, 269_722, 271_098, published=".27 M", cifar10=8.75)
resnet32 = _cifar(32, 464_154, 466_426, published=".46 M", cifar10=7.51)
resnet44 = _cifar(44, 658_586, 661_754, published=".66 M", cifar10=7.17)
resnet56 = _cifar(56, 853_018, 857_082, published=".85 M", cifar10=6.97)
_best = partial(_cifar, protocol="table 6: the best of five runs")
resnet110 = _best(110, 1_727_962, 1_736_058, published="1.7 M", cifar10=6.43)
resnet1202 = _cifar(1202, 19_421_274, 19_510_906, published="19.4 M", cifar10=7.93)
resnet110_preactivation = variant(
    cifar_resnet,
    "resnet110_preactivation",
    {"depth": 110, "unit": "full_preactivation"},
    1_727_962,
    1_736_058,
    year=2016,
    paper="1603.05027",
    cifar10=6.37,
    protocol="table 2: the median of five runs",
)


def excited(x, ratio: int, *, name: str):
    """Squeeze and excitation (1709.01507): each map times a gate, read from all maps.

    The gates come from the maps' means through two dense layers, the first ``ratio``
    times as narrow as there are maps.
    """
    maps = x.shape[-1]
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gate = layers.Dense(maps // ratio, "relu", name=f"{name}_reduce")(mean)
    gate = layers.Dense(maps, "sigmoid", name=f"{name}_excite")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def basic(x, filters: int, strides: int, squeeze: int | None = None, *, name: str):
    """Two 3×3 convolutions."""
    y = steps(x, "conv bn relu", filters, 3, strides, name=f"{name}_a")
    y = steps(y, "conv bn", filters, 3, name=f"{name}_b")
    return joined(y, x, strides, squeeze, name=name)


def bottleneck(x, filters: int, strides: int, squeeze: int | None = None, *, name: str):
    """1×1, 3×3 and a 1×1 convolution to four times the filters."""
    y = steps(x, "conv bn relu", filters, 1, strides, name=f"{name}_a")
    y = steps(y, "conv bn relu", filters, 3, name=f"{name}_b")
    y = steps(y, "conv bn", 4 * filters, 1, name=f"{name}_c")
    return joined(y, x, strides, squeeze, name=name)


def joined(x, shortcut, strides: int, squeeze: int | None, *, name: str):
    """Branch plus shortcut, then ReLU; projected ("option B") if the shapes differ."""
    if squeeze:
        x = excited(x, squeeze, name=name)
    if shortcut.shape != x.shape:
        maps = x.shape[-1]
        shortcut = steps(shortcut, "conv bn", maps, 1, strides, name=f"{name}_proj")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return steps(x, "relu", name=name)


def imagenet_network(
    name: str,
    unit: Callable,
    counts: Sequence[int],
    input_shape,
    classes,
    weights: str | None,
    *,
    start: str = "conv bn relu",
    end: str = "",
    as_keras: bool = False,
) -> keras.Model:
    """conv1, pooling, four stages of ``counts`` units, the mean and a dense layer.

    A stage's first unit strides; ``as_keras``, the last one of the stage before.
    """
    image, classes = inputs(name, input_shape, classes, weights=weights)
    norm = KERAS_NORM if as_keras else PAPER_NORM
    x = steps(image, start, 64, 7, 2, name="conv1", use_bias=as_keras, norm=norm)
    x = layers.ZeroPadding2D(1, name="conv2_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv2_pool")(x)
    for stage, count in enumerate(counts, start=2):
        halved, where = (stage < 5, count) if as_keras else (stage > 2, 1)
        for i in range(1, count + 1):
            strides = 2 if halved and i == where else 1
            x = unit(x, 2 ** (stage + 4), strides, name=f"conv{stage}_{i}")
    x = steps(x, end, name="end", norm=norm)
    return load(keras.Model(image, logits(x, classes), name=name), weights)


DEPTHS = {  # table 1: the unit, and how many in each stage
    18: (basic, (2, 2, 2, 2)),
    34: (basic, (3, 4, 6, 3)),
    50: (bottleneck, (3, 4, 6, 3)),
    101: (bottleneck, (3, 4, 23, 3)),
    152: (bottleneck, (3, 8, 36, 3)),
}


@builder
def resnet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    depth: int = 50,
    squeeze: int | None = None,
    weights: str | None = None,
) -> keras.Model:
    """The residual network for ImageNet.

    arXiv:1512.03385, table 1: a 7×7 convolution and pooling; four stages of bottleneck
    units (two 3×3 convolutions in a unit at depths 18 and 34); the mean and a dense
    layer. A shortcut is a 1×1 convolution where the shape changes (option B). A stage's
    first bottleneck strides in its first 1×1 convolution, as in the paper and in
    keras.applications; others ("v1.5") stride in the 3×3. 25,557,032 trainable
    parameters at depth 50, 25,610,152 with moving statistics. From images of 0 to 255
    the paper subtracts the training set's per-pixel mean.

    Where it is not the authors' released Caffe network: there the normalization's
    statistics are averages over training images, the first pooling has no padding and
    rounds up, and ResNet-50's first convolution has a bias.

    Args:
        depth: 18, 34, 50, 101 or 152.
        squeeze: the ratio of squeeze and excitation (``excited``), 16 in its paper.
        weights: None, or "imagenet" at depths 50, 101 and 152, without ``squeeze``.
    """
    checks.choice("resnet", "depth", depth, DEPTHS)
    unit, counts = DEPTHS[depth]
    name = f"resnet{depth}"
    if squeeze is not None:
        squeeze = checks.integer("resnet", "squeeze", squeeze)
        unit, name = partial(unit, squeeze=squeeze), f"se_{name}"
    return imagenet_network(name, unit, counts, input_shape, classes, weights)


def _imagenet(depth: int, trainable: int, total: int, **row):
    fixes = {"depth": depth}
    return _row(resnet, f"resnet{depth}", fixes, trainable, total, **row)


_ten_crops = partial(_imagenet, protocol="table 3: ten crops")

# The published 27.88 % of ResNet-18 (table 2) is of option A, so it is not in the row.
resnet18 = _imagenet(
    18,
    11_689_512,
    11_699_112,
    note="The paper's ResNet-18 has shortcuts without parameters (option A, table 2: "
    "27.88 % top-1); here they are projections, as in ``resnet34``.",
)
resnet34 = _ten_crops(
    34, 21_797_672, 21_814_696, top1=24.52, top5=7.46, protocol="table 3: ten crops, B"
)
resnet50 = _ten_crops(50, 25_557_032, 25_610_152, top1=22.85, top5=6.71)
resnet101 = _ten_crops(101, 44_549_160, 44_654_504, top1=21.75, top5=6.05)
resnet152 = _ten_crops(152, 60_192_808, 60_344_232, top1=21.43, top5=5.71)
se_resnet50 = variant(
    resnet,
    "se_resnet50",
    {"depth": 50, "squeeze": 16},
    28_088_024,
    28_141_144,
    year=2017,
    paper="1709.01507",
    top1=23.29,
    top5=6.62,
    protocol="table 2: one crop",
)
