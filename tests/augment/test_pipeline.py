import keras
import numpy as np
import pytest
from moved import array, pictures, rng

from cnnlib import augment
from cnnlib.augment import ColorShift, Crop, Pipeline, Warp

SIZES = {"alexnet": {"size": 20}}


@pytest.mark.parametrize("name", augment.PIPELINES)
def test_pipelines_augment_in_training_and_rest_otherwise(name):
    x = pictures(3, 24, 24, 3)
    settings = SIZES.get(name, {})
    made = augment.pipeline(name, value_range=(0, 1), seed=1, **settings)
    moved, rest = array(made(x)), array(made(x, training=False))
    np.testing.assert_array_equal(rest, x[:, 2:22, 2:22] if settings else x)
    assert moved.shape == rest.shape
    assert all((a != b).mean() > 0.2 for a, b in zip(moved, rest, strict=True))
    again = augment.pipeline(name, value_range=(0, 1), seed=1, **settings)
    np.testing.assert_array_equal(array(again(x)), moved)
    loaded = Pipeline.from_config(made.get_config())
    np.testing.assert_array_equal(array(loaded(x)), moved)


def test_pipelines_do_what_the_papers_say():
    layers = {n: augment.pipeline(n, seed=0).layers for n in augment.PIPELINES}
    (crop,) = layers["cifar"]
    assert (crop.size, crop.padding, crop.flip) == (None, 4, "horizontal")
    crop, color = layers["alexnet"]
    assert (crop.size, crop.flip, color.strength) == ((224, 224), "horizontal", 0.1)
    elastic = layers["unet"][0]
    assert (elastic.displacement, elastic.grid) == (10, 3)
    assert elastic.fill_mode == "mirror"
    (digits,) = layers["digits"]
    assert digits.flip is None
    assert digits.rotation < 20
    assert augment.pipeline("unet", displacement=2).layers[0].displacement == 2


KEPT = (
    "flip interpolation fill_mode fill_value size padding displacement grid rotation "
    "zoom translation shear strength factor value_range"
).split()
SETTINGS = {
    "cifar": [
        {"flip": "horizontal", "fill_mode": "constant", "size": None, "padding": 4}
    ],
    "alexnet": [
        {"flip": "horizontal", "fill_mode": "constant", "size": 224, "padding": 0},
        {"strength": 0.1, "value_range": (0, 1)},
    ],
    "unet": [
        {
            "displacement": 10.0,
            "grid": 3,
            "rotation": 180,
            "translation": 0.05,
            "flip": "horizontal_and_vertical",
            "fill_mode": "mirror",
        },
        {"factor": (0, 0.1), "value_range": (0.0, 1.0)},
        {"factor": (-0.05, 0.05), "value_range": [0, 1]},
    ],
    "digits": [
        {
            "displacement": 0.8,
            "grid": 5,
            "rotation": 12,
            "zoom": 0.12,
            "translation": 0.08,
            "shear": 10,
            "fill_mode": "constant",
        }
    ],
}


@pytest.mark.parametrize("name", augment.PIPELINES)
def test_every_setting_of_a_pipeline_is_on_record(name):
    made = augment.pipeline(name, value_range=(0, 1), seed=5)
    for layer, record in zip(made.layers, SETTINGS[name], strict=True):
        config = layer.get_config()
        zero = {"fill_value": 0} if record.get("fill_mode") == "constant" else {}
        found = {key: config[key] for key in KEPT if key in config}
        assert {**zero, **found} == {**zero, **record}
    assert [layer.seed for layer in made.layers] == [15, 16, 17][: len(made.layers)]


@pytest.mark.parametrize("value_range", [(0, 1), (0, 255), (-1, 1)])
@pytest.mark.parametrize("name", ["cifar", "unet", "digits"])
def test_a_pipeline_stays_within_its_range(name, value_range):
    low, high = value_range
    x = (low + (high - low) * (rng.random((16, 24, 24, 1)) > 0.5)).astype("float32")
    made = augment.pipeline(name, value_range=value_range, seed=1)
    moved = array(made(x))
    slack = 1e-4 * (high - low)
    assert moved.min() >= low - slack
    assert moved.max() <= high + slack
    assert np.ptp(moved) > 0.8 * (high - low)


def test_no_two_layers_of_seeded_pipelines_draw_alike():
    made = [augment.pipeline("unet", seed=seed).layers for seed in (0, 1, 2)]
    assert len({layer.seed for layers in made for layer in layers}) == 9


def test_a_pipeline_moves_masks_and_shows_keras_layers_the_images_alone():
    x = pictures(4, 16, 16, 3)
    masks = rng.integers(0, 3, (4, 16, 16)).astype("uint8")
    grey = keras.layers.RandomGrayscale(factor=1.0)  # fails on a dict by itself
    made = Pipeline([Warp(rotation=90, seed=1), grey], value_range=(0, 1))
    moved = made({"images": x, "segmentation_masks": masks})
    alone = Warp(rotation=90, seed=1)({"images": x, "segmentation_masks": masks})
    np.testing.assert_array_equal(
        array(moved["segmentation_masks"]), array(alone["segmentation_masks"])
    )
    assert array(moved["segmentation_masks"]).dtype == np.uint8
    assert np.ptp(array(moved["images"]), axis=-1).max() < 1e-5


