"""Exercises on Inception and Xception."""

from functools import partial

import keras
import numpy as np

from cnnlib.models.inception import module, relu_conv
from exercises import exercise


def keras_count(maps, one, reduce3, three, reduce5, five, pool):
    x = keras.Input((8, 8, maps))
    steps = [(one, 1)], [(reduce3, 1), (three, 3)], [(reduce5, 1), (five, 5)]
    y = module(x, "m", *steps, ["max", (pool, 1)], conv=relu_conv)
    return keras.Model(x, y).count_params()


def count(
    maps, one, reduce3, three, reduce5, five, pool, windows=(9, 25), reduced=True
):
    """The count by the formula, and what it is if one mistook something."""
    three_sees, five_sees = (reduce3, reduce5) if reduced else (maps, maps)
    biases = one + reduce3 + three + reduce5 + five + pool
    pointwise = maps * (one + reduce3 + reduce5 + pool)
    wide = windows[0] * three_sees * three + windows[1] * five_sees * five
    return pointwise + wide + biases


@exercise(
    "10.1",
    "equal to what Keras counts in modules of any widths",
    reference=keras_count,
    tolerance=0,
    mistakes={
        "lacks the biases": lambda maps, *widths: count(maps, *widths) - sum(widths),
        "has a bias for four convolutions; there are six": (
            lambda maps, *widths: count(maps, *widths) - widths[1] - widths[3]
        ),
        "lets 3×3 and 5×5 look at all input maps": partial(count, reduced=False),
        "lacks the 1×1 behind the pooling": (
            lambda maps, *widths: count(maps, *widths[:-1], 0)
        ),
        "takes 3 and 5 where 3×3 and 5×5 are meant": partial(count, windows=(3, 5)),
    },
    also_right=[count],
    also_wrong={"is off by up to 1": lambda *given: count(*given) + 1},
)
def module_widths(rng):
    """``count(maps, one, reduce3, three, reduce5, five, pool)`` counts a module."""
    for maps in (192, 7, 30):
        widths = tuple(int(n) for n in rng.integers(3, 40, 6))
        yield f"the count for {maps} maps and the widths {widths}", maps, *widths


def over_each(maps, windows, padding="valid"):
    """Each map by itself, with its own window."""
    y = keras.ops.depthwise_conv(maps[None], windows[..., None], 1, padding)
    return np.asarray(y)[0]


@exercise(
    "10.2",
    "equal to Keras's 1×1 convolution and depthwise convolution behind",
    reference=lambda x, pointwise, depthwise: over_each(x @ pointwise, depthwise),
    tolerance=1e-4,
    mistakes={
        "has its windows upside down: Keras does not flip them": (
            lambda x, pointwise, depthwise: over_each(
                x @ pointwise, depthwise[::-1, ::-1]
            )
        ),
        "is padded; without padding it is smaller": (
            lambda x, pointwise, depthwise: over_each(x @ pointwise, depthwise, "same")
        ),
        "sums over the new maps; each stays by itself": (
            lambda x, pointwise, depthwise: over_each(x @ pointwise, depthwise).sum(-1)
        ),
        "has the order the other way round": (
            lambda x, pointwise, depthwise: over_each(x, depthwise) @ pointwise
        ),
        "has pointwise transposed": (
            lambda x, pointwise, depthwise: over_each(x @ pointwise.T, depthwise)
        ),
    },
    also_wrong={"your code raises ValueError": lambda x, p, d: x @ p.T @ d},
)
def maps_and_windows(rng):
    """``convolve(x, pointwise, depthwise)`` mixes the maps, then runs over each."""
    for side, k, maps, filters in [(7, 3, 4, 4), (9, 5, 3, 6), (6, 2, 5, 2)]:
        x = rng.normal(size=(side, side + 2, maps))
        pointwise = rng.normal(size=(maps, filters))
        depthwise = rng.normal(size=(k, k, filters))
        what = f"the output for {maps} maps, {filters} new ones, {k}×{k} windows"
        yield what, x, pointwise, depthwise
