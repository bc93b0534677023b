"""DenseNets (Huang, Liu, van der Maaten, Weinberger 2016, arXiv:1608.06993).

Every layer of a block reads the concatenated outputs of all layers before it. No
convolution has a bias; kernels start from Gaussians by their fan-in (1502.01852), in
the authors' Torch code by the fan-out. The paper standardizes images. ``growth`` is k,
the maps that each layer adds; ``compression`` is θ, the part of the maps that a
transition keeps; ``dropout`` is the rate after each convolution but the first.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.models.blocks import dense_block, inputs, logits, steps
from cnnlib.models.entry import builder, variant
from cnnlib.models.pretrained import load

# Table 1: layers in each block of the networks for ImageNet; 161's are the authors'.
BLOCKS = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}


def _body(who, x, blocks, growth, bottleneck, compression, dropout, classes):
    """Dense blocks with transitions between them, and the head."""
    compression = checks.number(who, "compression", compression, above=0, most=1)
    layer = "bn relu conv dropout" if dropout else "bn relu conv"

    def unit(x, name):
        if bottleneck:
            x = steps(x, layer, 4 * growth, 1, name=f"{name}_a", dropout=dropout)
        return steps(x, layer, growth, 3, name=f"{name}_b", dropout=dropout)

    for i, size in enumerate(blocks, start=1):
        x, _ = dense_block(x, size, unit, name=f"block{i}")
        if i < len(blocks):
            name = f"transition{i}"
            width = int(x.shape[-1] * compression)
            x = steps(x, layer, width, 1, name=name, dropout=dropout)
            x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    return logits(steps(x, "bn relu", name="final"), classes)


@builder
def cifar_densenet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 40,
    growth: int = 12,
    bottleneck: bool = False,
    compression: float | None = None,
    dropout: float = 0.0,
) -> keras.Model:
    """DenseNet or DenseNet-BC for small images: three blocks of (depth − 4)/3 layers.

    arXiv:1608.06993, section 3: 1,037,818 parameters at the defaults, 1,019,722 of
    them trained. Without bottlenecks the first convolution has 16 maps; with them 2k.

    Args:
        input_shape: both sides at least 4.
        depth: L; 3n+4, with bottlenecks 6n+4.
        bottleneck: the "B": a 1×1 convolution to 4k maps before each 3×3.
        compression: by default one half with bottlenecks ("BC"), else 1.
        dropout: the paper's is 0.2 where there is no augmentation.
    """
    name = "cifar_densenet"
    image, classes = inputs(name, input_shape, classes, smallest=4)
    size = checks.units(name, depth, step=6 if bottleneck else 3, first=4)
    if compression is None:
        compression = 0.5 if bottleneck else 1.0
    x = steps(image, "conv", 2 * growth if bottleneck else 16, name="conv1")
    x = _body(name, x, (size,) * 3, growth, bottleneck, compression, dropout, classes)
    return keras.Model(image, x, name=name)


@builder
def densenet(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    blocks: Sequence[int] = BLOCKS[121],
    growth: int = 32,
    compression: float = 0.5,
    dropout: float = 0.0,
    weights: str | None = None,
) -> keras.Model:
    """DenseNet-BC for ImageNet, by its table of blocks.

    arXiv:1608.06993, table 1: 8,062,504 parameters at the defaults, DenseNet-121's. The
    padding is that of the authors' code and of keras.applications, 3 and 1 on all sides
    of the stem's convolution and pool, and so are weights and order of the maps.

    Args:
        input_shape: with four blocks both sides at least 29.
        blocks: how many layers each block has.
        growth: k; the stem has 2k maps.
        weights: None, or "imagenet" with the blocks of DenseNet-121, 169 or 201.
    """
    if not blocks:
        raise ValueError("densenet takes one block or more; given ()")
    # A quarter of the side, rounded up, is halved between blocks.
    smallest = 2 ** (len(blocks) + 1) - 3
    depths = [str(depth) for depth, known in BLOCKS.items() if known == blocks]
    who = "".join(["densenet", *depths])
    limits = {"smallest": smallest, "weights": weights}
    image, classes = inputs(who, input_shape, classes, **limits)
    x = steps(image, "conv bn relu", 2 * growth, 7, 2, name="conv1")
    x = layers.ZeroPadding2D(1, name="conv1_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="conv1_pool")(x)
    x = _body(who, x, blocks, growth, True, compression, dropout, classes)
    return load(keras.Model(image, x, name="densenet"), weights, who)


_row = partial(variant, year=2016, paper="1608.06993")


def _cifar(depth: int, growth: int, bc: bool, trainable: int, total: int, **row):
    name = f"densenet{depth}_bc" if bc else f"densenet{depth}"
    fixes = {"depth": depth, "growth": growth, "bottleneck": bc}
    fixes["compression"] = 0.5 if bc else 1.0
    row = {"source": "table 2", "protocol": "table 2", **row}
    return _row(cifar_densenet, name, fixes, trainable, total, **row)


def _imagenet(depth: int, trainable: int, total: int, growth: int = 32, **row):
    fixes = {"blocks": BLOCKS[depth], "growth": growth, "compression": 0.5}
    row = {"protocol": "single crop, table 3", **row}
    return _row(densenet, f"densenet{depth}", fixes, trainable, total, **row)


densenet40 = _cifar(
    40, 12, False, 1_019_722, 1_037_818, published="1.0 M", cifar10=5.24
)
densenet100_bc = _cifar(
    100, 12, True, 769_162, 793_150, published="0.8 M", cifar10=4.51
)
densenet190_bc = _cifar(
    190, 40, True, 25_624_430, 25_881_390, published="25.6 M", cifar10=3.46
)
densenet121 = _imagenet(121, 7_978_856, 8_062_504, top1=25.02, top5=7.71)
_theirs = partial(_imagenet, protocol="the authors' repository: one crop")
densenet161 = _theirs(161, 28_681_000, 28_900_936, growth=48, top1=22.2)
densenet169 = _imagenet(169, 14_149_480, 14_307_880, top1=23.80, top5=6.85)
densenet201 = _imagenet(201, 20_013_928, 20_242_984, top1=22.58, top5=6.34)
densenet264 = _imagenet(264, 33_337_704, 33_736_232, top1=22.15, top5=6.12)
