"""Why it works: along the gradient's sign, logits are nearly straight lines."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from cnnlib import checks
from cnnlib.fooling import inputs
from cnnlib.fooling.gradient_attacks import LOSSES, parts
from cnnlib.fooling.robustness import logits
from cnnlib.gradients import input_gradient


class Linearity(NamedTuple):
    """Logits along a line through each image, and the straight lines that fit them.

    ``epsilons`` is (steps,), ``logits`` (n, steps, classes); ``slope``, ``intercept``
    and ``r2`` are (n, classes), with r2 from 0 to 1: the part of a logit's variance
    along the line that is explained by a straight one. All float64.
    """

    epsilons: np.ndarray
    logits: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    r2: np.ndarray


def linearity(
    model: keras.Model,
    x: np.ndarray,
    y: int | Sequence[int],
    epsilons: Sequence[float],
    *,
    loss: str = "margin",
    bounds=(0.0, 1.0),
) -> Linearity:
    """Logits of x + ε · sign(∂ loss / ∂ x) against ε, and least-squares lines.

    The experiment of Goodfellow, Shlens and Szegedy (arXiv:1412.6572), figure 4. The
    points are not clipped to ``bounds``, which would bend any line.

    Beside what all attacks take (``cnnlib.fooling``):

        epsilons: at least three different ones, of either sign, in the units of ``x``.
        loss: "margin" or "cross-entropy", whose gradient gives the line.
    """
    checks.choice("linearity", "loss", loss, LOSSES)
    sizes = np.asarray(epsilons, "float64")
    if sizes.ndim != 1 or not np.isfinite(sizes).all() or len(np.unique(sizes)) < 3:
        raise ValueError(
            "linearity takes at least three different finite epsilons, which a line "
            f"can miss; given {epsilons!r}"
        )
    x, y, _, _ = inputs.checked("linearity", model, x, y, None, bounds)
    gradient = input_gradient(model, LOSSES[loss])
    lines = []
    for part in parts(len(x), 256):
        direction = np.sign(gradient(x[part], y[part])[0])
        checks.finite("linearity", f"gradients of {model.name!r}", direction)
        moved = [x[part] + np.float32(e) * direction for e in sizes]
        along = [logits("linearity", model, images) for images in moved]
        lines.append(np.stack(along, axis=1))
    z = np.concatenate(lines).astype("float64")
    centred = sizes - sizes.mean()
    level = z.mean(axis=1)
    deviation = z - level[:, None]
    slope = np.einsum("e,nec->nc", centred, deviation) / (centred**2).sum()
    variance = (deviation**2).sum(axis=1)
    explained = slope**2 * (centred**2).sum()
    # A logit that does not move at all lies on a straight line.
    r2 = np.where(variance > 0, explained / np.where(variance > 0, variance, 1), 1)
    intercept = level - slope * sizes.mean()
    return Linearity(sizes, z, slope, intercept, r2.clip(0, 1))
