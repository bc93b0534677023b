"""The Hundred Layers Tiramisu (Jégou, Drozdzal, Vazquez, Romero, Bengio 2016).

Fully convolutional DenseNets, arXiv:1611.09326: a U-Net whose pairs of convolutions are
dense blocks.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.layers import CropLike
from cnnlib.models.blocks import dense_block, inputs, steps
from cnnlib.models.entry import builder, variant

# Section 4.2 and table 2: growth, and layers in each block on the way down, at the
# bottom and on the way up.
TABLE = {
    56: (12, (4,) * 11),
    67: (16, (5,) * 11),
    103: (16, (4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4)),
}
# Epsilon and momentum are those of Lasagne, in which the authors' code is written.
NORM = {"epsilon": 1e-4, "momentum": 0.9}
START = "he_uniform"
_steps = partial(steps, use_bias=True, initializer=START, norm=NORM)
upconv = partial(
    layers.Conv2DTranspose, kernel_size=3, strides=2, kernel_initializer=START
)
LAYER = "bn relu conv dropout"  # table 1


@builder
def fc_densenet(
    *,
    input_shape: Sequence[int | None] = (224, 224, 3),
    classes: int = 11,
    blocks: Sequence[int] = TABLE[103][1],
    growth: int = 16,
    width: int = 48,
    dropout: float = 0.2,
) -> keras.Model:
    """A fully convolutional DenseNet by its table of blocks.

    arXiv:1611.09326, section 3; 9,425,163 parameters at the defaults, which are
    FC-DenseNet103's. On the way up only the *new* maps of a block are enlarged, by a
    3×3 transposed convolution with stride 2; joined to the features of the way down
    they feed the next block. Logits are (n, height, width, classes). Where a pooling
    has dropped an odd row, the enlarged maps, one row larger than needed for an even
    number, have it back: so any size from the smallest on works, as in the authors'
    code. They train on crops of 224×224.

    Args:
        input_shape: with k poolings both sides at least 2^k.
        classes: maps of logits; the authors leave the unlabelled class out.
        blocks: layers of each block: down, at the bottom, up; an odd number of blocks.
        growth: maps that each layer adds.
        width: maps of the first convolution.
        dropout: rate after each convolution of a block or on the way down.
    """
    if len(blocks) % 2 == 0:
        raise ValueError(f"fc_densenet takes an odd number of blocks; given {blocks}")
    pools, who = len(blocks) // 2, f"fc_densenet{sum(blocks) + len(blocks) + 1}"
    image, classes = inputs(who, input_shape, classes, smallest=2**pools)

    def unit(x, name):
        return _steps(x, LAYER, growth, name=name, dropout=dropout)

    x = _steps(image, "conv", width, name="conv1")
    skips = []
    for i, size in enumerate(blocks[:pools], start=1):
        x, _ = dense_block(x, size, unit, name=f"down{i}")
        skips.append(x)
        transition = f"transition{i}"
        x = _steps(x, LAYER, x.shape[-1], 1, name=transition, dropout=dropout)
        x = layers.MaxPooling2D(2, name=f"{transition}_pool")(x)
    x, new = dense_block(x, blocks[pools], unit, name="bottom")
    for i, size in zip(range(pools, 0, -1), blocks[pools + 1 :], strict=True):
        if len(new) > 1:
            new = [layers.Concatenate(name=f"up{i}_new")(new)]
        up = upconv(new[0].shape[-1], name=f"up{i}_upconv")(new[0])
        up = CropLike(name=f"up{i}_crop")([up, skips[i - 1]])
        x = layers.Concatenate(name=f"up{i}_concat")([up, skips[i - 1]])
        x, new = dense_block(x, size, unit, name=f"up{i}")
    x = layers.Conv2D(
        classes, 1, kernel_initializer=START, name="logits", dtype="float32"
    )(x)
    return keras.Model(image, x, name="fc_densenet")


_variant = partial(variant, year=2016, paper="1611.09326", task="segmentation")


def _row(depth: int, trainable: int, total: int, **row):
    name, (growth, blocks) = f"fc_densenet{depth}", TABLE[depth]
    fixes = {"blocks": blocks, "growth": growth, "width": 48}
    row["source"] = "table 3"
    return _variant(fc_densenet, name, fixes, trainable, total, **row)


fc_densenet56 = _row(
    56,
    1_376_795,
    1_397_963,
    published="1.5 M",
    note="The published 1.5 M do not follow from the paper's table, by which the other "
    "two have the published figures.",
)
fc_densenet67 = _row(67, 3_463_243, 3_502_923, published="3.5 M")
fc_densenet103 = _row(103, 9_322_091, 9_425_163, published="9.4 M")
