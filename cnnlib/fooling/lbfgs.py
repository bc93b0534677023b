"""The attack of the ostrich: the smallest perturbation that reaches a class.

All images are minimized side by side, each with its own history, step length and weight
c: one round evaluates the whole batch once, whether an image takes a step or tries a
shorter one.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from cnnlib import checks
from cnnlib.fooling import inputs
from cnnlib.fooling.gradient_attacks import cross_entropy, parts
from cnnlib.gradients import input_gradient

MEMORY = 5  # steps that an image remembers
FIRST_WEIGHT = 0.1  # the first c to try, between images and networks of any size
ARMIJO = 1e-4  # the part of the promised decrease that a step must deliver


def lbfgs(
    model: keras.Model,
    x: np.ndarray,
    y: int | Sequence[int],
    targets: int | Sequence[int],
    *,
    searches: int = 6,
    rounds: int = 20,
    lead: float = 0.01,
    bounds=(0.0, 1.0),
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """The smallest perturbation that L-BFGS finds into a target class.

    Szegedy et al. (arXiv:1312.6199), section 4.1: for a weight c, the box-constrained
    minimum of

        c · ‖r‖² + cross-entropy(model(x + r), target),    x + r within ``bounds``,

    with r in units of the range, and a search over c for the largest that still reaches
    the target. The paper has c · |r|. Of all points tried, the nearest to ``x`` that
    the model takes for the target is returned.

    Beside what all attacks take (``cnnlib.fooling``):

        searches: values of c per image: tenfold steps until the largest is enclosed,
            then halves, in the logarithm.
        rounds: evaluations of the batch for each c, at least 1.
        lead: how far the target's logit must be ahead of all others to count, so that
            rounding cannot undo it; above 0.
        progress: called with the searches done and their number, all batches together.

    Where the target was not reached, ``x`` itself is returned.
    """
    checks.integer("lbfgs", "searches", searches)
    checks.integer("lbfgs", "rounds", rounds)
    checks.integer("lbfgs", "batch_size", batch_size)
    checks.number("lbfgs", "lead", lead, above=0)
    if targets is None:
        raise ValueError("lbfgs takes targets, the classes to reach; given None")
    x, y, targets, box = inputs.checked("lbfgs", model, x, y, targets, bounds)
    batches = list(parts(len(x), batch_size))
    nearest = np.empty_like(x)
    for i, part in enumerate(batches):
        task = _Task(model, x[part], targets[part], box, lead)
        for search in range(searches):
            task.minimize(rounds)
            task.next_weight()
            if progress:
                progress(i * searches + search + 1, len(batches) * searches)
        nearest[part] = task.best
    return nearest


def distortion(x: np.ndarray, perturbed: np.ndarray, *, bounds=(0.0, 1.0)):
    """The root mean square of each perturbation, as a part of the range.

    √(Σ (x'ᵢ − xᵢ)² / n), the measure of Szegedy et al. (arXiv:1312.6199).
    Both are (n, ...); returns (n,), float64, 0 to 1.
    """
    box = inputs.box("distortion", bounds)
    x, perturbed = np.asarray(x), np.asarray(perturbed)
    if x.shape != perturbed.shape or x.ndim < 2:
        raise ValueError(
            "distortion takes two batches of one shape (n, ...); given "
            f"{x.shape} and {perturbed.shape}"
        )
    r = (perturbed.astype("float64") - x) / (box.high - box.low)
    return np.sqrt(np.mean(r.reshape(len(r), -1) ** 2, axis=1))


class _Task:
    """One batch; points are (n, d), in units of the range: u from 0 to 1."""

    def __init__(self, model, x, targets, box, lead):
        self.gradient = input_gradient(model, cross_entropy)
        self.slopes = f"gradients of {model.name!r}"
        self.shape, self.targets, self.box, self.lead = x.shape, targets, box, lead
        self.low = np.broadcast_to(box.low, x.shape[1:]).reshape(-1)
        self.range = np.broadcast_to(box.high - box.low, x.shape[1:]).reshape(-1)
        n = len(x)
        self.origin = (x.reshape(n, -1) - self.low) / self.range
        self.here = self.origin.copy()
        self.best, self.least = x.copy(), np.full(n, np.inf)
        self.weight = np.full(n, FIRST_WEIGHT)
        self.reached = np.zeros(n, bool)  # the target, by the minimum at this weight
        # The largest weight that reached the target, and the smallest that did not.
        self.enough, self.too_much = np.zeros(n), np.full(n, np.inf)

    def next_weight(self):
        """What was learned of c from the last minimum, and the next c to try."""
        self.enough = np.where(self.reached, self.weight, self.enough)
        self.too_much = np.where(self.reached, self.too_much, self.weight)
        between = np.sqrt(self.enough * np.minimum(self.too_much, 1e30))
        self.weight = np.select(
            [self.enough == 0, np.isinf(self.too_much)],
            [self.too_much / 10, self.enough * 10],
            between,
        )
        # The best point so far is nearer to the next minimum than where this c led.
        known = np.isfinite(self.least)
        best = (self.best.reshape(len(known), -1) - self.low) / self.range
        self.here[known] = best[known]

    def evaluate(self, points):
        """Each point's objective, gradient, and whether it reaches the target.

        The nearest of those that do are kept.
        """
        images = (self.low + points * self.range).reshape(self.shape)
        images = self.box.clip(images.astype("float32"))
        slopes, logits = self.gradient(images, self.targets)
        checks.finite("lbfgs", self.slopes, slopes)
        logits = logits.astype("float64")
        rows = np.arange(len(points))
        own = logits[rows, self.targets]
        top = logits.max(axis=1)
        loss = top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - own
        step = points - self.origin
        squares = _dot(step, step)
        logits[rows, self.targets] = -np.inf
        reached = own - logits.max(axis=1) >= self.lead
        better = reached & (squares < self.least)
        self.best[better], self.least[better] = images[better], squares[better]
        slopes = slopes.reshape(points.shape) * self.range
        weight = self.weight.astype("float32")[:, None]
        return loss + self.weight * squares, slopes + 2 * weight * step, reached

    def minimize(self, rounds):
        """L-BFGS on the box, for the weight of the moment.

        Coordinates at a bound that the gradient pushes outwards are held; the others
        follow the quasi-Newton direction, bent along the box (Bertsekas's projected
        Newton method, doi:10.1137/0320018).
        """
        n, d = self.here.shape
        value, slope, self.reached = self.evaluate(self.here)
        history = _History(n, d)
        direction, length = self.newton(history, slope), _first_length(slope)
        moving = np.ones(n, bool)
        for _ in range(rounds):
            step = (self.here + length[:, None] * direction).clip(0, 1) - self.here
            promised = _dot(slope, step)
            tried, its_slope, reached = self.evaluate(self.here + step)
            taken = moving & (tried <= value + ARMIJO * promised) & (promised < 0)
            history.add(taken, step, its_slope - slope)
            small = value - tried < 1e-7 * np.maximum(np.abs(value), 1)
            self.here[taken] += step[taken]
            self.here.clip(0, 1, out=self.here)
            # The minimum of the parabola through what is known of the refused step.
            bend = tried - value - promised
            shorter = np.where(bend > 0, -promised / (2 * np.maximum(bend, 1e-30)), 0.5)
            refused = moving & ~taken
            length[refused] *= shorter[refused].clip(0.1, 0.5)
            length[taken] = 1
            moving &= ~(taken & small) & (length > 1e-6)
            value[taken], slope[taken] = tried[taken], its_slope[taken]
            self.reached[taken] = reached[taken]
            if not moving.any():
                break
            direction[taken] = self.newton(history, slope)[taken]

    def newton(self, history, slope):
        """Minus the inverse Hessian, as far as remembered, times the gradient."""
        free = ((self.here > 0) | (slope < 0)) & ((self.here < 1) | (slope > 0))
        return -history.apply(slope * free, free)


class _History:
    """The last steps of each image, and how its gradient changed along them."""

    def __init__(self, n, d):
        self.steps = np.zeros((n, MEMORY, d), "float32")
        self.changes = np.zeros((n, MEMORY, d), "float32")
        self.inverse = np.zeros((n, MEMORY))  # of step · change; 0 is no pair
        self.scale = np.ones(n)
        self.count = np.zeros(n, int)

    def add(self, taken, step, change):
        """Remember the steps that were taken and along which the slope grew."""
        curve = _dot(step, change)
        square = _dot(change, change)
        rows = np.flatnonzero(taken & (curve > 1e-8 * square) & (square > 0))
        at = self.count[rows] % MEMORY
        self.steps[rows, at], self.changes[rows, at] = step[rows], change[rows]
        self.inverse[rows, at] = 1 / curve[rows]
        self.scale[rows] = curve[rows] / square[rows]
        self.count[rows] += 1

    def apply(self, vector, free):
        """The two-loop recursion, within the free coordinates."""
        rows = np.arange(len(vector))
        depth = min(MEMORY, self.count.max(initial=0))
        places = [(self.count - 1 - k) % MEMORY for k in range(depth)]
        amounts = []
        for at in places:  # the youngest first
            amount = self.inverse[rows, at] * _dot(self.steps[rows, at], vector)
            vector = vector - _scaled(amount, self.changes[rows, at]) * free
            amounts.append(amount)
        vector = _scaled(self.scale, vector)
        for at, amount in zip(reversed(places), reversed(amounts), strict=True):
            change = self.inverse[rows, at] * _dot(self.changes[rows, at], vector)
            vector = vector + _scaled(amount - change, self.steps[rows, at]) * free
        return vector


def _dot(a, b):
    """The scalar products of the rows, float64."""
    return np.einsum("nd,nd->n", a, b, dtype="float64")


def _scaled(amount, vectors):
    return amount.astype("float32")[:, None] * vectors


def _first_length(slope):
    """Without a history, a step of length 1 along the gradient, at most."""
    length = np.sqrt(_dot(slope, slope))
    return np.minimum(1, 1 / np.maximum(length, 1e-12))
