"""The exercises on Inception and Xception: right answers pass, mistakes are named."""

import numpy as np
import pytest

from exercises import verdict


def count(maps, one, reduce3, three, reduce5, five, pool):
    convolutions = [
        *((1, maps, one), (1, maps, reduce3), (3, reduce3, three)),
        *((1, maps, reduce5), (5, reduce5, five), (1, maps, pool)),
    ]
    return sum(k * k * i * o + o for k, i, o in convolutions)


def windows_of(x, k):
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(0, 1))


def run(x, depthwise):
    k = depthwise.shape[0]
    return np.einsum("hwcij,ijc->hwc", windows_of(x, k), depthwise)


def convolve(x, pointwise, depthwise):
    return run(x @ pointwise, depthwise)


def padded(x, pointwise, depthwise):
    k = depthwise.shape[0]
    low, high = (k - 1) // 2, k // 2
    return run(np.pad(x, ((low, high), (low, high), (0, 0))) @ pointwise, depthwise)


@pytest.mark.parametrize(("number", "answer"), [("10.1", count), ("10.2", convolve)])
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", ["10.1", "10.2"])
@pytest.mark.parametrize("stub", [..., None, lambda *given: ...])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, stub)


WRONG = {
    "lacks the biases": ("10.1", lambda *w: count(*w) - sum(w[1:])),
    "six": ("10.1", lambda *w: count(*w) - w[2] - w[4]),
    "look at all input maps": (
        "10.1",
        lambda m, one, r3, three, r5, five, pool: (
            count(m, one, r3, three, r5, five, pool)
            + 9 * three * (m - r3)
            + 25 * five * (m - r5)
        ),
    ),
    "behind the pooling": ("10.1", lambda *w: count(*w) - (w[0] + 1) * w[6]),
    "3 and 5 where": (
        "10.1",
        lambda *w: count(*w) - 6 * w[2] * w[3] - 20 * w[4] * w[5],
    ),
    "is off by up to 1": ("10.1", lambda *w: count(*w) + 1),
    "is made of str": ("10.1", lambda *w: "many"),
    "upside down": ("10.2", lambda x, p, d: convolve(x, p, d[::-1, ::-1])),
    "is padded": ("10.2", padded),
    "sums over the new maps": ("10.2", lambda x, p, d: convolve(x, p, d).sum(-1)),
    "the other way round": (
        "10.2",
        lambda x, p, d: run(x, d) @ p if p.shape[0] == p.shape[1] else None,
    ),
    "transposed": (
        "10.2",
        lambda x, p, d: convolve(x, p.T, d) if p.shape[0] == p.shape[1] else None,
    ),
    "raises ValueError": ("10.2", lambda x, p, d: x @ p.T @ d),
    "not a number": ("10.2", lambda x, p, d: np.nan * convolve(x, p, d)),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_named(assert_named, words):
    assert_named(WRONG, words)
