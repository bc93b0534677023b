"""Where an attack may go, whatever it is told to do."""

import foolable as nets
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cnnlib.fooling import Direct, evolve, fgsm, lbfgs, pgd
from cnnlib.fooling.gradient_attacks import NORMS, parts

SEEDS = st.integers(0, 2**32 - 1)
MODEL = nets.bent()
ORDER = {"linf": np.inf, "l2": 2}


def lengths(step, norm):
    flat = step.reshape(len(step), -1).astype("float64")
    return np.linalg.norm(flat, ORDER[norm], axis=1)


def batch(seed, low, high):
    """Images between two bounds, many pixels at them, and labels."""
    x, y = nets.some(seed)
    low, high = np.float32(low), np.float32(high)
    return np.clip(low + x * (high - low), low, high), y


@pytest.mark.parametrize("norm", NORMS)
@given(
    seed=SEEDS,
    epsilon=st.floats(0, 5),
    steps=st.integers(1, 4),
    step_size=st.none() | st.floats(0.01, 2),
    low=st.floats(-2, 1),
    width=st.floats(0.5, 3),
    targeted=st.booleans(),
    random_start=st.booleans(),
    loss=st.sampled_from(["margin", "cross-entropy"]),
)
@example(0, 0.0, 3, 0.5, -1.0, 3.0, False, True, "margin")
def test_nothing_leaves_the_ball_or_the_box(
    norm, seed, epsilon, steps, step_size, low, width, targeted, random_start, loss
):
    x, y = batch(seed, low, low + width)
    found = pgd(
        MODEL,
        x,
        y,
        epsilon,
        norm=norm,
        steps=steps,
        step_size=step_size,
        random_start=random_start,
        seed=seed,
        targets=(y + 1) % 4 if targeted else None,
        loss=loss,
        bounds=(low, low + width),
    )
    assert found.dtype == "float32"
    assert found.min() >= np.float32(low)
    assert found.max() <= np.float32(low + width)
    assert (lengths(found - x, norm) <= epsilon * (1 + 1e-5) + 1e-6).all()
    if epsilon == 0:
        np.testing.assert_array_equal(found, x)


@given(seed=SEEDS, epsilon=st.floats(0.01, 0.5), order=st.permutations(range(5)))
def test_each_image_is_attacked_by_itself(seed, epsilon, order):
    x, y = nets.some(seed)
    whole = fgsm(MODEL, x, y, epsilon)
    shuffled = fgsm(MODEL, x[order], y[order], epsilon, batch_size=2)
    np.testing.assert_allclose(shuffled, whole[order], atol=1e-6)
    # Where there is room, each pixel moves by all of epsilon.
    room = (x >= epsilon) & (x <= 1 - epsilon)
    np.testing.assert_allclose(np.abs(whole - x)[room], epsilon, atol=1e-6)


@given(seed=SEEDS, low=st.floats(-2, 1), width=st.floats(0.5, 3))
def test_the_nearest_image_found_is_in_the_box_and_of_the_target(seed, low, width):
    x, y = batch(seed, low, low + width)
    targets = (y + 1) % 4
    bounds = (low, low + width)
    found = lbfgs(MODEL, x, y, targets, searches=2, rounds=5, bounds=bounds)
    assert found.min() >= np.float32(low)
    assert found.max() <= np.float32(low + width)
    reached = nets.predicted(MODEL, found) == targets
    still = (found == x).all((1, 2, 3))
    assert (reached | still).all()


@given(seed=SEEDS, low=st.floats(-2, 1), width=st.floats(0.5, 3))
def test_evolved_images_are_in_the_box_and_confidence_never_falls(seed, low, width):
    bounds = (low, low + width)
    settings = {"generations": 3, "population": 6, "until": 1, "bounds": bounds}
    found = evolve(MODEL, Direct(), seed=seed, **settings)
    assert found.images.min() >= np.float32(low)
    assert found.images.max() <= np.float32(low + width)
    assert (np.diff(found.history, axis=0) >= 0).all()
    odds = np.exp(nets.logits(MODEL, found.images).astype("float64"))
    odds /= odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.confidences, np.diag(odds), atol=1e-5)


@given(n=st.integers(1, 2000), size=st.integers(1, 300))
def test_parts_are_the_whole_as_few_and_as_equal_as_can_be(n, size):
    slices = list(parts(n, size))
    assert [i for part in slices for i in range(part.start, part.stop)] == [*range(n)]
    lengths = [part.stop - part.start for part in slices]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    assert (len(slices) - 1) * size < n
