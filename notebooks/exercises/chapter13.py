"""Exercises on attacks that can be done by hand."""

from functools import partial

import keras
import numpy as np
from scipy.special import softmax

from cnnlib import fooling
from exercises import exercise


def linear(rng, n, pixels, classes):
    """Images from 0 to 1, some pixels at the bounds, and a softmax regression."""
    x = rng.uniform(-0.2, 1.2, (n, pixels)).clip(0, 1)
    w, b = rng.normal(size=(pixels, classes)), 3 * rng.normal(size=classes)
    return x, w, b


def slope(x, y, w, b):
    return (softmax(x @ w + b, axis=1) - hot(y, b)) @ w.T


def hot(y, b):
    return np.eye(len(b))[y]


def attack(direction):
    """The attack that goes this way, a function of x, y, w and b."""
    return lambda x, y, w, b, epsilon: np.clip(
        x + epsilon * direction(x, y, w, b), 0, 1
    )


def sign(x, y, w, b):
    return np.sign(slope(x, y, w, b))


def of_length_one(x, y, w, b):
    along = slope(x, y, w, b)
    return along / np.sqrt((along**2).sum(axis=1, keepdims=True))


def library_attack(x, y, w, b, epsilon):
    dense = keras.layers.Dense(len(b))
    net = keras.Sequential([keras.Input((len(w),)), dense])
    dense.set_weights([w, b])
    return fooling.fgsm(net, x.astype("float32"), y, epsilon)


@exercise(
    "13.1",
    "the fast gradient sign method, within the box",
    reference=attack(sign),
    mistakes={
        "leaves the box: pixels stay from 0 to 1": (
            lambda x, y, w, b, epsilon: x + epsilon * sign(x, y, w, b)
        ),
        "makes the loss smaller: go along the gradient, not against it": attack(
            lambda *given: -sign(*given)
        ),
        "follows the gradient itself: its sign is asked for": attack(slope),
        "follows the gradient divided by its length: its sign is asked for": attack(
            of_length_one
        ),
        "is the perturbation alone: add it to x": (
            lambda x, y, w, b, epsilon: epsilon * sign(x, y, w, b)
        ),
        "forgets b, which changes the probabilities": attack(
            lambda x, y, w, b: sign(x, y, w, 0 * b)
        ),
        "lowers the logit of y only: the other classes count too": attack(
            lambda x, y, w, b: -np.sign(w[:, y].T)
        ),
        "forgets to take off e: that is the gradient of something else": attack(
            lambda x, y, w, b: np.sign(softmax(x @ w + b, axis=1) @ w.T)
        ),
        "takes logits for probabilities": attack(
            lambda x, y, w, b: np.sign((x @ w + b - hot(y, b)) @ w.T)
        ),
    },
    also_right=[library_attack, lambda *given: attack(sign)(*given).tolist()],
)
def softmax_regressions(rng):
    """``attack(x, y, w, b, epsilon)`` is FGSM on softmax regression."""
    for n, pixels, classes, epsilon in [(7, 11, 4, 0.1), (5, 30, 3, 0.25)]:
        x, w, b = linear(rng, n, pixels, classes)
        w /= np.sqrt(pixels)
        y = rng.integers(classes, size=n)
        yield f"the attack on {n} inputs of {pixels} pixels", x, y, w, b, epsilon


def project(x, origin, epsilon):
    return np.clip(np.clip(x, origin - epsilon, origin + epsilon), 0, 1)


def moved(step):
    """From origin by another step, a function of x - origin and epsilon, in the box."""
    return lambda x, origin, epsilon: np.clip(origin + step(x - origin, epsilon), 0, 1)


def project_in_place(x, origin, epsilon):
    low, high = np.maximum(origin - epsilon, 0), np.minimum(origin + epsilon, 1)
    x[x > high] = high[x > high]
    x[x < low] = low[x < low]
    return keras.ops.convert_to_tensor(x)


