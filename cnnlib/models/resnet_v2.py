"""Pre-activation residual networks (He, Zhang, Ren, Sun 2016, arXiv:1603.05027).

Normalization and ReLU come ahead of each convolution, and nothing touches the sum: the
shortcuts form one stream from the first unit to the last. No convolution has a bias;
normalization has epsilon 1e-5 and momentum 0.9.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.models.blocks import KERAS_NORM, PAPER_NORM, steps
from cnnlib.models.entry import builder, variant
from cnnlib.models.resnet import cifar_network, imagenet_network

DEPTHS = {  # units in each stage
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}


def bottleneck(x, filters: int, strides: int = 1, *, name: str, as_keras: bool = False):
    """1×1, 3×3, 1×1 to four times the filters, each after normalization and ReLU.

    A projection takes the activation that the branch takes, too. keras.applications
    strides in the 3×3 convolution and has biases where no normalization follows.
    """
    step = partial(steps, norm=KERAS_NORM if as_keras else PAPER_NORM)
    outer = partial(step, use_bias=as_keras)
    first, second = (1, strides) if as_keras else (strides, 1)
    active = step(x, "bn relu", name=f"{name}_a")
    if x.shape[-1] != 4 * filters:
        x = outer(active, "conv", 4 * filters, 1, strides, name=f"{name}_proj")
    elif strides > 1:
        x = layers.MaxPooling2D(1, strides, name=f"{name}_every_{strides}nd")(x)
    y = step(active, "conv", filters, 1, first, name=f"{name}_a")
    y = step(y, "bn relu conv", filters, 3, second, name=f"{name}_b")
    y = outer(y, "bn relu conv", 4 * filters, 1, name=f"{name}_c")
    return layers.Add(name=f"{name}_add")([x, y])


def basic(x, filters: int, strides: int = 1, *, name: str):
    """Two 3×3 convolutions, each after normalization and ReLU."""
    active = steps(x, "bn relu", name=f"{name}_a")
    if x.shape[-1] != filters:
        x = steps(active, "conv", filters, 1, strides, name=f"{name}_proj")
    y = steps(active, "conv", filters, 3, strides, name=f"{name}_a")
    y = steps(y, "bn relu conv", filters, 3, name=f"{name}_b")
    return layers.Add(name=f"{name}_add")([x, y])


@builder
def resnet_v2(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    depth: int = 50,
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """The pre-activation network for ImageNet.

    arXiv:1603.05027, table 5, which has depths 152 and 200: the stages of ``resnet``
    with pre-activation bottlenecks. After conv1 come normalization, ReLU and pooling;
    the first unit then has its own normalization like any other. (The paper's "first
    activation right after conv1" may also mean that the first unit goes without: 128
    parameters fewer.) A stage's first unit strides, in its first 1×1 convolution.
    Kernels start from Gaussians by their fan-in; the authors' Torch code takes the
    fan-out. 25,549,480 trainable parameters at depth 50, 25,595,048 with moving
    statistics. The authors standardize images by the training set's mean and deviation.

    Args:
        depth: 50, 101, 152 or 200.
        as_keras: as keras.applications has it: the last unit of a stage strides, in
            its 3×3 convolution; nothing between conv1 and pooling; biases in conv1,
            projections and the last convolution of a unit; epsilon 1.001e-5, momentum
            0.99 (25,613,800 parameters in all at depth 50).
        weights: None, or "imagenet" at depths 50, 101 and 152, with ``as_keras``.
    """
    checks.choice("resnet_v2", "depth", depth, DEPTHS)
    as_keras = as_keras or weights is not None
    start = "conv" if as_keras else "conv bn relu"
    build = partial(imagenet_network, start=start, end="bn relu", as_keras=as_keras)
    unit, counts = partial(bottleneck, as_keras=as_keras), DEPTHS[depth]
    return build(f"resnet{depth}_v2", unit, counts, input_shape, classes, weights)


_row = partial(variant, year=2016, paper="1603.05027")


def _imagenet(depth: int, trainable: int, total: int, **row):
    name = f"resnet{depth}_v2"
    return _row(resnet_v2, name, {"depth": depth}, trainable, total, **row)


_crop = partial(_imagenet, protocol="table 5: one crop of 320")

_other = partial(_imagenet, note="Not in the paper: its unit at a depth of ``resnet``.")

resnet50_v2 = _other(50, 25_549_480, 25_595_048)
resnet101_v2 = _other(101, 44_541_608, 44_639_400)
resnet152_v2 = _crop(152, 60_185_256, 60_329_128, top1=21.1, top5=5.5)
resnet200_v2 = _crop(200, 64_666_280, 64_834_728, top1=20.7, top5=5.3)

BLOCKS = {"bottleneck": (bottleneck, 9), "basic": (basic, 6)}  # unit, layers per n


@builder
def cifar_resnet_v2(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 164,
    block: str = "bottleneck",
    width: int = 16,
    scan: bool | None = None,
) -> keras.Model:
    """The pre-activation network of 9n+2 layers (6n+2 if basic) for small images.

    arXiv:1603.05027, section 4: a 3×3 convolution of 16 filters, three stages of n
    units with bottlenecks of 16, 32 and 64 filters, one more normalization and ReLU,
    the mean and a dense layer. 1,703,258 trainable parameters at depth 164, 1,727,482
    with moving statistics. Where a unit changes the number of maps, its projection
    takes its first activation, too; a new stage strides in its first convolution.

    Args:
        depth: 9n+2 for bottlenecks, 6n+2 for basic units, n units in each stage.
        block: "bottleneck", or "basic" for two 3×3 convolutions in a unit.
        width: filters of the first stage; the paper's is 16.
        scan: whether the units of a stage are repeated as in ``cifar_resnet``.
    """
    name = f"resnet{depth}_v2"
    checks.choice(name, "block", block, BLOCKS)
    unit, step = BLOCKS[block]
    build = partial(cifar_network, step=step, start="conv", end="bn relu")
    return build(name, unit, input_shape, classes, depth, width, scan)


TABLE_4 = {"source": "table 4", "protocol": "table 4: the median of five runs"}


def _cifar(depth: int, block: str, trainable: int, total: int, **row):
    name, fixes = f"resnet{depth}_v2", {"depth": depth, "block": block}
    return _row(cifar_resnet_v2, name, fixes, trainable, total, **row)


resnet110_v2 = _cifar(
    110,
    "basic",
    1_730_522,
    1_738_618,
    note="Not the paper's pre-activation ResNet-110, whose shortcuts have no parameters"
    ": that is ``resnet110_preactivation``. This one has two projections.",
)
resnet164_v2 = _cifar(
    164, "bottleneck", 1_703_258, 1_727_482, published="1.7 M", cifar10=5.46, **TABLE_4
)
resnet1001_v2 = _cifar(
    1001,
    "bottleneck",
    10_327_706,
    10_476_922,
    published="10.2 M",
    cifar10=4.92,
    **TABLE_4,
    note="The paper's figure leaves the normalizations out: 10,178,490. Each stage's "
    '110 units after the first are one ``RepeatedUnit``, "conv2_2to111" and so on; '
    '``model.get_layer("conv2_2to111").each(x)`` gives the stream after each unit.',
)
