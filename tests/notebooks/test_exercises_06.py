"""The exercises on the digits: right answers pass, mistakes are named."""

import keras
import numpy as np
import pytest

from exercises import verdict

layers = keras.layers


def empty(*given): ...


@pytest.mark.parametrize("number", ["06.1", "06.2", "06.3"])
@pytest.mark.parametrize("left", [None, ..., empty])
def test_an_empty_stub_is_not_solved(number, left):
    assert "— not solved" in verdict(number, left)


def wrong(number, answer, words):
    line = verdict(number, answer)
    assert "— wrong:" in line
    assert words in line


def net(*stack, side=28):
    return keras.Sequential([keras.Input((side, side, 1)), *stack])


def test_a_network_of_a_hundredth_of_the_parameters():
    def build():
        return net(
            layers.AveragePooling2D(2),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        )

    assert "— solved:" in verdict("06.1", build)


@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
def test_a_small_network_that_learns_nothing(monkeypatch):
    monkeypatch.setattr("exercises.chapter06.EPOCHS", 1)
    pooled = layers.AveragePooling2D(7)
    stack = [pooled, layers.Flatten(), layers.Dense(10, trainable=False)]
    wrong("06.1", lambda: net(*stack), "it reads fewer than 88% of the test digits")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: net(layers.Flatten(), layers.Dense(10)), "7,850 parameters; 6,008"),
        (
            lambda: net(layers.Flatten(), layers.Dense(10, activation="softmax")),
            "the outputs sum to 1: logits are asked for",
        ),
        (
            lambda: net(layers.GlobalMaxPooling2D(), layers.Dense(9)),
            "become an output of (7, 9), not (7, 10)",
        ),
        (lambda: net(layers.Dense(10)), "an output of (7, 28, 28, 10), not (7, 10)"),
        (
            lambda: net(layers.Flatten(), layers.Dense(10), side=32),
            "can't read images of (28, 28, 1)",
        ),
        (lambda: "a network", "build() returns str, not a Keras model"),
        (lambda: net(layers.Flatten(3, 4)), "your code raises TypeError"),
        ("a network", "a function is asked for; this is str"),
        (net(layers.Flatten()), "a function is asked for that returns the model"),
    ],
)
def test_other_networks_are_told_what_is_wrong(build, words):
    wrong("06.1", build, words)


def drawn(right):
    rng = np.random.default_rng(1)
    return 100 * np.std(rng.choice(right, (1500, len(right))).mean(axis=1))


@pytest.mark.parametrize(
    "answer",
    [
        lambda right: 100 * np.std(right) / np.sqrt(len(right)),
        lambda right: 100 * np.sqrt(right.mean() * (1 - right.mean()) / right.size),
        lambda right: 100 * np.std(right, ddof=1) / len(right) ** 0.5,
        lambda right: keras.ops.std(100.0 * right) / len(right) ** 0.5,
        drawn,
    ],
)
def test_standard_errors_of_an_accuracy(answer):
    assert "— solved:" in verdict("06.2", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda right: 100 * np.std(right), "is the spread of single images"),
        (lambda right: 100 * np.std(right, ddof=1), "is the spread of single images"),
        (lambda right: 100 * np.std(right) / len(right), "falls as fast as"),
        (lambda right: np.std(right) / np.sqrt(len(right)), "is a fraction"),
        (lambda right: 100 * np.var(right) / len(right), "is a variance"),
        (lambda right: 100 * right.mean(), "is the accuracy, not its standard error"),
        (lambda right: 100 * np.std(right) / 360**0.5, "is off by up to"),
        (lambda right: 100 * np.std(right) / right.sum() ** 0.5, "is off by up to"),
        (lambda right: 196 * np.std(right) / len(right) ** 0.5, "is off by up to"),
        (lambda right: 100 * right / len(right) ** 0.5, "one number is asked for"),
        (lambda right: np.nan, "infinite or not a number"),
        (lambda right: "small", "is made of str"),
        (lambda: 1.6, "your code raises TypeError"),
        (1.6, "a function is asked for; this is float"),
    ],
)
def test_other_errors_are_told_what_is_wrong(answer, words):
    wrong("06.2", answer, words)


def surest(logits, labels, by=None, keep=None):
    sure = np.asarray(keras.ops.softmax(logits, axis=1)).max(axis=1)
    by = sure if by is None else by
    found = [i for i in range(len(labels)) if logits[i].argmax() != labels[i]]
    found = range(len(labels)) if keep == "all" else found
    return sorted(found, key=lambda i: -by[i])


def in_float32(logits, labels):
    return surest(logits.astype("float32"), labels)


def by_log_probability(logits, labels):
    top = logits.max(axis=1, keepdims=True)
    log = -np.log(np.exp(logits - top).sum(axis=1))
    order = np.argsort(log)[::-1]
    return order[logits.argmax(axis=1)[order] != labels[order]]


@pytest.mark.parametrize("answer", [surest, in_float32, by_log_probability])
def test_the_misread_images_surest_first(answer):
    assert "— solved:" in verdict("06.3", answer)


def by_exp(logits, labels):
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    order = np.argsort(-scores.max(axis=1))
    return [i for i in order if scores[i].argmax() != labels[i]]


def of_the_right_class(logits, labels):
    scores = np.asarray(keras.ops.softmax(logits, axis=1))
    return surest(logits, labels, scores[range(len(labels)), labels])


def by_lead(logits, labels):
    true = logits[range(len(labels)), labels]
    return surest(logits, labels, logits.max(axis=1) - true)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (by_exp, "for logits around 1000, of which exp is infinite, your list"),
        (by_lead, "is ordered by the lead over the right class"),
        (of_the_right_class, "is ordered by the probability of the right class"),
        (lambda z, y: surest(z, y, z.max(axis=1)), "is ordered by logits"),
        (lambda z, y: surest(z, y)[::-1], "has the least sure first"),
        (lambda z, y: sorted(surest(z, y)), "is not ordered"),
        (lambda z, y: surest(z, y)[1:2] + surest(z, y)[:1], "of the"),
        (lambda z, y: surest(z, y)[:8], "has 8 of the"),
        (lambda z, y: surest(z, y, z.sum(axis=1)), "in a wrong order"),
        (lambda z, y: surest(z, y, keep="all"), "which is not misread"),
        (lambda z, y: [99], "names image 99, which is not misread"),
        (lambda z, y: surest(z, y) * 2, "names an image twice"),
        (lambda z, y: z.argmax(axis=1) != y, "is not a list of indices"),
        (lambda z, y: z[surest(z, y)], "is not a list of indices"),
        (lambda z, y: "none", "is made of str"),
        (lambda z: 1, "your code raises TypeError"),
        ([3, 1], "a function is asked for; this is list"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_other_lists_are_told_what_is_wrong(answer, words):
    wrong("06.3", answer, words)
