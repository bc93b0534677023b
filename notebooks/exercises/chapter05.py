"""Exercises on deep networks: their start, dropout, batch normalization."""

from functools import partial

import keras
import numpy as np
from keras import layers

from cnnlib import datasets
from exercises import Wrong, ask, compare, exercise, judged, numbers
from exercises.chapter06 import built

HIDDEN, UNITS, READ = 30, 64, 1 / 3


def deep(activation, start, hidden=HIDDEN, units=UNITS, last=None, extra=None):
    """The function that builds a plain network of dense layers."""

    def build():
        net = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()])
        for _ in range(hidden):
            net.add(layers.Dense(units, activation, kernel_initializer=start))
            if extra:
                net.add(extra())
        net.add(last() if last else layers.Dense(10))
        return net

    return build


def functional():
    image = keras.Input((8, 8, 1))
    x = layers.Dense(64, "tanh")(layers.Flatten()(image))
    for _ in range(HIDDEN):
        x = layers.add([x, layers.Dense(64, "tanh")(x)])
    return keras.Model(image, layers.Dense(10)(x))


@judged(
    "05.1",
    "thirty plain layers that learn, since their start fits their activation",
    mistakes={
        "of its training digits: does the start fit the activation?": deep(
            "relu", "glorot_uniform"
        ),
        "training digits: does the start": deep("sigmoid", "he_uniform"),
        "12 hidden layers; 30 is the least": deep("tanh", "glorot_uniform", hidden=12),
        "a hidden layer has 128 units; 64 may be": deep(
            "tanh", "glorot_uniform", units=128
        ),
        "a hidden layer has no activation": deep(None, "glorot_uniform"),
        "it has a layer of BatchNormalization": deep(
            "relu", "he_uniform", extra=layers.BatchNormalization
        ),
        "a keras.Sequential is asked for": functional,
        "the outputs sum to 1: logits are asked for, without a softmax": deep(
            "tanh", "glorot_uniform", last=lambda: layers.Dense(10, "softmax")
        ),
        "7 images become an output of (7, 9), not (7, 10)": deep(
            "tanh", "glorot_uniform", last=lambda: layers.Dense(9)
        ),
        "build() returns str, not a Keras model": lambda: "a network",
        "a function is asked for that returns the model; this is one": (
            keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()])
        ),
    },
    also_right=[deep("relu", "he_uniform")],
)
def thirty_layers(build, rng):
    """``build()`` returns an uncompiled plain network that emits logits."""
    net = built(build, rng, side=8, seed=51)
    if not isinstance(net, keras.Sequential):
        raise Wrong("a keras.Sequential is asked for: each layer sees the one before")
    for layer in net.layers:
        if not isinstance(layer, layers.Flatten | layers.Dense):
            raise Wrong(
                f"it has a layer of {type(layer).__name__}; Flatten and Dense may be"
            )
    hidden = [layer for layer in net.layers if isinstance(layer, layers.Dense)][:-1]
    if len(hidden) < HIDDEN:
        raise Wrong(f"{len(hidden)} hidden layers; {HIDDEN} is the least")
    if (most := max(layer.units for layer in hidden)) > UNITS:
        raise Wrong(f"a hidden layer has {most} units; {UNITS} may be")
    if any(layer.activation is keras.activations.linear for layer in hidden):
        raise Wrong("a hidden layer has no activation: without, two layers are one")
    digits = datasets.load("digits")
    x, y = digits.x_train[:1157].astype("float32"), digits.y_train[:1157]
    x = (x - x.mean()) / x.std()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    descent = keras.optimizers.SGD(0.01)
    net.compile(descent, loss, metrics=["accuracy"], steps_per_execution=37)
    # ReLU goes up and down between epochs, otherwise on every machine: the best counts.
    run = net.fit(x, y, epochs=12, verbose=0)
    if (read := max(run.history["accuracy"])) < READ:
        raise Wrong(
            f"it reads {read:.0%} of its training digits: does the start fit the "
            "activation?"
        )


def drop(x, rate, rng, axes="n11c", scale=lambda x, rate: x / (1 - rate), chance=None):
    """Dropout of maps, and what it is if one mistook something."""
    sizes = dict(zip("nhwc", x.shape, strict=True))
    off = rng.random([sizes.get(axis, 1) for axis in axes]) < (chance or rate)
    return np.where(off, 0, scale(x, rate))


def drop_by_keras(x, rate, rng):
    seed = int(rng.integers(1000))
    return keras.layers.SpatialDropout2D(rate, seed=seed)(x, training=True)


def drop_by_loop(x, rate, rng):
    for example in x:
        for channel in range(x.shape[3]):
            example[..., channel] *= rng.binomial(1, 1 - rate) / (1 - rate)
    return x


