"""One step, or many, along the gradient: FGSM and PGD."""

import itertools
import warnings
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.fooling import inputs
from cnnlib.gradients import input_gradient


def cross_entropy(logits, labels):
    """Minus the log-probability of the label, (n,). Flat where it leads by 88.

    Written by what the others are worth beside the label, since float32 has no
    difference of 1 and a softmax that is nearly 1: its slope would have any sign.
    """
    others, own = _apart(logits, labels)
    return ops.softplus(ops.logsumexp(others, axis=-1) - own)


def margin(logits, labels):
    """The best other logit minus that of the label, (n,): above 0 where it is wrong.

    It keeps its slope however large the logits are.
    """
    others, own = _apart(logits, labels)
    return ops.max(others, axis=-1) - own


def _apart(logits, labels):
    """The logits, −∞ in place of the label's, and that of the label, (n,)."""
    own = ops.one_hot(labels, logits.shape[-1], dtype="bool")
    others = ops.where(own, ops.full_like(logits, -np.inf), logits)
    return others, ops.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]


LOSSES = {"cross-entropy": cross_entropy, "margin": margin}
NORMS = ("linf", "l2")


class MaskedGradients(UserWarning):
    """A gradient is no guide here."""


def fgsm(
    model: keras.Model,
    x: np.ndarray,
    y: int | Sequence[int],
    epsilon: float,
    *,
    targets: int | Sequence[int] | None = None,
    loss: str = "cross-entropy",
    bounds=(0.0, 1.0),
    batch_size: int = 256,
) -> np.ndarray:
    """The fast gradient sign method: x + ε · sign(∂ loss / ∂ x).

    Goodfellow, Shlens and Szegedy (arXiv:1412.6572), section 4: ``pgd`` in one step.

    Warns:
        MaskedGradients: as ``pgd``.
    """
    size = checks.number("fgsm", "epsilon", epsilon, least=0)
    attack = _Attack("fgsm", model, x, y, targets, loss, bounds, batch_size)
    return attack.descend(attack.x, size, size, 1, "linf")


def pgd(
    model: keras.Model,
    x: np.ndarray,
    y: int | Sequence[int],
    epsilon: float,
    *,
    targets: int | Sequence[int] | None = None,
    norm: str = "linf",
    steps: int = 20,
    step_size: float | None = None,
    loss: str = "cross-entropy",
    random_start: bool = False,
    seed: int = 0,
    bounds=(0.0, 1.0),
    batch_size: int = 256,
) -> np.ndarray:
    """Projected gradient descent: steps along the gradient, never leaving the ball.

    Madry et al. (arXiv:1706.06083); without a random start the basic iterative method
    of Kurakin et al. (arXiv:1607.02533). In L∞ each step follows the gradient's sign,
    in L2 the gradient divided by its length. What is returned is where the last step
    ends: in the ball around x and in the box, both up to float32's rounding.

    Beside what all attacks take (``cnnlib.fooling``):

        epsilon: the ball's radius, in the units of ``x``, at least 0.
        norm: "linf" or "l2".
        step_size: length of a step; 2.5 · ε / steps by default.
        loss: "cross-entropy", or "margin", which saturated logits don't flatten.
        random_start: whether to start anywhere in the ball instead of at ``x``.
        seed: of the random start.

    Warns:
        MaskedGradients: the loss has no slope at any input, so none is attacked.
    """
    size = checks.number("pgd", "epsilon", epsilon, least=0)
    steps = checks.integer("pgd", "steps", steps)
    checks.choice("pgd", "norm", norm, NORMS)
    if step_size is None:
        step_size = 2.5 * size / steps
    else:
        checks.number("pgd", "step_size", step_size, above=0)
    checks.flag("pgd", "random_start", random_start)
    rng = checks.rng("pgd", seed)
    attack = _Attack("pgd", model, x, y, targets, loss, bounds, batch_size)
    start = attack.x
    if random_start:
        start = attack.box.clip(start + size * _inside(rng, start.shape, norm))
    return attack.descend(start, size, step_size, steps, norm)


def parts(n: int, batch_size: int) -> Iterator[slice]:
    """Slices of at most ``batch_size`` that are as equal as can be."""
    count = -(-n // batch_size)
    edges = [n * i // count for i in range(count + 1)]
    yield from (slice(a, b) for a, b in itertools.pairwise(edges))


class _Attack:
    """What ``fgsm`` and ``pgd`` are given, checked."""

    def __init__(self, who, model, x, y, targets, loss, bounds, batch_size):
        checks.choice(who, "loss", loss, LOSSES)
        checks.integer(who, "batch_size", batch_size)
        self.x, y, targets, self.box = inputs.checked(who, model, x, y, targets, bounds)
        self.who, self.slopes = who, f"gradients of {model.name!r}"
        self.labels, self.sign = (y, 1) if targets is None else (targets, -1)
        self.gradient = input_gradient(model, LOSSES[loss])
        self.parts = list(parts(len(self.x), batch_size))

    def descend(self, start, epsilon, step_size, steps, norm) -> np.ndarray:
        """Steps along the gradient from ``start`` that stay within ε of x."""
        step, radius = np.float32(self.sign * step_size), np.float32(epsilon)
        attacked, guided = np.empty_like(self.x), False
        for part in self.parts:
            origin, here = self.x[part], start[part]
            for _ in range(steps):
                towards, _ = self.gradient(here, self.labels[part])
                way = checks.finite(self.who, self.slopes, _direction(towards, norm))
                guided = guided or way.any()
                here = here + step * way
                here = self.box.clip(origin + _ball(here - origin, radius, norm))
            attacked[part] = here
        if not guided:
            warnings.warn(
                f"{self.who} found no slope of the loss at any input: the model rounds "
                "or cuts off what it reads, or is so sure that its cross-entropy is "
                "flat, where loss='margin' helps",
                MaskedGradients,
                stacklevel=3,
            )
        return attacked


def _direction(gradient: np.ndarray, norm: str) -> np.ndarray:
    """The gradient as a step of length 1."""
    if norm == "linf":
        return np.sign(gradient)
    return gradient * (1 / _lengths(gradient))


def _ball(step: np.ndarray, radius: float, norm: str) -> np.ndarray:
    """The nearest point of the ball."""
    if norm == "linf":
        return step.clip(-radius, radius)
    return step * np.minimum(1, radius / _lengths(step))


def _lengths(x: np.ndarray) -> np.ndarray:
    """The Euclidean length of each row, of a shape that divides ``x``; never 0."""
    # By the backend, as in other libraries: NumPy adds up in another order.
    lengths = ops.convert_to_numpy(ops.norm(x.reshape(len(x), -1), axis=1))
    return np.maximum(lengths, np.float32(1e-12)).reshape(-1, *[1] * (x.ndim - 1))


def _inside(rng: np.random.Generator, shape, norm: str) -> np.ndarray:
    """Points drawn evenly from the ball of radius 1, float32."""
    if norm == "linf":
        return rng.uniform(-1, 1, shape).astype("float32")
    direction = rng.standard_normal(shape).astype("float32")
    radius = rng.random(len(direction)) ** (1 / np.prod(shape[1:]))
    lengths = _lengths(direction)
    return direction / lengths * radius.reshape(lengths.shape).astype("float32")
