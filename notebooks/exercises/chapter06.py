"""Exercises on training the talk's example, and on reading what came out."""

import keras
import numpy as np

from cnnlib import datasets, models
from cnnlib.training import OneCycle
from exercises import Wrong, alike, ask, exercise, numbers

EPOCHS, ACCURACY = 8, 0.88


@exercise("06.1", "a hundredth of the parameters, and 88 % of the test digits or more")
def hundredth(build):
    """``build()`` returns an uncompiled model that emits logits."""
    if isinstance(build, keras.Model):
        raise Wrong("a function is asked for that returns the model; this is one")
    keras.utils.set_random_seed(61)
    net = ask(build)
    if not isinstance(net, keras.Model):
        raise Wrong(f"build() returns {type(net).__name__}, not a Keras model")
    noise = np.random.default_rng(61).random((7, 28, 28, 1), "float32")
    try:
        out = np.asarray(net(noise))
    except Exception as error:
        raise Wrong("the model can't read images of (28, 28, 1)") from error
    if out.shape != (7, 10):
        raise Wrong(f"7 images become an output of {out.shape}, not (7, 10)")
    if np.allclose(out.sum(axis=1), 1, atol=1e-3):
        raise Wrong("the outputs sum to 1: logits are asked for, without a softmax")
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


@exercise("06.2", "how far such tests scatter, for five sizes and accuracies")
def standard_error(function):
    """``standard_error(right)`` in per cent."""
    rng = np.random.default_rng(62)
    for count, chance in [(360, 0.9), (37, 0.5), (361, 0.7), (2000, 0.97), (901, 0.2)]:
        right = rng.random(count) < chance
        right[:2] = True, False
        share = right.mean()
        spread = 100 * np.sqrt(share * (1 - share))
        error = spread / np.sqrt(count)
        what = f"for {right.sum()} of {count} images right, the answer"
        answer = numbers(ask(function, right), what)
        if answer.shape:
            raise Wrong(f"{what} has shape {answer.shape}; one number is asked for")
        for words, mistaken in {
            "is the spread of single images, not that of their mean": spread,
            "falls as fast as the number of images grows; it should not": spread
            / count,
            "is a fraction; it is asked for in per cent": error / 100,
            "is a variance; its root is asked for": error**2 / 100,
            "is the accuracy, not its standard error": 100 * share,
        }.items():
            if np.isclose(answer, mistaken, rtol=0.02):
                raise Wrong(f"{what} {words}")
        # Near enough also for those who let chance draw a thousand tests.
        alike(answer, error, what, 0.12)


@exercise("06.3", "the misread images, surest first, for logits of any size")
def surest_errors(function):
    """``surest_errors(logits, labels)`` returns indices."""
    rng = np.random.default_rng(63)
    for count, classes in [(40, 10), (31, 7), (25, 4)]:
        logits = rng.normal(scale=2, size=(count, classes))
        logits += rng.normal(scale=9, size=(count, 1))  # no softmax sees this
        guess, other = logits.argmax(axis=1), rng.integers(classes, size=count)
        labels = np.where(rng.random(count) < 0.5, guess, other)
        what = f"for {count} images of {classes} classes, your list"
        _ranked(function, logits, labels, what)
    what = "for logits around 1000, of which exp is infinite, your list"
    with np.errstate(all="ignore"):
        _ranked(function, logits + 1000, labels, what)


def _ranked(function, logits, labels, what):
    answer = numbers(ask(function, logits, labels), what)
    if answer.dtype.kind not in "iu" or answer.ndim != 1:
        raise Wrong(f"{what} is not a list of indices, whole numbers from 0")
    guess = logits.argmax(axis=1)
    wrong = np.flatnonzero(guess != labels)
    if len(set(answer.tolist())) < len(answer):
        raise Wrong(f"{what} names an image twice")
    if extra := sorted(set(answer.tolist()) - set(wrong.tolist())):
        raise Wrong(f"{what} names image {extra[0]}, which is not misread")
    if len(answer) < len(wrong):
        raise Wrong(f"{what} has {len(answer)} of the {len(wrong)} misread images")
    scores = np.asarray(keras.ops.softmax(logits.astype("float64"), axis=1))
    sure = scores.max(axis=1)
    if (np.diff(sure[answer]) <= 1e-5).all():
        return
    true = logits[range(len(labels)), labels]
    for words, by in {
        "has the least sure first": -sure,
        "is ordered by logits; probabilities are asked for": logits.max(axis=1),
        "is ordered by the lead over the right class": logits.max(axis=1) - true,
        "is ordered by the probability of the right class": scores[
            range(len(labels)), labels
        ],
        "is not ordered": -np.arange(len(labels)),
    }.items():
        if (np.diff(by[answer]) <= 0).all():
            raise Wrong(f"{what} {words}")
    raise Wrong(f"{what} has the right images in a wrong order")
