"""Exercises on attacks that can be done by hand."""

import numpy as np

from exercises import alike, ask, exercise


def linear(rng, n, pixels, classes):
    """Images from 0 to 1, some pixels at the bounds, and a softmax regression."""
    x = rng.uniform(-0.2, 1.2, (n, pixels)).clip(0, 1)
    w, b = rng.normal(size=(pixels, classes)), 3 * rng.normal(size=classes)
    return x, w, b


def softmax(z):
    """Probabilities of each row of logits."""
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@exercise("13.1", "the fast gradient sign method, within the box")
def the_fast_gradient_sign(attack):
    """``attack(x, y, w, b, epsilon)`` is FGSM on softmax regression."""
    rng = np.random.default_rng(131)
    for n, pixels, classes, epsilon in [(7, 11, 4, 0.1), (5, 30, 3, 0.25)]:
        x, w, b = linear(rng, n, pixels, classes)
        w /= np.sqrt(pixels)
        y = rng.integers(classes, size=n)
        hot = np.eye(classes)[y]

        def away(step, x=x):
            return np.clip(x + step, 0, 1)

        slope = (softmax(x @ w + b) - hot) @ w.T
        biasless = (softmax(x @ w) - hot) @ w.T
        length = np.sqrt((slope**2).sum(axis=1, keepdims=True))
        step = epsilon * np.sign(slope)
        alone = -epsilon * np.sign(hot @ w.T)
        mistakes = {
            "leaves the box: pixels stay from 0 to 1": x + step,
            "makes the loss smaller: go along the gradient, not against it": (
                away(-step)
            ),
            "follows the gradient itself: its sign is asked for": (
                away(epsilon * slope)
            ),
            "follows the gradient divided by its length: its sign is asked for": (
                away(epsilon * slope / length)
            ),
            "is the perturbation alone: add it to x": step,
            "forgets b, which changes the probabilities": (
                away(epsilon * np.sign(biasless))
            ),
            "lowers the logit of y only: the other classes count too": away(alone),
            "forgets to take off e: that is the gradient of something else": (
                away(epsilon * np.sign(softmax(x @ w + b) @ w.T))
            ),
            "takes logits for probabilities": (
                away(epsilon * np.sign((x @ w + b - hot) @ w.T))
            ),
        }
        what = f"the attack on {n} inputs of {pixels} pixels"
        answer = ask(attack, x, y, w, b, epsilon)
        alike(answer, away(step), what, mistakes=mistakes)


@exercise("13.2", "the nearest point in the ball and in the box, for any shape")
def back_into_the_ball(project):
    """``project(x, origin, epsilon)`` is the nearest allowed point."""
    rng = np.random.default_rng(132)
    for shape, epsilon in [((3, 5, 4, 1), 0.2), ((17,), 0.05), ((2, 9), 0.4)]:
        origin = rng.uniform(-0.3, 1.3, shape).clip(0, 1)
        x = origin + 0.6 * rng.normal(size=shape)
        step = x - origin
        within = step.clip(-epsilon, epsilon)
        length = np.sqrt((step**2).sum())
        mistakes = {
            "leaves the box: pixels lie from 0 to 1": origin + within,
            "leaves the ball: pixels differ from origin by at most epsilon": x.clip(
                0, 1
            ),
            "is in a ball around 0, not around origin": x.clip(-epsilon, epsilon).clip(
                0, 1
            ),
            "is the perturbation alone: add origin": within,
            "goes to the rim of the ball, even from within it": (
                origin + epsilon * np.sign(step)
            ).clip(0, 1),
            "shrinks all pixels alike: each has an interval of its own": (
                origin + step * min(1, epsilon / np.abs(step).max())
            ).clip(0, 1),
            "is in the round ball (L2): each pixel has an interval of its own": (
                origin + step * min(1, epsilon / length)
            ).clip(0, 1),
            "is origin wherever x is too far: the nearest point is asked for": (
                np.where(np.abs(step) <= epsilon, x, origin).clip(0, 1)
            ),
        }
        what = f"the point for shape {shape} and epsilon = {epsilon}"
        answer = ask(project, x, origin, epsilon)
        alike(answer, (origin + within).clip(0, 1), what, mistakes=mistakes)


@exercise("13.3", "the smallest epsilon that fools a linear network, exactly")
def how_much_it_takes(smallest_epsilon):
    """``smallest_epsilon(x, y, w, b)`` for inputs that are read right."""
    rng = np.random.default_rng(133)
    for n, pixels, classes in [(40, 6, 5), (25, 50, 7)]:
        x, w, b = linear(rng, n, pixels, classes)
        w *= np.exp(rng.normal(size=classes))  # speeds that differ
        y = (x @ w + b).argmax(axis=1)
        rows, own = np.arange(n), np.eye(classes, dtype=bool)[y]

        def first(behind, speed, own=own):
            return np.where(own, np.inf, behind / np.where(own, 1, speed)).min(axis=1)

        z = x @ w + b
        behind = z[rows, y][:, None] - z
        apart = w[:, y].T[:, :, None] - w
        speed = np.abs(apart).sum(axis=1)
        runner_up = np.where(own, np.inf, behind).argmin(axis=1)
        raw = x @ w
        mistakes = {
            "forgets b": first(raw[rows, y][:, None] - raw, speed),
            "takes the next in rank only: a class further behind may be faster": (
                behind[rows, runner_up] / speed[rows, runner_up]
            ),
            "has Σw² under a root: each pixel moves by ε, so that Σ|w| counts": first(
                behind, np.sqrt((apart**2).sum(axis=1))
            ),
            "lets only the true class's weights count: both logits move": first(
                behind, np.abs(w[:, y]).sum(axis=0)[:, None]
            ),
            "adds up the speeds of two classes: a pixel cannot serve both": first(
                behind, np.abs(w[:, y]).sum(axis=0)[:, None] + np.abs(w).sum(axis=0)
            ),
            "adds signed weights: the perturbation chooses each sign": first(
                behind, np.abs(apart.sum(axis=1))
            ),
            "is the lead itself: divide it by how fast it shrinks": (
                behind[rows, runner_up]
            ),
            "is the largest over the classes: the first to arrive counts": (
                np.where(own, -np.inf, behind / np.where(own, 1, speed)).max(axis=1)
            ),
            "is 0, as if the true class were another one": np.zeros(n),
        }
        what = f"epsilon for {n} inputs of {pixels} pixels"
        answer = ask(smallest_epsilon, x, y, w, b)
        alike(answer, first(behind, speed), what, mistakes=mistakes)
