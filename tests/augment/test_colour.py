import numpy as np
from moved import array, pictures

from cnnlib.augment import ColorShift


def test_the_colour_shift_is_alexnets():
    x = pictures(2000, 2, 2, 3)
    moved = array(ColorShift(0.1, value_range=(0, 1), seed=0)(x)) - x
    np.testing.assert_allclose(moved[:, :1, :1] + 0 * moved, moved, atol=1e-6)
    covariance = np.cov(moved[:, 0, 0].T)
    values, vectors = np.linalg.eigh(covariance)
    expected = (0.1 * np.array([0.0045, 0.0188, 0.2175])) ** 2
    np.testing.assert_allclose(values, expected, rtol=0.15)
    assert abs(vectors[:, 2] @ [-0.5675, -0.5808, -0.5836]) > 0.999
    assert abs(vectors[:, 1] @ [0.7192, -0.0045, -0.6948]) > 0.99
    turn = np.array(ColorShift.COMPONENTS)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=2e-3)
    large = array(ColorShift(0.1, value_range=(0, 255), seed=0)(x)) - x
    np.testing.assert_allclose(large, 255 * moved, atol=1e-3)
    layer = ColorShift(seed=0)
    np.testing.assert_array_equal(array(layer(x, training=False)), x)
    assert array(layer(x[0])).shape == (2, 2, 3)
