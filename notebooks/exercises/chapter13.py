"""Exercises on attacks that can be done by hand."""

from functools import cache, partial

import keras
import numpy as np
from scipy.special import softmax

from cnnlib import datasets, fooling
from cnnlib.fooling.gradient_attacks import margin
from cnnlib.gradients import gradient
from exercises import Wrong, ask, exercise, judged, numbers


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


EPSILON = 0.2
MOST = 17  # of 120 that may still be read right; one step of FGSM leaves 27


@cache
def nearest_templates():
    """A network that reads a digit as the nearest of a hundred; 120 others, classes."""
    digits = datasets.load("digits")
    x, y = digits.x_train / np.float32(16), digits.y_train
    templates = np.concatenate([x[y == c][:10] for c in range(10)]).reshape(100, 64)
    dense = keras.layers.Dense(100)
    best_of_ten = keras.layers.GlobalMaxPooling1D(data_format="channels_first")
    ends = [keras.layers.Reshape((10, 10)), best_of_ten]
    image = keras.Input((8, 8, 1))
    net = keras.Sequential([image, keras.layers.Flatten(), dense, *ends])
    dense.set_weights([8 * templates.T, -4 * (templates**2).sum(axis=1)])
    return net, digits.x_test[:120] / np.float32(16), digits.y_test[:120]


def steps(number=20, towards=1, ball=True, box=True, start=None):
    """An attack by steps of 2.5 ε / number along the sign of the slope."""

    def attack_by_steps(net, x, y, epsilon):
        here = x if start is None else start(x, epsilon)
        for _ in range(number):
            slope = gradient(lambda z: keras.ops.sum(margin(net(z), y)), here)
            here = here + towards * np.float32(2.5 * epsilon / number) * np.sign(slope)
            here = x + np.clip(here - x, -epsilon, epsilon) if ball else here
            here = here.clip(0, 1) if box else here
        return here

    return attack_by_steps


def random_signs(net, x, y, epsilon):
    signs = np.random.default_rng(0).choice([-epsilon, epsilon], x.shape)
    return np.clip(x + signs, 0, 1)


def not_a_number(net, x, y, epsilon):
    return np.full(x.shape, np.nan)


@judged(
    "13.2",
    "an attack that one step of FGSM cannot match, within the ball and the box",
    mistakes={
        "leaves the box: pixels stay from 0 to 1": steps(box=False),
        "leaves the ball: no pixel may differ from x by more than epsilon": steps(
            ball=False
        ),
        "is the perturbation alone: add it to x": (
            lambda net, x, y, epsilon: steps()(net, x, y, epsilon) - x
        ),
        "is x itself, or nearly so": lambda net, x, y, epsilon: x,
        "helps the network: climb the loss, don't descend": steps(towards=-1),
        "is no better than one step: take many small ones": fooling.fgsm,
        "hardly harms the network: its slope says where to go": random_signs,
        "infinite or not a number": not_a_number,
        "has shape (120, 10)": lambda net, x, y, epsilon: np.asarray(net(x)),
        "has shape (0,)": lambda *given: [],
    },
    also_right=[
        fooling.pgd,
        lambda *given: steps(40)(*given).tolist(),
        partial(fooling.pgd, random_start=True, steps=40, loss="margin"),
    ],
)
def images_that_fool(attack_by_steps, rng):
    """``attack_by_steps(net, x, y, epsilon)`` turns more digits than FGSM does."""
    net, x, y = nearest_templates()
    what = "the attack on 120 digits"
    answer = numbers(ask(attack_by_steps, net, x, y, EPSILON), what)
    if answer.shape != x.shape:
        raise Wrong(f"{what} has shape {answer.shape}; {x.shape} is expected")
    away = np.abs(answer - x).max()
    if away > EPSILON + 1e-5:
        alone = np.abs(answer).max() <= EPSILON + 1e-5
        alone_words = "is the perturbation alone: add it to x"
        ball = "leaves the ball: no pixel may differ from x by more than epsilon"
        raise Wrong(f"{what} {alone_words if alone else ball}")
    if answer.min() < -1e-5 or answer.max() > 1 + 1e-5:
        raise Wrong(f"{what} leaves the box: pixels stay from 0 to 1")
    if away < EPSILON / 100:
        raise Wrong(f"{what} is x itself, or nearly so")

    def right(images):
        read = np.asarray(net(images.astype("float32"))).argmax(axis=1)
        return int(np.sum(read == y))

    left, plain = right(answer), right(x)
    if left > plain:
        raise Wrong(f"{what} helps the network: climb the loss, don't descend")
    if left > plain / 2:
        raise Wrong(f"{what} hardly harms the network: its slope says where to go")
    if left > MOST:
        raise Wrong(
            f"{what} leaves {left} read right, and is no better than one step: take "
            "many small ones"
        )


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
