"""Pre-activation residual networks (He, Zhang, Ren, Sun 2016, arXiv:1603.05027).

Normalization and ReLU come ahead of each convolution, and nothing touches the sum: the
shortcuts form one stream from the first unit to the last.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.models.blocks import KERAS_NORM, PAPER_NORM, logits, repeat, steps
from cnnlib.models.entry import variant
from cnnlib.models.pretrained import check_weights, load
from cnnlib.models.resnet import CIFAR_STAGES, IMAGENET_STAGES, SCAN_FROM

PAPER = "1603.05027"
DEPTHS = {  # units in each stage
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}


def bottleneck(
    x,
    filters: int,
    strides: int = 1,
    *,
    name: str,
    project: bool = False,
    as_keras: bool = False,
):
    """1×1, 3×3, 1×1 to four times the filters, each after normalization and ReLU.

    A projection takes the activation that the branch takes, too. keras.applications
    strides in the 3×3 convolution and has biases where no normalization follows.
    """
    step = partial(steps, norm=KERAS_NORM if as_keras else PAPER_NORM)
    outer = partial(step, use_bias=as_keras)
    first, second = (1, strides) if as_keras else (strides, 1)
    active = step(x, "bn relu", name=f"{name}_a")
    if project:
        x = outer(active, "conv", 4 * filters, 1, strides, name=f"{name}_proj")
    elif strides > 1:
        x = layers.MaxPooling2D(1, strides, name=f"{name}_every_{strides}nd")(x)
    y = step(active, "conv", filters, 1, first, name=f"{name}_a")
    y = step(y, "bn relu conv", filters, 3, second, name=f"{name}_b")
    y = outer(y, "bn relu conv", 4 * filters, 1, name=f"{name}_c")
    return layers.Add(name=f"{name}_add")([x, y])


def basic(x, filters: int, strides: int = 1, *, name: str, project: bool = False):
    """Two 3×3 convolutions, each after normalization and ReLU."""
    active = steps(x, "bn relu", name=f"{name}_a")
    if project:
        x = steps(active, "conv", filters, 1, strides, name=f"{name}_proj")
    y = steps(active, "conv", filters, 3, strides, name=f"{name}_a")
    y = steps(y, "bn relu conv", filters, 3, name=f"{name}_b")
    return layers.Add(name=f"{name}_add")([x, y])


def resnet_v2(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    depth: int = 50,
    as_keras: bool = False,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """The pre-activation network for ImageNet.

    arXiv:1603.05027, table 5, which has depths 152 and 200: the stages of ``resnet``
    with pre-activation bottlenecks. After conv1 come normalization, ReLU and pooling;
    the first unit then has its own normalization like any other. (The paper is brief on
    this: its "first activation right after conv1" may also mean that the first unit
    goes without; that would be 128 parameters fewer.) A stage's first unit strides, in
    its first 1×1 convolution. No convolution has a bias; normalization has epsilon 1e-5
    and momentum 0.9. Kernels start from Gaussians by their fan-in; the authors' Torch
    code takes the fan-out.

    25,549,480 trainable parameters at depth 50, 25,595,048 with moving statistics.

    Input: float, (n, height, width, channels); the training set's mean subtracted and
    divided by its deviation. Output: logits, (n, classes).

    Args:
        input_shape: height, width, channels.
        classes: number of logits.
        depth: 50, 101, 152 or 200.
        as_keras: as keras.applications has it: the last unit of a stage strides, in
            its 3×3 convolution; nothing between conv1 and pooling; biases in conv1,
            projections and the last convolution of a unit; epsilon 1.001e-5, momentum
            0.99 (25,613,800 parameters in all at depth 50).
        weights: None, or "imagenet" for those that keras.applications has for depths
            50, 101 and 152 (see ``models.preprocess``); they are for ``as_keras=True``
            and switch it on.
        name: of the model; by default "resnet50_v2" and so on.

    Raises:
        ValueError: an impossible shape, number of classes or depth, or unfit weights.
        OSError: the weights could not be downloaded.
    """
    checks.choice("resnet_v2", "depth", depth, DEPTHS)
    network = f"resnet{depth}_v2"
    shape, classes = checks.network(name or network, input_shape, classes)
    check_weights(network, weights, shape[-1], classes)
    as_keras = as_keras or weights is not None
    image = keras.Input(shape, name="image")
    x = steps(image, "conv", 64, 7, 2, name="conv1", use_bias=as_keras)
    if not as_keras:
        x = steps(x, "bn relu", name="conv1")
    x = layers.ZeroPadding2D(1, name="conv2_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv2_pool")(x)
    halving = IMAGENET_STAGES[:-1] if as_keras else IMAGENET_STAGES[1:]
    stages = zip(IMAGENET_STAGES, DEPTHS[depth], strict=True)
    for i, (stage, count) in enumerate(stages):
        strided = count if as_keras else 1
        for j in range(1, count + 1):
            x = bottleneck(
                x,
                64 * 2**i,
                2 if stage in halving and j == strided else 1,
                name=f"{stage}_{j}",
                project=j == 1,
                as_keras=as_keras,
            )
    x = steps(x, "bn relu", name="end", norm=KERAS_NORM if as_keras else PAPER_NORM)
    model = keras.Model(image, logits(x, classes), name=name or network)
    return load(model, weights, network)


def _imagenet(depth: int, **row):
    name = f"resnet{depth}_v2"
    return variant(resnet_v2, name, {"depth": depth}, year=2016, paper=PAPER, **row)


resnet50_v2 = _imagenet(
    depth=50,
    trainable=25_549_480,
    total=25_595_048,
    note="Not in the paper: its unit at the depths of ``resnet50``.",
)
resnet101_v2 = _imagenet(depth=101, trainable=44_541_608, total=44_639_400)
resnet152_v2 = _imagenet(
    depth=152,
    trainable=60_185_256,
    total=60_329_128,
    top1=21.1,
    top5=5.5,
    protocol="table 5: one crop of 320",
)
resnet200_v2 = _imagenet(
    depth=200,
    trainable=64_666_280,
    total=64_834_728,
    top1=20.7,
    top5=5.3,
    protocol="table 5: one crop of 320",
)

BLOCKS = {"bottleneck": (bottleneck, 9), "basic": (basic, 6)}  # unit, layers per n


def cifar_resnet_v2(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 164,
    block: str = "bottleneck",
    width: int = 16,
    scan: bool | None = None,
    name: str | None = None,
) -> keras.Model:
    """The pre-activation network of 9n+2 layers (6n+2 if basic) for small images.

    arXiv:1603.05027, section 4: a 3×3 convolution of 16 filters, three stages of n
    units with bottlenecks of 16, 32 and 64 filters, one more normalization and ReLU,
    the mean and a dense layer. 1,703,258 trainable parameters at depth 164, 1,727,482
    with moving statistics. The first unit's normalization and ReLU serve its projection
    too, and so does that of every unit in which the shape changes; such a unit strides
    in its first convolution.

    Input: float, (n, height, width, channels), the training set's per-pixel mean
    subtracted. Output: logits, (n, classes). Epsilon 1e-5, momentum 0.9.

    Args:
        input_shape: height, width, channels.
        classes: number of logits.
        depth: 9n+2 for bottlenecks, 6n+2 for basic units, n units in each stage.
        block: "bottleneck", or "basic" for two 3×3 convolutions in a unit.
        width: filters of the first stage; the paper's is 16.
        scan: whether the units of a stage but the first are one ``RepeatedUnit``, which
            has their weights stacked and is traced once; None means from 200 layers on.
            Without it Keras refuses about 900 operations in a row (RecursionError).
        name: of the model; by default "resnet164_v2" and so on.

    Raises:
        ValueError: an impossible shape, number of classes, depth, block or width.
    """
    name = name or f"resnet{depth}_v2"
    checks.choice(name, "block", block, BLOCKS)
    unit, step = BLOCKS[block]
    shape, classes = checks.network(name, input_shape, classes)
    width = checks.integer(name, "width", width)
    n = checks.units(name, depth, step=step, first=2)
    scan = depth > SCAN_FROM if scan is None else scan

    image = keras.Input(shape, name="image")
    x = steps(image, "conv", width, name="conv1")
    for i, stage in enumerate(CIFAR_STAGES):
        project = block == "bottleneck" or i > 0  # conv2 has conv1's width if basic
        this = partial(unit, filters=width * 2**i)
        x = this(x, strides=2 if i else 1, name=f"{stage}_1", project=project)
        x = repeat(this, x, n, stage=stage, scan=scan)
    x = steps(x, "bn relu", name="end")
    return keras.Model(image, logits(x, classes), name=name)


def _cifar(depth: int, block: str, **row):
    name, fixes = f"resnet{depth}_v2", {"depth": depth, "block": block}
    return variant(cifar_resnet_v2, name, fixes, year=2016, paper=PAPER, **row)


resnet110_v2 = _cifar(
    depth=110,
    block="basic",
    trainable=1_730_522,
    total=1_738_618,
    note="Not the paper's pre-activation ResNet-110, whose shortcuts have no parameters"
    ': that is ``build("cifar_resnet", depth=110, unit="full_preactivation")``. This '
    "one has two projections.",
)
resnet164_v2 = _cifar(
    depth=164,
    block="bottleneck",
    trainable=1_703_258,
    total=1_727_482,
    published="1.7 M",
    source="table 4",
)
resnet1001_v2 = _cifar(
    depth=1001,
    block="bottleneck",
    trainable=10_327_706,
    total=10_476_922,
    published="10.2 M",
    source="table 4",
    note="The paper's figure leaves the normalizations out: 10,178,490. Each stage's "
    '110 units after the first are one ``RepeatedUnit``, "conv2_2to111" and so on: 12 '
    "seconds of building and a minute and a half of tracing become a few. "
    '``model.get_layer("conv2_2to111").each(x)`` gives the stream after each unit; the '
    "gradient of the weights has a row for each.",
)
