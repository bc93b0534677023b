"""Stochastic depth (Huang, Sun, Liu, Sedra, Weinberger 2016, arXiv:1603.09382)."""

from collections.abc import Sequence
from functools import partial
from itertools import count

import keras

from cnnlib import checks
from cnnlib.layers import SurvivalGate
from cnnlib.models.entry import entry, variant
from cnnlib.models.resnet import SCAN_FROM, UNITS, cifar_network, cifar_unit

_paper = {"year": 2016, "paper": "1603.09382"}


@entry(
    **_paper,
    trainable=1_727_962,
    total=1_736_058,
    cifar10=5.23,
    protocol="the authors' repository",
)
def stochastic_depth(
    *,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 110,
    survival: float = 0.5,
    width: int = 16,
) -> keras.Model:
    """``cifar_resnet`` whose units drop their branch at random while it trains.

    arXiv:1603.09382, section 3. Unit l of L survives with probability
    1 − (1 − ``survival``) l / L: ReLU(gate · branch + shortcut), one gate of 0 or 1 for
    the whole batch; at test the branch counts times its probability. 1,727,962
    trainable parameters, 1,736,058 with moving statistics: those of ``resnet110``. The
    authors standardize images by the training set's mean and deviation.

    Where it is not the paper's: a branch that is dropped is computed all the same, so
    that training is not faster, and its moving statistics move; and the shortcut to a
    new stage takes every second pixel, where the authors' code takes 2×2 means.

    Args:
        depth: 6n+2, with n units in each stage; beyond 200 each unit is a model of its
            own, since Keras refuses a thousand operations in a row.
        survival: the last unit's probability, above 0, at most 1, which is ResNet.
        width: filters of the first stage.
    """
    n = checks.units("stochastic_depth", depth, step=6, first=2)
    survival = checks.number("stochastic_depth", "survival", survival, above=0, most=1)
    number = count(1)

    def gate(x, name):
        return SurvivalGate(1 - (1 - survival) * next(number) / (3 * n), name=name)(x)

    def nested(x, filters, strides=1, *, name):
        inner = keras.Input(x.shape[1:], name="unit_input")
        return keras.Model(
            inner, flat(inner, filters, strides, name="unit"), name=name
        )(x)

    flat = partial(cifar_unit, kind=UNITS["original"], gate=gate)
    unit = nested if depth > SCAN_FROM else flat
    name = "stochastic_depth"
    return cifar_network(name, unit, input_shape, classes, depth, width, scan=False)


stochastic_depth1202 = variant(
    stochastic_depth,
    "stochastic_depth1202",
    {"depth": 1202},
    19_421_274,
    19_510_906,
    **_paper,
    cifar10=4.91,
    protocol="abstract",
)
