import numpy as np
from drawing import drawn, rng, show

from cnnlib import augment, plots


def test_an_augmentation_shows_itself_beside_the_original():
    image = rng.integers(0, 256, (10, 12, 3)).astype("uint8")
    layer = augment.Warp(rotation=40, seed=1)
    figure = plots.augmented(layer, image, alt="Turned.", count=3, columns=2)
    pictures, titles = drawn(figure)
    assert titles == ["original", "", "", ""]
    expected = [image, *augment.examples(layer, image, 3)]
    for picture, made in zip(pictures, expected, strict=True):
        np.testing.assert_array_equal(picture.get_array(), made)
    show(figure)


def test_an_augmentation_of_a_grey_image_shares_its_limits_and_shows_its_mask():
    image, mask = rng.random((10, 12, 1)), np.zeros((10, 12), int)
    mask[3:7, 3:9] = 1
    layer = augment.Crop(6, seed=1)
    pictures, _ = drawn(plots.augmented(layer, image, alt="Crops.", count=2))
    assert [picture.get_clim() for picture in pictures] == [(0, 1)] * 3
    np.testing.assert_array_equal(pictures[0].get_array(), image[2:8, 3:9, 0])
    figure = plots.augmented(layer, image, alt="Crops.", count=2, mask=mask)
    made, masks = augment.examples(layer, image, 2, mask)
    expected = plots.masked(made, masks, alt="")
    for picture, other in zip(drawn(figure)[0][1:], drawn(expected)[0], strict=True):
        np.testing.assert_array_equal(picture.get_array(), other.get_array())
