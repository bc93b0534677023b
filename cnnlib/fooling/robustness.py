"""How often a network is still right under attack, and whether that can be believed."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from cnnlib import checks
from cnnlib.fooling import inputs
from cnnlib.fooling.gradient_attacks import MaskedGradients, fgsm, margin, parts, pgd
from cnnlib.gradients import input_gradient

# From this lead on, 1 + exp(−lead) is 1 in float32: the softmax is exactly 1, and the
# usual cross-entropy has nothing left to say; ours falls silent at 88.
SATURATED = 24 * np.log(2)
# The part of the images that may be saturated, flat, or fooled by the margin alone.
TOLERATED = 0.05


class Row(NamedTuple):
    """One attack at one ε: the accuracy under it, and under it with the margin loss."""

    attack: str
    epsilon: float
    accuracy: float
    margin_accuracy: float


@dataclass(frozen=True)
class Robustness:
    """A robustness table; ``print`` it.

    ``clean`` is the accuracy without attack, ``saturated`` the part of the images
    whose right label leads by so much that float32's softmax is exactly 1, ``flat`` the
    part at which the margin, too, has no slope, ``masked`` whether the gradients are.
    """

    clean: float
    saturated: float
    flat: float
    masked: bool
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        """The table in plain text, in percent."""
        width = max(len("attack"), *(len(row.attack) for row in self.rows))
        lines = [f"{'attack':{width}}  epsilon  accuracy  margin check"]
        lines.append(f"{'none':{width}}  {0:7g}  {self.clean:8.1%}  {self.clean:12.1%}")
        for row in self.rows:
            figures = f"{row.accuracy:8.1%}  {row.margin_accuracy:12.1%}"
            lines.append(f"{row.attack:{width}}  {row.epsilon:7g}  {figures}")
        if self.flat > TOLERATED:
            lines.append(f"{self.flat:.0%} have no gradient: believe neither figure")
        elif self.masked:
            lines.append("gradients are masked: believe the margin check alone")
        return "\n".join(lines)


def robustness(
    model: keras.Model,
    x: np.ndarray,
    y: Sequence[int],
    attacks: Mapping[str, Callable] | None = None,
    epsilons: Sequence[float] = (0.05, 0.1, 0.2),
    *,
    bounds=(0.0, 1.0),
    progress: Callable[[int, int], None] | None = None,
) -> Robustness:
    """The accuracy under attacks, each with cross-entropy and with the margin loss.

    A network whose logits are large has a cross-entropy that is flat in float32: the
    attack then stands still, and the network looks robust (Carlini and Wagner,
    arXiv:1608.04644, section IV; Athalye, Carlini and Wagner, arXiv:1802.00420). The
    margin loss does not depend on the scale of the logits, so its figure is the
    reported one. Where a model rounds what it reads, no loss has a slope, and what such
    attacks leave right says nothing.

    Beside what all attacks take (``cnnlib.fooling``):

        attacks: name to ``attack(model, x, y, epsilon, loss=, bounds=)``, such as
            ``functools.partial(pgd, steps=40)``; FGSM and PGD by default.
        epsilons: sizes of the perturbation, at least 0, in the units of ``x``.
        progress: called with the attacks done and their number.

    Warns:
        MaskedGradients: over 5 % of the images have saturated logits, fool the model
            only under the margin loss, or have no gradient.
    """
    attacks = {"FGSM": fgsm, "PGD-20": pgd} if attacks is None else dict(attacks)
    epsilons = [
        checks.number("robustness", "epsilon", epsilon, least=0) for epsilon in epsilons
    ]
    if not attacks or not epsilons:
        raise ValueError("robustness takes at least one attack and one epsilon")
    x, y, _, _ = inputs.checked("robustness", model, x, y, None, bounds)
    leads = -_margins(model, x, y)
    runs = [(name, size) for name in attacks for size in epsilons]
    rows = []
    for i, (name, size) in enumerate(runs):
        figures = []
        for loss in ("cross-entropy", "margin"):
            with warnings.catch_warnings():  # what is flat is told of all attacks below
                warnings.simplefilter("ignore", MaskedGradients)
                attacked = attacks[name](model, x, y, size, loss=loss, bounds=bounds)
            figures.append(float((_margins(model, attacked, y) < 0).mean()))
        rows.append(Row(name, size, *figures))
        if progress:
            progress(i + 1, len(runs))
    saturated = float((leads > SATURATED).mean())
    hidden = max(round(row.accuracy - row.margin_accuracy, 9) for row in rows)
    flat = float(np.mean(_flat(model, x, y)))
    masked = max(saturated, hidden, flat) > TOLERATED
    if masked:
        advice = "believe the margin check"
        if flat > TOLERATED:
            advice = f"{flat:.0%} have no gradient: attack them without one"
        warnings.warn(
            f"gradients are masked: {saturated:.0%} of the images have saturated "
            f"logits, and up to {hidden:.0%} are fooled by the margin loss alone; "
            f"{advice}",
            MaskedGradients,
            stacklevel=2,
        )
    clean = float((leads > 0).mean())
    return Robustness(clean, saturated, flat, masked, tuple(rows))


def _flat(model: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether the margin has no slope at an image, (n,)."""
    slope = input_gradient(model, margin)
    slopes = [slope(x[part], y[part])[0] for part in parts(len(x), 256)]
    return ~np.concatenate(slopes).any(axis=tuple(range(1, x.ndim)))


def _margins(model: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far the best other logit is ahead of the true one, (n,)."""
    each = [logits("robustness", model, x[part]) for part in parts(len(x), 256)]
    return keras.ops.convert_to_numpy(margin(np.concatenate(each), y))


def logits(who: str, model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The logits of a batch, at inference."""
    values = keras.ops.convert_to_numpy(model(x, training=False))
    return checks.finite(who, f"logits of {model.name!r}", values)
