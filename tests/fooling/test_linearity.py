import foolable as nets
import keras
import numpy as np
import pytest

from cnnlib.fooling import linearity

SIZES = np.linspace(-1, 1.5, 6)


@pytest.mark.parametrize("loss", ["margin", "cross-entropy"])
def test_a_linear_model_is_linear(loss):
    weights = nets.numbers(36, 2)
    model, (x, _) = nets.straight(weights), nets.some(0)
    y = np.array([0, 1, 0, 0, 1])
    found = linearity(model, x, y, SIZES, loss=loss)
    towards = np.sign(weights[:, 1 - y] - weights[:, y]).T
    np.testing.assert_allclose(found.slope, towards @ weights, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.intercept, nets.logits(model, x), atol=1e-4)
    np.testing.assert_allclose(found.r2, 1, atol=1e-6)
    np.testing.assert_array_equal(found.epsilons, SIZES)
    assert found.logits.shape == (5, 6, 2)
    assert found.logits.dtype == found.r2.dtype == "float64"


def test_logits_are_those_along_the_line_beyond_the_box():
    model, (x, y) = nets.bent(), nets.some(1)
    found = linearity(model, x, y, SIZES)
    centre = linearity(model, x, y, [-1e-3, 0, 1e-3])
    np.testing.assert_allclose(centre.logits[:, 1], nets.logits(model, x), atol=1e-5)
    z = centre.logits
    own = z[np.arange(5), :, y]
    others = z.copy()
    others[np.arange(5), :, y] = -np.inf
    margin = others.max(axis=2) - own
    assert (np.diff(margin, axis=1) > 0).all()
    assert np.abs(np.diff(found.logits, axis=1)).min() > 0


def test_the_fit_is_least_squares_and_r2_its_explained_part():
    model, (x, y) = nets.bent(), nets.some(1)
    found = linearity(model, x, y, SIZES)
    assert found.r2.min() < 0.99
    for i in range(5):
        for k in range(4):
            z = found.logits[i, :, k]
            slope, intercept = np.polyfit(SIZES, z, 1)
            assert found.slope[i, k] == pytest.approx(slope, rel=1e-6)
            assert found.intercept[i, k] == pytest.approx(intercept, rel=1e-6)
            residual = z - slope * SIZES - intercept
            r2 = 1 - residual @ residual / ((z - z.mean()) ** 2).sum()
            assert found.r2[i, k] == pytest.approx(r2, abs=1e-9)


def test_a_bent_logit_is_told_from_a_straight_one():
    image = keras.Input((6, 6, 1))
    total = keras.ops.mean(image, axis=(1, 2))
    model = keras.Model(image, keras.ops.concatenate([total**2, total], axis=-1))
    x = np.full((1, 6, 6, 1), 0.4, "float32")
    found = linearity(model, x, 1, [-0.4, 0, 0.4])
    # The line goes towards the dark: logits (0.4 − e)² and 0.4 − e.
    np.testing.assert_allclose(found.slope, [[-0.8, -1]], rtol=1e-4)
    z = np.array([0.64, 0.16, 0])
    r2 = np.corrcoef(z, [0, 1, 2])[0, 1] ** 2
    np.testing.assert_allclose(found.r2[0], [r2, 1], atol=1e-5)


def test_a_logit_that_does_not_move_is_straight():
    model = nets.straight(np.zeros((36, 2)), [1.0, 2])
    found = linearity(model, nets.some(0)[0], 0, [-1, 0, 1])
    np.testing.assert_array_equal(found.r2, 1)
    np.testing.assert_array_equal(found.slope, 0)


@pytest.mark.parametrize("sizes", [[0, 1], [1, 1, 2], 3, [0, 1, np.nan], [[0, 1, 2]]])
def test_three_sizes_are_needed(sizes):
    with pytest.raises(ValueError, match="at least three different finite epsilons"):
        linearity(nets.bent(), *nets.some(0), sizes)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss='cross-entropy' or 'margin'; given 'l'"):
        linearity(nets.bent(), *nets.some(0), SIZES, loss="l")


def test_more_images_than_are_computed_at_once_are_all_there():
    weights = nets.numbers(4, 2)
    x = np.random.default_rng(0).random((300, 2, 2, 1)).astype("float32")
    y = np.arange(300) % 2
    found = linearity(nets.straight(weights), x, y, [-1, 0, 1])
    assert found.logits.shape == (300, 3, 2)
    np.testing.assert_allclose(found.intercept, x.reshape(300, 4) @ weights, atol=1e-4)
