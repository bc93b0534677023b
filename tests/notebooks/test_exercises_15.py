"""The exercises on convolutions along time: right answers pass, mistakes are named."""

import keras
import numpy as np
import pytest

from exercises import verdict


def taps(x, kernel, dilation, before, after):
    """Windows of ``x`` with zeros around it, their moments ``dilation`` apart."""
    padded = np.pad(x, ((before, after), (0, 0)))
    count = len(padded) - (len(kernel) - 1) * dilation
    return sum(
        padded[i * dilation : i * dilation + count] @ w for i, w in enumerate(kernel)
    )


def reach(kernel, dilation):
    return (len(kernel) - 1) * dilation


def causal(x, kernel, dilation):
    return taps(x, kernel, dilation, reach(kernel, dilation), 0)


def moment_by_moment(x, kernel, dilation):
    y = np.zeros((len(x), kernel.shape[2]))
    for t in range(len(x)):
        for back, w in enumerate(kernel[::-1]):
            if t >= back * dilation:
                y[t] += x[t - back * dilation] @ w
    return y


def by_keras(x, kernel, dilation):
    layer = keras.layers.Conv1D(
        kernel.shape[2],
        len(kernel),
        padding="causal",
        dilation_rate=dilation,
        use_bias=False,
    )
    layer.build((None, *x.shape))
    layer.set_weights([kernel])
    return layer(x[None])[0]


def backwards(weights):
    return [w[::-1] if w.ndim == 5 else w for w in weights]


def step_by_step(weights):
    for w in weights:
        if w.ndim == 5:
            w[:] = np.flip(w, 0).copy()
    return tuple(weights)


RIGHT = [
    *(("15.1", causal), ("15.1", moment_by_moment), ("15.1", by_keras)),
    *(("15.2", backwards), ("15.2", step_by_step)),
]


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", ["15.1", "15.2"])
@pytest.mark.parametrize("stub", [..., None, lambda *given: ...])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, stub)


def flip(*axes):
    return lambda weights: [np.flip(w, axes) if w.ndim == 5 else w for w in weights]


def split(x, w, d):
    half = reach(w, d) // 2
    return taps(x, w, d, half, reach(w, d) - half)


WRONG = {
    "looks ahead": ("15.1", split),
    "looks into the future": ("15.1", lambda x, w, d: taps(x, w, d, 0, reach(w, d))),
    "the other way round": ("15.1", lambda x, w, d: causal(x, w[::-1], d)),
    "too short": ("15.1", lambda x, w, d: taps(x, w, d, 0, 0)),
    "moments in a row": ("15.1", lambda x, w, d: causal(x, w, 1)),
    "is off by": ("15.1", lambda x, w, d: causal(x, w, d) + 1),
    "has shape": ("15.1", lambda x, w, d: causal(x, w, d).T),
    "not of numbers": ("15.1", lambda x, w, d: "late"),
    "not a number": ("15.1", lambda x, w, d: np.nan * causal(x, w, d)),
    "raises ValueError": ("15.1", lambda x, w, d: x + np.ones(100)),
    "what it was before": ("15.2", lambda weights: weights),
    "in space, not in time": ("15.2", flip(1, 2)),
    "in space as well": ("15.2", flip(0, 1, 2)),
    "the rows": ("15.2", flip(1)),
    "the columns": ("15.2", flip(2)),
    "dense layer reversed too": (
        "15.2",
        lambda weights: [w[::-1] if w.ndim in (2, 5) else w for w in weights],
    ),
    "output for 5 frames is off": (
        "15.2",
        lambda weights: [-w for w in backwards(weights)],
    ),
    "set_weights takes": ("15.2", lambda weights: backwards(weights)[:-1]),
    "takes arrays": ("15.2", lambda weights: 3),
    "arrays of (3, 3, 3, 1, 3)": ("15.2", lambda weights: "backwards"),
    "raises AttributeError": ("15.2", lambda weights: weights.reverse().T),
    "infinite or not": ("15.2", lambda weights: [np.nan * w for w in weights]),
    "a function is asked for": ("15.2", 7),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(assert_named, words):
    assert_named(WRONG, words)
