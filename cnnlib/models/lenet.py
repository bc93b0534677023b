"""LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998), as printed."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from cnnlib.layers import RadialBasis, Subsampling2D, TableConv2D
from cnnlib.models.blocks import chain, inputs
from cnnlib.models.entry import entry

# Table I: the maps of S2, in rows, that each of the 16 maps of C3, in columns, sees.
_TABLE_I = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""
C3_TABLE = tuple(
    tuple(i for i, mark in enumerate(column) if mark == "X")
    for column in zip(*_TABLE_I.split(), strict=True)
)

# The ten digits as 7×12 bitmaps, the codes that F6 is to reproduce.
_BITMAPS = """
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...##..  .#####.  .#####.  ....##.  ######.  ..####.  #######  .#####.  .#####.
.##.##.  ..###..  ##...##  ##...##  ...###.  ##.....  .##....  ##...##  ##...##  ##...##
##...##  .####..  ##...##  .....##  ..####.  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...##..  .....##  .....##  .##.##.  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...##..  ....##.  ..####.  ##..##.  #####..  #####..  ....##.  .#####.  .######
##...##  ...##..  ...##..  .....##  #######  ....##.  ##..##.  ...##..  ##...##  .....##
##...##  ...##..  ..##...  .....##  ....##.  .....##  ##...##  ...##..  ##...##  .....##
.##.##.  ...##..  .##....  ##...##  ....##.  ##...##  ##...##  ..##...  ##...##  ....##.
..###..  .######  #######  .#####.  ....##.  .#####.  .#####.  ..##...  .#####.  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""


@keras.saving.register_keras_serializable("cnnlib")
def squash(a):
    """The paper's sigmoid, f(a) = 1.7159 tanh(2a/3), so that f(±1) = ±1."""
    return 1.7159 * ops.tanh(a * (2 / 3))


def codes(classes: int) -> np.ndarray:
    """The ±1 codes of the output layer, float32 of shape (classes, 84).

    For ten classes the digits' bitmaps, +1 for ink; for any other number, codes drawn
    at random from a fixed seed, which the paper names as the alternative.
    """
    if classes == 10:
        rows = [line.split() for line in _BITMAPS.split("\n")[1:-1]]
        digits = ["".join(column) for column in zip(*rows, strict=True)]
        return np.array([[1 if c == "#" else -1 for c in d] for d in digits], "float32")
    rng = np.random.default_rng(84)
    return rng.choice([-1.0, 1.0], (classes, 84)).astype("float32")


@entry(
    year=1998,
    paper="doi:10.1109/5.726791",
    trainable=60_000,
    total=60_000,
    published="60,000",
    source="section II.B",
)
def lenet5(
    *, input_shape: Sequence[int] = (32, 32, 1), classes: int = 10
) -> keras.Model:
    """LeNet-5 with 60,000 parameters: sparse C3, trainable pooling, bitmap codes.

    doi:10.1109/5.726791, section II.B. The network often shown under this name, with a
    full C3, plain pooling and a dense output, has 61,706. The paper scales white to
    −0.1 and black to 1.175.

    Where it is not the paper's: the bitmaps are drawn here in the manner of figure 3;
    weights start from Keras's ``lecun_uniform``, ±√3 over the root of the fan-in, in
    place of ±2.4 over the fan-in; the output is minus the paper's penalty, so that it
    is a logit; any loss may follow.

    Args:
        input_shape: (32, 32, channels): C5 must cover its whole input.
        classes: ten get the digits' bitmaps.
    """
    image, classes = inputs("lenet5", input_shape, classes, smallest=32, any_size=False)
    if image.shape[1:3] != (32, 32):
        raise ValueError(
            f"lenet5 takes images of 32×32 (pad smaller ones); given {input_shape!r}"
        )
    start = {"activation": squash, "kernel_initializer": "lecun_uniform"}
    return chain(
        image,
        [
            layers.Conv2D(6, 5, name="C1", **start),
            Subsampling2D(name="S2"),
            layers.Activation(squash, name="S2_squash"),
            TableConv2D(C3_TABLE, 5, name="C3"),
            layers.Activation(squash, name="C3_squash"),
            Subsampling2D(name="S4"),
            layers.Activation(squash, name="S4_squash"),
            layers.Conv2D(120, 5, name="C5", **start),
            layers.Flatten(name="flatten"),
            layers.Dense(84, name="F6", **start),
            RadialBasis(codes(classes), name="logits", dtype="float32"),
        ],
        "lenet5",
    )
