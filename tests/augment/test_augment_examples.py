import keras
import numpy as np
import pytest
from moved import array, pictures, rng, twin

from cnnlib import augment
from cnnlib.augment import Warp


def test_examples_are_what_the_layer_makes_and_leave_it_where_it_was():
    image = rng.integers(0, 256, (9, 9, 3)).astype("uint8")
    layer = Warp(rotation=40, seed=3)
    made = augment.examples(layer, image, 5)
    np.testing.assert_array_equal(augment.examples(layer, image, 5), made)
    expected = array(layer(np.repeat(image[None], 5, axis=0)))
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.rint(expected))
    assert len({x.tobytes() for x in made}) == 5


def test_examples_move_a_mask_and_take_keras_layers():
    image, mask = pictures(9, 9, 1), rng.integers(0, 3, (9, 9))
    layer = Warp(rotation=40, seed=3)
    images, masks = augment.examples(layer, image, 2, mask)
    moved = twin(layer)(
        {"images": np.stack([image] * 2), "segmentation_masks": np.stack([mask] * 2)}
    )
    np.testing.assert_array_equal(images, array(moved["images"]))
    np.testing.assert_array_equal(masks, array(moved["segmentation_masks"]))
    bright = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=1)
    assert augment.examples(bright, image, 3).shape == (3, 9, 9, 1)
    for bad in ((image[..., 0], 2), (image, 0)):
        with pytest.raises(ValueError, match="examples takes"):
            augment.examples(layer, *bad)
