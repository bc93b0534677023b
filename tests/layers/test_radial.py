import numpy as np
from arrays import numbers

from cnnlib.layers import (
    RadialBasis,
)


def test_radial_basis_is_minus_the_squared_distance():
    codes = numbers(4, 6)
    layer = RadialBasis(codes)
    x = numbers(3, 6)
    expected = [[-sum((a - c) ** 2) for c in codes] for a in x]
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-4)
    assert layer.count_params() == 0
    assert layer.compute_output_shape((3, 6)) == (3, 4)
