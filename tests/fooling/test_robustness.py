import warnings

import foolable as nets
import keras
import numpy as np
import pytest
from keras import ops

from cnnlib.fooling import MaskedGradients, fgsm, pgd, robustness

SIZES = (0.05, 0.15)


@pytest.fixture(scope="module")
def some(digits):
    _, _, x, y = digits
    return x[:150], y[:150]


def loud(model, factor):
    return keras.Sequential([model, keras.layers.Rescaling(float(factor))])


def test_the_table_holds_what_each_attack_leaves(trained, some):
    x, y = some
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = robustness(trained, x, y, epsilons=SIZES)
    assert not table.masked
    assert table.clean == np.mean(nets.predicted(trained, x) == y)
    expected = []
    for name, attack in (("FGSM", fgsm), ("PGD-20", pgd)):
        for size in SIZES:
            found = [
                nets.predicted(trained, attack(trained, x, y, size, loss=loss)) == y
                for loss in ("cross-entropy", "margin")
            ]
            expected.append((name, size, *np.mean(found, axis=1)))
    assert [row[:2] for row in table.rows] == [row[:2] for row in expected]
    np.testing.assert_allclose(
        [row[2:] for row in table.rows], [row[2:] for row in expected], atol=0.007
    )


def test_loud_logits_change_no_figure_of_the_margin_check_and_are_warned_of(
    trained, some
):
    x, y = some
    plain = robustness(trained, x, y, epsilons=SIZES)
    with pytest.warns(
        MaskedGradients, match="saturated logits.*believe the margin"
    ) as told:
        table = robustness(loud(trained, 60), x, y, epsilons=SIZES)
    assert told[0].filename == __file__  # the warning points at the call
    assert table.masked
    assert table.saturated > 0.8
    for row, before in zip(table.rows, plain.rows, strict=True):
        assert abs(row.margin_accuracy - before.margin_accuracy) <= 0.01
    # What the check is for: cross-entropy sees a robust network.
    assert table.rows[-1].accuracy > plain.rows[-1].accuracy + 0.2
    assert "masked" in str(table)
    assert "masked" not in str(plain)


def one_pixel(lead):
    """The right label, 0, leads by ``lead`` · the first pixel."""
    weights = np.zeros((4, 2))
    weights[0, 0] = lead
    return nets.straight(weights)


@pytest.mark.parametrize(("lead", "part"), [(16.5, 0), (16.8, 1)])
def test_logits_are_saturated_where_float32_knows_no_doubt(lead, part):
    assert (1 + np.exp(np.float32(-lead)) == 1) == bool(part)
    x = np.ones((20, 2, 2, 1), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MaskedGradients)
        table = robustness(one_pixel(lead), x, np.zeros(20, int), epsilons=[0])
    assert table.saturated == part
    assert table.masked == bool(part)


def test_what_only_the_margin_fools_is_a_mask_too():
    """An attack that is blind under cross-entropy, on logits that are not large."""

    def blind(model, x, y, epsilon, *, loss, bounds):
        return x if loss == "cross-entropy" else np.zeros_like(x)

    model = one_pixel(1.0)
    model.layers[-1].set_weights(
        [np.array(model.layers[-1].kernel), np.array([0.0, 0.5])]
    )
    x = np.ones((20, 2, 2, 1), "float32")
    with pytest.warns(MaskedGradients, match="up to 100% are fooled by the margin"):
        table = robustness(model, x, np.zeros(20, int), {"blind": blind}, [0.1])
    assert table.saturated == 0
    assert table.rows == (("blind", 0.1, 1.0, 0.0),)


def test_attacks_are_called_with_epsilon_loss_and_bounds():
    calls = []

    def attack(model, x, y, epsilon, **settings):
        calls.append((epsilon, settings))
        return x

    x, y = nets.some(0)
    told = []
    robustness(
        *(nets.bent(), x, y, {"a": attack}, [0.1, 0.2]),
        bounds=(-1, 2),
        progress=lambda *done: told.append(done),
    )
    losses = ("cross-entropy", "margin")
    assert calls == [
        (size, {"loss": loss, "bounds": (-1, 2)})
        for size in (0.1, 0.2)
        for loss in losses
    ]
    assert told == [(1, 2), (2, 2)]


def test_the_table_prints_in_columns():
    x, y = nets.some(0)
    model = nets.bent()
    y = nets.predicted(model, x)
    y[0] = (y[0] + 1) % 4
    lines = str(robustness(model, x, y, {"nothing": lambda m, x, *a, **k: x}, [0.25]))
    assert lines.splitlines() == [
        "attack   epsilon  accuracy  margin check",
        "none           0     80.0%         80.0%",
        "nothing     0.25     80.0%         80.0%",
    ]


