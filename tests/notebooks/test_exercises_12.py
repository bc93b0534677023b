"""The exercises on many paths: right answers pass, mistakes are named."""

import numpy as np
import pytest

from exercises import verdict


def count(columns, blocks):
    if columns == 1:
        return 1
    return (count(columns - 1, 1) ** 2 + 1) ** blocks


def distribution(survival):
    chance = [1.0]
    for p in survival:
        off, on = [*chance, 0.0], [0.0, *chance]
        chance = [(1 - p) * a + p * b for a, b in zip(off, on, strict=True)]
    return chance


def even(survival):
    return distribution(np.full(len(survival), np.mean(survival)))


def dense(x, kernels, activation=lambda maps: np.where(maps > 0, maps, 0.0)):
    outputs = [x]
    for kernel in kernels:
        outputs.append(activation(np.hstack(outputs)) @ kernel)
    return np.hstack(outputs)


def step(x, kernels, join):
    for kernel in kernels:
        x = join(x, np.maximum(x, 0) @ kernel)
    return x


def behind_relu(x, kernels):
    for kernel in kernels:
        x = np.hstack([x, np.maximum(x @ kernel, 0)])
    return x


RIGHT = {"12.1": count, "12.2": distribution, "12.3": dense}


@pytest.mark.parametrize("number", RIGHT)
def test_a_right_answer_is_solved(number):
    line = verdict(number, RIGHT[number])
    assert line.startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", RIGHT)
@pytest.mark.parametrize("stub", [..., None, lambda *given: ...])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, stub)


WRONG = {
    "adds up its blocks": ("12.1", lambda c, b: count(c, 1) * b),
    "counts columns": ("12.1", lambda c, b: c**b),
    "doubles with each column": ("12.1", lambda c, b: 2 ** ((c - 1) * b)),
    "lacks the convolution beside": ("12.1", lambda c, b: 1),
    "is made of str": ("12.1", lambda c, b: "many"),
    "counts the units that are off": ("12.2", lambda p: distribution(p)[::-1]),
    "the mean probability": ("12.2", even),
    "is summed up": ("12.2", lambda p: np.cumsum(distribution(p))),
    "that none survives": ("12.2", lambda p: distribution(p)[1:]),
    "that all survive": ("12.2", lambda p: distribution(p)[:-1]),
    "not 55 probabilities": (
        "12.2",
        lambda p: distribution(p) if len(p) < 9 else np.zeros(55),
    ),
    "the mean depth of 54 units": (
        "12.2",
        lambda p: distribution(p) if len(p) < 9 else even(p)[::-1],
    ),
    "lacks its input": ("12.3", lambda x, k: dense(x, k)[:, x.shape[1] :]),
    "the last layer's maps only": (
        "12.3",
        lambda x, k: dense(x, k)[:, -k[-1].shape[1] :],
    ),
    "lacks the ReLU": ("12.3", lambda x, k: dense(x, k, lambda maps: maps)),
    "behind the matrix": ("12.3", behind_relu),
    "keeps the maps after the ReLU": (
        "12.3",
        lambda x, k: step(x, k, lambda a, b: np.hstack([np.maximum(a, 0), b])),
    ),
    "starts from the ReLU of x": ("12.3", lambda x, k: dense(np.maximum(x, 0), k)),
    "in front of the old ones": (
        "12.3",
        lambda x, k: step(x, k, lambda a, b: np.hstack([b, a])),
    ),
    "your code raises ValueError": ("12.3", lambda x, k: step(x, k, np.add)),
    "not a number": ("12.3", lambda x, k: np.nan * dense(x, k)),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_named(assert_named, words):
    assert_named(WRONG, words)
