"""Exercises on neurons and dense layers."""

from itertools import pairwise

import keras
import numpy as np

from exercises import Wrong, alike, ask, exercise


def relu(z):
    return np.maximum(z, 0)


def run(x, layers, inner=relu, last=lambda z: z, bias=1, inputs_first=True):
    """What a dense network answers, and what it would if one mistook something."""
    for i, (w, b) in enumerate(layers, start=1):
        x = x @ (w if inputs_first else w.T) + bias * b
        x = (last if i == len(layers) else inner)(x)
    return x


def keras_says(x, layers):
    network = keras.Sequential([keras.Input(x.shape[1:], dtype="float64")])
    for i, (w, b) in enumerate(layers, start=1):
        f = None if i == len(layers) else "relu"
        network.add(keras.layers.Dense(len(b), f, dtype="float64"))
        network.layers[-1].set_weights([w, b])
    return keras.ops.convert_to_numpy(network(x))


@exercise("01.1", "equal to Keras's dense layers, from one layer to four")
def whole_network(forward):
    """``forward(x, layers)``: ReLU after every layer but the last."""
    rng = np.random.default_rng(11)
    for widths in [(4, 3), (5, 5, 5), (3, 7, 2), (6, 4, 4, 5, 1)]:
        x = rng.normal(size=(9, widths[0]))
        layers = [
            (rng.normal(size=(n, m)), rng.normal(size=m)) for n, m in pairwise(widths)
        ]
        with np.errstate(all="ignore"):
            answer = ask(forward, x, layers)
        square = len(set(widths)) == 1
        alike(
            answer,
            keras_says(x, layers),
            f"the output of {len(layers)} layers, {' → '.join(map(str, widths))},",
            mistakes={
                "is cut off at zero: the last layer has no ReLU": run(
                    x, layers, last=relu
                ),
                "comes without any ReLU": run(x, layers, inner=lambda z: z),
                "is bent by tanh, not by ReLU": run(x, layers, inner=np.tanh),
                "lacks the biases": run(x, layers, bias=0),
                "is that of the first example only": run(x, layers)[0],
                "is that of the first layer only": run(x, layers[:1]),
                "takes w the other way round: Keras has the inputs first": run(
                    x, layers, inputs_first=not square
                ),
            },
        )


@exercise("01.2", "the network is this linear map wherever the same neurons are open")
def one_piece(piece):
    """``piece(x, w1, b1, w2, b2)`` -> w and b of the linear map that holds around x."""
    rng = np.random.default_rng(12)
    for case, (n, m, k) in enumerate([(4, 5, 3), (3, 8, 2), (6, 1, 4), (5, 5, 5)]):
        w1, w2 = rng.normal(size=(m, n)), rng.normal(size=(k, m))
        b1, b2 = rng.normal(size=m), rng.normal(size=k)
        x = rng.normal(size=n)
        b1 -= (w1 @ x + b1)[0] * np.eye(m)[0]  # the first neuron is just shut,
        b1[0] += 0.5 * (-1) ** (case + 1)  # or just open
        is_open = w1 @ x + b1 > 0
        where = f"for {n} inputs and {is_open.sum()} of {m} hidden neurons open"
        answer = ask(piece, x, w1, b1, w2, b2)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise Wrong("two arrays are asked for: return w, b")
        w, b = w2 @ (is_open[:, None] * w1), w2 @ (is_open * b1) + b2
        alike(
            answer[0],
            w,
            f"w, {where},",
            mistakes={
                "is that of a network without ReLU: some neurons are shut at x": w2
                @ w1,
                "is the other way round": w.T,
                "cuts the weights off at zero, not what they add up to": w2 @ relu(w1),
                "asks w1 @ x which neurons are open, and forgets b1": w2
                @ ((w1 @ x > 0)[:, None] * w1),
            },
        )
        alike(
            answer[1],
            b,
            f"b, {where},",
            mistakes={
                "counts the biases of neurons that are shut": w2 @ b1 + b2,
                "lacks b2": w2 @ (is_open * b1),
                "lacks what the hidden biases add": b2,
                "is all that the network answers to x; w @ x is in it already": w2
                @ relu(w1 @ x + b1)
                + b2,
            },
        )


@exercise("01.3", "the network reads images in order as it read them shuffled")
def the_way_back(in_order):
    """``in_order(weights, order)`` undoes ``images[:, order]``."""
    rng = np.random.default_rng(13)
    for pixels, neurons in [(25, 25), (7, 4), (64, 3)]:
        order = rng.permutation(pixels)
        w = rng.normal(size=(pixels, neurons))
        back = np.argsort(order)
        mistakes = {
            "is still the one for shuffled images": w,
            "is shuffled once more, not back": w[order],
            "is sorted by its numbers; order says which row goes where": np.sort(w, 0),
        }
        if pixels == neurons:
            mistakes["has its columns moved; they are the neurons"] = w[:, back]
            mistakes["has its columns shuffled; they are the neurons"] = w[:, order]
        what = f"for {pixels} pixels and {neurons} neurons, the matrix"
        alike(ask(in_order, w, order), w[back], what, mistakes=mistakes)
