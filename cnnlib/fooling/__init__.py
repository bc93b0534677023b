"""Fooling networks: attacks along the gradient, evolved images, and defences.

Section 9 of the talk. What all attacks take:

- ``model``: one input (n, ...), **logits** (n, classes) out, of two classes or more;
- ``x``: (n, ...), float, within ``bounds``; ``y``: its classes, each or one for all;
- ``targets``: the classes to reach, likewise, none the true one; None: any but that;
- ``bounds``: (low, high), the box of all inputs: numbers, or one per channel;
- ``batch_size``: inputs that are computed together.

They return perturbed inputs, float32, of x's shape. Inputs or labels of the wrong kind
are a ``TypeError``, anything else that is out of its range a ``ValueError``::

    ostriches = fooling.lbfgs(model, x, y, targets=9)
    print(fooling.robustness(model, x, y, epsilons=(0.1, 0.2)))
"""

from cnnlib.fooling.adversarial import AdversarialTraining
from cnnlib.fooling.evolution import CPPN, Direct, Elite, Gallery, evolve
from cnnlib.fooling.gradient_attacks import fgsm, pgd
from cnnlib.fooling.lbfgs import distortion, lbfgs
from cnnlib.fooling.linearity import Linearity, linearity
from cnnlib.fooling.robustness import (
    MaskedGradients,
    Robustness,
    Row,
    robustness,
)

__all__ = [
    "CPPN",
    "AdversarialTraining",
    "Direct",
    "Elite",
    "Gallery",
    "Linearity",
    "MaskedGradients",
    "Robustness",
    "Row",
    "distortion",
    "evolve",
    "fgsm",
    "lbfgs",
    "linearity",
    "pgd",
    "robustness",
]
