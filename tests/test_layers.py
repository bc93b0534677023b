import keras
import numpy as np
import pytest
from scipy import signal

from cnnlib.layers import (
    ColumnChoice,
    CropLike,
    FractalJoin,
    GatedSum,
    LocalResponseNormalization,
    PaddedIdentity,
    RadialBasis,
    RepeatedUnit,
    Subsampling2D,
    SurvivalGate,
    TableConv2D,
)

rng = np.random.default_rng(0)
TABLE = [[0], [1, 2], [0, 2], [0, 1, 2]]


def numbers(*shape):
    return rng.normal(size=shape).astype("float32")


def test_table_convolution_sees_only_the_maps_of_its_table():
    layer = TableConv2D(TABLE, 3)
    x = numbers(2, 7, 9, 3)
    layer.build(x.shape)
    kernel, bias = numbers(3, 3, 8), numbers(4)
    layer.set_weights([kernel, bias])
    expected = np.zeros((2, 5, 7, 4))
    connection = 0
    for o, row in enumerate(TABLE):
        expected[..., o] = bias[o]
        for i in row:
            for n in range(2):
                expected[n, ..., o] += signal.correlate2d(
                    x[n, ..., i], kernel[..., connection], "valid"
                )
            connection += 1
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == (2, 5, 7, 4)


def test_table_convolution_has_no_weights_for_missing_connections():
    layer = TableConv2D(TABLE, 3)
    layer.build((None, 8, 8, 3))
    assert layer.count_params() == 8 * 9 + 4


def test_table_convolution_refuses_a_table_beyond_its_input():
    with pytest.raises(ValueError, match=r"map 2.*has 2 maps"):
        TableConv2D(TABLE, 3).build((None, 8, 8, 2))


def test_subsampling_sums_scales_and_shifts():
    layer = Subsampling2D()
    x = numbers(2, 4, 6, 3)
    layer.build(x.shape)
    start = x.reshape(2, 2, 2, 3, 2, 3).mean((2, 4))
    np.testing.assert_allclose(np.asarray(layer(x)), start, atol=1e-6)
    coefficient, bias = numbers(3), numbers(3)
    layer.set_weights([coefficient, bias])
    np.testing.assert_allclose(
        np.asarray(layer(x)), 4 * start * coefficient + bias, atol=1e-5
    )
    assert layer.count_params() == 6
    assert layer.compute_output_shape((2, 5, 7, 3)) == (2, 2, 3, 3)


def test_radial_basis_is_minus_the_squared_distance():
    codes = numbers(4, 6)
    layer = RadialBasis(codes)
    x = numbers(3, 6)
    expected = [[-sum((a - c) ** 2) for c in codes] for a in x]
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-4)
    assert layer.count_params() == 0
    assert layer.compute_output_shape((3, 6)) == (3, 4)


