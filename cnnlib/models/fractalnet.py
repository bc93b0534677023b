"""FractalNet (Larsson, Maire, Shakhnarovich 2016, arXiv:1605.07648).

A block has C columns: column 1 is one convolution, and each further column has twice as
many as the one before. Where columns reach the same depth, they join: their mean goes
on in all of them.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import ColumnChoice, FractalJoin
from cnnlib.models.blocks import inputs, logits, steps
from cnnlib.models.entry import entry


@entry(
    year=2016,
    paper="1605.07648",
    trainable=33_724_618,
    total=33_745_226,
    cifar10=4.60,
    protocol="table 1: with drop-path and dropout",
)
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
    authors' code. Beyond 32×32 pixels, the head takes the mean over all places.

    Where it is not theirs: their normalization has neither scale nor shift, 20,608
    parameters less, which makes 33,704,010; and their convolutions have biases, which
    it takes out again, 33,714,314 with them.

    Drop-path, in training: for a half of the mini-batches one column computes alone
    throughout (global), for the others each join drops its inputs at random (local);
    one draw serves the mini-batch. At inference a join is the mean of all its inputs.

    ``column=2`` builds the network of that column alone; its layers have their names in
    the whole, so ``layer.set_weights(whole.get_layer(layer.name).get_weights())`` for
    each of them brings the weights over.

    Args:
        input_shape: with five blocks both sides at least 32.
        columns: C.
        filters: of each block.
        dropout: rate in each block.
        drop_path: rate of local drop-path.
        global_ratio: of the mini-batches for a single column.
        column: 1 to C, the only column to build; None for all of them.
    """
    least = 2 ** len(filters)
    image, classes = inputs("fractalnet", input_shape, classes, smallest=least)
    checks.as_many("fractalnet", filters=filters, dropout=dropout)
    if column is not None:
        checks.choice("fractalnet", "column", column, range(1, columns + 1))
    built = range(1, columns + 1) if column is None else [column]
    joins = len(built) > 1
    if joins:
        choice = ColumnChoice(columns, global_ratio, name="columns")(image)
    # The order is that of the authors' code.
    unit = partial(steps, order="conv dropout bn relu", initializer="glorot_uniform")
    longest = 2 ** (columns - 1)
    heads = dict.fromkeys(built, image)
    for b, (width, rate) in enumerate(zip(filters, dropout, strict=True), start=1):
        for step in range(1, longest + 1):
            # Column c has a convolution at every 2^(C−c)th step.
            due = [c for c in built if step % 2 ** (columns - c) == 0]
            for c in due:
                i = step // 2 ** (columns - c)
                name = f"block{b}_column{c}_{i}"
                x = unit(heads[c], filters=width, name=name, dropout=rate)
                if step == longest:
                    x = layers.MaxPooling2D(2, name=f"block{b}_column{c}_pool")(x)
                heads[c] = x
            if joins and len(due) > 1:
                join = FractalJoin(drop_path, name=f"block{b}_join{step}")
                heads |= dict.fromkeys(due, join([choice, *(heads[c] for c in due)]))
    x = logits(heads[built[0]], classes)
    return keras.Model(image, x, name="fractalnet")
