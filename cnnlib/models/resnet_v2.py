"""Pre-activation residual networks (He, Zhang, Ren, Sun 2016, arXiv:1603.05027).

Normalization and ReLU come ahead of each convolution, and nothing touches the sum: the
shortcuts form one stream from the first unit to the last.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.models.blocks import KERAS_NORM, bn_relu, centred_conv, logits, repeat
from cnnlib.models.checks import check, one_of, positive, units
from cnnlib.models.pretrained import load
from cnnlib.models.resnet import CIFAR_STAGES, IMAGENET_STAGES, SCAN_FROM

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
    act = partial(bn_relu, **(KERAS_NORM if as_keras else {}))
    outer = partial(centred_conv, use_bias=as_keras)
    first, second = (1, strides) if as_keras else (strides, 1)
    active = act(x, name=f"{name}_a")
    if project:
        x = outer(active, 4 * filters, 1, strides, name=f"{name}_proj")
    elif strides > 1:
        x = layers.MaxPooling2D(1, strides, name=f"{name}_every_{strides}nd")(x)
    y = centred_conv(active, filters, 1, first, name=f"{name}_a")
    y = centred_conv(act(y, name=f"{name}_b"), filters, 3, second, name=f"{name}_b")
    y = outer(act(y, name=f"{name}_c"), 4 * filters, 1, name=f"{name}_c")
    return layers.Add(name=f"{name}_add")([x, y])


def basic(x, filters: int, strides: int = 1, *, name: str, project: bool = False):
    """Two 3×3 convolutions, each after normalization and ReLU."""
    active = bn_relu(x, name=f"{name}_a")
    if project:
        x = centred_conv(active, filters, 1, strides, name=f"{name}_proj")
    y = centred_conv(active, filters, 3, strides, name=f"{name}_a")
    y = centred_conv(bn_relu(y, name=f"{name}_b"), filters, 3, name=f"{name}_b")
    return layers.Add(name=f"{name}_add")([x, y])


BLOCKS = {"bottleneck": (bottleneck, 9), "basic": (basic, 6)}  # unit, layers per n


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

    Raises:
        ValueError: an impossible shape, number of classes, depth, block or width.
    """
    name = f"resnet{depth}_v2"
    one_of(name, "block", block, BLOCKS)
    unit, step = BLOCKS[block]
    check(name, input_shape, classes)
    if not positive(width):
        raise ValueError(f"{name} takes width=1 or more filters; given {width!r}")
    n = units(name, depth, step=step, first=2)
    scan = depth > SCAN_FROM if scan is None else scan

    image = keras.Input(tuple(input_shape), name="image")
    x = centred_conv(image, width, name="conv1")
    for i, stage in enumerate(CIFAR_STAGES):
        project = block == "bottleneck" or i > 0  # conv2 has conv1's width if basic
        this = partial(unit, filters=width * 2**i)
        x = this(x, strides=2 if i else 1, name=f"{stage}_1", project=project)
        x = repeat(this, x, n, stage=stage, scan=scan)
    x = bn_relu(x, name="end")
    return keras.Model(image, logits(x, classes), name=name)


def resnet110_v2(
    *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, width: int = 16
) -> keras.Model:
    """``cifar_resnet_v2`` with 18 basic units a stage: 1,730,522 parameters.

    Those are trained; 1,738,618 with moving statistics. arXiv:1603.05027, section 4.
    It has ``resnet110``'s, and two projections.
    """
    return cifar_resnet_v2(
        input_shape=input_shape, classes=classes, depth=110, block="basic", width=width
    )


def resnet164_v2(
    *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, width: int = 16
) -> keras.Model:
    """``cifar_resnet_v2`` at depth 164: 1,703,258 parameters.

    Those are trained; 1,727,482 with moving statistics. arXiv:1603.05027, table 4.
    """
    return cifar_resnet_v2(
        input_shape=input_shape, classes=classes, depth=164, width=width
    )


