import foolable as nets
import keras
import numpy as np
import pytest
from scipy import optimize

from cnnlib.fooling import distortion, lbfgs
from cnnlib.fooling.gradient_attacks import cross_entropy
from cnnlib.fooling.inputs import box as box_of
from cnnlib.fooling.lbfgs import MEMORY, _History, _Task
from cnnlib.gradients import input_gradient


def middle(n=6):
    return np.random.default_rng(1).uniform(0.4, 0.6, (n, 6, 6, 1)).astype("float32")


def test_on_a_linear_model_it_finds_the_nearest_point_of_the_plane():
    weights = np.random.default_rng(0).normal(size=(36, 2))
    model, x = nets.straight(weights), middle()
    y = nets.predicted(model, x)
    found = lbfgs(model, x, y, 1 - y)
    assert (nets.predicted(model, found) == 1 - y).all()
    normal = weights[:, 0] - weights[:, 1]
    lead = np.abs(nets.logits(model, x) @ [1, -1])
    r = (found - x).reshape(6, -1)
    nearest = lead / np.linalg.norm(normal)
    length = np.linalg.norm(r, axis=1)
    assert (length >= nearest).all()
    assert (length <= 1.1 * nearest + 0.005).all()
    # And straight towards it.
    assert (np.abs(r @ normal) / length / np.linalg.norm(normal) > 0.999).all()


@pytest.mark.parametrize("seed", range(3))
def test_for_one_weight_it_finds_the_minimum_that_scipy_finds(seed):
    model, (x, y) = nets.bent(seed), nets.some(seed)
    targets, weight = (y + 1) % 4, 0.3
    task = _Task(model, x, targets.astype("int32"), box_of("test", (0, 1)), 0.01)
    task.weight[:] = weight
    task.minimize(200)
    reached = task.here
    gradient = input_gradient(model, cross_entropy)

    def objective(flat, image, target):
        slope, logits = gradient(
            flat.reshape(1, 6, 6, 1).astype("float32"), np.array([target], "int32")
        )
        z = logits[0].astype("float64")
        loss = np.log(np.exp(z - z.max()).sum()) + z.max() - z[target]
        step = flat - image
        return loss + weight * (step @ step), slope.ravel() + 2 * weight * step

    for i in range(len(x)):
        image = x[i].ravel().astype("float64")
        arguments = (image, targets[i])
        best = optimize.minimize(
            objective, image, arguments, "L-BFGS-B", True, bounds=[(0, 1)] * 36
        )
        own, _ = objective(reached[i].astype("float64"), *arguments)
        assert own <= best.fun + 1e-3 * abs(best.fun)
        start, _ = objective(image, *arguments)
        assert own < start
    assert reached.min() >= 0
    assert reached.max() <= 1
    # Faces of the box are met, or the box would not be tested.
    assert ((reached == 0) | (reached == 1)).any()


def test_every_digit_becomes_every_other(trained, digits):
    _, _, x, y = digits
    right = nets.predicted(trained, x) == y
    x, y = x[right][:45], y[right][:45]
    targets = (y + 1 + np.arange(45) % 9) % 10
    found = lbfgs(trained, x, y, targets)
    assert found.dtype == "float32"
    assert (nets.predicted(trained, found) == targets).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert distortion(x, found).mean() < 0.15


def test_the_two_loops_are_the_bfgs_formula_of_each_images_own_steps():
    n, d = 3, 6
    rng = np.random.default_rng(0)
    history = _History(n, d)
    pairs = [[] for _ in range(n)]
    for _ in range(2 * MEMORY):
        taken = rng.random(n) < 0.7
        steps = rng.normal(size=(n, d)).astype("float32")
        changes = (steps * rng.uniform(0.5, 2, d) + 0.1).astype("float32")
        changes[0] *= rng.choice([1, -1])  # a slope that falls is not remembered
        history.add(taken, steps, changes)
        for i in np.flatnonzero(taken):
            if steps[i] @ changes[i] > 0:
                pairs[i].append((steps[i], changes[i]))
    assert min(map(len, pairs)) < MEMORY < max(map(len, pairs))
    free = rng.random((n, d)) < 0.7
    vectors = rng.normal(size=(n, d)).astype("float32") * free
    found = history.apply(vectors, free)
    for i in range(n):
        step, change = pairs[i][-1]
        inverse = np.eye(d) * (step @ change) / (change @ change)
        for step, change in pairs[i][-MEMORY:]:
            weight, s, y = 1 / (step @ change), step * free[i], change * free[i]
            left = np.eye(d) - weight * np.outer(s, y)
            inverse = left @ inverse @ left.T + weight * np.outer(s, s)
        np.testing.assert_allclose(found[i], inverse @ vectors[i], rtol=1e-3, atol=1e-4)


