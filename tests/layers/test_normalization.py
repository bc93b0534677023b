import keras
import numpy as np
import pytest
from arrays import numbers

from cnnlib.layers import (
    LocalResponseNormalization,
)


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
