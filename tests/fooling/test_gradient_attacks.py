import foolable as nets
import keras
import numpy as np
import pytest

from cnnlib.fooling import MaskedGradients, fgsm, pgd
from cnnlib.fooling.gradient_attacks import cross_entropy, margin, parts
from cnnlib.gradients import slope

rng = np.random.default_rng(0)
W = rng.normal(size=(36, 3)).astype("float32")


def middle(n=4):
    """Images far from the box's faces."""
    return np.random.default_rng(1).uniform(0.4, 0.6, (n, 6, 6, 1)).astype("float32")


def flat(x):
    return x.reshape(len(x), -1)


def away(y):
    """Where the margin of a linear model grows for sure: two classes."""
    return (W[:, 1 - y] - W[:, y]).T


TWO = W[:, :2]


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
def test_fgsm_follows_the_weights_signs_on_a_linear_model(loss):
    x, y = middle(), np.array([0, 1, 1, 0])
    found = fgsm(nets.straight(TWO), x, y, 0.1, loss=loss)
    np.testing.assert_allclose(flat(found - x), 0.1 * np.sign(away(y)), atol=1e-6)


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
def test_targets_are_approached_not_left(loss):
    x, y, t = middle(), np.array([0, 1, 2, 0]), np.array([2, 0, 1, 1])
    model = nets.straight(W)
    found = pgd(model, x, y, 0.1, targets=t, loss=loss, steps=5)
    gain = nets.logits(model, found) - nets.logits(model, x)
    assert (gain[np.arange(4), t] > 1).all()
    two = fgsm(nets.straight(TWO), x, [0, 1, 1, 0], 0.1, targets=[1, 0, 0, 1])
    expected = 0.1 * np.sign(away(np.array([0, 1, 1, 0])))
    np.testing.assert_allclose(flat(two - x), expected, atol=1e-6)


def test_pgd_in_l2_goes_straight_to_the_rim_of_the_ball():
    x, y = middle(), np.array([0, 1, 1, 0])
    direction = away(y) / np.linalg.norm(away(y), axis=1, keepdims=True)
    found = pgd(nets.straight(TWO), x, y, 0.3, norm="l2", steps=4)
    np.testing.assert_allclose(flat(found - x), 0.3 * direction, atol=1e-5)
    short = pgd(nets.straight(TWO), x, y, 0.3, norm="l2", steps=3, step_size=0.05)
    np.testing.assert_allclose(flat(short - x), 0.15 * direction, atol=1e-5)


def test_pgd_takes_its_steps():
    x, y = middle(), np.array([0, 1, 1, 0])
    found = pgd(nets.straight(TWO), x, y, 0.1, steps=3, step_size=0.02)
    np.testing.assert_allclose(flat(found - x), 0.06 * np.sign(away(y)), atol=1e-6)


def test_by_default_pgd_could_walk_two_and_a_half_radii():
    x, y = middle(), np.array([0, 1, 1, 0])
    one = pgd(nets.straight(TWO), x, y, 0.04, steps=5)
    same = pgd(nets.straight(TWO), x, y, 0.04, steps=5, step_size=0.02)
    np.testing.assert_array_equal(one, same)
    # With the radius out of reach, what is left are the steps themselves.
    model = nets.bent()
    x, y = nets.some(0)
    default = pgd(model, x, y, 0.2, steps=20)
    np.testing.assert_array_equal(default, pgd(model, x, y, 0.2, step_size=0.025))


def test_fgsm_is_one_step_of_pgd():
    model, (x, y) = nets.bent(), nets.some(3)
    np.testing.assert_array_equal(
        fgsm(model, x, y, 0.1), pgd(model, x, y, 0.1, steps=1, step_size=0.1)
    )


@pytest.mark.filterwarnings("ignore::cnnlib.fooling.MaskedGradients")
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_random_start_is_drawn_from_the_ball_by_its_seed(norm):
    model = nets.straight(np.zeros((36, 2)))  # no gradient: where it starts it stays
    x = np.full((400, 6, 6, 1), 0.5, "float32")
    y = np.zeros(400, int)

    def start(seed):
        settings = {"norm": norm, "random_start": True, "seed": seed}
        return flat(pgd(model, x, y, 0.2, steps=1, **settings) - x) / 0.2

    found = start(1)
    np.testing.assert_array_equal(found, start(1))
    assert np.abs(found - start(2)).max() > 0.1
    assert abs(found.mean()) < 0.01
    if norm == "linf":  # evenly: the variance is a third
        assert 0.99 < np.abs(found).max() <= 1 + 1e-5
        assert found.var() == pytest.approx(1 / 3, rel=0.03)
    else:  # the part of an even ball within r is r to the power of 36
        lengths = np.linalg.norm(found, axis=1)
        assert lengths.max() <= 1 + 1e-5
        assert np.mean(lengths**36) == pytest.approx(0.5, abs=0.05)


def test_without_a_random_start_nothing_is_drawn():
    model, (x, y) = nets.bent(), nets.some(3)
    found = [pgd(model, x, y, 0.1, steps=2, seed=seed) for seed in (1, 2)]
    np.testing.assert_array_equal(*found)
    model = nets.straight(np.zeros((36, 2)))
    with pytest.warns(MaskedGradients):
        np.testing.assert_array_equal(pgd(model, x, np.zeros(5, int), 0.1), x)


def test_batches_change_nothing():
    model, (x, y) = nets.bent(), nets.some(4, n=7)
    whole = pgd(model, x, y, 0.1, steps=3, random_start=True)
    small = pgd(model, x, y, 0.1, steps=3, random_start=True, batch_size=3)
    np.testing.assert_allclose(small, whole, atol=1e-6)
    assert [s.stop - s.start for s in parts(7, 3)] == [2, 2, 3]
    assert list(parts(6, 3)) == [slice(0, 3), slice(3, 6)]
    assert list(parts(2, 3)) == [slice(0, 2)]


