"""FC-ResNet (Drozdzal, Vorontsov, Chartrand, Kadoury, Pal 2016, arXiv:1608.04117).

A fully convolutional residual network: a U-Net whose pairs of convolutions are residual
units with pre-activation, and whose long skips are sums.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib.layers import CropLike
from cnnlib.models.blocks import HE_GAUSSIAN, inputs, steps
from cnnlib.models.entry import entry

NORM = {"epsilon": 1e-3, "momentum": 0.9}  # Keras's own epsilon, the authors' momentum
_steps = partial(steps, use_bias=True, norm=NORM)
LAYER = "bn relu conv"


def _sum(x, new, *, down: bool, up: bool, name: str):
    """A short skip: ``x``, brought to the size and the maps of ``new``, and ``new``."""
    if down:  # every second row and column
        x = layers.MaxPooling2D(1, 2, "same", name=f"{name}_shortcut_down")(x)
    if up:
        x = layers.UpSampling2D(2, name=f"{name}_shortcut_up")(x)
    if x.shape[-1] != new.shape[-1]:
        x = _steps(x, "conv", new.shape[-1], 1, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([x, new])


def _simple(x, width: int, *, name, dropout, short_skips, down=False, up=False):
    """The paper's simple block, a 3×3 convolution: pooled before or repeated after."""
    new = _steps(x, "bn relu", name=name)
    if down:
        new = layers.MaxPooling2D(2, padding="same", name=f"{name}_pool")(new)
    new = _steps(new, "conv dropout", width, name=name, dropout=dropout)
    if up:
        new = layers.UpSampling2D(2, name=f"{name}_up")(new)
    return _sum(x, new, down=down, up=up, name=name) if short_skips else new


def _bottleneck(x, width: int, *, name, dropout, short_skips, down, up):
    """A bottleneck unit, with four times ``width`` maps at its end.

    Its first convolution halves rows and columns; they are repeated before its last.
    """
    new = _steps(x, LAYER, width, 1, 2 if down else 1, name=f"{name}_1")
    new = _steps(new, LAYER, width, 3, name=f"{name}_2")
    new = _steps(new, "bn relu", name=f"{name}_3")
    if up:
        new = layers.UpSampling2D(2, name=f"{name}_up")(new)
    new = _steps(new, "conv dropout", 4 * width, 1, name=f"{name}_3", dropout=dropout)
    return _sum(x, new, down=down, up=up, name=name) if short_skips else new


@entry(
    year=2016,
    paper="1608.04117",
    task="segmentation",
    trainable=11_451_745,
    total=11_504_481,
)
def fc_resnet(
    *,
    input_shape: Sequence[int | None] = (512, 512, 1),
    classes: int = 1,
    blocks: Sequence[int] = (3, 8, 10, 3),
    width: int = 32,
    dropout: float = 0.1,
    short_skips: bool = True,
    long_skips: bool = True,
) -> keras.Model:
    """A fully convolutional residual network: 11,451,745 trained parameters.

    arXiv:1608.04117, section 2 and table 1, 140 convolutions deep: a convolution, a
    simple block and three stages of bottleneck units on the way down, each of which
    halves rows and columns; a stage across; the same stages on the way up.
    ``short_skips`` lead around every block and unit, ``long_skips`` from the way down
    to the way up; the paper compares networks with both and with either. Logits are
    (n, height, width, classes), of one class, as in the paper, those of a sigmoid.

    What the paper leaves open is as in the authors' code (github.com/veugene/fcn_maker,
    lib/model.py at 053d1aa): an input with other maps than the output passes a 1×1
    convolution, and so does the deeper side of a long skip; every convolution has a
    bias; long skips are sums, and the dropout rate is 0.1, as in their script for the
    EM slices, which trains with a weight decay of 1e-4. Their README names two simple
    blocks; with two, all further features are half as large as in table 1.

    Args:
        input_shape: with n blocks both sides at least 2^(n + 1).
        classes: maps of logits.
        blocks: units of each stage on the way down, which the way up repeats in
            reverse, and last those of the stage across.
        width: maps of the first convolution and the simple blocks; a stage has 4, 8,
            16, … times as many.
        dropout: rate at the end of each block and unit.
    """
    if not blocks:
        raise ValueError("fc_resnet takes one block or more; given ()")
    least = 2 ** (len(blocks) + 1)
    image, classes = inputs("fc_resnet", input_shape, classes, smallest=least)
    options = {"dropout": dropout, "short_skips": short_skips}

    def stage(x, level, name, *, down=False, up=False):
        units = blocks[level]
        for i in range(1, units + 1):
            x = _bottleneck(
                x,
                width * 2**level,
                name=f"{name}_{i}",
                down=down and i == 1,
                up=up and i == units,
                **options,
            )
        return x

    def join(x, skip, name):
        # An odd row was rounded up on the way down and is one too many on the way up.
        x = CropLike(name=f"{name}_crop")([x, skip])
        if not long_skips:
            return x
        if x.shape[-1] != skip.shape[-1]:
            x = _steps(x, "conv", skip.shape[-1], 1, name=f"{name}_adapt")
        return layers.Add(name=f"{name}_sum")([x, skip])

    levels = range(len(blocks) - 1)
    skips = [_steps(image, "conv", width, name="conv1")]
    skips.append(_simple(skips[-1], width, name="down1", down=True, **options))
    for level in levels:
        skips.append(stage(skips[-1], level, f"down{level + 2}", down=True))
    x = stage(skips[-1], len(levels), "across", down=True, up=True)
    for level in reversed(levels):
        x = join(x, skips.pop(), f"up{level + 2}")
        x = stage(x, level, f"up{level + 2}", up=True)
    x = join(x, skips.pop(), "up1")
    x = _simple(x, width, name="up1", up=True, **options)
    x = join(x, skips.pop(), "last")
    x = _steps(x, LAYER, width, name="last")
    x = layers.Conv2D(
        classes, 1, kernel_initializer=HE_GAUSSIAN, name="logits", dtype="float32"
    )(x)
    return keras.Model(image, x, name="fc_resnet")
