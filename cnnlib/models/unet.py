"""U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597).

A contracting path halves the image again and again; an expanding path doubles it back,
and at each size takes over the features of the way down.
"""

from collections.abc import Sequence
from functools import partial
from itertools import count

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import CropLike
from cnnlib.models.blocks import HE_GAUSSIAN, he_conv, inputs
from cnnlib.models.entry import entry

upconv = partial(
    layers.Conv2DTranspose, activation="relu", kernel_initializer=HE_GAUSSIAN
)


def _pair(x, filters: int, padding: str, *, name: str):
    """Two 3×3 convolutions."""
    for i in (1, 2):
        x = he_conv(filters, 3, padding=padding, name=f"{name}_conv{i}")(x)
    return x


@entry(
    year=2015,
    paper="1505.04597",
    task="segmentation",
    trainable=31_030_658,
    total=31_030_658,
)
def unet(
    *,
    input_shape: Sequence[int | None] = (572, 572, 1),
    classes: int = 2,
    depth: int = 4,
    width: int = 64,
    padding: str = "valid",
    dropout: float = 0.5,
) -> keras.Model:
    """U-Net with 31,030,658 parameters: 572×572 pixels in, 388×388 out.

    arXiv:1505.04597, section 2 and figure 1: pairs of 3×3 convolutions without padding,
    each followed by a ReLU, 2×2 max-pooling and twice the maps on the way down, 2×2
    up-convolutions that halve them on the way up, where the middle of the features of
    the same level is put before the enlarged ones. No batch normalization.

    Logits are (n, rows, columns, classes), for the middle of the image:
    ``unet_output_size`` says how many. With ``padding="same"`` they are as many as in
    the image.

    Where the paper leaves it open, it is as in the authors' network: dropout "at the
    end of the contracting path" comes before the last pooling (and the skip from there)
    and after the pair at the bottom; a ReLU follows each up-convolution.

    Args:
        classes: maps of logits, the background's included.
        depth: poolings on the way down, at least 1.
        width: maps of the first level; each further one has twice as many.
        padding: "valid", as in the paper, or "same".
        dropout: rate at the end of the contracting path.

    Raises:
        ValueError: a size with which some pooling would meet an odd number of rows, or
            none would be left.
    """
    checks.choice("unet", "padding", padding, ("valid", "same"))
    least = next(n for n in count(1) if _rows(n, depth, padding))
    image, classes = inputs("unet", input_shape, classes, smallest=least)
    for side in image.shape[1:3]:
        if side is not None:
            unet_output_size(side, depth=depth, padding=padding)
    x = image
    skips = []
    for i in range(1, depth + 1):
        x = _pair(x, width, padding, name=f"down{i}")
        if i == depth:
            x = layers.Dropout(dropout, name=f"down{i}_dropout")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{i}_pool")(x)
        width *= 2
    x = _pair(x, width, padding, name="bottom")
    x = layers.Dropout(dropout, name="bottom_dropout")(x)
    for i in range(depth, 0, -1):
        width //= 2
        x = upconv(width, 2, 2, name=f"up{i}_upconv")(x)
        skip = skips[i - 1]
        if padding == "valid":
            skip = CropLike(name=f"up{i}_crop")([skip, x])
        x = layers.Concatenate(name=f"up{i}_concat")([skip, x])
        x = _pair(x, width, padding, name=f"up{i}")
    logits = he_conv(classes, 1, activation=None, name="logits", dtype="float32")
    return keras.Model(image, logits(x), name="unet")


def unet_output_size(size: int, *, depth: int = 4, padding: str = "valid") -> int:
    """How many rows (or columns) come out of a ``unet``; of 572, 388.

    Raises:
        ValueError: the network does not take this size; the message names the nearest.
    """
    size = checks.integer("unet_output_size", "size", size)
    depth = checks.integer("unet_output_size", "depth", depth)
    checks.choice("unet_output_size", "padding", padding, ("valid", "same"))
    rows = _rows(size, depth, padding)
    if rows is None:
        below = [n for n in range(size) if _rows(n, depth, padding)][-1:]
        above = next(n for n in count(size) if _rows(n, depth, padding))
        raise ValueError(
            f"a unet of depth {depth} with {padding} padding cannot take {size} rows "
            f"or columns; the nearest are {' and '.join(map(str, [*below, above]))}"
        )
    return rows


def _rows(size: int, depth: int, padding: str) -> int | None:
    """The rows that come out, or None if a pooling meets an odd number or none."""
    if padding == "same":
        return size if size > 0 and size % 2**depth == 0 else None
    for _ in range(depth):
        size -= 4
        if size <= 0 or size % 2:
            return None
        size //= 2
    size -= 4
    for _ in range(depth):
        size = 2 * size - 4
    return size if size > 0 else None
