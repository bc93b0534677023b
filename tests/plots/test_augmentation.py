import keras
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


def test_the_original_is_shown_with_its_own_mask_cut_like_the_examples():
    image = rng.integers(0, 256, (9, 12, 1)).astype("uint8")
    mask = np.zeros((9, 12), int)
    mask[:5, :4] = 1
    layer = augment.Crop((6, 7), flip="horizontal", seed=1)
    figure = plots.augmented(layer, image, alt="Crops.", count=2, mask=mask)
    first = drawn(figure)[0][0].get_array()
    middle = (slice(1, 7), slice(2, 9))  # of 3 rows and 5 columns too many
    expected = plots.masked(image[middle][None], mask[middle][None], alt="")
    np.testing.assert_array_equal(first, drawn(expected)[0][0].get_array())


def test_whole_numbers_have_limits_of_their_own_and_bright_floats_are_cut_off():
    image = rng.integers(50, 200, (6, 6, 1)).astype("uint8")
    crop = augment.Crop(4, seed=1)
    pictures, _ = drawn(plots.augmented(crop, image, alt="Crops.", count=2))
    assert [picture.get_clim() for picture in pictures] == [(0, 255)] * 3
    steep = keras.layers.Rescaling(3.0, offset=-0.9)
    pictures, _ = drawn(plots.augmented(steep, image / 255, alt="Two.", count=1))
    shown = pictures[1].get_array()
    np.testing.assert_allclose(
        shown, (3.0 * image[..., 0] / 255 - 0.9).clip(0, 1), 1e-5
    )
    assert (shown.min(), shown.max()) == (0, 1)
