import gc
import logging
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib.gradients import (
    compiled,
    gradient,
    input_gradient,
    slope,
    weight_gradients,
)

rng = np.random.default_rng(0)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def numbers(*shape):
    return rng.normal(size=shape).astype("float32")


def test_the_gradient_of_a_square_is_twice_its_root():
    a, x = numbers(2, 3, 4), numbers(2, 3, 4)
    found = gradient(lambda x: ops.sum(a * x * x), x)
    assert isinstance(found, np.ndarray)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, 2 * a * x, rtol=1e-6)


def test_the_gradient_goes_through_layers():
    layer = layers.Dense(3, activation="tanh")
    x = numbers(2, 5)
    layer.build(x.shape)
    found = gradient(lambda x: ops.sum(layer(x)), x)
    slope = 1 - np.tanh(x @ np.asarray(layer.kernel)) ** 2
    np.testing.assert_allclose(found, slope @ np.asarray(layer.kernel).T, atol=1e-5)


def test_whole_numbers_are_taken_as_floats():
    found = gradient(lambda x: ops.sum(x * x), np.array([1, 2, 3]))
    np.testing.assert_array_equal(found, [2, 4, 6])


def test_what_does_not_depend_on_x_has_gradient_zero():
    x = numbers(2, 3)
    np.testing.assert_array_equal(gradient(lambda x: ops.sum(x[:1]), x)[1], 0)
    np.testing.assert_array_equal(gradient(lambda x: ops.ones(()), x), 0)


def test_a_gradient_of_several_numbers_is_refused_with_their_shape():
    with pytest.raises(ValueError, match=r"one number, shape \(\).*shape \(2,\)"):
        gradient(lambda x: ops.sum(x, axis=1), numbers(2, 3))


def test_another_backend_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(NotImplementedError, match=r"TensorFlow or JAX.*'openvino'"):
        gradient(ops.sum, numbers(2))


def linear():
    dense = layers.Dense(3, name="dense")
    return keras.Sequential([keras.Input((4,)), dense]), dense


@pytest.mark.parametrize("reduced", [True, False])
def test_weight_gradients_are_those_of_least_squares_by_hand(reduced):
    model, dense = linear()
    x, y = numbers(5, 4), numbers(5, 3)
    each = keras.losses.mean_squared_error  # one per example: the mean is taken
    loss = keras.losses.MeanSquaredError() if reduced else each
    found = weight_gradients(model, loss, x, y)
    assert list(found) == ["dense/kernel", "dense/bias"]
    error = 2 * (x @ np.asarray(dense.kernel) - y) / y.size
    np.testing.assert_allclose(found["dense/kernel"], x.T @ error, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["dense/bias"], error.sum(0), rtol=1e-4, atol=1e-6)


def twins():
    """Two nested models whose layers have the same names, and the same paths."""

    def branch(name):
        image = keras.Input((6, 6, 1))
        maps = layers.Conv2D(2, 3, activation="tanh", name="conv")(image)
        return keras.Model(image, maps, name=name)

    image = keras.Input((6, 6, 1))
    left, right = branch("left"), branch("right")
    x = layers.subtract([left(image), right(image)])
    x = layers.Dense(3, name="logits")(layers.Flatten()(x))
    return keras.Model(image, x), left, right


def test_weights_of_nested_models_are_told_apart():
    model, left, right = twins()
    x, y = numbers(4, 6, 6, 1), np.array([0, 1, 2, 0])
    found = weight_gradients(model, LOSS, x, y)
    names = [f"{side}/conv/{name}" for side in ("left", "right") for name in "kb"]
    names = [n.replace("/k", "/kernel").replace("/b", "/bias") for n in names]
    assert list(found) == [*names, "logits/kernel", "logits/bias"]
    for side, nested in (("left", left), ("right", right)):
        kernel = nested.layers[1].kernel
        start, step = np.array(kernel), np.zeros(kernel.shape, "float32")
        step[1, 2, 0, 1] = 0.01
        losses = []
        for sign in (1, -1):
            kernel.assign(start + sign * step)
            losses.append(float(LOSS(y, model(x))))
        kernel.assign(start)
        slope = (losses[0] - losses[1]) / 0.02
        assert found[f"{side}/conv/kernel"][1, 2, 0, 1] == pytest.approx(
            slope, rel=0.01
        )


