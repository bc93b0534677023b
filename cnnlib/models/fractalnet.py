"""FractalNet (Larsson, Maire, Shakhnarovich 2016, arXiv:1605.07648).

A block has C columns: column 1 is one convolution, and each further column has twice as
many as the one before. Where columns reach the same depth, they join: their mean goes
on in all of them.
"""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib.layers import ColumnChoice, FractalJoin
from cnnlib.models.blocks import logits
from cnnlib.models.checks import check, positive


def _unit(x, filters: int, dropout: float, *, name: str):
    """Convolution, dropout, batch normalization, ReLU, as in the authors' code."""
    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="glorot_uniform",
        name=f"{name}_conv",
    )(x)
    x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def fractalnet(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    columns: int = 3,
    filters: Sequence[int] = (64, 128, 256, 512, 512),
    dropout: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4),
    drop_path: float = 0.15,
    global_ratio: float = 0.5,
    column: int | None = None,
) -> keras.Model:
    """FractalNet with C=3 columns and B=5 blocks for CIFAR: 33,745,226 parameters.

    arXiv:1605.07648, section 4.1; 33,724,618 parameters are trained, without biases
    before batch normalization. Its longest path has B · 2^(C−1) = 20 convolutions. At
    the end of a block each column is pooled (2×2 maximum) and then they join, as in the
    authors' code.

    Drop-path, in training: for a half of the mini-batches one column computes alone
    throughout (global), for the others each join drops its inputs at random (local);
    one draw serves the mini-batch. At inference a join is the mean of all its inputs.

    ``column=2`` builds the network of that column alone. Its layers have the same names
    as in the whole, so that weights go over by name::

        for layer in alone.layers:
            layer.set_weights(whole.get_layer(layer.name).get_weights())

    Input: float, (n, height, width, channels). Output: logits, (n, classes).

    Where the paper leaves it open: at more than 32×32 pixels, the mean over the places
    that five pools leave.

    Args:
        input_shape: height, width, channels; with five blocks both sides at least 32.
        classes: number of logits.
        columns: C.
        filters: of each block.
        dropout: rate in each block.
        drop_path: rate of local drop-path.
        global_ratio: of the mini-batches for a single column.
        column: 1 to C, the only column to build; None for all of them.

    Raises:
        ValueError: a shape, or a structure that no such network can have.
    """
    check("fractalnet", input_shape, classes, smallest=2 ** len(filters))
    if len(filters) != len(dropout):
        raise ValueError(
            f"fractalnet takes a dropout rate for each of its {len(filters)} blocks; "
            f"given {dropout!r}"
        )
    if not positive(columns):
        raise ValueError(f"fractalnet takes columns=1 or more; given {columns!r}")
    if column is not None and not (positive(column) and column <= columns):
        raise ValueError(f"fractalnet has columns 1 to {columns}; given {column!r}")
    image = keras.Input(tuple(input_shape), name="image")
    built = range(1, columns + 1) if column is None else [column]
    joins = len(built) > 1
    if joins:
        choice = ColumnChoice(columns, global_ratio, name="columns")(image)
    steps = 2 ** (columns - 1)
    heads = dict.fromkeys(built, image)
    for b, (width, rate) in enumerate(zip(filters, dropout, strict=True), start=1):
        for step in range(1, steps + 1):
            # Column c has a convolution at every 2^(C−c)th step.
            due = [c for c in built if step % 2 ** (columns - c) == 0]
            for c in due:
                i = step // 2 ** (columns - c)
                name = f"block{b}_column{c}_{i}"
                heads[c] = _unit(heads[c], width, rate, name=name)
                if step == steps:
                    pool = layers.MaxPooling2D(2, name=f"block{b}_column{c}_pool")
                    heads[c] = pool(heads[c])
            if joins and len(due) > 1:
                join = FractalJoin(drop_path, name=f"block{b}_join{step}")
                heads |= dict.fromkeys(due, join([choice, *(heads[c] for c in due)]))
    x = logits(heads[built[0]], classes)
    return keras.Model(image, x, name="fractalnet")
