"""Exercises on deep networks: gain, dropout, batch normalization."""

import keras
import numpy as np

from exercises import Wrong, alike, ask, exercise, numbers


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


ACTIVATIONS = [  # name, function, slope, spread of what comes in
    ("ReLU", lambda z: np.maximum(z, 0), lambda z: z > 0, 1.0),
    ("tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2, 0.5),
    ("the sigmoid", _sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z), 1.5),
    (
        "ReLU with a slope of 0.2 below 0",
        lambda z: np.maximum(z, 0.2 * z),
        lambda z: np.where(z > 0, 1, 0.2),
        2.0,
    ),
    ("the softplus", lambda z: np.log1p(np.exp(z)), _sigmoid, 1.0),
]


@exercise("05.1", "the gain that keeps the error, for five activations and spreads")
def own_gain(function):
    """``own_gain(activation, z)`` returns one number."""
    rng = np.random.default_rng(51)
    for name, activation, derivative, spread in ACTIVATIONS:
        z = rng.normal(0.3, spread, size=4001)
        slope = derivative(z).astype(float)
        factor = np.mean(slope**2)
        what = f"the gain for {name}"
        answer = numbers(ask(function, activation, z), what)
        if answer.shape:
            raise Wrong(f"{what} has shape {answer.shape}; one number is asked for")
        mistakes = {
            "is the factor itself; the gain has to make up for it": factor,
            "is made from the mean slope, not from the mean *squared* slope": np.mean(
                slope
            )
            ** -2,
            "makes up for the mean slope; the squared error is what counts": 1
            / np.mean(slope),
            "is the mean of 1/slope², where the mean of slope² counts": np.mean(
                1 / np.maximum(slope, 1e-12) ** 2
            ),
            "is the root of what is asked for": factor**-0.5,
            "keeps the outputs as large as the inputs, not the error": np.mean(z**2)
            / np.mean(activation(z) ** 2),
            "takes the slope at 0 alone": derivative(np.full(1, 1e-9))[0] ** -2.0,
        }
        # Slopes from finite differences are near enough.
        if np.isclose(answer, 1 / factor, rtol=0.01):
            continue
        for words, mistaken in mistakes.items():
            if np.isclose(answer, mistaken, rtol=0.01):
                raise Wrong(f"{what} {words}")
        alike(answer, 1 / factor, what, 0.01)


@exercise("05.2", "whole maps are off, at the rate asked for, and the mean is kept")
def drop_maps(function):
    """``drop_maps(x, rate, rng)`` returns an array like ``x``."""
    rng = np.random.default_rng(52)
    for shape, rate in [((300, 3, 5, 31), 0.3), ((301, 4, 4, 30), 0.75)]:
        x = rng.uniform(0.5, 2, size=shape) * rng.choice([-1, 1], size=shape)
        what = f"for a rate of {rate}, the answer"
        answer = numbers(ask(function, x, rate, np.random.default_rng(1)), what)
        if answer.shape != shape:
            raise Wrong(f"{what} has shape {answer.shape}; {shape} is expected")
        on = answer != 0
        whole = on.all(axis=(1, 2)) | ~on.any(axis=(1, 2))
        if on.all():
            raise Wrong(f"{what} has no zeros at all")
        if not whole.all():
            raise Wrong(f"{what} has maps that are off in some places and on in others")
        maps = on[:, 0, 0]
        if (maps == maps[:1]).all():
            raise Wrong(f"{what} has the same maps off for every example")
        if (maps == maps[:, :1]).all():
            raise Wrong(f"{what} has all maps off for some examples, none for the rest")
        off = 1 - maps.mean()
        # Six standard deviations: chance does not get that far.
        if abs(off - rate) > 6 * np.sqrt(rate * (1 - rate) / maps.size):
            raise Wrong(f"{what} has {off:.0%} of the maps off, not about {rate:.0%}")
        _scaled(answer[on], x[on], rate, what)
        again = numbers(ask(function, x, rate, np.random.default_rng(2)), what)
        if np.array_equal(again, answer):
            raise Wrong(f"{what} is the same for another rng")
    still = numbers(ask(function, x, 0.0, np.random.default_rng(1)), "the answer")
    alike(still, x, "for a rate of 0, the answer")


def _scaled(kept, x, rate, what):
    what = f"{what}, where it is on,"
    mistakes = {
        "is not scaled: its mean falls": x,
        "is multiplied by what it should be divided by": x * (1 - rate),
        "is divided by the rate": x / rate,
    }
    alike(kept, x / (1 - rate), what, 1e-5, mistakes)


@exercise("05.3", "one convolution does what Keras's two layers do in use")
def fold(function):
    """``fold(kernel, bias, gamma, beta, mean, variance, epsilon)``."""
    rng = np.random.default_rng(53)
    for size, channels, filters, epsilon in [(3, 2, 5, 1e-3), (1, 4, 4, 0.1)]:
        kernel = rng.normal(size=(size, size, channels, filters))
        bias, beta, mean = rng.normal(size=(3, filters))
        gamma, variance = rng.uniform(0.3, 2, size=(2, filters))
        given = kernel, bias, gamma, beta, mean, variance, epsilon
        answer = ask(function, *given)
        if not isinstance(answer, list | tuple) or len(answer) != 2:
            raise Wrong("two arrays are asked for, the new kernel and the new bias")
        scale = gamma / np.sqrt(variance + epsilon)
        wrong = {
            "forgets epsilon": gamma / np.sqrt(variance),
            "adds epsilon to the root, not below it": gamma
            / (np.sqrt(variance) + epsilon),
            "divides by the variance, not by its root": gamma / (variance + epsilon),
            "forgets gamma": 1 / np.sqrt(variance + epsilon),
            "forgets to divide by the standard deviation": gamma,
        }
        alike(
            answer[0],
            kernel * scale,
            f"the kernel for {filters} filters",
            mistakes={words: kernel * s for words, s in wrong.items()}
            | {
                "is scaled by input channels, not by filters": kernel
                * np.resize(scale, channels)[:, None],
                "is the old one": kernel,
            },
        )
        alike(
            answer[1],
            _bias(given),
            f"the bias for {filters} filters",
            mistakes={
                "forgets the convolution's own bias": beta - mean * scale,
                "does not scale the convolution's own bias": beta + bias - mean * scale,
                "forgets the mean": beta + bias * scale,
                "does not scale the mean": beta + bias * scale - mean,
                "adds the mean": beta + (bias + mean) * scale,
                "forgets beta": (bias - mean) * scale,
                "is the old one": bias,
            },
        )


def _bias(given):
    """What Keras's two layers make of an image of zeros."""
    kernel, bias, *rest, epsilon = given
    conv = keras.layers.Conv2D(kernel.shape[3], kernel.shape[0], dtype="float64")
    norm = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
    both = keras.Sequential([keras.Input((7, 9, kernel.shape[2])), conv, norm])
    conv.set_weights([kernel, bias])
    norm.set_weights(rest)
    return np.asarray(both(np.zeros((1, *both.input_shape[1:]))))[0, 0, 0]
