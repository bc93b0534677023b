"""Exercises on training the talk's example, and on reading what came out."""

from functools import partial

import keras
import numpy as np
from keras import layers

from cnnlib import datasets, models
from cnnlib.training import OneCycle
from exercises import Wrong, ask, exercise, judged, numbers

EPOCHS, ACCURACY = 8, 0.88


def network(*stack, side=28):
    """The function that builds a network of copies of these layers."""

    def build():
        copies = [type(layer).from_config(layer.get_config()) for layer in stack]
        return keras.Sequential([keras.Input((side, side, 1)), *copies])

    return build


def built(build, rng, side, seed):
    """The learner's network, if it makes ten logits of a square image."""
    if isinstance(build, keras.Model):
        raise Wrong("a function is asked for that returns the model; this is one")
    keras.utils.set_random_seed(seed)
    net = ask(build)
    if not isinstance(net, keras.Model):
        raise Wrong(f"build() returns {type(net).__name__}, not a Keras model")
    try:
        out = np.asarray(ask(net, rng.random((7, side, side, 1), "float32")))
    except Exception as error:
        raise Wrong(f"the model can't read images of ({side}, {side}, 1)") from error
    if out.shape != (7, 10):
        raise Wrong(f"7 images become an output of {out.shape}, not (7, 10)")
    if not np.isfinite(out).all():
        raise Wrong("the outputs are not finite numbers")
    if np.allclose(out.sum(axis=1), 1, atol=1e-3):
        raise Wrong("the outputs sum to 1: logits are asked for, without a softmax")
    return net


FLAT = layers.Flatten()
UNTRAINED = layers.Dense(10, trainable=False)


