"""Exercises on Inception and Xception."""

import keras
import numpy as np

from cnnlib.models.inception import module, relu_conv
from exercises import alike, ask, exercise


@exercise("10.1", "equal to what Keras counts in modules of any widths")
def module_parameters(count):
    """``count(maps, one, reduce3, three, reduce5, five, pool)`` counts a module."""
    rng = np.random.default_rng(101)
    for maps in (192, 7, 30):
        widths = [int(n) for n in rng.integers(3, 40, 6)]
        one, reduce3, three, reduce5, five, pool = widths
        x = keras.Input((8, 8, maps))
        steps = [(one, 1)], [(reduce3, 1), (three, 3)], [(reduce5, 1), (five, 5)]
        y = module(x, "m", *steps, ["max", (pool, 1)], conv=relu_conv)
        right = keras.Model(x, y).count_params()
        biases = sum(widths)
        alike(
            ask(count, maps, *widths),
            right,
            f"the count for {maps} maps and the widths {tuple(widths)}",
            tolerance=0,
            mistakes={
                "lacks the biases": right - biases,
                "has a bias for four convolutions; there are six": right
                - reduce3
                - reduce5,
                "lets 3×3 and 5×5 look at all input maps": right
                + 9 * three * (maps - reduce3)
                + 25 * five * (maps - reduce5),
                "lacks the 1×1 behind the pooling": right - maps * pool - pool,
                "takes 3 and 5 where 3×3 and 5×5 are meant": right
                - 6 * reduce3 * three
                - 20 * reduce5 * five,
            },
        )


@exercise("10.2", "equal to Keras's 1×1 convolution and depthwise convolution behind")
def pointwise_first(convolve):
    """``convolve(x, pointwise, depthwise)`` mixes the maps, then runs over each."""
    rng = np.random.default_rng(102)
    for side, k, maps, filters in [(7, 3, 4, 4), (9, 5, 3, 6), (6, 2, 5, 2)]:
        x = rng.normal(size=(side, side + 2, maps))
        pointwise = rng.normal(size=(maps, filters))
        depthwise = rng.normal(size=(k, k, filters))

        def run(mixed, window):
            y = keras.ops.depthwise_conv(mixed[None], window[..., None])
            return np.asarray(y)[0]

        mixed = x @ pointwise
        right = run(mixed, depthwise)
        mistakes = {
            "has its windows upside down: Keras does not flip them": run(
                mixed, depthwise[::-1, ::-1]
            ),
            "is padded; without padding it is smaller": np.asarray(
                keras.ops.depthwise_conv(mixed[None], depthwise[..., None], 1, "same")
            )[0],
            "sums over the new maps; each stays by itself": right.sum(axis=-1),
        }
        if maps == filters:
            mistakes["has the order the other way round"] = run(x, depthwise) @ (
                pointwise
            )
            mistakes["has pointwise transposed"] = run(x @ pointwise.T, depthwise)
        what = f"the output for {maps} maps, {filters} new ones, {k}×{k} windows"
        alike(
            ask(convolve, x, pointwise, depthwise), right, what, 1e-4, mistakes=mistakes
        )
