"""Exercises on Inception and Xception."""

from functools import partial

import keras
import numpy as np
from keras import layers

from cnnlib.models.inception import module, relu_conv
from exercises import Wrong, ask, exercise, judged


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


def module_v3(
    x,
    one,
    reduce3,
    three,
    reduce5,
    five,
    pool,
    *,
    relu="relu",
    second="relu",
    reduces="relu",
    pooling=layers.AveragePooling2D,
    before=None,
    order=(0, 1, 2, 3),
    size=3,
    times=2,
):
    """A module of Inception v3, and what it is if one mistook something."""

    def conv(x, filters, size, activation=relu):
        return layers.Conv2D(filters, size, padding="same", activation=activation)(x)

    a = conv(x, one, 1)
    b = conv(conv(x, reduce3, 1, reduces and relu), three, 3)
    c = conv(x, reduce5, 1, reduces and relu)
    for i in range(times):
        c = conv(c, five, size, second and relu if i == 0 else relu)
    d = conv(pooling(3, 1, padding="same")(x) if pooling else x, pool, 1)
    branches = [a, b, c, d]
    return layers.Concatenate()([branches[i] for i in order])


MODULES = {
    "it has no ReLU": partial(module_v3, relu=None),
    "there is no ReLU between the two 3×3": partial(module_v3, second=None),
    "there is no ReLU behind the 1×1 that reduce": partial(module_v3, reduces=None),
    "its pooling takes the maximum; the mean is asked for": partial(
        module_v3, pooling=layers.MaxPooling2D
    ),
    "its last branch has no pooling": partial(module_v3, pooling=None),
    "its branches are joined in another order": partial(module_v3, order=(0, 2, 1, 3)),
}


def convolutions(model):
    """The convolutions of a model, in the order in which it computes."""
    return [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]


def with_weights(model, weights):
    """Give a model's convolutions the kernels and biases of their shapes.

    Two of one shape get theirs in the order in which the model computes.
    """
    left = list(weights)
    for layer in convolutions(model):
        shape = tuple(layer.kernel.shape)
        found = next(pair for pair in left if pair[0].shape == shape)
        left = [pair for pair in left if pair is not found]
        layer.set_weights(found)
    return model


def kernels(model):
    """The shapes of a model's kernels, sorted."""
    return sorted(tuple(layer.kernel.shape) for layer in convolutions(model))


@judged(
    "10.3",
    "equal to a module of Inception v3 with the same weights",
    mistakes=MODULES
    | {
        "one 5×5 in place of the two 3×3": partial(module_v3, size=5, times=1),
        "two convolutions of 5×5": partial(module_v3, size=5),
        "its convolutions have kernels": lambda x, one, *widths: module_v3(
            x, one + 1, *widths
        ),
        "your module makes": lambda x, *widths: layers.MaxPooling2D()(
            module_v3(x, *widths)
        ),
        "a symbolic tensor is asked for": lambda x, *widths: keras.Model(
            x, module_v3(x, *widths)
        ),
        "your output does not come of x": lambda x, *widths: keras.Input((8, 6, 4)),
    },
    also_right=[module_v3],
)
def inception_v3_module(build, rng):
    """``build(x, one, reduce3, three, reduce5, five, pool)`` is a module, symbolic."""
    names = ("one", "reduce3", "three", "reduce5", "five", "pool")
    for shape, widths in (
        ((8, 6, 4), (3, 5, 6, 7, 9, 2)),
        ((7, 9, 3), (4, 2, 8, 5, 6, 7)),
    ):
        x = keras.Input(shape)
        y = ask(build, x, *widths)
        if not isinstance(y, keras.KerasTensor):
            raise Wrong(f"a symbolic tensor is asked for; this is {type(y).__name__}")
        try:
            model = keras.Model(x, y)
        except Exception as error:
            raise Wrong("your output does not come of x") from error
        right = keras.Model(x, module_v3(x, *widths))
        given = ", ".join(f"{n}={w}" for n, w in zip(names, widths, strict=True))
        if kernels(model) != kernels(right):
            raise Wrong(_other_kernels(model, right, x, widths, given))
        if tuple(model.output_shape) != tuple(right.output_shape):
            raise Wrong(
                f"your module makes {model.output_shape[1:]} of {shape}, for {given}; "
                f"{right.output_shape[1:]} is expected"
            )
        images = rng.normal(size=(2, *shape)).astype("float32")
        weights = [
            (rng.normal(size=kernel), rng.normal(size=kernel[-1:]))
            for kernel in kernels(right)
        ]
        if any(not layer.use_bias for layer in convolutions(model)):
            raise Wrong("its convolutions have no biases: keep them")
        out = ask(with_weights(model, weights), images)
        for words, maker in {"": module_v3, **MODULES}.items():
            other = with_weights(keras.Model(x, maker(x, *widths)), weights)
            if np.allclose(out, np.asarray(other(images)), rtol=1e-3, atol=1e-3):
                if words:
                    raise Wrong(words)
                break
        else:
            raise Wrong("with the same weights its output is not that of such a module")


def _other_kernels(model, right, x, widths, given: str) -> str:
    """What is told of a module whose kernels are not those that were asked for."""
    known = {
        "it has one 5×5 in place of the two 3×3": {"size": 5, "times": 1},
        "it has two convolutions of 5×5; two of 3×3 are asked for": {"size": 5},
    }
    for words, mistake in known.items():
        other = keras.Model(x, module_v3(x, *widths, **mistake))
        if kernels(model) == kernels(other):
            return words
    return (
        f"its convolutions have kernels {kernels(model)}, for {given}; "
        f"{kernels(right)} are expected"
    )