def resnet1001_v2(
    *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, width: int = 16
) -> keras.Model:
    """``cifar_resnet_v2`` at depth 1001: 10,327,706 parameters.

    Those are trained; 10,476,922 with moving statistics. arXiv:1603.05027, table 4,
    whose 10.2 M leave the normalizations' out: 10,178,490.

    Each stage's 110 units after the first are one ``RepeatedUnit``, "conv2_2to111" and
    so on: 12 seconds of building and a minute and a half of tracing become a few.
    ``model.get_layer("conv2_2to111").each(x)`` gives the stream after each unit; the
    gradient of the weights has a row for each.
    """
    return cifar_resnet_v2(
        input_shape=input_shape, classes=classes, depth=1001, width=width
    )


def _imagenet(
    depth: int, input_shape, classes, as_keras: bool = False, weights=None
) -> keras.Model:
    name = f"resnet{depth}_v2"
    check(name, input_shape, classes)
    as_keras = as_keras or weights is not None
    image = keras.Input(tuple(input_shape), name="image")
    x = centred_conv(image, 64, 7, 2, name="conv1", use_bias=as_keras)
    if not as_keras:
        x = bn_relu(x, name="conv1")
    x = layers.ZeroPadding2D(1, name="conv2_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv2_pool")(x)
    for i, (stage, count) in enumerate(
        zip(IMAGENET_STAGES, DEPTHS[depth], strict=True)
    ):
        halves = (count if i < 3 else 0) if as_keras else (1 if i else 0)
        for j in range(1, count + 1):
            x = bottleneck(
                *(x, 64 * 2**i, 2 if j == halves else 1),
                **{"name": f"{stage}_{j}", "project": j == 1, "as_keras": as_keras},
            )
    x = bn_relu(x, name="end", **(KERAS_NORM if as_keras else {}))
    return load(keras.Model(image, logits(x, classes), name=name), weights)


def resnet50_v2(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-50 v2: 25,549,480 trainable parameters, 25,595,048 with moving statistics.

    arXiv:1603.05027: the stages of ``resnet50`` with pre-activation units. After conv1
    come normalization, ReLU and pooling; the first unit then has its own normalization
    like any other. (The paper is brief on this: its "first activation right after
    conv1" may also mean that the first unit goes without; that would be 128 fewer.) A
    stage's first unit strides, in its first 1×1 convolution. No convolution has a bias;
    epsilon is 1e-5 and momentum 0.9.

    Input: float, (n, height, width, channels); the training set's mean subtracted and
    divided by its deviation. Output: logits, (n, classes).

    Args:
        input_shape: height, width, channels.
        classes: number of logits.
        as_keras: as keras.applications has it: the last unit of a stage strides, in
            its 3×3 convolution; nothing between conv1 and pooling; biases in conv1,
            projections and the last convolution of a unit; epsilon 1.001e-5, momentum
            0.99 (25,613,800 parameters in all).
        weights: None, or "imagenet" for those of keras.applications (see
            ``models.preprocess``), which are for ``as_keras=True`` and switch it on.

    Raises:
        ValueError: an impossible shape or number of classes, or unfit weights.
        OSError: the weights could not be downloaded.
    """
    return _imagenet(50, input_shape, classes, as_keras, weights)


def resnet101_v2(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-101 v2: 44,541,608 trained parameters, 44,639,400 with moving statistics.

    arXiv:1603.05027; 3, 4, 23 and 3 units, all else as ``resnet50_v2``.
    """
    return _imagenet(101, input_shape, classes, as_keras, weights)


def resnet152_v2(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    as_keras: bool = False,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-152 v2: 60,185,256 trained parameters, 60,329,128 with moving statistics.

    arXiv:1603.05027; 3, 8, 36 and 3 units, all else as ``resnet50_v2``.
    """
    return _imagenet(152, input_shape, classes, as_keras, weights)


def resnet200_v2(
    *, input_shape: Sequence[int] = (224, 224, 3), classes: int = 1000
) -> keras.Model:
    """ResNet-200 v2: 64,666,280 trained parameters, 64,834,728 with moving statistics.

    arXiv:1603.05027, table 5; 3, 24, 36 and 3 units, all else as ``resnet50_v2``.
    """
    return _imagenet(200, input_shape, classes)