@pytest.mark.parametrize("make", [keras.layers.CutMix, keras.layers.MixUp])
def test_a_pipeline_mixes_labels_with_images(make):
    x, labels = pictures(6, 12, 12, 3), np.eye(6, dtype="float32")
    made = Pipeline([make(seed=1), Crop(10, seed=0)], value_range=(0, 1))
    mixed = made({"images": x, "labels": labels})
    assert array(mixed["images"]).shape == (6, 10, 10, 3)
    assert (array(mixed["labels"]) != labels).any()
    np.testing.assert_allclose(array(mixed["labels"]).sum(axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="mixes labels too"):
        made(x)
    with pytest.raises(ValueError, match="one-hot"):
        made({"images": x, "labels": np.arange(6)})
    with pytest.raises(ValueError, match="without their masks"):
        made({"images": x, "labels": labels, "segmentation_masks": x[..., 0]})


def test_rand_augment_works_on_images_and_is_refused_beside_masks():
    x = pictures(2, 12, 12, 3)
    made = Pipeline(
        [keras.layers.RandAugment(value_range=(0, 1), seed=0)], value_range=(0, 1)
    )
    assert array(made({"images": x, "labels": np.arange(2)})["images"]).shape == x.shape
    with pytest.raises(ValueError, match=r"RandAugment.*Warp, Elastic or Crop"):
        made({"images": x, "weight_maps": x[..., 0]})


def test_a_setting_that_a_pipeline_lacks_is_refused():
    with pytest.raises(TypeError, match="displacement"):
        augment.pipeline("cifar", displacement=3)


class Mirrored(keras.layers.RandomFlip):
    """What a user makes of one of Keras's layers."""


def flip():
    return keras.layers.RandomFlip("horizontal")


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: keras.Sequential([flip()]), "RandomFlip"),
        (lambda: keras.Sequential([keras.Input((8, 8, 3)), flip()]), "RandomFlip"),
        (lambda: keras.layers.Pipeline([flip()]), "RandomFlip"),
        (lambda: Mirrored("horizontal"), "Mirrored"),
        (lambda: keras.layers.ZeroPadding2D(2), "ZeroPadding2D"),
        (lambda: keras.layers.Lambda(lambda x: x[:, ::-1]), "Lambda"),
    ],
)
def test_a_layer_that_may_leave_masks_behind_is_refused_wherever_it_is(layer, name):
    x = pictures(2, 8, 8, 3)
    made = Pipeline([layer()], value_range=(0, 1))
    assert array(made({"images": x, "labels": np.arange(2)})["images"]).shape[0] == 2
    with pytest.raises(
        ValueError, match=f"^{name} may move pixels without their masks"
    ):
        made((x, np.zeros((2, 8, 8), "uint8")))
    with pytest.raises(ValueError, match=f"^{name} may move pixels"):
        made({"images": x, "weight_maps": x[..., 0]})


def test_a_model_of_layers_that_leave_pixels_in_their_places_goes_with_masks():
    x, masks = pictures(2, 8, 8, 3), rng.integers(0, 3, (2, 8, 8))
    dim = [keras.Input((8, 8, 3)), keras.layers.Rescaling(0.5)]
    made = Pipeline([keras.Sequential(dim)], value_range=(0, 1))
    moved, kept = made((x, masks))
    np.testing.assert_allclose(array(moved), x / 2, atol=1e-6)
    np.testing.assert_array_equal(array(kept), masks)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.RandomBrightness(0.1),
        lambda: ColorShift(),
        lambda: keras.Sequential([keras.layers.RandomBrightness(0.1)]),
        lambda: Pipeline([], value_range=(0, 255)),
    ],
)
def test_a_layer_of_another_range_than_its_pipelines_is_refused(layer):
    told = r"Pipeline is \(0, 1\); that of its \w+ is \(0, 255\)"
    with pytest.raises(ValueError, match=told) as caught:
        Pipeline([Warp(rotation=3), layer()], value_range=(0, 1))
    assert "\n" not in str(caught.value)
    # Behind a Rescaling the range is another.
    Pipeline([layer(), keras.layers.Rescaling(1 / 255), flip()], value_range=(0, 255))
    Pipeline([keras.layers.Rescaling(255), layer()], value_range=(0, 1))


@pytest.mark.parametrize("value_range", [(0, 255), (-1, 1), (10, 20)])
def test_digits_stand_before_the_blackest_black(value_range):
    (layer,) = augment.pipeline("digits", value_range=value_range).layers
    assert layer.fill_value == value_range[0]
