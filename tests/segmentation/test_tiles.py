"""Tiles are judged by the whole image."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from labelled import array, rng

from cnnlib import segmentation


def unet(depth, sides, crops=None, seed=0):
    """Valid convolutions, random weights; and what is cropped from the skips."""
    crops = list(crops or [])
    keras.utils.set_random_seed(seed)
    x = image = keras.Input((*sides, 1))
    skips = []
    for level in range(depth):
        x = layers.Conv2D(4 + level, 3, activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(6, 3, activation="relu")(x)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(4, 2, strides=2)(x)
        if sides[0]:
            crops.append((skips[level].shape[1] - x.shape[1]) // 2)
        crop = crops[depth - 1 - level]
        skip = layers.Cropping2D(crop)(skips[level])
        x = layers.Conv2D(4, 3, activation="relu")(layers.Concatenate()([x, skip]))
    return keras.Model(image, layers.Conv2D(3, 1)(x), name="net"), crops


def lost(depth):
    """How much smaller the output of such a network is."""
    return 4 * sum(2**level for level in range(depth)) + 2 * 2**depth


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_tiles_give_what_the_whole_image_gives(depth):
    period = 2**depth
    tile = lost(depth) + 2 * period + 2  # only such sides stay even down to the bottom
    model, _ = unet(depth, (tile, tile))
    found = segmentation.tiling(model)
    output = tile - lost(depth)
    assert found == ((tile, tile), (output, output), (period, period))
    height, width = output + 5, 2 * output + 1
    images = rng.normal(size=(2, height, width, 1)).astype("float32")
    # The whole: mirrored, and as much larger as the network can do.
    sides = [-(-n // period) * period + 2 + lost(depth) for n in (height, width)]
    before = lost(depth) // 2
    pads = [
        (before, s - n - before) for s, n in zip(sides, (height, width), strict=True)
    ]
    whole, _ = unet(depth, tuple(sides))
    whole.set_weights(model.get_weights())
    mirrored = np.pad(images, [(0, 0), *pads, (0, 0)], mode="reflect")
    expected = array(whole(mirrored))[:, :height, :width]
    assert expected.std() > 1e-3
    for stride in (None, period):
        if stride == period and depth > 2:
            continue
        tiled = segmentation.predict_tiles(model, images, stride=stride)
        assert tiled.dtype == np.float32
        np.testing.assert_allclose(tiled, expected, atol=1e-6)


def test_a_stride_that_breaks_it_is_refused_with_those_that_do_not():
    model, _ = unet(2, (38, 38))
    image = np.zeros((1, 40, 40, 1))
    for stride in (6, 3, 20, (16, 14)):
        with pytest.raises(ValueError, match=r"valid are 4, 8, 12, 16$"):
            segmentation.predict_tiles(model, image, stride=stride)
    assert segmentation.predict_tiles(model, image, stride=(16, 8)).shape[1:3] == (
        40,
        40,
    )


def test_a_model_of_any_size_takes_tiles_that_fit_and_lists_them():
    fixed, crops = unet(2, (38, 38))
    free, _ = unet(2, (None, None), crops)
    image = rng.normal(size=(1, 31, 33, 1)).astype("float32")
    free.set_weights(fixed.get_weights())
    expected = segmentation.predict_tiles(fixed, image)
    for tile in (30, (34, 46)):
        found = segmentation.predict_tiles(free, image, tile=tile)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match="say which tile"):
        segmentation.predict_tiles(free, image)
    with pytest.raises(ValueError, match=r"37×37.*these sides fit: 30, 34, 38, 42$"):
        segmentation.predict_tiles(free, image, tile=37)
    with pytest.raises(ValueError, match="38×38 pixels only; given 42×42"):
        segmentation.predict_tiles(fixed, image, tile=42)


def test_nested_strided_and_upsampled_networks_are_traced():
    inner = keras.Sequential(
        [
            keras.Input((20, 24, 2)),
            layers.Conv2D(2, 2, strides=2),
            layers.AveragePooling2D((1, 3)),
        ]
    )
    image = keras.Input((20, 24, 2))
    x = layers.UpSampling2D((2, 6))(inner(image))
    model = keras.Model(image, layers.Dense(2)(layers.Activation("relu")(x)))
    assert segmentation.tiling(model) == ((20, 24), (20, 24), (2, 6))
    resized = keras.Model(image, layers.Resizing(20, 24)(inner(image)))
    assert segmentation.tiling(resized) == ((20, 24), (20, 24), (2, 6))
    with pytest.raises(ValueError, match=r"one for every pixel"):
        segmentation.tiling(inner)
    plain = keras.Sequential([keras.Input((9, 9, 1)), layers.MaxPooling2D(2)])
    with pytest.raises(ValueError, match="loses 1 pixels at its stride"):
        segmentation.tiling(plain)


def test_a_margin_hides_the_seams_of_zero_padding():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(2, 3, padding="same"),
        ]
    )
    whole = keras.Sequential(
        [
            keras.Input((34, 41, 1)),
            *(layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(2, 3)),
        ]
    )
    whole.set_weights(model.get_weights())
    image = rng.normal(size=(1, 30, 37, 1)).astype("float32")
    mirrored = np.pad(image, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    expected = array(whole(mirrored))
    found = segmentation.predict_tiles(model, image, margin=2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    smallest = keras.Sequential([keras.Input((5, 5, 1)), *model.layers])
    found = segmentation.predict_tiles(smallest, image, margin=2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    seams = segmentation.predict_tiles(model, image)
    assert np.abs(seams - expected).max() > 1e-3


def test_an_image_as_large_as_a_tile_is_one_tile():
    model, _ = unet(1, (16, 16))
    image = rng.normal(size=(3, 8, 8, 1)).astype("float32")
    found = segmentation.predict_tiles(model, image, batch_size=2)
    mirrored = np.pad(image, [(0, 0), (4, 4), (4, 4), (0, 0)], mode="reflect")
    np.testing.assert_allclose(found, array(model(mirrored)), atol=1e-6)


IMAGE = np.zeros((1, 20, 20, 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"images": IMAGE[0]}, r"\(n, any, any, 1\)"),
        ({"images": np.repeat(IMAGE, 3, axis=-1)}, r"\(n, any, any, 1\)"),
        ({"images": IMAGE[:0]}, "n at least 1"),
        ({"images": IMAGE + np.nan}, "finite images"),
        ({"margin": -1}, "margin=0 or more; given -1"),
        ({"margin": 4}, "leaves nothing"),
        ({"batch_size": 0}, "batch_size=1 or more; given 0"),
        ({"stride": 0}, "whole pixels from 1"),
        ({"tile": (16, 16, 1)}, "whole pixels from 1"),
        ({"model": keras.Sequential([layers.Conv2D(2, 3)])}, "is not built"),
        (
            {
                "model": keras.Sequential(
                    [keras.Input((16, 16, 1)), layers.Conv2D(2, 2)]
                )
            },
            "15×15 pixels, which is no middle",
        ),
        (
            {"model": keras.Sequential([keras.Input((4,)), layers.Dense(2)])},
            "of images",
        ),
    ],
)
def test_what_cannot_be_tiled_is_refused(settings, words):
    given = {"model": unet(1, (16, 16))[0], "images": IMAGE, **settings}
    with pytest.raises(ValueError, match=words) as caught:
        segmentation.predict_tiles(**given)
    assert "\n" not in str(caught.value)


def test_an_image_smaller_than_a_tile_is_mirrored_up_and_cut():
    model, _ = unet(1, (16, 16))
    image = rng.normal(size=(1, 5, 20, 1)).astype("float32")
    larger = np.pad(image, [(0, 0), (0, 3), (0, 0), (0, 0)], mode="reflect")
    found = segmentation.predict_tiles(model, image)
    assert found.shape == (1, 5, 20, 3)
    # The 4 rows that the model takes away at each side are mirrored in either case.
    expected = segmentation.predict_tiles(model, larger)[:, :5]
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        layers.GroupNormalization(1, name="mixer"),
        layers.LayerNormalization(axis=(1, 2, 3), name="mixer"),
        layers.Lambda(lambda x: x - keras.ops.mean(x), name="mixer"),
        layers.Activation(lambda x: x - keras.ops.mean(x), name="mixer"),
        layers.Conv2D(1, 1, activation=layers.Softmax(axis=1), name="mixer"),
        layers.Dense(1, activation=partial(keras.ops.softmax, axis=1), name="mixer"),
        layers.SeparableConv2D(1, 3, activation=keras.ops.cumsum, name="mixer"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_may_mix_all_pixels_are_refused_by_name(layer):
    inner = keras.Sequential([keras.Input((16, 16, 1)), layer], name="inner")
    model = keras.Sequential([keras.Input((16, 16, 1)), inner, layers.Conv2D(2, 3)])
    for ask in (segmentation.tiling, lambda m: segmentation.predict_tiles(m, IMAGE)):
        with pytest.raises(ValueError, match=r"'inner/mixer'.*may see more"):
            ask(model)


BY_PLACE = rng.uniform(1, 2, (1, 16, 16, 1)).astype("float32")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("batch_normalization", layers.BatchNormalization(axis=1)),
        ("p_re_lu", layers.PReLU()),
        ("p_re_lu", layers.PReLU(shared_axes=[1])),
        ("rescaling", layers.Rescaling(BY_PLACE[0])),
        ("rescaling", layers.Rescaling(1, offset=BY_PLACE[:, :, :1].tolist())),
        ("add", lambda x: x + BY_PLACE),
        ("multiply", lambda x: keras.ops.multiply(BY_PLACE[0], x)),
        ("maximum", lambda x: keras.ops.maximum(x, x2=BY_PLACE[:, :1])),
    ],
)
def test_layers_that_do_not_the_same_at_every_place_are_refused_by_name(name, change):
    keras.utils.clear_session()
    if isinstance(change, keras.layers.Layer):
        change = type(change).from_config(change.get_config() | {"name": name})
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Conv2D(2, 3)(change(image)))
    with pytest.raises(ValueError, match=f"'{name}'.*the same at every place"):
        segmentation.tiling(model)


@pytest.mark.parametrize(
    "change",
    [
        layers.BatchNormalization(axis=3),
        layers.PReLU(shared_axes=[1, 2]),
        layers.Rescaling([1.0, 2.0, 3.0], offset=np.ones((1, 1, 3))),
        lambda x: keras.ops.add(x, np.ones((1, 1, 1, 3), "float32")) * 2.0,
    ],
)
def test_a_number_for_each_map_does_the_same_at_every_place(change):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Conv2D(2, 3)(change(image)))
    assert segmentation.tiling(model) == ((16, 16), (14, 14), (1, 1))


def gated(x, kernel):
    return x * layers.Conv2D(3, kernel, activation="sigmoid")(x)


@pytest.mark.parametrize(
    "joined",
    [
        lambda x: gated(x, 16),  # one gate for a whole tile
        lambda x: gated(x, (16, 1)),
        lambda x: layers.UpSampling2D()(
            layers.Conv2D(3, 2, 2)(x) + layers.Conv2D(3, 9)(x)
        ),
    ],
)
def test_maps_that_are_no_maps_of_the_same_places_are_refused(joined):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, joined(image))
    with pytest.raises(ValueError, match="different sizes or strides meet in '"):
        segmentation.tiling(model)


def test_strides_are_counted_exactly():
    """49 · (1 / 49) is less than 1 in floating point."""
    model = keras.Sequential(
        [
            keras.Input((98, 98, 1)),
            layers.MaxPooling2D(49),
            layers.UpSampling2D(49),
            layers.Conv2D(2, 1),
        ]
    )
    assert segmentation.tiling(model) == ((98, 98), (98, 98), (49, 49))
