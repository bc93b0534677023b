"""The exercises on fooling: right answers pass, mistakes are named."""

import keras
import numpy as np
import pytest
from scipy.optimize import linprog

from cnnlib import fooling
from exercises import verdict


def probabilities(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def slope(x, y, w, b):
    return (probabilities(x @ w + b) - np.eye(len(b))[y]) @ w.T


def attack(x, y, w, b, epsilon):
    return np.clip(x + epsilon * np.sign(slope(x, y, w, b)), 0, 1)


def pixel_by_pixel(x, y, w, b, epsilon):
    found = x.copy()
    gradient = slope(x, y, w, b)
    for i, j in np.ndindex(*x.shape):
        up = epsilon if gradient[i, j] > 0 else -epsilon
        found[i, j] = min(max(x[i, j] + up, 0), 1)
    return found.tolist()


def by_the_library(x, y, w, b, epsilon):
    pixels, classes = w.shape
    dense = keras.layers.Dense(classes)
    net = keras.Sequential([keras.Input((pixels,)), dense])
    dense.set_weights([w, b])
    return fooling.fgsm(net, x.astype("float32"), y, epsilon)


def project(x, origin, epsilon):
    return np.clip(np.clip(x, origin - epsilon, origin + epsilon), 0, 1)


def the_other_order(x, origin, epsilon):
    low, high = np.maximum(origin - epsilon, 0), np.minimum(origin + epsilon, 1)
    return np.minimum(np.maximum(x, low), high)


def in_place(x, origin, epsilon):
    x[x > origin + epsilon] = (origin + epsilon)[x > origin + epsilon]
    x[x < origin - epsilon] = (origin - epsilon)[x < origin - epsilon]
    x[x > 1], x[x < 0] = 1, 0
    return keras.ops.convert_to_tensor(x)


def smallest(x, y, w, b, length=lambda d: np.abs(d).sum(), choose=min):
    found = []
    for image, own in zip(x, y, strict=True):
        z = image @ w + b
        found.append(
            choose(
                (z[own] - z[k]) / length(w[:, own] - w[:, k])
                for k in range(len(b))
                if k != own
            )
        )
    return np.array(found)


def by_linear_programming(x, y, w, b):
    """Minimize ε over (r, ε) with |r| ≤ ε and another logit not below the true one."""
    n, pixels = x.shape
    eye, ones = np.eye(pixels), np.ones((pixels, 1))
    ball = np.block([[eye, -ones], [-eye, -ones]])
    found = np.full(n, np.inf)
    for i in range(n):
        z = x[i] @ w + b
        for k in set(range(len(b))) - {y[i]}:
            rows = np.vstack([ball, np.append(w[:, y[i]] - w[:, k], 0)])
            bounds = np.append(np.zeros(2 * pixels), z[k] - z[y[i]])
            cost = np.append(np.zeros(pixels), 1)
            best = linprog(cost, rows, bounds, bounds=(None, None)).fun
            found[i] = min(found[i], best)
    return found


RIGHT = [
    *(("13.1", attack), ("13.1", pixel_by_pixel), ("13.1", by_the_library)),
    *(("13.2", project), ("13.2", the_other_order), ("13.2", in_place)),
    *(("13.3", smallest), ("13.3", by_linear_programming)),
]


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", ["13.1", "13.2", "13.3"])
@pytest.mark.parametrize("stub", [..., None, lambda *given: ...])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, stub)


def stepped(direction):
    """An attack that takes another direction, a function of its arguments."""
    return lambda x, y, w, b, e: np.clip(x + e * direction(x, y, w, b), 0, 1)


def normal(g):
    return g / np.linalg.norm(g, axis=1, keepdims=True)


def placed(move):
    """A point made from origin, step and epsilon, in the box."""
    return lambda x, origin, e: np.clip(move(origin, x - origin, e), 0, 1)


def lead(x, y, w, b):
    z = np.sort(x @ w + b, axis=1)
    return z[:, -1] - z[:, -2]


def next_in_rank(x, y, w, b):
    second = np.argsort(x @ w + b, axis=1)[:, -2]
    return lead(x, y, w, b) / np.abs(w[:, y] - w[:, second]).sum(axis=0)