@judged(
    "06.1",
    "a hundredth of the parameters, and 88 % of the test digits or more",
    mistakes={
        "it reads fewer than 88% of the test digits, though small": network(
            layers.AveragePooling2D(7), FLAT, UNTRAINED
        ),
        "7,850 parameters; 6,008 may be": network(FLAT, layers.Dense(10)),
        "the outputs sum to 1: logits are asked for, without a softmax": network(
            FLAT, layers.Dense(10, activation="softmax")
        ),
        "7 images become an output of (7, 9), not (7, 10)": network(
            layers.GlobalMaxPooling2D(), layers.Dense(9)
        ),
        "an output of (7, 28, 28, 10), not (7, 10)": network(layers.Dense(10)),
        "the model can't read images of (28, 28, 1)": network(
            FLAT, layers.Dense(10), side=32
        ),
        "build() returns str, not a Keras model": lambda: "a network",
        "a function is asked for that returns the model; this is one": network(FLAT)(),
    },
)
def hundredth(build, rng):
    """``build()`` returns an uncompiled model that emits logits."""
    net = built(build, rng, side=28, seed=61)
    most = models.mnist_cnn().count_params() // 100
    if net.count_params() > most:
        raise Wrong(f"{net.count_params():,} parameters; {most:,} may be")
    digits = datasets.load("digits28")
    x_train, x_test = digits.x_train / np.float32(255), digits.x_test / np.float32(255)
    rate = OneCycle(5e-3, EPOCHS * -(-len(x_train) // 32))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    net.fit(x_train, digits.y_train, batch_size=32, epochs=EPOCHS, verbose=0)
    if net.evaluate(x_test, digits.y_test, verbose=0)[1] < ACCURACY:
        raise Wrong(
            f"it reads fewer than {ACCURACY:.0%} of the test digits, though small"
        )


def standard_error(right, deviation=np.std):
    return 100 * deviation(right) / np.sqrt(len(right))


def error_by_drawing(right):
    rng = np.random.default_rng(1)
    return 100 * np.std(rng.choice(right, (1500, len(right))).mean(axis=1))


@exercise(
    "06.2",
    "how far such tests scatter, for five sizes and accuracies",
    reference=standard_error,
    tolerance=0.12,  # near enough also for those who let chance draw a thousand tests
    mistakes={
        "is the spread of single images, not that of their mean": (
            lambda right: 100 * np.std(right)
        ),
        "falls as fast as the number of images grows; it should not": (
            lambda right: 100 * np.std(right) / len(right)
        ),
        "is a fraction; it is asked for in per cent": (
            lambda right: standard_error(right) / 100
        ),
        "is a variance; its root is asked for": partial(
            standard_error, deviation=lambda right: np.var(right) / len(right) ** 0.5
        ),
        "is the accuracy, not its standard error": lambda right: 100 * right.mean(),
    },
    also_right=[
        partial(standard_error, deviation=partial(np.std, ddof=1)),
        error_by_drawing,
    ],
    also_wrong={
        "is off by up to": lambda right: 100 * np.std(right) / 360**0.5,
        "off": lambda right: 1.2 * standard_error(right),
    },
)
def tests_of_images(rng):
    """``standard_error(right)`` in per cent."""
    for count, chance in [(360, 0.9), (37, 0.5), (361, 0.7), (2000, 0.97), (901, 0.2)]:
        right = rng.random(count) < chance
        right[:2] = True, False
        yield f"for {right.sum()} of {count} images right, the answer", right


def probabilities(logits):
    return np.asarray(keras.ops.softmax(logits.astype("float64"), axis=1))


def right_logits(logits, labels):
    return logits[range(len(labels)), labels]


ORDERS = {
    "has the least sure first": lambda z, y: -probabilities(z).max(axis=1),
    "is ordered by logits; probabilities are asked for": lambda z, y: z.max(axis=1),
    "is ordered by the lead over the right class": (
        lambda z, y: z.max(axis=1) - right_logits(z, y)
    ),
    "is ordered by the probability of the right class": (
        lambda z, y: right_logits(probabilities(z), y)
    ),
    "is not ordered": lambda z, y: -np.arange(len(y)),
}


def ordered(by):
    """The misread images in an order, the largest first."""

    def answer(logits, labels):
        misread = np.flatnonzero(logits.argmax(axis=1) != labels)
        return misread[np.argsort(-by(logits, labels)[misread], kind="stable")]

    return answer


surest = ordered(lambda z, y: probabilities(z).max(axis=1))


def by_exponentials(logits, labels):
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    order = np.argsort(-scores.max(axis=1))
    return [i for i in order if scores[i].argmax() != labels[i]]


@judged(
    "06.3",
    "the misread images, surest first, for logits of any size",
    mistakes={words: ordered(by) for words, by in ORDERS.items()}
    | {
        "for logits around 1000, of which exp is infinite, your list": by_exponentials,
        "has 8 of the": lambda z, y: surest(z, y)[:8],
        "has the right images in a wrong order": ordered(lambda z, y: z.sum(axis=1)),
        "which is not misread": lambda z, y: np.argsort(-z.max(axis=1)),
        "names image 99, which is not misread": lambda z, y: [99],
        "names an image twice": lambda z, y: [*surest(z, y)] * 2,
        "is not a list of indices": lambda z, y: z.argmax(axis=1) != y,
    },
    also_right=[lambda z, y: surest(z.astype("float32"), y).tolist()],
)
def surest_errors(function, rng):
    """``surest_errors(logits, labels)`` returns indices."""
    for count, classes in [(40, 10), (31, 7), (25, 4)]:
        logits = rng.normal(scale=2, size=(count, classes))
        logits += rng.normal(scale=9, size=(count, 1))  # no softmax sees this
        guess, other = logits.argmax(axis=1), rng.integers(classes, size=count)
        labels = np.where(rng.random(count) < 0.5, guess, other)
        what = f"for {count} images of {classes} classes, your list"
        judge_order(function, logits, labels, what)
    what = "for logits around 1000, of which exp is infinite, your list"
    judge_order(function, logits + 1000, labels, what)


def judge_order(function, logits, labels, what):
    answer = numbers(ask(function, logits, labels), what)
    if answer.dtype.kind not in "iu" or answer.ndim != 1:
        raise Wrong(f"{what} is not a list of indices, whole numbers from 0")
    misread = np.flatnonzero(logits.argmax(axis=1) != labels)
    if len(set(answer.tolist())) < len(answer):
        raise Wrong(f"{what} names an image twice")
    if extra := sorted(set(answer.tolist()) - set(misread.tolist())):
        raise Wrong(f"{what} names image {extra[0]}, which is not misread")
    if len(answer) < len(misread):
        raise Wrong(f"{what} has {len(answer)} of the {len(misread)} misread images")
    if (np.diff(probabilities(logits).max(axis=1)[answer]) <= 1e-5).all():
        return
    for words, by in ORDERS.items():
        if (np.diff(by(logits, labels)[answer]) <= 0).all():
            raise Wrong(f"{what} {words}")
    raise Wrong(f"{what} has the right images in a wrong order")
