import keras
import numpy as np
import pytest
from arrays import numbers
from scipy import signal

from cnnlib.layers import (
    GaussianUnits,
    LocalResponseNormalization,
    RadialBasis,
    Subsampling2D,
    TableConv2D,
)

TABLE = [[0], [1, 2], [0, 2], [0, 1, 2]]


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
    assert layer(keras.Input((None, 9, 3))).shape == (None, None, 7, 4)


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
    assert layer(keras.Input((5, None, 3))).shape == (None, 2, None, 3)


def test_radial_basis_is_minus_the_squared_distance():
    codes = numbers(4, 6)
    layer = RadialBasis(codes)
    x = numbers(3, 6)
    expected = [[-sum((a - c) ** 2) for c in codes] for a in x]
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-4)
    assert layer.count_params() == 0
    assert layer(keras.Input((6,))).shape == (None, 4)


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
    assert layer(keras.Input((None, 4, maps))).shape == (None, None, 4, maps)
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
    for depth, said in ((4, "odd number of maps; given 4"), (0, "depth=1 or more")):
        with pytest.raises(ValueError, match=said):
            LocalResponseNormalization(depth=depth)


def test_table_convolution_starts_evenly_about_zero_each_map_by_what_it_sees():
    keras.utils.set_random_seed(0)
    layer = TableConv2D([[0], list(range(100))], 5)
    layer.build((None, 9, 9, 100))
    for kernels, seen in zip(
        np.split(np.asarray(layer.kernel), [1], axis=-1), (1, 100), strict=True
    ):
        limit = np.sqrt(3 / (25 * seen))
        assert np.abs(kernels).max() <= limit
        assert kernels.min() < -0.8 * limit < 0.8 * limit < kernels.max()
    assert abs(kernels.mean()) < 0.05 * limit
    assert not np.asarray(layer.bias).any()


def test_gaussian_units_start_as_wide_as_points_of_a_cube_lie_apart():
    keras.utils.set_random_seed(0)
    layer = GaussianUnits(3)
    layer.build((None, 24))
    np.testing.assert_allclose(layer.precision, [0.5] * 3)
    centres = np.asarray(layer.centres)
    assert centres.shape == (3, 24)
    assert 0 <= centres.min() < 0.2 < 0.8 < centres.max() <= 1


@pytest.mark.parametrize("table", [[], [[], []], [[0, -1]], [[0.5]], [[True]]])
def test_table_convolution_refuses_what_names_no_input_map(table):
    with pytest.raises(ValueError, match="numbers of input maps, from 0; given"):
        TableConv2D(table, 3)


@pytest.mark.parametrize("shape", [(2, 1), (2, 85), (2, 1, 84), (84,)])
def test_radial_basis_refuses_features_that_its_codes_have_not(shape):
    with pytest.raises(ValueError, match=r"takes \(n, 84\), as its codes are; given"):
        RadialBasis(numbers(10, 84))(numbers(*shape))


@pytest.mark.parametrize("codes", [numbers(3), numbers(0, 4), numbers(4, 0)])
def test_radial_basis_refuses_what_are_no_codes(codes):
    with pytest.raises(ValueError, match="codes \\(classes, features\\); given shape"):
        RadialBasis(codes)