def with_speed(speed):
    def answer(x, y, w, b):
        z = x @ w + b
        return np.array(
            [
                min((r[c] - r[k]) / speed(w, c, k) for k in range(len(b)) if k != c)
                for r, c in zip(z, y, strict=True)
            ]
        )

    return answer


def size(w):
    return np.abs(w).sum()


WRONG = {
    "leaves the box: pixels stay": (
        "13.1",
        lambda x, y, w, b, e: x + e * np.sign(slope(x, y, w, b)),
    ),
    "makes the loss smaller": ("13.1", stepped(lambda *a: -np.sign(slope(*a)))),
    "follows the gradient itself": ("13.1", stepped(slope)),
    "divided by its length": ("13.1", stepped(lambda *a: normal(slope(*a)))),
    "is the perturbation alone: add it": (
        "13.1",
        lambda x, y, w, b, e: e * np.sign(slope(x, y, w, b)),
    ),
    "forgets b, which": (
        "13.1",
        stepped(lambda x, y, w, b: np.sign(slope(x, y, w, 0 * b))),
    ),
    "the logit of y only": ("13.1", stepped(lambda x, y, w, b: -np.sign(w[:, y].T))),
    "forgets to take off e": (
        "13.1",
        stepped(lambda x, y, w, b: np.sign(probabilities(x @ w + b) @ w.T)),
    ),
    "takes logits for": (
        "13.1",
        stepped(lambda x, y, w, b: np.sign((x @ w + b - np.eye(len(b))[y]) @ w.T)),
    ),
    "the attack on 7 inputs of 11 pixels is off": ("13.1", lambda x, *rest: 0.9 * x),
    "has shape": ("13.1", lambda *given: attack(*given).T),
    "raises KeyError": ("13.1", lambda *given: {}[0]),
    "leaves the box: pixels lie": (
        "13.2",
        lambda x, o, e: o + np.clip(x - o, -e, e),
    ),
    "leaves the ball": ("13.2", lambda x, o, e: np.clip(x, 0, 1)),
    "around 0, not": ("13.2", lambda x, o, e: np.clip(np.clip(x, -e, e), 0, 1)),
    "is the perturbation alone: add origin": (
        "13.2",
        lambda x, o, e: np.clip(x - o, -e, e),
    ),
    "to the rim": ("13.2", placed(lambda o, r, e: o + e * np.sign(r))),
    "all pixels alike": (
        "13.2",
        placed(lambda o, r, e: o + r * min(1, e / np.abs(r).max())),
    ),
    "the round ball": (
        "13.2",
        placed(lambda o, r, e: o + r * min(1, e / np.linalg.norm(r))),
    ),
    "is origin wherever": (
        "13.2",
        placed(lambda o, r, e: o + r * (np.abs(r) <= e)),
    ),
    "shape (3, 5, 4, 1) and epsilon = 0.2 is off": ("13.2", lambda x, o, e: o),
    "not a number": ("13.2", lambda x, o, e: np.nan * x),
    "not of numbers": ("13.2", lambda x, o, e: "inside"),
    "forgets b": ("13.3", lambda x, y, w, b: smallest(x, y, w, 0 * b)),
    "next in rank only": ("13.3", next_in_rank),
    "under a root": (
        "13.3",
        lambda *given: smallest(*given, length=lambda d: np.linalg.norm(d)),
    ),
    "only the true class's": ("13.3", with_speed(lambda w, c, k: size(w[:, c]))),
    "speeds of two classes": (
        "13.3",
        with_speed(lambda w, c, k: size(w[:, c]) + size(w[:, k])),
    ),
    "signed weights": (
        "13.3",
        lambda *given: smallest(*given, length=lambda d: np.abs(d.sum())),
    ),
    "is the lead itself": ("13.3", lead),
    "the largest over": ("13.3", lambda *given: smallest(*given, choose=max)),
    "is 0, as if": ("13.3", lambda x, y, w, b: np.zeros(len(x))),
    "for 40 inputs of 6 pixels is off": (
        "13.3",
        lambda *given: smallest(*given) / 2,
    ),
    "(40,) is expected": ("13.3", lambda *given: smallest(*given).min()),
    "a function is asked for": ("13.3", 0.1),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(assert_named, words):
    assert_named(WRONG, words)
