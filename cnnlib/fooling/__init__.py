"""Fooling networks: attacks along the gradient, evolved images, and defences.

Section 9 of the talk. Every attack takes a classifier that emits **logits**, a batch of
float inputs within declared ``bounds``, and the true classes, and returns perturbed
inputs, within ``bounds``::

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