def test_weights_of_a_layer_made_of_layers_keep_their_own_names():
    model = keras.Sequential(
        [keras.Input((5, 4)), layers.Bidirectional(layers.SimpleRNN(2), name="both")]
    )
    found = weight_gradients(
        model, keras.losses.mean_squared_error, numbers(2, 5, 4), numbers(2, 4)
    )
    assert len(found) == 6
    assert all(name.startswith("both/") for name in found)


def test_frozen_weights_have_no_gradient():
    model, left, _ = twins()
    left.trainable = False
    found = weight_gradients(model, LOSS, numbers(2, 6, 6, 1), np.array([0, 1]))
    assert [name for name in found if name.startswith("left")] == []
    assert len(found) == 4


def test_training_mode_is_at_work_and_leaves_no_trace():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, seed=1),
            layers.Dense(3, name="dense"),
        ]
    )
    x, y = 5 + numbers(8, 4), np.arange(8) % 3
    before = [np.array(variable) for variable in model.variables]
    runs = [
        weight_gradients(model, LOSS, x, y, training=training)["dense/kernel"]
        for training in (True, True, False)
    ]
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value)
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 0.1


def test_a_model_without_weights_is_refused():
    model = keras.Sequential([layers.Dense(3)], name="net")
    with pytest.raises(ValueError, match=r"'net' has no weights yet.*keras\.Input"):
        weight_gradients(model, LOSS, numbers(2, 4), np.array([0, 1]))


def test_a_compiled_function_gives_the_same_for_any_number_of_examples():
    calls = []

    def function(x, pair):
        calls.append(tuple(x.shape))
        return ops.sin(x) * pair[0] + pair[1]

    fast = compiled(function)
    for n in (3, 3, 4, 3):
        x = np.arange(n, dtype="float32")
        found = fast(*map_tensors(x, (x, x + 1)))
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), np.sin(x) * x + x + 1, atol=1e-5
        )
    once = [(None,)] if keras.backend.backend() == "tensorflow" else [(3,), (4,)]
    assert calls == once


def test_gradients_go_through_a_compiled_function():
    fast = compiled(lambda x: x * x)
    x = numbers(3, 2)
    found = gradient(lambda x: ops.sum(fast(x)), x)
    np.testing.assert_allclose(found, 2 * x, rtol=1e-5)


def test_many_compiled_functions_of_one_line_bring_no_warning(caplog, monkeypatch):
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "propagate", True)
    for factor in range(8):
        fast = compiled(lambda x, factor=factor: factor * x)
        found = ops.convert_to_numpy(fast(ops.convert_to_tensor(np.ones(2, "float32"))))
        np.testing.assert_array_equal(found, factor)
    assert not caplog.records


def map_tensors(*arrays):
    return keras.tree.map_structure(ops.convert_to_tensor, arrays)


def squares(output, factor):
    return factor * ops.sum(output**2, axis=1)


def test_the_gradient_by_the_input_is_each_examples_own():
    model, dense = linear()
    x, factor = numbers(5, 4), np.float32([1, 2, 0, -1, 3])
    found, output = input_gradient(model, squares)(x, factor)
    kernel = np.asarray(dense.kernel)
    np.testing.assert_allclose(output, x @ kernel, atol=1e-5)
    expected = 2 * factor[:, None] * (x @ kernel) @ kernel.T
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert isinstance(found, np.ndarray)
    assert isinstance(output, np.ndarray)
    assert found.dtype == "float32"


def test_the_gradient_by_the_input_is_taken_at_inference():
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.9, seed=1)])
    x, one = numbers(5, 4), np.ones(5, "float32")
    found, output = input_gradient(model, squares)(x, one)
    np.testing.assert_array_equal(output, x)
    np.testing.assert_allclose(found, 2 * x, rtol=1e-6)


def test_what_is_compiled_is_kept_for_its_model_and_loss():
    def cubes(output):
        return ops.sum(output**3, axis=1)

    (one, dense), (other, _) = linear(), linear()
    kept = input_gradient(one, squares)
    assert input_gradient(one, squares) is kept
    assert input_gradient(other, squares) is not kept
    assert input_gradient(one, cubes) is not kept
    x, factor = numbers(3, 4), np.ones(3, "float32")
    before = kept(x, factor)[0]
    dense.set_weights([2 * weight for weight in dense.get_weights()])
    np.testing.assert_allclose(kept(x, factor)[0], 4 * before, rtol=1e-4, atol=1e-6)
    for n in (1, 7):  # batches of any size
        assert kept(numbers(n, 4), np.ones(n, "float32"))[0].shape == (n, 4)


