"""The same images as foolbox's on the same model, up to rounding in the slopes."""

import keras
import numpy as np
import pytest

from cnnlib.fooling import fgsm, pgd

if keras.backend.backend() != "tensorflow":
    pytest.skip("foolbox attacks Keras through TensorFlow", allow_module_level=True)
foolbox = pytest.importorskip("foolbox", reason="foolbox, the oracle, is not installed")


@pytest.fixture(scope="module")
def both(trained, digits):
    import tensorflow as tf

    _, _, x, y = digits
    device = tf.device("/CPU:0")
    oracle = foolbox.models.TensorFlowModel(trained, bounds=(0, 1), device=device)

    def run(attack, epsilon, targets=None):
        criterion = foolbox.criteria.Misclassification(tf.constant(y[:40]))
        if targets is not None:
            targets = tf.constant(targets)
            criterion = foolbox.criteria.TargetedMisclassification(targets)
        images = tf.constant(x[:40])
        return attack.run(oracle, images, criterion, epsilon=epsilon).numpy()

    return trained, x[:40], y[:40], run


def test_fgsm_equals_foolbox(both):
    model, x, y, run = both
    expected = run(foolbox.attacks.LinfFastGradientAttack(), 0.1)
    assert np.abs(expected - x).max() > 0.09
    np.testing.assert_allclose(fgsm(model, x, y, 0.1), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(("norm", "size"), [("linf", 0.1), ("l2", 0.8)])
def test_pgd_equals_foolbox(both, norm, size, targeted):
    model, x, y, run = both
    targets = (y + 1) % 10 if targeted else None
    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
    attack = kind(abs_stepsize=size / 8, steps=20, random_start=False)
    found = pgd(model, x, y, size, norm=norm, step_size=size / 8, targets=targets)
    np.testing.assert_allclose(found, run(attack, size, targets), rtol=0, atol=1e-4)
