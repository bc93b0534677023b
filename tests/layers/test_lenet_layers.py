import numpy as np
import pytest
from arrays import numbers
from scipy import signal

from cnnlib.layers import (
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
