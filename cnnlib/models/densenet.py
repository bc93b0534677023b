"""DenseNets (Huang, Liu, van der Maaten, Weinberger 2016, arXiv:1608.06993).

Every layer of a block reads the concatenated outputs of all layers before it.
"""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib.models.blocks import HE_GAUSSIAN, bn_relu, dense_block, logits
from cnnlib.models.checks import check, positive, units
from cnnlib.models.pretrained import load

# Table 1: layers in each block of the networks for ImageNet; growth rate 32.
BLOCKS = {
    121: (6, 12, 24, 16),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}


def _conv(x, filters, kernel_size, dropout, *, name):
    """A convolution without bias, then dropout if there is any."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        use_bias=False,
        kernel_initializer=HE_GAUSSIAN,
        name=f"{name}_conv",
    )(x)
    return layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x


def _body(x, blocks, growth, bottleneck, compression, dropout, classes):
    """Dense blocks with transitions between them, and the head."""

    def unit(x, name):
        if bottleneck:
            x = bn_relu(x, name=f"{name}_a")
            x = _conv(x, 4 * growth, 1, dropout, name=f"{name}_a")
        x = bn_relu(x, name=f"{name}_b")
        return _conv(x, growth, 3, dropout, name=f"{name}_b")

    for i, size in enumerate(blocks, start=1):
        x, _ = dense_block(x, size, unit, name=f"block{i}")
        if i < len(blocks):
            x = bn_relu(x, name=f"transition{i}")
            width = int(x.shape[-1] * compression)
            x = _conv(x, width, 1, dropout, name=f"transition{i}")
            x = layers.AveragePooling2D(2, name=f"transition{i}_pool")(x)
    return logits(bn_relu(x, name="final"), classes)


def _check(name, growth, compression, dropout):
    """Refuse hyperparameters that no DenseNet has."""
    if not positive(growth):
        raise ValueError(f"{name} takes growth=1 or more; given {growth!r}")
    if not 0 < compression <= 1:
        raise ValueError(
            f"{name} takes a compression above 0 and at most 1; given {compression!r}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"{name} takes a dropout from 0 to below 1; given {dropout!r}")


def cifar_densenet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 40,
    growth: int = 12,
    bottleneck: bool = False,
    compression: float | None = None,
    dropout: float = 0.0,
    name: str = "cifar_densenet",
) -> keras.Model:
    """DenseNet or DenseNet-BC for small images: three blocks of (depth − 4)/3 layers.

    arXiv:1608.06993, section 3: 1,037,818 parameters at the defaults, 1,019,722 of
    them trained. Without bottlenecks the first convolution has 16 maps; with them 2k.
    No convolution has a bias.

    Input: float, (n, height, width, channels); the paper standardizes each channel.
    Output: logits, (n, classes).

    Args:
        input_shape: height, width, channels; both sides at least 4.
        classes: number of logits.
        depth: L; 3n+4, with bottlenecks 6n+4.
        growth: k, the maps that each layer adds.
        bottleneck: the "B": a 1×1 convolution to 4k maps before each 3×3.
        compression: θ, the part of the maps that a transition keeps; by default one
            half with bottlenecks ("BC"), else all.
        dropout: rate after each convolution but the first; the paper's is 0.2 where
            there is no augmentation.
        name: of the model.

    Raises:
        ValueError: a shape, a depth or a rate that no such network can have.
    """
    check(name, input_shape, classes, smallest=4)
    size = units(name, depth, step=6 if bottleneck else 3, first=4)
    if compression is None:
        compression = 0.5 if bottleneck else 1.0
    _check(name, growth, compression, dropout)
    image = keras.Input(tuple(input_shape), name="image")
    x = _conv(image, 2 * growth if bottleneck else 16, 3, 0, name="conv1")
    x = _body(x, (size,) * 3, growth, bottleneck, compression, dropout, classes)
    return keras.Model(image, x, name=name)


def densenet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    blocks: Sequence[int] = BLOCKS[121],
    growth: int = 32,
    compression: float = 0.5,
    dropout: float = 0.0,
    name: str = "densenet",
) -> keras.Model:
    """DenseNet-BC for ImageNet, by its table of blocks.

    arXiv:1608.06993, table 1: 8,062,504 parameters at the defaults, which are
    DenseNet-121's. No convolution has a bias.

    Input: float, (n, height, width, channels); the paper standardizes each channel.
    Output: logits, (n, classes).

    The padding is that of the authors' code and of keras.applications, 3 and 1 on all
    sides of the stem's convolution and pool, and so are weights and order of the maps.

    Args:
        input_shape: height, width, channels; with four blocks both sides at least 29.
        classes: number of logits.
        blocks: how many layers each block has.
        growth: k, the maps that each layer adds; the stem has 2k.
        compression: θ, the part of the maps that a transition keeps.
        dropout: rate after each convolution but the first.
        name: of the model.

    Raises:
        ValueError: a shape, a table or a rate that no such network can have.
    """
    table = tuple(blocks)
    if not table or not all(positive(n) for n in table):
        raise ValueError(f"{name} takes blocks of 1 or more layers; given {blocks!r}")
    # A quarter of the side, rounded up, is halved between blocks.
    check(name, input_shape, classes, smallest=2 ** (len(table) + 1) - 3)
    _check(name, growth, compression, dropout)
    image = keras.Input(tuple(input_shape), name="image")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = layers.Conv2D(
        2 * growth,
        7,
        2,
        use_bias=False,
        kernel_initializer=HE_GAUSSIAN,
        name="conv1_conv",
    )(x)
    x = bn_relu(x, name="conv1")
    x = layers.ZeroPadding2D(1, name="conv1_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv1_pool")(x)
    x = _body(x, table, growth, True, compression, dropout, classes)
    return keras.Model(image, x, name=name)


def densenet40(
    *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, dropout: float = 0.0
) -> keras.Model:
    """DenseNet with L=40 and k=12: 1,037,818 parameters, 1,019,722 trained.

    See ``cifar_densenet``.
    """
    return cifar_densenet(
        input_shape=input_shape,
        classes=classes,
        depth=40,
        growth=12,
        bottleneck=False,
        dropout=dropout,
        name="densenet40",
    )


def densenet100_bc(
    *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, dropout: float = 0.0
) -> keras.Model:
    """DenseNet-BC with L=100 and k=12: 793,150 parameters, 769,162 trained.

    See ``cifar_densenet``.
    """
    return cifar_densenet(
        input_shape=input_shape,
        classes=classes,
        depth=100,
        growth=12,
        bottleneck=True,
        dropout=dropout,
        name="densenet100_bc",
    )


def densenet190_bc(
    *, input_shape: Sequence[int] = (32, 32, 3), classes: int = 10, dropout: float = 0.0
) -> keras.Model:
    """DenseNet-BC with L=190 and k=40: 25,881,390 parameters, 25,624,430 trained.

    See ``cifar_densenet``.
    """
    return cifar_densenet(
        input_shape=input_shape,
        classes=classes,
        depth=190,
        growth=40,
        bottleneck=True,
        dropout=dropout,
        name="densenet190_bc",
    )


def densenet121(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """DenseNet-121 (k=32): 8,062,504 parameters, 7,978,856 trained.

    See ``densenet``. ``weights="imagenet"`` loads those of keras.applications, at the
    default classes (see ``models.preprocess``).
    """
    model = densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=BLOCKS[121],
        dropout=dropout,
        name="densenet121",
    )
    return load(model, weights)


def densenet169(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """DenseNet-169 (k=32): 14,307,880 parameters, 14,149,480 trained.

    See ``densenet``. ``weights="imagenet"`` loads those of keras.applications, at the
    default classes (see ``models.preprocess``).
    """
    model = densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=BLOCKS[169],
        dropout=dropout,
        name="densenet169",
    )
    return load(model, weights)


def densenet201(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """DenseNet-201 (k=32): 20,242,984 parameters, 20,013,928 trained.

    See ``densenet``. ``weights="imagenet"`` loads those of keras.applications, at the
    default classes (see ``models.preprocess``).
    """
    model = densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=BLOCKS[201],
        dropout=dropout,
        name="densenet201",
    )
    return load(model, weights)


def densenet264(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
) -> keras.Model:
    """DenseNet-264 (k=32): 33,736,232 parameters, 33,337,704 trained.

    See ``densenet``.
    """
    return densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=BLOCKS[264],
        dropout=dropout,
        name="densenet264",
    )
