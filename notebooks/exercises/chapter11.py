"""Exercises on residual networks."""

from functools import partial

import keras
import numpy as np
from keras import layers, ops

from cnnlib.gradients import gradient
from cnnlib.layers import PaddedIdentity
from exercises import Wrong, ask, compare, exercise, judged


def unit_of(order, after="relu", add=True, skip="x", bias=False):
    """A unit by the steps of its branch and those that follow the addition.

    ``skip`` says what is added: the input, or the first convolution's result.
    """

    def run(order, x, kept):
        for step in order.split():
            if step == "conv":
                maps = x.shape[-1]
                x = layers.Conv2D(maps, 3, padding="same", use_bias=bias)(x)
                kept.append(x)
            else:
                x = (
                    layers.ReLU()(x)
                    if step == "relu"
                    else layers.BatchNormalization()(x)
                )
        return x

    def unit(x):
        kept = []
        f = run(order, x, kept)
        if add:
            f = layers.Add()([x if skip == "x" else kept[0], f])
        return run(after, f, kept)

    return unit


def drawn(layer, seed):
    """Weights for a layer, variances among them, so always above 0."""
    rng = np.random.default_rng(seed)
    shapes = [weight.shape for weight in layer.get_weights()]
    if isinstance(layer, layers.Conv2D):
        return [rng.normal(size=shape) / 4 for shape in shapes]
    return [rng.uniform(1, 2, shape) for shape in shapes]


def output(x, y, images):
    """What comes out where the layers from ``x`` to ``y`` have the drawn weights."""
    model = keras.Model(x, y)
    for kind in (layers.Conv2D, layers.BatchNormalization):
        found = [layer for layer in model.layers if isinstance(layer, kind)]
        if len(found) != 2:
            raise Wrong(
                f"the unit has {len(found)} layers {kind.__name__}; two are asked for"
            )
        for i, layer in enumerate(found):
            layer.set_weights(drawn(layer, i))
    return np.asarray(model(images, training=False))


original = unit_of("conv bn relu conv bn")
WRONG_UNITS = {
    "adds nothing: the input must be added to the branch": unit_of(
        "conv bn relu conv bn", add=False
    ),
    "lacks the last ReLU, after the addition": unit_of(
        "conv bn relu conv bn", after=""
    ),
    "has its last ReLU before the addition": unit_of("conv bn relu conv bn relu", ""),
    "has a normalization after the addition; both are in the branch": unit_of(
        "conv bn relu conv", after="bn relu"
    ),
    "is the pre-activation unit; here the convolution comes first": unit_of(
        "bn relu conv bn relu conv", after=""
    ),
    "lacks the ReLU between its convolutions": unit_of("conv bn conv bn"),
    "adds what its first convolution makes; add the input": unit_of(
        "conv bn relu conv bn", skip="first"
    ),
    "has biases": unit_of("conv bn relu conv bn", bias=True),
}


def built(unit, x, images):
    """A learner's unit on images, or what is wrong with what it returns."""
    y = ask(unit, x)
    if not isinstance(y, keras.KerasTensor):
        told = type(y).__name__
        raise Wrong(f"the unit returns {told}, no tensor; apply Keras's layers to x")
    if y.shape != x.shape:
        raise Wrong(f"the unit makes {y.shape} of {x.shape}; it must keep the shape")
    try:
        return output(x, y, images)
    except ValueError as error:
        raise Wrong("the unit does not lead from x to what it returns") from error


@judged(
    "11.1",
    "equal to the original unit with the same weights, for 4 and for 6 maps",
    mistakes=WRONG_UNITS
    | {
        "the unit has 1 layers Conv2D; two are asked for": unit_of("conv bn relu"),
        "it must keep the shape": lambda x: layers.Conv2D(2, 3)(x),
        "apply Keras's layers to x": lambda x: float("nan"),
    },
    also_right=[original],
)
def residual_unit(unit, rng):
    """``unit(x)`` is convolution, normalization, ReLU, twice, with a shortcut."""
    for shape in [(6, 5, 4), (3, 4, 6)]:
        images = rng.normal(size=(5, *shape)).astype("float32")

        def of(unit, shape=shape, images=images):
            x = keras.Input(shape)
            return output(x, unit(x), images)

        answer = built(unit, keras.Input(shape), images)
        known = {words: partial(of, wrong) for words, wrong in WRONG_UNITS.items()}
        compare(answer, of(original), "the unit", 5e-3, known)


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
