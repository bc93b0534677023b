"""Exercises on neurons and dense layers."""

from functools import partial
from itertools import pairwise

import keras
import numpy as np

from exercises import exercise


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


def piece(x, w1, b1, w2, b2):
    is_open = w1 @ x + b1 > 0
    return w2 @ (is_open[:, None] * w1), w2 @ (is_open * b1) + b2


def piece_by_differences(x, w1, b1, w2, b2):
    def f(x):
        return w2 @ relu(w1 @ x + b1) + b2

    w = np.stack([(f(x + d) - f(x)) / 1e-4 for d in 1e-4 * np.eye(len(x))], axis=1)
    return [w, f(x) - w @ x]


def with_bias(bias):
    """A right w, and a bias by another rule."""
    return lambda *given: (piece(*given)[0], bias(*given))


@exercise(
    "01.2",
    "the network is this linear map wherever the same neurons are open",
    reference=piece,
    parts=("w", "b"),
    mistakes={
        "is that of a network without ReLU: some neurons are shut at x": (
            lambda x, w1, b1, w2, b2: (w2 @ w1, None)
        ),
        "is the other way round": lambda *given: (piece(*given)[0].T, None),
        "cuts the weights off at zero, not what they add up to": (
            lambda x, w1, b1, w2, b2: (w2 @ relu(w1), None)
        ),
        "asks w1 @ x which neurons are open, and forgets b1": (
            lambda x, w1, b1, w2, b2: (piece(x, w1, 0 * b1, w2, b2)[0], None)
        ),
        "counts the biases of neurons that are shut": with_bias(
            lambda x, w1, b1, w2, b2: w2 @ b1 + b2
        ),
        "lacks b2": with_bias(lambda x, w1, b1, w2, b2: piece(x, w1, b1, w2, 0)[1]),
        "lacks what the hidden biases add": with_bias(lambda *given: given[-1]),
        "is all that the network answers to x; w @ x is in it already": with_bias(
            lambda x, w1, b1, w2, b2: w2 @ relu(w1 @ x + b1) + b2
        ),
    },
    also_right=[piece_by_differences],
    also_wrong={
        "several arrays are asked for: w, b": lambda *given: piece(*given)[0],
    },
)
def neurons_nearly_shut(rng):
    """``piece(x, w1, b1, w2, b2)`` -> w and b of the linear map that holds around x."""
    for case, (n, m, k) in enumerate([(4, 5, 3), (3, 8, 2), (6, 1, 4), (5, 5, 5)]):
        w1, w2 = rng.normal(size=(m, n)), rng.normal(size=(k, m))
        b1, b2 = rng.normal(size=m), rng.normal(size=k)
        x = rng.normal(size=n)
        b1 -= (w1 @ x + b1)[0] * np.eye(m)[0]  # the first neuron is just shut,
        b1[0] += 0.5 * (-1) ** (case + 1)  # or just open
        count = np.sum(w1 @ x + b1 > 0)
        what = f", for {n} inputs and {count} of {m} hidden neurons open,"
        yield what, x, w1, b1, w2, b2


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
