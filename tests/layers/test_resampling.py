import numpy as np
import pytest
from arrays import numbers

from cnnlib.layers import (
    CropLike,
)


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