@pytest.mark.parametrize("empty", [{"attacks": {}}, {"epsilons": []}])
def test_a_table_without_rows_is_refused(empty):
    with pytest.raises(ValueError, match="at least one attack and one epsilon"):
        robustness(nets.bent(), *nets.some(0), **empty)


@pytest.mark.parametrize(("sure", "masked"), [(5, False), (6, True)])
def test_a_twentieth_of_saturated_images_is_tolerated(sure, masked):
    x = np.full((100, 2, 2, 1), 0.5, "float32")
    x[:sure] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MaskedGradients)
        table = robustness(one_pixel(20.0), x, np.zeros(100, int), epsilons=[0])
    assert table.saturated == pytest.approx(sure / 100)
    assert table.masked == masked


@pytest.mark.parametrize(("fooled", "masked"), [(5, False), (6, True)])
def test_a_twentieth_that_the_margin_alone_fools_is_tolerated(fooled, masked):
    def blind(model, x, y, epsilon, *, loss, bounds):
        found = x.copy()
        found[: fooled * (loss == "margin")] = 0
        return found

    model = one_pixel(1.0)
    kernel = np.array(model.layers[-1].kernel)
    model.layers[-1].set_weights([kernel, np.array([0.0, 0.5])])
    x = np.ones((100, 2, 2, 1), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MaskedGradients)
        table = robustness(model, x, np.zeros(100, int), {"blind": blind}, [0.1])
    assert table.masked == masked


def test_every_image_of_a_large_set_counts():
    """Pixels of 0 and 1: two thirds are right, those of the last batch too."""
    x = (np.arange(600) % 3 > 0).astype("float32")[:, None, None, None]
    x = np.broadcast_to(x, (600, 2, 2, 1))
    model = one_pixel(1.0)
    kernel = np.array(model.layers[-1].kernel)
    model.layers[-1].set_weights([kernel, np.array([0.0, 0.5])])
    told = []
    table = robustness(
        *(model, x, np.zeros(600, int), {"none": lambda m, x, *a, **k: x}, [0.1]),
        progress=lambda *done: told.append(done),
    )
    assert table.clean == pytest.approx(2 / 3)
    assert table.rows == (("none", 0.1, table.clean, table.clean),)
    assert told == [(1, 1)]


SHATTERED = {
    "rounded": lambda x: ops.round(x * 4),
    "whole numbers": lambda x: ops.cast(ops.cast(x * 255, "int32"), "float32"),
    "signs": lambda x: ops.sign(x - 0.5),
    "stopped": ops.stop_gradient,
}


def shattered(how):
    """A network that sees no small change of an image, or says so."""
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 1))
    seen = keras.layers.Flatten()(SHATTERED[how](image))
    return keras.Model(image, keras.layers.Dense(4)(seen))


@pytest.mark.parametrize("how", SHATTERED)
@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_an_attack_without_a_gradient_says_so(attack, loss, how):
    x, y = nets.some(0)
    with pytest.warns(MaskedGradients, match=f"{attack.__name__} found no") as told:
        assert np.array_equal(attack(shattered(how), x, y, 0.1, loss=loss), x)
    assert told[0].filename == __file__


def test_a_cross_entropy_without_a_slope_is_told_and_the_margin_has_one():
    x, y = np.ones((3, 2, 2, 1), "float32"), np.zeros(3, int)
    with pytest.warns(MaskedGradients, match="loss='margin' helps"):
        assert np.array_equal(fgsm(one_pixel(200.0), x, y, 0.1), x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = fgsm(one_pixel(200.0), x, y, 0.1, loss="margin")
        one = x.copy()
        one[0, 0, 0] = 0.1  # a lead of 20 has a slope, and one image is enough
        fgsm(one_pixel(200.0), one, y, 0.1, batch_size=1)
    np.testing.assert_allclose(moved[:, 0, 0, 0], 0.9, atol=1e-6)


def test_a_network_without_gradients_is_not_taken_for_robust():
    x, y = nets.some(0)
    with pytest.warns(MaskedGradients, match="100% have no gradient: attack") as told:
        table = robustness(shattered("rounded"), x, y, epsilons=[0.1])
    assert len(told) == 1
    assert (table.flat, table.masked) == (1, True)
    assert str(table).endswith("100% have no gradient: believe neither figure")


@pytest.mark.parametrize(("dark", "masked"), [(5, False), (6, True)])
def test_a_twentieth_of_flat_images_is_tolerated(dark, masked):
    """Below a half the network sees nothing; batches of 100 differ in how many."""
    x = np.full((300, 2, 2, 1), 0.75, "float32")
    x[: 3 * dark] = 0.25
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, one_pixel(1.0)(ops.relu(image - 0.5)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MaskedGradients)
        table = robustness(model, x, np.zeros(300, int), epsilons=[0])
    assert table.flat == pytest.approx(dark / 100)
    assert (table.saturated, table.masked) == (0, masked)
