import keras
import numpy as np
import pytest
from moved import array, pictures, rng

from cnnlib import augment
from cnnlib.augment import Crop, Pipeline, Warp

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
