"""The exercises on the race: right answers pass, mistakes are named."""

import numpy as np
import pytest

from exercises import verdict


def error(scores, truth, k):
    own = scores[np.arange(len(truth)), truth]
    return np.mean((scores > own[:, None]).sum(axis=1) >= k)


def parameters(side, maps, filters, groups):
    return side**2 * (maps // groups) * filters + filters


SLIM = 14_714_688 + 513_000


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("09.1", error),
        ("09.2", parameters),
        ("09.3", SLIM),
        ("09.3", np.int64(SLIM)),
        ("09.3", float(SLIM)),
    ],
)
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", ["09.1", "09.2", "09.3"])
@pytest.mark.parametrize("stub", [..., None])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, stub)
    if number != "09.3":
        assert "— not solved" in verdict(number, lambda *given: stub)


WRONG = {
    "what you count are hits": ("09.1", lambda s, t, k: 1 - error(s, t, k)),
    "in percent": ("09.1", lambda s, t, k: 100 * error(s, t, k)),
    "the k smallest": ("09.1", lambda s, t, k: error(-s, t, k)),
    "is a count": ("09.1", lambda s, t, k: len(t) * error(s, t, k)),
    "of k = 2": ("09.1", lambda s, t, k: error(s, t, k + 1)),
    "of k = 4": ("09.1", lambda s, t, k: error(s, t, max(k - 1, 1))),
    "has shape": ("09.1", lambda s, t, k: [error(s, t, k)]),
    "lacks the biases": ("09.2", lambda s, m, f, g: s * s * m // g * f),
    "a bias per group": ("09.2", lambda s, m, f, g: s * s * m // g * f + g),
    "without groups": ("09.2", lambda s, m, f, g: parameters(s, m, f, 1)),
    "twice": ("09.2", lambda s, m, f, g: s * s * (m // g) * (f / g) + f),
    "divides the biases": ("09.2", lambda s, m, f, g: s * s * (m // g) * f + f / g),
    "not squared": ("09.2", lambda s, m, f, g: s * (m // g) * f + f),
    "a function is asked for": ("09.2", 7),
    "biases of the dense layer": ("09.3", SLIM - 1000),
    "logits are missing": ("09.3", 14_714_688),
    "dense layer of 4096": ("09.3", 14_714_688 + 16_781_312 + 4_097_000),
    "which see 4096": ("09.3", 14_714_688 + 4_097_000),
    "all 7×7 places": ("09.3", 14_714_688 + 25_089_000),
    "in millions": ("09.3", SLIM / 1e6),
    "off by up to": ("09.3", 138_357_544),
    "one number": ("09.3", [SLIM]),
    "not of numbers": ("09.3", "fifteen million"),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_named(assert_named, words):
    assert_named(WRONG, words)
