"""Labels and logits, the same in every test, and slow losses to judge by."""

import math

import keras
import numpy as np

rng = np.random.default_rng(0)
START = rng.bit_generator.state


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def case(i):
    """Labels, logits, classes, the ignored label, weights: some classes are empty.

    Of three shapes in all, since JAX compiles every operation anew for each.
    """
    shape, classes = (((2, 3, 4), 4), ((1, 5, 3), 2), ((3, 1, 2), 5))[i % 3]
    used = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    y = rng.choice(used, shape)
    ignored = (None, 0, 255, -1)[i % 4]
    if ignored is not None:
        y[rng.random(shape) < (0.3, 1.0)[i % 10 == 3]] = ignored
    weights = rng.random(shape) * (rng.random(shape) < 0.8)
    return y, 3 * rng.normal(size=(*shape, classes)), classes, ignored, weights


def softmax(z):
    e = [math.exp(v - max(z)) for v in z]
    return [v / sum(e) for v in e]


def slow_cross_entropy(y, logits, ignored, weights):
    total = whole = 0
    for place in np.ndindex(y.shape):
        if y[place] != ignored:
            p = softmax(logits[place])[y[place]]
            total -= weights[place] * math.log(p)
            whole += weights[place]
    return total / whole if whole else 0


def slow_dice(y, logits, ignored, weights, smooth):
    each = []
    for c in range(logits.shape[-1]):
        both = either = 0
        for place in np.ndindex(y.shape):
            if y[place] != ignored:
                p, t = softmax(logits[place])[c], float(y[place] == c)
                both += weights[place] * p * t
                either += weights[place] * (p + t)
        each.append((2 * both + smooth) / (either + smooth))
    return 1 - sum(each) / len(each)