def test_images_do_not_touch_each_other():
    model, (x, y) = nets.bent(), nets.some(0, n=6)
    targets = (y + 1) % 4
    together = lbfgs(model, x, y, targets)
    alone = lbfgs(model, x, y, targets, batch_size=1)
    np.testing.assert_allclose(
        distortion(x, together), distortion(x, alone), rtol=0.02, atol=1e-4
    )


def test_the_search_over_the_weight_brings_it_nearer():
    model, (x, y) = nets.bent(2), nets.some(2, n=8)
    targets = (y + 1) % 4
    found = [lbfgs(model, x, y, targets, searches=n) for n in (1, 6)]
    one, six = (distortion(x, images) for images in found)
    for images in found:
        assert (nets.predicted(model, images) == targets).all()
    assert (six <= one).all()
    assert six.mean() < 0.9 * one.mean()


def test_the_weight_is_searched_by_tens_then_halved_in_the_logarithm():
    model, (x, y) = nets.bent(), nets.some(0, n=2)
    box = box_of("test", (0, 1))
    task = _Task(model, x, ((y + 1) % 4).astype("int32"), box, 0.01)
    tried = [task.weight.copy()]
    for reached in ([True, False], [False, False], [True, True], [True, False]):
        task.reached[:] = reached
        task.next_weight()
        tried.append(task.weight.copy())
    first, second = np.transpose(tried)
    half = 10**-0.5
    np.testing.assert_allclose(first, [0.1, 1, half, 10**-0.25, 10**-0.125], rtol=1e-6)
    np.testing.assert_allclose(
        second, [0.1, 0.01, 0.001, 10**-2.5, 10**-2.75], rtol=1e-6
    )


def test_what_it_returns_leads_by_what_was_asked():
    model, (x, y) = nets.bent(), nets.some(0)
    targets = (y + 1) % 4
    for lead in (0.01, 0.5):
        z = nets.logits(model, lbfgs(model, x, y, targets, lead=lead))
        own = z[np.arange(5), targets]
        z[np.arange(5), targets] = -np.inf
        assert (own - z.max(axis=1) >= lead - 1e-4).all()


def test_a_class_out_of_reach_leaves_the_image_as_it_was():
    model = nets.straight(np.zeros((36, 3)), [2.0, 0, 0])
    x, _ = nets.some(0)
    np.testing.assert_array_equal(lbfgs(model, x, 0, 2, searches=2, rounds=3), x)


def test_the_range_is_the_unit():
    model, (x, y) = nets.bent(), nets.some(0)
    targets = (y + 1) % 4
    low, high = -3.0, 5.0
    image = keras.Input((6, 6, 1))
    rescaled = keras.layers.Rescaling(1 / 8, offset=3 / 8)(image)
    same = keras.Model(image, model(rescaled))
    plain = distortion(x, lbfgs(model, x, y, targets))
    wide = (x * 8 - 3).astype("float32")
    found = lbfgs(same, wide, y, targets, bounds=(low, high))
    assert found.min() >= low
    assert found.max() <= high
    assert np.abs(found - wide).max() > 1
    np.testing.assert_allclose(
        distortion(wide, found, bounds=(low, high)), plain, rtol=0.05, atol=1e-3
    )


def test_progress_is_told_after_each_search():
    model, (x, y) = nets.bent(), nets.some(0)
    told = []
    lbfgs(
        *(model, x, y, (y + 1) % 4),
        searches=3,
        rounds=1,
        batch_size=3,
        progress=lambda *done: told.append(done),
    )
    assert told == [(i, 6) for i in range(1, 7)]


def test_distortion_is_the_root_mean_square_in_units_of_the_range():
    x = np.zeros((2, 2, 2, 1))
    y = x.copy()
    y[0, 0, 0], y[1] = 4, 1
    found = distortion(x, y, bounds=(0, 4))
    np.testing.assert_allclose(found, [0.5, 0.25])
    low, high = np.zeros(2), np.array([1.0, 10])
    pair = distortion(np.zeros((1, 1, 2)), np.array([[[0.3, 4]]]), bounds=(low, high))
    np.testing.assert_allclose(pair, [np.sqrt((0.09 + 0.16) / 2)])
    with pytest.raises(ValueError, match="two batches of one shape"):
        distortion(x, y[:1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"searches": 0}, "lbfgs takes searches=1 or more; given 0"),
        ({"rounds": 2.5}, "lbfgs takes rounds=1 or more; given 2.5"),
        ({"batch_size": 0}, "lbfgs takes batch_size=1 or more"),
        ({"lead": 0}, "lbfgs takes lead above 0; given 0"),
        ({"targets": None}, "lbfgs takes targets, the classes to reach; given None"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    x, y = nets.some(0)
    with pytest.raises(ValueError, match=message):
        lbfgs(nets.bent(), x, y, **{"targets": (y + 1) % 4, **settings})
