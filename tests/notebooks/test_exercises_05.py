"""The exercises on going deep: right answers pass, mistakes are named."""

import keras
import numpy as np
import pytest

from exercises import verdict


def empty(*given): ...


@pytest.mark.parametrize("number", ["05.1", "05.2", "05.3"])
@pytest.mark.parametrize("left", [None, ..., empty])
def test_an_empty_stub_is_not_solved(number, left):
    assert "— not solved" in verdict(number, left)


def wrong(number, answer, words):
    line = verdict(number, answer)
    assert "— wrong:" in line
    assert words in line


def slope(activation, z, step=1e-6):
    return (activation(z + step) - activation(z - step)) / (2 * step)


def one_sided(activation, z):
    slopes = [(activation(x + 1e-4) - activation(x)) / 1e-4 for x in z]
    return len(slopes) / np.sum(np.square(slopes))


@pytest.mark.parametrize(
    "answer", [lambda f, z: 1 / np.mean(slope(f, z) ** 2), one_sided]
)
def test_an_activations_own_gain(answer):
    assert "— solved:" in verdict("05.1", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda f, z: np.mean(slope(f, z) ** 2), "is the factor itself"),
        (lambda f, z: np.mean(slope(f, z)) ** -2, "not from the mean *squared* slope"),
        (lambda f, z: 1 / np.mean(slope(f, z)), "makes up for the mean slope"),
        (lambda f, z: np.mean(slope(f, z) ** 2) ** -0.5, "is the root of what"),
        (lambda f, z: np.mean(z**2) / np.mean(f(z) ** 2), "keeps the outputs as large"),
        (lambda f, z: slope(f, 1e-3) ** -2, "takes the slope at 0 alone"),
        (lambda f, z: 2, "is off by up to"),
        (lambda f, z: slope(f, z) ** 2 + 1, "one number is asked for"),
        (lambda f, z: np.inf, "infinite or not a number"),
        (lambda f, z: "two", "is made of str"),
        (lambda z: 2, "your code raises TypeError"),
        (2, "a function is asked for; this is int"),
    ],
)
def test_other_gains_are_told_what_is_wrong(answer, words):
    wrong("05.1", answer, words)


def test_mistakes_that_pass_for_relu_are_named_for_tanh():
    def where_relu_is_right(made):
        def answer(f, z):
            right = 1 / np.mean(slope(f, z) ** 2)
            return right if f(-9.0) == 0 else made(slope(f, z))

        return answer

    names = {"is the mean of 1/slope²": lambda s: np.mean(1 / s**2)}
    names["makes up for the mean slope"] = lambda s: 1 / np.mean(s)
    for words, made in names.items():
        wrong("05.1", where_relu_is_right(made), f"the gain for tanh {words}")


def drop(x, rate, rng, axes="n11c", scale=lambda x, rate: x / (1 - rate), on=None):
    sizes = dict(zip("nhwc", x.shape, strict=True))
    off = rng.random([sizes.get(axis, 1) for axis in axes]) < (on or rate)
    return np.where(off, 0, scale(x, rate))


def by_keras(x, rate, rng):
    seed = int(rng.integers(1000))
    return keras.layers.SpatialDropout2D(rate, seed=seed)(x, training=True)


def by_loop(x, rate, rng):
    for example in x:
        for channel in range(x.shape[3]):
            example[..., channel] *= rng.binomial(1, 1 - rate) / (1 - rate)
    return x


@pytest.mark.parametrize("answer", [drop, by_keras, by_loop])
def test_whole_maps_are_dropped(answer):
    assert "— solved:" in verdict("05.2", answer)


def unscaled(x, rate):
    return x


