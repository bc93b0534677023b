import keras
import numpy as np
import pytest
from residual import distance, numbers, randomize, trainable

from cnnlib import models
from cnnlib.layers import SurvivalGate


def gates(model):
    return [layer for layer in model.layers if isinstance(layer, SurvivalGate)]


def test_it_has_resnet110s_parameters_and_a_gate_a_unit():
    model = models.stochastic_depth()
    assert (trainable(model), model.count_params()) == (1_727_962, 1_736_058)
    assert f"{1_727_962:,}" in models.stochastic_depth.__doc__
    found = [gate.survival for gate in gates(model)]
    np.testing.assert_allclose(found, [1 - 0.5 * i / 54 for i in range(1, 55)])


def test_survival_falls_linearly_to_the_last_unit():
    small = {"input_shape": (8, 8, 1), "width": 1}
    model = models.stochastic_depth(**small, depth=14, survival=0.2)
    found = [gate.survival for gate in gates(model)]
    np.testing.assert_allclose(found, [1 - 0.8 * i / 6 for i in range(1, 7)])


def networks(survival):
    shape = {"input_shape": (8, 8, 2), "depth": 14, "width": 3}
    model = randomize(models.stochastic_depth(**shape, survival=survival))
    twin = models.cifar_resnet(**shape)
    for layer in twin.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return model, twin


def test_with_survival_1_it_is_resnet():
    model, twin = networks(1)
    x = numbers(3, 8, 8, 2)
    assert distance(model(x), twin(x)) < 1e-6
    assert distance(model(x, training=True), twin(x, training=True)) < 1e-6


def test_at_test_a_branch_counts_times_its_survival():
    model, twin = networks(0.3)
    for gate in gates(model):  # the last normalization's output, scaled
        layer = twin.get_layer(gate.name.replace("_gate", "_b_bn"))
        layer.gamma.assign(layer.gamma * gate.survival)
        layer.beta.assign(layer.beta * gate.survival)
    x = numbers(3, 8, 8, 2)
    assert distance(model(x), twin(x)) < 1e-5


def test_in_training_a_unit_is_whole_or_only_its_shortcut():
    model, _ = networks(0.5)
    names = [gate.name.removesuffix("_gate") for gate in gates(model)]
    tensors = [
        [
            model.get_layer(f"{name}_b_bn").output,
            model.get_layer(f"{name}_add").input[0],
            model.get_layer(f"{name}_relu").output,
        ]
        for name in names
    ]
    inner = keras.Model(model.inputs, tensors)
    x, seen = numbers(4, 8, 8, 2), []
    for _ in range(8):
        for branch, shortcut, output in inner([x], training=True):
            branch, shortcut, output = (
                np.asarray(t) for t in (branch, shortcut, output)
            )
            whole = np.abs(output - np.maximum(shortcut + branch, 0)).max() < 1e-5
            dropped = np.abs(output - np.maximum(shortcut, 0)).max() < 1e-5
            assert whole != dropped  # for the whole batch
            seen.append(whole)
    assert any(seen)
    assert not all(seen)


def test_the_mean_of_many_training_passes_is_the_test_pass():
    """Exactly so in expectation where units are linear and gates independent."""
    x = image = keras.Input((3,))
    for survival in (0.9, 0.7, 0.5):
        branch = keras.layers.Dense(3)(x)
        x = keras.layers.Add()([x, SurvivalGate(survival)(branch)])
    model = keras.Model(image, x)
    x = numbers(2, 3)
    passes = np.stack([np.asarray(model(x, training=True)) for _ in range(250)])
    error = passes.std(0) / np.sqrt(len(passes))
    assert (error > 0).all()
    assert (np.abs(passes.mean(0) - np.asarray(model(x))) < 4.5 * error).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 111}, r"6n\+2.*110 and 116"),
        ({"survival": 0}, "survival above 0 to 1; given 0"),
        ({"survival": 1.5}, "given 1.5"),
        ({"survival": True}, "given True"),
        ({"classes": 0}, "stochastic_depth takes classes"),
        ({"width": 0}, "width=1 or more"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.stochastic_depth(**options)


def test_a_deep_networks_units_are_models_that_compute_the_same(monkeypatch):
    options = {"depth": 14, "width": 3, "input_shape": (8, 8, 2)}
    flat = models.stochastic_depth(**options)
    monkeypatch.setitem(models.stochastic_depth.__wrapped__.__globals__, "SCAN_FROM", 8)
    nested = models.stochastic_depth(**options)
    assert isinstance(nested.get_layer("conv3_1"), keras.Model)
    assert nested.get_layer("conv4_2").get_layer("unit_gate").survival == 0.5
    assert [w.shape for w in nested.weights] == [w.shape for w in flat.weights]
    nested.set_weights(flat.get_weights())
    x = numbers(2, 8, 8, 2)
    np.testing.assert_allclose(nested(x), flat(x), rtol=1e-5)