def test_bounds_may_differ_by_channel():
    low, high = np.array([-1.0, 0, 10]), np.array([0.0, 1, 30])
    model = nets.bent(shape=(3, 3, 3))
    x = np.random.default_rng(0).uniform(low, high, (4, 3, 3, 3)).astype("float32")
    found = pgd(model, x, [0, 1, 2, 3], 100.0, bounds=(low, high))
    assert (found >= low).all()
    assert (found <= high).all()
    assert found[..., 2].max() > 20


def test_one_label_stands_for_all():
    model, (x, _) = nets.bent(), nets.some(4)
    np.testing.assert_array_equal(fgsm(model, x, 2, 0.1), fgsm(model, x, [2] * 5, 0.1))


def test_losses_are_those_of_their_definitions():
    z = np.array([[1.0, 3, 2], [0, -1, 5], [2, 2, 2]], "float32")
    y = np.array([1, 0, 2])
    found = keras.ops.convert_to_numpy(margin(z, y))
    np.testing.assert_allclose(found, [-1, 5, 0], atol=1e-6)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(3), y])
    found = keras.ops.convert_to_numpy(cross_entropy(z, y))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_margin_moves_where_cross_entropy_is_flat():
    x, y = middle(), np.array([0, 1, 1, 0])
    model = nets.straight(1e4 * TWO)
    y = nets.predicted(model, x)
    with pytest.warns(MaskedGradients):
        np.testing.assert_array_equal(fgsm(model, x, y, 0.1), x)
    found = fgsm(model, x, y, 0.1, loss="margin")
    np.testing.assert_allclose(flat(found - x), 0.1 * np.sign(away(y)), atol=1e-6)


def test_an_attack_sees_the_weights_of_the_moment():
    model, x = nets.straight(TWO), middle()
    y = np.zeros(4, int)
    before = fgsm(model, x, y, 0.1)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([-kernel, bias])
    after = fgsm(model, x, y, 0.1)
    np.testing.assert_allclose(after - x, x - before, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "pgd takes steps=1 or more; given 0"),
        ({"step_size": 0}, "pgd takes step_size above 0; given 0"),
        ({"norm": "l1"}, "pgd takes norm='linf' or 'l2'; given 'l1'"),
        ({"loss": "mse"}, "pgd takes loss='cross-entropy' or 'margin'; given 'mse'"),
        ({"batch_size": 0}, "pgd takes batch_size=1 or more; given 0"),
        ({"epsilon": -0.1}, "pgd takes epsilon from 0; given -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    x, y = nets.some(0)
    with pytest.raises(ValueError, match=message):
        pgd(nets.bent(), x, y, **{"epsilon": 0.1, **settings})


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("lead", [0.5, 8.0, 18.0])
@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_no_precision_hides_the_gradient(policy, lead, attack):
    """A cross-entropy whose slope at these logits is below what half floats hold."""
    policy = keras.dtype_policies.DTypePolicy(policy)
    dense = keras.layers.Dense(2, use_bias=False, dtype=policy)
    model = keras.Sequential([keras.Input((4,)), dense])
    towards = np.array([1.0, -2, 0.5, -0.25])
    x = 0.5 + 0.1 * np.array([towards, 2 * towards])  # one is surer than the other
    dense.set_weights([np.outer(towards, [1, -1]) * lead / 2 / (x[0] @ towards)])
    found = attack(model, x, [0, 0], 0.125)
    np.testing.assert_allclose(found - x, -0.125 * np.sign([towards] * 2), atol=1e-6)


@pytest.mark.parametrize("lead", [0.5, 4.0, 16.0])
def test_a_half_layer_under_float32_logits_hides_no_gradient(lead):
    towards = np.array([1.0, -2, 0.5, -0.25])
    stack = [
        keras.Input((4,)),
        keras.layers.Dense(1, use_bias=False, dtype="mixed_float16"),
        keras.layers.Dense(2, use_bias=False, dtype="float32"),
    ]
    model = keras.Sequential(stack)
    x = 0.5 + 0.1 * np.array([towards, 2 * towards])
    last = np.array([[0.5, -0.5]]) * lead / (x[0] @ towards)
    model.set_weights([towards[:, None], last])
    found = fgsm(model, x, [0, 0], 0.125)
    np.testing.assert_allclose(found - x, -0.125 * np.sign([towards] * 2), atol=1e-6)


@pytest.mark.parametrize("lead", [-5.0, 0.0, 5.0, 16.5, 17.5, 30.0, 80.0])
def test_the_slope_of_cross_entropy_is_exact_however_sure_the_softmax(lead):
    z = np.float32([[lead, 0, -1, 0.5], [0.25, lead, 0, 0.25]])
    labels = np.array([0, 1])
    found = slope(lambda z: keras.ops.sum(cross_entropy(z, labels)), z)
    powers = np.exp(np.float64(z) - z.max(axis=1, keepdims=True))
    odds = powers / powers.sum(axis=1, keepdims=True)
    for row, label in enumerate(labels):
        odds[row, label] = 0
        odds[row, label] = -odds[row].sum()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), odds, rtol=1e-5)
    loss = keras.ops.convert_to_numpy(cross_entropy(z, labels))
    others = [np.delete(z[row], label) for row, label in enumerate(labels)]
    expected = [np.log1p(np.exp(np.float64(o) - lead).sum()) for o in others]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
