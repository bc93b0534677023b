"""The Hundred Layers Tiramisu (Jégou, Drozdzal, Vazquez, Romero, Bengio 2016).

Fully convolutional DenseNets, arXiv:1611.09326: a U-Net whose pairs of convolutions are
dense blocks.
"""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib.layers import CropLike
from cnnlib.models.blocks import dense_block
from cnnlib.models.checks import check, positive

# Section 4.2 and table 2: growth, and layers in each block on the way down, at the
# bottom and on the way up.
TABLE = {
    56: (12, (4,) * 11),
    67: (16, (5,) * 11),
    103: (16, (4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4)),
}


def _conv(x, filters, size, dropout, *, name):
    """Batch normalization, ReLU, convolution, dropout: the paper's layer (table 1)."""
    # Epsilon and momentum are those of Lasagne, in which the authors' code is written.
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-4, name=f"{name}_bn")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Conv2D(
        filters,
        size,
        padding="same",
        kernel_initializer="he_uniform",
        name=f"{name}_conv",
    )(x)
    return layers.Dropout(dropout, name=f"{name}_dropout")(x)


def fc_densenet(
    *,
    input_shape: Sequence[int | None] = (224, 224, 3),
    classes: int = 11,
    blocks: Sequence[int] = TABLE[103][1],
    growth: int = 16,
    width: int = 48,
    dropout: float = 0.2,
    name: str = "fc_densenet",
) -> keras.Model:
    """A fully convolutional DenseNet by its table of blocks.

    arXiv:1611.09326, section 3; 9,425,163 parameters at the defaults, which are
    FC-DenseNet103's. On the way up only the *new* maps of a block are enlarged, by a
    3×3 transposed convolution with stride 2; joined to the features of the way down
    they feed the next block.

    Input: float, (n, height, width, channels); the authors train on crops of 224×224.
    Output: logits, (n, height, width, classes). Where a pooling has dropped an odd row,
    the enlarged maps, one row larger than needed for an even number, have it back: so
    any size from the smallest on works, as in the authors' code.

    Args:
        input_shape: height, width, channels, with k poolings both sides at least 2^k;
            None as a side stands for any.
        classes: maps of logits; the authors leave the unlabelled class out.
        blocks: layers of each block: down, at the bottom, up; an odd number of blocks.
        growth: maps that each layer adds.
        width: maps of the first convolution.
        dropout: rate after each convolution of a block or on the way down.
        name: of the model.

    Raises:
        ValueError: a shape or a table that no such network can have.
    """
    table = tuple(blocks)
    if len(table) % 2 == 0 or not all(positive(n) for n in table):
        raise ValueError(
            f"{name} takes an odd number of blocks, each of 1 or more layers (down, "
            f"bottom, up); given {blocks!r}"
        )
    pools = len(table) // 2
    check(name, input_shape, classes, smallest=2**pools, any_size=True)

    def unit(x, name):
        return _conv(x, growth, 3, dropout, name=name)

    image = keras.Input(tuple(input_shape), name="image")
    x = layers.Conv2D(
        width,
        3,
        padding="same",
        kernel_initializer="he_uniform",
        name="conv1_conv",
    )(image)
    skips = []
    for i, size in enumerate(table[:pools], start=1):
        x, _ = dense_block(x, size, unit, name=f"down{i}")
        skips.append(x)
        x = _conv(x, x.shape[-1], 1, dropout, name=f"transition{i}")
        x = layers.MaxPooling2D(2, name=f"transition{i}_pool")(x)
    x, new = dense_block(x, table[pools], unit, name="bottom")
    for i, size in zip(range(pools, 0, -1), table[pools + 1 :], strict=True):
        if len(new) > 1:
            new = [layers.Concatenate(name=f"up{i}_new")(new)]
        up = layers.Conv2DTranspose(
            new[0].shape[-1],
            3,
            2,
            kernel_initializer="he_uniform",
            name=f"up{i}_upconv",
        )(new[0])
        up = CropLike(name=f"up{i}_crop")([up, skips[i - 1]])
        x = layers.Concatenate(name=f"up{i}_concat")([up, skips[i - 1]])
        x, new = dense_block(x, size, unit, name=f"up{i}")
    x = layers.Conv2D(classes, 1, kernel_initializer="he_uniform", name="logits")(x)
    return keras.Model(image, x, name=name)


def fc_densenet56(
    *,
    input_shape: Sequence[int | None] = (224, 224, 3),
    classes: int = 11,
    dropout: float = 0.2,
) -> keras.Model:
    """FC-DenseNet56: 1,397,963 parameters, 1,376,795 trained.

    See ``fc_densenet``.
    """
    growth, blocks = TABLE[56]
    return fc_densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=blocks,
        growth=growth,
        dropout=dropout,
        name="fc_densenet56",
    )


def fc_densenet67(
    *,
    input_shape: Sequence[int | None] = (224, 224, 3),
    classes: int = 11,
    dropout: float = 0.2,
) -> keras.Model:
    """FC-DenseNet67: 3,502,923 parameters, 3,463,243 trained.

    See ``fc_densenet``.
    """
    growth, blocks = TABLE[67]
    return fc_densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=blocks,
        growth=growth,
        dropout=dropout,
        name="fc_densenet67",
    )


def fc_densenet103(
    *,
    input_shape: Sequence[int | None] = (224, 224, 3),
    classes: int = 11,
    dropout: float = 0.2,
) -> keras.Model:
    """FC-DenseNet103: 9,425,163 parameters, 9,322,091 trained.

    See ``fc_densenet``.
    """
    growth, blocks = TABLE[103]
    return fc_densenet(
        input_shape=input_shape,
        classes=classes,
        blocks=blocks,
        growth=growth,
        dropout=dropout,
        name="fc_densenet103",
    )
