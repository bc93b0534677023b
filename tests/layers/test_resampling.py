import keras
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
    known = layer([keras.Input((9, 7, 3)), keras.Input((4, 5, 8))])
    assert known.shape == (None, 4, 5, 3)
    free = layer([keras.Input((None, None, 3)), keras.Input((None, None, 8))])
    assert free.shape == (None, None, None, 3)


@pytest.mark.parametrize(
    ("offset", "sides"), [(None, (3, 9)), (None, (9, 4)), (0, (3, 9)), (6, (9, 9))]
)
def test_a_crop_out_of_too_small_an_image_is_refused(offset, sides):
    layer, like = CropLike(offset), numbers(2, 4, 5, 8)
    words = rf"no 4×5 places with offset={offset} out of {sides[0]}×{sides[1]}"
    with pytest.raises(ValueError, match=words):
        layer([numbers(2, *sides, 3), like])
    with pytest.raises(ValueError, match=words):
        layer([keras.Input((*sides, 3)), keras.Input((4, 5, 8))])
