"""Exercises on neurons and dense layers."""

from functools import partial
from itertools import pairwise

import keras
import numpy as np

from exercises import Wrong, ask, exercise, judged, numbers


def relu(z):
    return np.maximum(z, 0)


def identity(z):
    return z


def run(x, layers, inner=relu, last=identity, bias=1, inputs_first=True):
    """What a dense network answers, and what it would if one mistook something."""
    for i, (w, b) in enumerate(layers, start=1):
        x = x @ (w if inputs_first else w.T) + bias * b
        x = (last if i == len(layers) else inner)(x)
    return x


def keras_network(x, layers):
    network = keras.Sequential([keras.Input(x.shape[1:], dtype="float64")])
    for i, (w, b) in enumerate(layers, start=1):
        f = None if i == len(layers) else "relu"
        network.add(keras.layers.Dense(len(b), f, dtype="float64"))
        network.layers[-1].set_weights([w, b])
    return keras.ops.convert_to_numpy(network(x))


def network_in_single_precision(x, layers):
    for i, (w, b) in enumerate(layers):
        x = keras.ops.matmul(keras.ops.cast(x, "float32"), w.astype("float32")) + b
        x = keras.ops.relu(x) if i < len(layers) - 1 else x
    return x


@exercise(
    "01.1",
    "equal to Keras's dense layers, from one layer to four",
    reference=keras_network,
    mistakes={
        "is cut off at zero: the last layer has no ReLU": partial(run, last=relu),
        "comes without any ReLU": partial(run, inner=identity),
        "is bent by tanh, not by ReLU": partial(run, inner=np.tanh),
        "lacks the biases": partial(run, bias=0),
        "is that of the first example only": lambda x, layers: run(x[0], layers),
        "is that of the first layer only": lambda x, layers: run(x, layers[:1]),
        "takes w the other way round: Keras has the inputs first": partial(
            run, inputs_first=False
        ),
    },
    also_right=[network_in_single_precision, lambda *given: run(*given).tolist()],
    also_wrong={
        "the output of 1 layers, 4 → 3, is cut off": lambda x, layers: run(
            x, layers, last=relu if len(layers) == 1 else identity
        ),
        "the output of 4 layers": lambda x, layers: run(x, layers[:3]),
    },
)
def networks(rng):
    """``forward(x, layers)``: ReLU after every layer but the last."""
    for widths in [(5, 5, 5), (4, 3), (3, 7, 2), (6, 4, 4, 5, 1)]:
        x = rng.normal(size=(9, widths[0]))
        layers = [
            (rng.normal(size=(n, m)), rng.normal(size=m)) for n, m in pairwise(widths)
        ]
        shape = " → ".join(map(str, widths))
        yield f"the output of {len(layers)} layers, {shape},", x, layers


def moons(rng, n):
    """Points of two half-moons that wind around each other, and which each is of."""
    labels = rng.integers(0, 2, n)
    angle = rng.uniform(0, np.pi, n)
    side = 1 - 2 * labels
    x = side * (np.cos(angle) - 0.5) / 1.5
    y = side * (np.sin(angle) - 0.25) / 1.5
    points = np.stack([x, y], axis=1) + rng.normal(scale=0.05, size=(n, 2))
    return points.astype("float32"), labels


def trained(f="tanh", outputs=1, last=None, epochs=60, rate=0.02):
    """A function that trains a classifier, with what one might mistake."""

    def classifier(points, labels):
        layers = [keras.layers.Dense(24, f), keras.layers.Dense(outputs, last)]
        net = keras.Sequential([keras.Input((2,)), *layers])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if outputs == 1:
            loss = keras.losses.BinaryCrossentropy(from_logits=last is None)
        net.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=6)
        net.fit(points, labels, batch_size=100, epochs=epochs, verbose=0)
        return net

    return classifier


def fitted_and_not_returned(points, labels):
    net = keras.Sequential([keras.layers.Dense(1)])
    net.compile("sgd", "mse")
    return net.fit(points, labels, verbose=0)


@judged(
    "01.2",
    "at least 95 % of new points are right, and the border is bent",
    mistakes={
        "the border is a straight line: what must stand between two layers?": trained(
            f=None, epochs=20
        ),
        "is never below 0: are these probabilities?": trained(last="sigmoid"),
        "has shape (400, 2); one logit each is asked for, (400, 1)": trained(outputs=2),
        "the classes are exchanged": lambda points, labels: trained()(
            points, 1 - labels
        ),
        "of the new points are right: train on": trained(epochs=1, rate=1e-4),
        "a Keras model is asked for; this is History": fitted_and_not_returned,
    },
    also_right=[trained("relu", epochs=100)],
)
def half_moons(classifier, rng):
    """``classifier(points, labels)``: a network, trained to tell two half-moons."""
    keras.utils.set_random_seed(0)
    net = ask(classifier, *moons(rng, 600))
    if not isinstance(net, keras.Model):
        raise Wrong(f"a Keras model is asked for; this is {type(net).__name__}")
    points, labels = moons(rng, 400)
    logits = numbers(ask(net, points), "the model's output")
    if logits.shape != (400, 1):
        asked = "one logit each is asked for, (400, 1)"
        raise Wrong(f"the model's output has shape {logits.shape}; {asked}")
    if logits.min() >= 0:
        raise Wrong("the model's output is never below 0: are these probabilities?")
    right = np.mean((logits[:, 0] > 0) == labels)
    if right >= 0.95:
        return
    middle = (logits[:200] + logits[200:]) / 2
    between = numbers(ask(net, (points[:200] + points[200:]) / 2), "the output")
    if np.allclose(middle, between, atol=1e-3):
        raise Wrong(
            "the border is a straight line: what must stand between two layers?"
        )
    if right <= 0.1:
        raise Wrong("the classes are exchanged: a logit above 0 is for class 1")
    raise Wrong(f"{right:.0%} of the new points are right: train on, or differently")


def in_order(weights, order):
    return weights[np.argsort(order)]


@exercise(
    "01.3",
    "the network reads images in order as it read them shuffled",
    reference=in_order,
    mistakes={
        "is still the one for shuffled images": lambda w, order: w,
        "is shuffled once more, not back": lambda w, order: w[order],
        "is sorted by its numbers; order says which row goes where": (
            lambda w, order: np.sort(w, axis=0)
        ),
        "has its columns moved; they are the neurons": (
            lambda w, order: w[:, np.argsort(order)]
        ),
        "has its columns shuffled; they are the neurons": lambda w, order: w[:, order],
    },
    also_right=[lambda w, order: keras.ops.take(w, np.argsort(order), axis=0)],
)
def shuffled_pixels(rng):
    """``in_order(weights, order)`` undoes ``images[:, order]``."""
    for pixels, neurons in [(25, 25), (7, 4), (64, 3)]:
        order = rng.permutation(pixels)
        w = rng.normal(size=(pixels, neurons))
        yield f"for {pixels} pixels and {neurons} neurons, the matrix", w, order