@pytest.mark.parametrize(
    "layer",
    [
        *(TableConv2D(TABLE, 3), Subsampling2D(), RadialBasis(np.eye(3))),
        *(PaddedIdentity(5, 2), SurvivalGate(0.3), RepeatedUnit),
    ],
    ids=lambda layer: getattr(layer, "__name__", type(layer).__name__),
)
def test_a_saved_layer_comes_back_the_same(layer, tmp_path):
    shape = (3,) if isinstance(layer, RadialBasis) else (8, 8, 3)
    if layer is RepeatedUnit:  # its weights start at random: they must come back
        layer, shape = RepeatedUnit(small_unit(), 3), (5, 6, 4)
    model = keras.Sequential([keras.Input(shape), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = numbers(2, *shape)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


def response_normalized(x, depth, k, alpha, beta):
    """The paper's formula, one map at a time."""
    out = np.empty(x.shape)
    maps = x.shape[-1]
    for i in range(maps):
        low, high = max(0, i - depth // 2), min(maps - 1, i + depth // 2)
        energy = sum(x[..., j].astype("float64") ** 2 for j in range(low, high + 1))
        out[..., i] = x[..., i] / (k + alpha * energy) ** beta
    return out


@pytest.mark.parametrize(
    ("maps", "options"),
    [
        (7, {}),
        (2, {}),  # fewer maps than a window
        (9, {"depth": 3, "k": 1.0, "alpha": 0.5, "beta": 0.3}),
        (4, {"depth": 1, "k": 0.5, "alpha": 0.2, "beta": 1.0}),
    ],
)
def test_response_normalization_is_the_papers_formula(maps, options):
    full = {"depth": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75, **options}
    layer = LocalResponseNormalization(**options)
    x = 100 * numbers(2, 3, 4, maps)
    found = np.asarray(layer(x))
    np.testing.assert_allclose(found, response_normalized(x, **full), rtol=2e-5)
    assert layer.compute_output_shape(x.shape) == x.shape
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(np.asarray(again(x)), found)


def test_response_normalization_is_exact_for_large_values_in_half_precision():
    x = np.full((1, 1, 1, 5), 600.0, "float32")  # 600² is no float16
    for policy, tolerance in (("mixed_float16", 1e-3), ("mixed_bfloat16", 1e-2)):
        y = LocalResponseNormalization(dtype=policy)(x)
        assert keras.backend.standardize_dtype(y.dtype) == policy.split("_")[1]
        expected = response_normalized(x, 5, 2.0, 1e-4, 0.75)
        found = np.asarray(keras.ops.cast(y, "float32"))
        np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_response_normalization_takes_an_odd_number_of_maps():
    for depth in (4, 0):
        with pytest.raises(ValueError, match=f"odd number of maps; given {depth}"):
            LocalResponseNormalization(depth=depth)


@pytest.mark.parametrize("strides", [1, 2, 3])
def test_padded_identity_takes_every_other_place_and_adds_empty_maps(strides):
    layer = PaddedIdentity(5, strides)
    x = numbers(2, 7, 8, 3)
    y = np.asarray(layer(x))
    assert y.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_array_equal(y[..., :3], x[:, ::strides, ::strides])
    assert (y[..., 3:] == 0).all()
    assert layer.compute_output_shape((None, None, 8, 3))[:2] == (None, None)
    with pytest.raises(ValueError, match=r"makes 5 maps.*the input has 6"):
        PaddedIdentity(5)(numbers(1, 2, 2, 6))


def test_survival_gate_draws_once_for_the_batch_and_as_often_as_told():
    gate = SurvivalGate(0.3, seed=1)
    x = numbers(5, 4)
    np.testing.assert_allclose(np.asarray(gate(x)), 0.3 * x, rtol=1e-6)
    kept = 0
    for _ in range(400):
        y = np.asarray(gate(x, training=True))
        assert (y == 0).all() or (y == x).all()
        kept += (y == x).all()
    assert abs(kept - 120) < 4 * np.sqrt(400 * 0.3 * 0.7)
    assert (np.asarray(SurvivalGate(1)(x, training=True)) == x).all()
    for wrong in (0, 1.1, -1):
        with pytest.raises(ValueError, match="survival above 0"):
            SurvivalGate(wrong)


def small_unit():
    image = x = keras.Input((5, 6, 4))
    x = keras.layers.BatchNormalization(momentum=0.8, name="norm")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="tanh", name="conv")(x)
    return keras.Model(image, keras.layers.Add(name="add")([image, x]), name="unit")


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
    with pytest.raises(ValueError, match=r"keeps the shape; given count=2.*4\).*5\)"):
        RepeatedUnit(wider, 2)
    with pytest.raises(ValueError, match="count=0"):
        RepeatedUnit(small_unit(), 0)
    random = keras.Model(image, keras.layers.Dropout(0.5)(image))
    with pytest.raises(ValueError, match="without dropout"):
        RepeatedUnit(random, 2)


def test_a_gate_lets_through_and_carries_the_rest():
    h, x = numbers(3, 4), numbers(3, 4)
    gate = np.float32([[0, 1, 0.25, 0.5]]).repeat(3, axis=0)
    layer = GatedSum()
    expected = gate * h + (1 - gate) * x
    np.testing.assert_allclose(np.asarray(layer([h, gate, x])), expected, atol=1e-6)
    np.testing.assert_allclose(expected[:, 0], x[:, 0])  # closed: the input
    assert layer.compute_output_shape([(3, 4)] * 3) == (3, 4)


@pytest.mark.parametrize(
    ("offset", "top", "left"), [(None, 2, 1), (1, 1, 1), (0, 0, 0)]
)
def test_a_crop_is_as_large_as_its_second_image(offset, top, left):
    x, like = numbers(2, 9, 7, 3), numbers(2, 4, 5, 8)
    layer = CropLike(offset)
    expected = x[:, top : top + 4, left : left + 5]
    np.testing.assert_array_equal(np.asarray(layer([x, like])), expected)
    assert layer.compute_output_shape([x.shape, like.shape]) == (2, 4, 5, 3)
    unknown = [(None, None, None, 3), (None, None, 6, 8)]
    assert layer.compute_output_shape(unknown) == (None, None, 6, 3)


@pytest.mark.parametrize(
    "layer",
    [CropLike(5), CropLike(), ColumnChoice(4, 0.25, seed=3), FractalJoin(0.4, seed=2)],
    ids=lambda layer: type(layer).__name__,
)
def test_what_a_layer_was_made_with_comes_back(layer):
    again = type(layer).from_config(layer.get_config())
    for name in ("offset", "columns", "ratio", "rate", "seed"):
        assert getattr(again, name, None) == getattr(layer, name, None)
