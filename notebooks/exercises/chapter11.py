"""Exercises on residual networks."""

from functools import partial

import keras
import numpy as np
from keras import ops

from cnnlib.gradients import gradient
from cnnlib.layers import PaddedIdentity
from exercises import exercise


def identity_kernel(side, maps, place=None, within=None):
    """The kernel, with its weights at another place or between other maps."""
    kernel = np.zeros((side, side, maps, maps))
    place = (side // 2, side // 2) if place is None else place
    kernel[place] = np.eye(maps) if within is None else within
    return kernel


@exercise(
    "11.1",
    "one weight of 1 for each map, in the middle, for every size tried",
    reference=identity_kernel,
    mistakes={
        "joins every map to every other: each is to see only itself": partial(
            identity_kernel, within=1
        ),
        "looks at the corner of its window, which shifts the maps": partial(
            identity_kernel, place=(0, 0)
        ),
        "sums over the whole window": partial(identity_kernel, place=...),
        "is an average: the maps come out blurred": (
            lambda side, maps: identity_kernel(side, maps, place=...) / side**2
        ),
        "is divided by the maps": lambda side, maps: identity_kernel(side, maps) / maps,
    },
    also_right=[lambda *given: ops.convert_to_tensor(identity_kernel(*given))],
)
def sides_and_maps(rng):
    """``kernel(side, maps)`` makes a convolution the identity."""
    for side, maps in [(3, 4), (5, 2), (1, 3), (7, 1)]:
        yield f"the kernel of side {side} for {maps} maps", side, maps


def keras_gradient(x, w1, w2, error):
    def score(x):
        return ops.sum(error * (x + ops.relu(x @ w1) @ w2))

    return gradient(score, x)


def through_branch(passed):
    """The error of the shortcut, and what another rule passes through ReLU."""
    return lambda x, w1, w2, error: error + passed(error @ w2.T, x @ w1) @ w1.T


backward = through_branch(lambda back, before: back * (before > 0))


@exercise(
    "11.2",
    "equal to Keras's gradient, shortcut and branch",
    reference=keras_gradient,
    tolerance=1e-4,
    mistakes={
        "lacks what comes back through the shortcut": (
            lambda *given: backward(*given) - given[-1]
        ),
        "has the shortcut and nothing else": lambda x, w1, w2, error: error,
        "ignores ReLU: where it is off, nothing comes back": through_branch(
            lambda back, before: back
        ),
        "adds a 1 in place of the error from above": (
            lambda *given: 1 + backward(*given) - given[-1]
        ),
        "has ReLU on the error; its slope is 1 where x w1 is above 0": through_branch(
            lambda back, before: np.maximum(back, 0)
        ),
        "multiplies by ReLU's value; its slope is asked for": through_branch(
            lambda back, before: back * np.maximum(before, 0)
        ),
        "counts the shortcut twice": lambda *given: backward(*given) + given[-1],
        "is subtracted on the branch": lambda *given: 2 * given[-1] - backward(*given),
        "is multiplied by ReLU the wrong way round: on where x w1 is below 0": (
            through_branch(lambda back, before: back * (before < 0))
        ),
    },
    also_right=[lambda *given: ops.convert_to_tensor(backward(*given))],
)
def units(rng):
    """``backward(x, w1, w2, error)`` is the error below y = x + ReLU(x w1) w2."""
    for n, maps, hidden in [(6, 5, 7), (3, 4, 4), (1, 8, 3)]:
        x, error = rng.normal(size=(2, n, maps)).astype("float32")
        w1 = rng.normal(size=(maps, hidden)).astype("float32")
        w2 = rng.normal(size=(hidden, maps)).astype("float32")
        what = f"the error of {n} examples with {maps} numbers and {hidden} hidden ones"
        yield what, x, w1, w2, error


def every_second(x):
    return x[:, ::2, ::2]


def with_new_maps(places, before=0, more=0):
    """The function that takes these places and appends zeros, or puts them before."""

    def shortcut(x, filters):
        new = filters - x.shape[-1]
        ends = (new, 0) if before else (0, new + more * x.shape[-1])
        return np.pad(places(x), [(0, 0), (0, 0), (0, 0), ends])

    return shortcut


def pooled(layer):
    return lambda x: np.asarray(layer(2)(x))


@exercise(
    "11.3",
    "equal to the shortcut that the network's units have",
    reference=lambda x, filters: PaddedIdentity(filters, 2)(x),
    tolerance=0,
    mistakes={
        "has the new maps in front; they come last": with_new_maps(
            every_second, before=True
        ),
        "keeps every place; every second is asked for": with_new_maps(lambda x: x),
        "begins at the second place; begin at the first": with_new_maps(
            lambda x: x[:, 1::2, 1::2]
        ),
        "lacks the new maps": lambda x, filters: every_second(x),
        "adds as many maps as there shall be in all": with_new_maps(
            every_second, more=True
        ),
        "takes the mean of four places": with_new_maps(
            pooled(keras.layers.AveragePooling2D)
        ),
        "takes the largest of four places": with_new_maps(
            pooled(keras.layers.MaxPooling2D)
        ),
    },
    also_right=[with_new_maps(every_second)],
)
def images_and_filters(rng):
    """``shortcut(x, filters)``: every second place, zeros as new maps."""
    for shape, filters in [((2, 8, 8, 3), 6), ((1, 7, 5, 4), 8), ((3, 6, 9, 2), 5)]:
        x = rng.normal(size=shape).astype("float32")
        yield f"the shortcut from {shape} to {filters} maps", x, filters