def test_what_is_compiled_goes_when_its_model_goes():
    model, _ = linear()
    input_gradient(model, squares)(numbers(2, 4), np.ones(2, "float32"))
    gone = weakref.ref(model)
    del model, _
    gc.collect()
    assert gone() is None


def test_an_input_without_influence_has_gradient_zero():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    zero = input_gradient(model, lambda output: ops.ones((2,)))(numbers(2, 4))[0]
    np.testing.assert_array_equal(zero, np.zeros((2, 4)))


def test_the_compiled_gradient_names_another_backend(monkeypatch):
    model, _ = linear()
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(NotImplementedError, match=r"TensorFlow or JAX.*'openvino'"):
        input_gradient(model, squares)


def test_a_slope_is_a_tensor_from_an_array_or_a_tensor():
    x = numbers(2, 3)
    for given in (x, ops.convert_to_tensor(x)):
        found = slope(lambda x: ops.sum(x**3), given)
        assert ops.is_tensor(found)
        np.testing.assert_allclose(ops.convert_to_numpy(found), 3 * x**2, rtol=1e-5)
    with pytest.raises(ValueError, match="one number"):
        slope(lambda x: x, x)


def test_in_half_precision_gradients_keep_their_size():
    """Of each example its own, from 1e-10 on; the model's output comes as it is."""
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype=policy)])
    weights = np.asarray(model.layers[0].kernel)
    sizes = np.array([1e-10, 1.0, 1e6], "float32")
    slopes = input_gradient(model, lambda z, size: size * (z[:, 0] - 2 * z[:, 1]))
    found, output = slopes(numbers(3, 3), sizes)
    expected = sizes[:, None] * (weights[:, 0] - 2 * weights[:, 1])
    np.testing.assert_allclose(found, expected, rtol=5e-3)
    assert output.dtype == "float16"


def within(policy, lead):
    """A layer of some precision in a float32 network, sure of class 0 by a lead."""
    keras.utils.set_random_seed(0)
    image = keras.Input((3,))
    x = layers.Dense(4, dtype=policy, name="first")(image)
    model = keras.Model(image, layers.Dense(2, dtype="float32", name="last")(x))
    kernel, bias, last, _ = model.get_weights()
    model.set_weights([kernel, bias, 0.01 * last, np.float32([lead, 0])])
    return model


def entropy(logits, y):
    return ops.sparse_categorical_crossentropy(y, logits, from_logits=True)


@pytest.mark.parametrize("lead", [0.0, 18.0, 60.0])
def test_a_half_layer_in_the_midst_takes_nothing_from_gradients(lead):
    x, y = numbers(3, 3), np.zeros(3, "int32")
    by_weights, by_images = [], []
    for policy in ("float32", "mixed_float16"):
        model = within(policy, lead)
        found = weight_gradients(model, lambda y, z: entropy(z, y), x, y)
        by_weights.append(found["first/kernel"])
        by_images.append(input_gradient(model, entropy)(x, y)[0])
    for exact, half in (by_weights, by_images):
        size = np.abs(exact).max()
        assert size > 0
        np.testing.assert_allclose(half, exact, rtol=0, atol=5e-3 * size)


def test_where_nothing_is_to_be_learned_gradients_are_zero_in_every_precision():
    x, y = numbers(3, 3), np.zeros(3, "int32")
    for policy in ("float32", "mixed_float16"):
        model = within(policy, 1000.0)
        found = weight_gradients(model, lambda y, z: entropy(z, y), x, y)
        for slopes in (*found.values(), input_gradient(model, entropy)(x, y)[0]):
            np.testing.assert_array_equal(slopes, 0)


def test_weights_of_a_model_of_two_outputs_have_gradients():
    image = keras.Input((3,))
    ends = [layers.Dense(n, use_bias=False, name=f"d{n}")(image) for n in (1, 2)]
    model, x = keras.Model(image, ends), numbers(4, 3)

    def loss(y, outputs):
        return ops.sum(outputs[0], axis=1) + 3 * ops.sum(outputs[1], axis=1)

    found = weight_gradients(model, loss, x, None)
    mean = x.mean(axis=0)[:, None]
    np.testing.assert_allclose(found["d1/kernel"], mean, rtol=1e-5)
    np.testing.assert_allclose(found["d2/kernel"], np.hstack([3 * mean] * 2), rtol=1e-5)