def drop_one_share(x, rate, rng):
    """The same number of maps off in every example."""
    n, _, _, channels = x.shape
    ranks = rng.random((n, channels)).argsort(axis=1)
    return x * (ranks >= round(rate * channels))[:, None, None] / (1 - rate)


def drop_one_share_of_all(x, rate, rng):
    """The same number of maps off in the whole batch."""
    maps = x.shape[0] * x.shape[3]
    on = rng.permutation(maps) >= round(rate * maps)
    return x * on.reshape(x.shape[0], 1, 1, x.shape[3]) / (1 - rate)


def drop_in_pairs(x, rate, rng):
    """One draw for two maps."""
    n, _, _, channels = x.shape
    on = np.repeat(rng.random((n, 1, 1, (channels + 1) // 2)) >= rate, 2, axis=-1)
    return x * on[..., :channels] / (1 - rate)


@judged(
    "05.2",
    "whole maps are off, at the rate asked for, and the mean is kept",
    mistakes={
        "maps that are off in some places and on in others": partial(drop, axes="nhwc"),
        "the same maps off for every example": partial(drop, axes="111c"),
        "all maps off for some examples, none for the rest": partial(drop, axes="n111"),
        "is not scaled: its mean falls": partial(drop, scale=lambda x, rate: x),
        "is multiplied by what it should be divided by": partial(
            drop, scale=lambda x, rate: x * (1 - rate)
        ),
        "is divided by the rate": partial(
            drop, scale=lambda x, rate: x / rate if rate else x
        ),
        "has 69% of the maps off, not about 30%": partial(drop, chance=0.7),
        "of the maps off, not about 30%": partial(drop, chance=0.35),
        "for a rate of 0.75, the answer has 30% of the maps off": partial(
            drop, chance=0.3
        ),
        "has no zeros at all": lambda x, rate, rng: x,
        "has shape (3, 5, 31); (300, 3, 5, 31) is": lambda x, rate, rng: x[0],
        "has about as many maps off in every example: each is drawn by itself": (
            drop_one_share
        ),
        "has just as many maps off, whatever the rng: each is drawn by itself": (
            drop_one_share_of_all
        ),
        "has maps off together: each is drawn by itself": drop_in_pairs,
        "is the same for another rng": (
            lambda x, rate, rng: drop(x, rate, np.random.default_rng(1))
        ),
        "differs for the same rng: draw with it": (
            lambda x, rate, rng: drop(x, rate, np.random.default_rng())
        ),
        "for a rate of 0, the answer is off by up to": (
            lambda x, rate, rng: drop(x, rate or 0.5, rng)
        ),
    },
    also_right=[drop_by_keras, drop_by_loop],
)
def drop_maps(function, rng):
    """``drop_maps(x, rate, rng)`` returns an array like ``x``."""

    def drawn(x, rate, seed, what):
        answer = ask(function, x, rate, np.random.default_rng(seed))
        return numbers(answer, what)

    for shape, rate in [((300, 3, 5, 31), 0.3), ((301, 4, 4, 30), 0.75)]:
        x = rng.uniform(0.5, 2, size=shape) * rng.choice([-1, 1], size=shape)
        what = f"for a rate of {rate}, the answer"
        answer = drawn(x, rate, 1, what)
        on = maps_that_are_on(answer, shape, what)
        judge_draws(on, rate, what)
        compare(
            answer[answer != 0],
            x[answer != 0] / (1 - rate),
            f"{what}, where it is on,",
            mistakes={
                "is not scaled: its mean falls": x[answer != 0],
                "is multiplied by what it should be divided by": (
                    x[answer != 0] * (1 - rate)
                ),
                "is divided by the rate": x[answer != 0] / rate,
            },
        )
        others = [drawn(x, rate, seed, what) for seed in (2, 3)]
        if np.array_equal(others[0], answer):
            raise Wrong(f"{what} is the same for another rng")
        if not np.array_equal(drawn(x, rate, 1, what), answer):
            raise Wrong(f"{what} differs for the same rng: draw with it")
        if len({np.count_nonzero(each) for each in (answer, *others)}) == 1:
            raise Wrong(
                f"{what} has just as many maps off, whatever the rng: each is drawn by "
                "itself"
            )
    still = drawn(x, 0.0, 1, "the answer")
    compare(still, x, "for a rate of 0, the answer")


def maps_that_are_on(answer, shape, what):
    """Which maps are on, bool of shape (examples, channels)."""
    if answer.shape != shape:
        raise Wrong(f"{what} has shape {answer.shape}; {shape} is expected")
    on = answer != 0
    if on.all():
        raise Wrong(f"{what} has no zeros at all")
    if not (on.all(axis=(1, 2)) | ~on.any(axis=(1, 2))).all():
        raise Wrong(f"{what} has maps that are off in some places and on in others")
    return on[:, 0, 0]


def judge_draws(on, rate, what):
    """That each map is on by itself. Chance does not get six deviations far."""
    if (on == on[:1]).all():
        raise Wrong(f"{what} has the same maps off for every example")
    if (on == on[:, :1]).all():
        raise Wrong(f"{what} has all maps off for some examples, none for the rest")
    off = 1 - on.mean()
    if abs(off - rate) > 6 * np.sqrt(rate * (1 - rate) / on.size):
        raise Wrong(f"{what} has {off:.0%} of the maps off, not about {rate:.0%}")
    # Of independent draws, the number that is on scatters by this in an example.
    scatter = on.sum(axis=1).var() / (on.shape[1] * rate * (1 - rate))
    if scatter < 0.5:
        raise Wrong(
            f"{what} has about as many maps off in every example: each is drawn by "
            "itself"
        )
    if scatter > 1.5:
        raise Wrong(f"{what} has maps off together: each is drawn by itself")


def keras_folded(kernel, bias, gamma, beta, mean, variance, epsilon):
    """The kernel by the formula; the bias as Keras's layers answer zeros."""
    conv = keras.layers.Conv2D(kernel.shape[3], kernel.shape[0], dtype="float64")
    norm = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
    both = keras.Sequential([keras.Input((7, 9, kernel.shape[2])), conv, norm])
    conv.set_weights([kernel, bias])
    norm.set_weights([gamma, beta, mean, variance])
    zeros = np.zeros((1, *both.input_shape[1:]))
    return kernel * standard_scale(gamma, variance, epsilon), both(zeros)[0, 0, 0]


def standard_scale(gamma, variance, epsilon):
    return gamma / np.sqrt(variance + epsilon)


def with_scale(scale):
    """A kernel scaled by another rule; its bias is not looked at."""
    return lambda w, b, gamma, beta, mean, var, eps: (w * scale(gamma, var, eps), None)


def with_bias(bias):
    """The folding, its bias by another rule of bias, beta, mean and scale."""

    def fold(w, b, gamma, beta, mean, variance, epsilon):
        scale = standard_scale(gamma, variance, epsilon)
        return w * scale, bias(b, beta, mean, scale)

    return fold


fold = with_bias(lambda b, beta, mean, s: (b - mean) * s + beta)


def fold_by_asking(kernel, bias, gamma, beta, mean, variance, epsilon):
    """What an image of a single one, and one of zeros, become."""

    def normalize(x):
        return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta

    with_one = normalize(kernel + bias) - normalize(bias)
    return [keras.ops.convert_to_tensor(with_one), normalize(bias)]


@exercise(
    "05.3",
    "one convolution does what Keras's two layers do in use",
    reference=keras_folded,
    parts=("the kernel", "the bias"),
    mistakes={
        "forgets epsilon": with_scale(lambda g, v, e: g / np.sqrt(v)),
        "adds epsilon to the root, not below it": with_scale(
            lambda g, v, e: g / (np.sqrt(v) + e)
        ),
        "divides by the variance, not by its root": with_scale(
            lambda g, v, e: g / (v + e)
        ),
        "forgets gamma": with_scale(lambda g, v, e: 1 / np.sqrt(v + e)),
        "forgets to divide by the standard deviation": with_scale(lambda g, v, e: g),
        "is scaled by input channels, not by filters": (
            lambda w, b, g, beta, m, v, e: (
                w * np.resize(standard_scale(g, v, e), w.shape[2])[:, None],
                None,
            )
        ),
        "is the old one": lambda w, b, *rest: (w, b),
        "forgets the convolution's own bias": with_bias(
            lambda b, beta, mean, s: beta - mean * s
        ),
        "does not scale the convolution's own bias": with_bias(
            lambda b, beta, mean, s: beta + b - mean * s
        ),
        "forgets the mean": with_bias(lambda b, beta, mean, s: beta + b * s),
        "does not scale the mean": with_bias(
            lambda b, beta, mean, s: beta + b * s - mean
        ),
        "adds the mean": with_bias(lambda b, beta, mean, s: beta + (b + mean) * s),
        "forgets beta": with_bias(lambda b, beta, mean, s: (b - mean) * s),
    },
    also_right=[fold_by_asking],
    also_wrong={
        "the bias for 5 filters is the old one": with_bias(lambda b, *rest: b),
    },
)
def convolutions(rng):
    """``fold(kernel, bias, gamma, beta, mean, variance, epsilon)``."""
    for size, channels, filters, epsilon in [(3, 2, 5, 1e-3), (1, 4, 4, 0.1)]:
        kernel = rng.normal(size=(size, size, channels, filters))
        bias, beta, mean = rng.normal(size=(3, filters))
        gamma, variance = rng.uniform(0.3, 2, size=(2, filters))
        what = f" for {filters} filters"
        yield what, kernel, bias, gamma, beta, mean, variance, epsilon
