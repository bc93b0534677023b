import keras
import numpy as np
import pytest
from arrays import numbers, small_unit

from cnnlib.layers import (
    RepeatedUnit,
)


def test_repeated_unit_is_its_unit_many_times():
    layer = RepeatedUnit(small_unit(), 3)
    x = 2 * numbers(6, 5, 6, 4) + 1
    layer.build(x.shape)
    layer.set_weights([np.abs(numbers(*w.shape)) + 0.5 for w in layer.weights])
    units = [small_unit() for _ in range(3)]
    names = [w.name for w in layer.weights]
    assert names == [
        *("norm_gamma", "norm_beta", "conv_kernel", "conv_bias"),
        *("norm_moving_mean", "norm_moving_variance"),
    ]
    for i, unit in enumerate(units):
        weights = unit.trainable_variables + unit.non_trainable_variables
        for weight, stack in zip(weights, layer.weights, strict=True):
            weight.assign(np.asarray(stack)[i])
    for training in (False, True):
        outputs = []
        y = x
        for unit in units:
            y = unit(y, training=training)
            outputs.append(np.asarray(y))
        start = layer.get_weights()
        each = np.asarray(layer.each(x, training=training))
        for weight, before in zip(layer.weights, start, strict=True):
            np.testing.assert_array_equal(np.asarray(weight), before)
        np.testing.assert_allclose(each, outputs, rtol=1e-4, atol=1e-4)
        y = np.asarray(layer(x, training=training))
        np.testing.assert_allclose(y, outputs[-1], rtol=1e-4, atol=1e-4)
    for i, unit in enumerate(units):
        weights = unit.trainable_variables + unit.non_trainable_variables
        for weight, stack in zip(weights, layer.weights, strict=True):
            np.testing.assert_allclose(
                np.asarray(stack)[i], np.asarray(weight), rtol=1e-4, atol=1e-5
            )
    assert (np.asarray(layer.weights[-2])[2] != start[-2][2]).all()
    assert layer.compute_output_shape(x.shape) == x.shape
    assert layer.supports_jit == (keras.backend.backend() != "tensorflow")


def test_a_frozen_repeated_unit_keeps_its_statistics_as_keras_does():
    layer = RepeatedUnit(small_unit(), 2)
    x = numbers(3, 5, 6, 4)
    layer.build(x.shape)
    layer.trainable = False
    start = layer.get_weights()
    y = np.asarray(layer(x, training=True))
    for weight, before in zip(layer.weights, start, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), before)
    np.testing.assert_array_equal(y, np.asarray(layer(x)))
    assert len(layer.trainable_weights) == 0


def test_a_repeated_unit_starts_each_unit_as_its_layers_would():
    image = keras.Input((1, 1, 50))
    start = {"kernel_initializer": "he_normal", "bias_initializer": "ones"}
    x = keras.layers.Conv2D(50, 1, **start, name="conv")(image)
    layer = RepeatedUnit(keras.Model(image, x), 40)
    layer.build((None, 1, 1, 50))
    kernel, bias = (np.asarray(w) for w in layer.weights)
    assert kernel.shape == (40, 1, 1, 50, 50)
    assert abs(kernel.std() / np.sqrt(2 / 50) - 1) < 0.02
    assert len(np.unique(kernel[:, 0, 0, 0, 0])) == 40
    assert (bias == 1).all()


def test_a_repeated_unit_computes_in_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = RepeatedUnit(small_unit(), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    layer, x = RepeatedUnit(small_unit(), 3), numbers(3, 5, 6, 4)
    exact = np.asarray(layer(x, training=True))
    half.build(x.shape)
    half.set_weights(layer.get_weights())
    y = half(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert {w.dtype for w in half.weights} == {"float32"}
    y = np.asarray(keras.ops.cast(y, "float32"))
    assert 0 < np.abs(y - exact).max() < 0.1


def test_repeated_unit_refuses_what_cannot_be_repeated():
    image = keras.Input((4,))
    wider = keras.Model(image, keras.layers.Dense(5)(image))
    with pytest.raises(ValueError, match=r"keeps the shape; given .*4\).*5\)"):
        RepeatedUnit(wider, 2)
    with pytest.raises(ValueError, match="takes count=1 or more; given 0"):
        RepeatedUnit(small_unit(), 0)
    random = keras.Model(image, keras.layers.Dropout(0.5)(image))
    with pytest.raises(ValueError, match="without dropout"):
        RepeatedUnit(random, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_regularizer": "l2"},
        {"bias_constraint": "non_neg"},
        {"activity_regularizer": "l1"},
    ],
    ids=str,
)
def test_a_unit_whose_loss_or_bounds_would_be_lost_is_refused(options):
    image = keras.Input((4,))
    unit = keras.Model(image, keras.layers.Dense(4, **options)(image))
    with pytest.raises(ValueError, match="without regularizers and constraints"):
        RepeatedUnit(unit, 2)


@pytest.mark.parametrize("mode", ["fan_in", "fan_avg", "fan_out"])
def test_a_vector_is_scaled_by_its_own_length(mode):
    """Both fans of a vector are its length, which the stack's first axis is not."""
    image = keras.Input((4, 4, 400))
    scaled = keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal")
    norm = keras.layers.BatchNormalization(gamma_initializer=scaled)
    layer = RepeatedUnit(keras.Model(image, norm(image)), 25)
    layer.build(image.shape)
    gamma = np.asarray(layer.weights[0])
    assert gamma.shape == (25, 400)
    assert abs(gamma.std() / np.sqrt(2 / 400) - 1) < 0.03


def test_a_seed_of_the_start_is_kept_and_each_unit_starts_otherwise():
    def kernel(seed):
        keras.utils.set_random_seed(1)
        image = keras.Input((4, 4, 3))
        start = keras.initializers.HeNormal(seed=seed)
        conv = keras.layers.Conv2D(3, 1, kernel_initializer=start)
        layer = RepeatedUnit(keras.Model(image, conv(image)), 2)
        keras.random.uniform((3,))  # what is drawn elsewhere meanwhile
        layer.build(image.shape)
        return np.asarray(layer.weights[0])

    first, again, other = kernel(5), kernel(5), kernel(6)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).all()
    assert (first != other).all()
    assert (kernel(None) != first).all()


@pytest.mark.parametrize(
    "start", ["orthogonal", keras.initializers.IdentityInitializer]
)
def test_a_start_that_depends_on_the_whole_weight_is_refused(start):
    image = keras.Input((4,))
    start = start if isinstance(start, str) else start()
    dense = keras.layers.Dense(4, kernel_initializer=start, name="dense")
    layer = RepeatedUnit(keras.Model(image, dense(image)), 2)
    with pytest.raises(ValueError, match="cannot start 'dense' by "):
        layer.build((None, 4))


def test_a_model_within_the_unit_is_refused_by_name():
    image = keras.Input((4,))
    inner = keras.Model(image, keras.layers.Dense(4)(image), name="inner")
    unit = keras.Model(image, inner(image))
    with pytest.raises(ValueError, match="cannot start 'inner' by "):
        RepeatedUnit(unit, 2).build((None, 4))