@pytest.mark.parametrize(
    ("wrong_in", "words"),
    [
        ({"axes": "nhwc"}, "maps that are off in some places and on in others"),
        ({"axes": "nh1c"}, "maps that are off in some places and on in others"),
        ({"axes": "111c"}, "the same maps off for every example"),
        ({"axes": "n111"}, "all maps off for some examples, none for the rest"),
        ({"scale": unscaled}, "is not scaled: its mean falls"),
        ({"scale": lambda x, rate: x * (1 - rate)}, "is multiplied by what"),
        ({"scale": lambda x, rate: x / (rate or 1)}, "is divided by the rate"),
        ({"on": 0.7}, "has 69% of the maps off, not about 30%"),
        ({"on": 0.35}, "of the maps off, not about 30%"),
        ({"on": 0.3}, "for a rate of 0.75, the answer has 30% of the maps off"),
    ],
)
def test_other_dropouts_are_told_what_is_wrong(wrong_in, words):
    wrong("05.2", lambda *given: drop(*given, **wrong_in), words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, rate, rng: x, "has no zeros at all"),
        (lambda x, rate, rng: x[0], "has shape (3, 5, 31)"),
        (
            lambda x, r, rng: drop(x, r, np.random.default_rng(1)),
            "the same for another",
        ),
        (lambda x, rate, rng: "half", "is made of str"),
        (lambda x, rate, rng: x / 0.0, "infinite or not a number"),
        (lambda x: x, "your code raises TypeError"),
        (0.5, "a function is asked for; this is float"),
        (
            lambda x, rate, rng: drop(x, rate or 0.5, rng),
            "for a rate of 0, the answer is off by up to",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_no_dropout_is_told_what_is_wrong(answer, words):
    wrong("05.2", answer, words)


def fold(w, b, gamma, beta, mean, var, eps, scale=None, bias=None, kernel=None):
    s = (scale or (lambda g, v, e: g / np.sqrt(v + e)))(gamma, var, eps)
    new = bias or (lambda b, beta, mean, s: (b - mean) * s + beta)
    return (kernel or (lambda w, s: w * s))(w, s), new(b, beta, mean, s)


def by_asking(*given):
    """What an image of a single one, and one of zeros, become."""
    w, b, gamma, beta, mean, variance, epsilon = given

    def normalize(x):
        return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta

    return [keras.ops.convert_to_tensor(normalize(w + b) - normalize(b)), normalize(b)]


@pytest.mark.parametrize("answer", [fold, by_asking])
def test_batch_norm_is_folded_into_the_convolution(answer):
    assert "— solved:" in verdict("05.3", answer)


@pytest.mark.parametrize(
    ("wrong_in", "words"),
    [
        ({"scale": lambda g, v, e: g / np.sqrt(v)}, "forgets epsilon"),
        ({"scale": lambda g, v, e: g / (np.sqrt(v) + e)}, "adds epsilon to the root"),
        ({"scale": lambda g, v, e: g / (v + e)}, "divides by the variance"),
        ({"scale": lambda g, v, e: 1 / np.sqrt(v + e)}, "forgets gamma"),
        ({"scale": lambda g, v, e: g}, "forgets to divide by the standard deviation"),
        ({"kernel": lambda w, s: w}, "is the old one"),
        (
            {"kernel": lambda w, s: w * np.resize(s, w.shape[2])[:, None]},
            "is scaled by input channels",
        ),
        ({"bias": lambda b, beta, m, s: beta - m * s}, "the convolution's own bias"),
        (
            {"bias": lambda b, beta, m, s: beta + b - m * s},
            "does not scale the convolution's own bias",
        ),
        ({"bias": lambda b, beta, m, s: beta + b * s}, "forgets the mean"),
        ({"bias": lambda b, beta, m, s: beta + b * s - m}, "does not scale the mean"),
        ({"bias": lambda b, beta, m, s: beta + (b + m) * s}, "adds the mean"),
        ({"bias": lambda b, beta, m, s: (b - m) * s}, "forgets beta"),
        ({"bias": lambda b, beta, m, s: b}, "the bias for 5 filters is the old one"),
        ({"kernel": lambda w, s: w.T}, "has shape (5, 2, 3, 3)"),
        ({"kernel": lambda w, s: w * s + 1}, "is off by up to"),
        ({"kernel": lambda w, s: w * np.nan}, "infinite or not a number"),
    ],
)
def test_other_foldings_are_told_what_is_wrong(wrong_in, words):
    wrong("05.3", lambda *given: fold(*given, **wrong_in), words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *given: fold(*given)[0], "two arrays are asked for"),
        (lambda *given: fold(*given)[:1], "two arrays are asked for"),
        (lambda *given: "folded", "two arrays are asked for"),
        (lambda *given: ("a", "b"), "the kernel for 5 filters is made of str"),
        (lambda w, b: (w, b), "your code raises TypeError"),
        (3, "a function is asked for; this is int"),
    ],
)
def test_what_is_no_convolution_is_wrong(answer, words):
    wrong("05.3", answer, words)