@exercise(
    "13.2",
    "the nearest point in the ball and in the box, for any shape",
    reference=project,
    mistakes={
        "leaves the box: pixels lie from 0 to 1": (
            lambda x, origin, epsilon: origin + np.clip(x - origin, -epsilon, epsilon)
        ),
        "leaves the ball: pixels differ from origin by at most epsilon": (
            lambda x, origin, epsilon: x.clip(0, 1)
        ),
        "is in a ball around 0, not around origin": (
            lambda x, origin, epsilon: x.clip(-epsilon, epsilon).clip(0, 1)
        ),
        "is the perturbation alone: add origin": (
            lambda x, origin, epsilon: np.clip(x - origin, -epsilon, epsilon)
        ),
        "goes to the rim of the ball, even from within it": moved(
            lambda step, epsilon: epsilon * np.sign(step)
        ),
        "shrinks all pixels alike: each has an interval of its own": moved(
            lambda step, epsilon: step * min(1, epsilon / np.abs(step).max())
        ),
        "is in the round ball (L2): each pixel has an interval of its own": moved(
            lambda step, epsilon: step * min(1, epsilon / np.sqrt((step**2).sum()))
        ),
        "is origin wherever x is too far: the nearest point is asked for": moved(
            lambda step, epsilon: step * (np.abs(step) <= epsilon)
        ),
    },
    also_right=[project_in_place],
)
def points_and_balls(rng):
    """``project(x, origin, epsilon)`` is the nearest allowed point."""
    for shape, epsilon in [((3, 5, 4, 1), 0.2), ((17,), 0.05), ((2, 9), 0.4)]:
        origin = rng.uniform(-0.3, 1.3, shape).clip(0, 1)
        x = origin + 0.6 * rng.normal(size=shape)
        yield f"the point for shape {shape} and epsilon = {epsilon}", x, origin, epsilon


def total(w):
    return np.abs(w).sum()


def apart(own, other):
    """How fast two logits come together, by their weights."""
    return total(own - other)


def smallest_epsilon(x, y, w, b, speed=apart, choose=min):
    """For each input one epsilon of those at which other classes catch up."""
    answers = []
    for logits, own in zip(x @ w + b, y, strict=True):
        others = [k for k in range(len(b)) if k != own]
        answers.append(
            choose(
                (logits[own] - logits[k]) / speed(w[:, own], w[:, k]) for k in others
            )
        )
    return np.array(answers)


def lead(x, y, w, b):
    logits = np.sort(x @ w + b, axis=1)
    return logits[:, -1] - logits[:, -2]


def of_the_next_in_rank(x, y, w, b):
    second = np.argsort(x @ w + b, axis=1)[:, -2]
    return lead(x, y, w, b) / np.abs(w[:, y] - w[:, second]).sum(axis=0)


@exercise(
    "13.3",
    "the smallest epsilon that fools a linear network, exactly",
    reference=smallest_epsilon,
    mistakes={
        "forgets b": lambda x, y, w, b: smallest_epsilon(x, y, w, 0 * b),
        "takes the next in rank only: a class further behind may be faster": (
            of_the_next_in_rank
        ),
        "has Σw² under a root: each pixel moves by ε, so that Σ|w| counts": partial(
            smallest_epsilon, speed=lambda own, other: np.linalg.norm(own - other)
        ),
        "lets only the true class's weights count: both logits move": partial(
            smallest_epsilon, speed=lambda own, other: total(own)
        ),
        "adds up the speeds of two classes: a pixel cannot serve both": partial(
            smallest_epsilon, speed=lambda own, other: total(own) + total(other)
        ),
        "adds signed weights: the perturbation chooses each sign": partial(
            smallest_epsilon, speed=lambda own, other: np.abs((own - other).sum())
        ),
        "is the lead itself: divide it by how fast it shrinks": lead,
        "is the largest over the classes: the first to arrive counts": partial(
            smallest_epsilon, choose=max
        ),
        "is 0, as if the true class were another one": (
            lambda x, y, w, b: np.zeros(len(x))
        ),
    },
    also_right=[lambda *given: smallest_epsilon(*given).tolist()],
)
def linear_networks(rng):
    """``smallest_epsilon(x, y, w, b)`` for inputs that are read right."""
    for n, pixels, classes in [(40, 6, 5), (25, 50, 7)]:
        x, w, b = linear(rng, n, pixels, classes)
        w *= np.exp(rng.normal(size=classes))  # speeds that differ
        y = (x @ w + b).argmax(axis=1)
        yield f"epsilon for {n} inputs of {pixels} pixels", x, y, w, b
