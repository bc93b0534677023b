"""Stochastic depth (Huang, Sun, Liu, Sedra, Weinberger 2016, arXiv:1603.09382)."""

from collections.abc import Sequence
from functools import partial
from itertools import count

import keras

from cnnlib import checks
from cnnlib.layers import SurvivalGate
from cnnlib.models.entry import entry
from cnnlib.models.resnet import SCAN_FROM, UNITS, cifar_network, cifar_unit


@entry(year=2016, paper="1603.09382", trainable=1_727_962, total=1_736_058)
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
        depth: 6n+2, with n units in each stage; at most 200.
        survival: the last unit's probability, above 0, at most 1, which is ResNet.
        width: filters of the first stage.
    """
    n = checks.units("stochastic_depth", depth, step=6, first=2)
    if depth > SCAN_FROM:
        raise ValueError(
            f"stochastic_depth takes depth up to {SCAN_FROM}, as no two units are "
            f"alike; given {depth}"
        )
    survival = checks.number("stochastic_depth", "survival", survival, above=0, most=1)
    number = count(1)

    def gate(x, name):
        return SurvivalGate(1 - (1 - survival) * next(number) / (3 * n), name=name)(x)

    unit = partial(cifar_unit, kind=UNITS["original"], gate=gate)
    name = "stochastic_depth"
    return cifar_network(name, unit, input_shape, classes, depth, width, scan=False)
