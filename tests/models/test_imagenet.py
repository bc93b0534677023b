"""What ImageNet's networks take and give: preprocessing, pixels, class names."""

import keras
import numpy as np
import pytest

from cnnlib import models
from cnnlib.models import pretrained


def test_preprocessing_in_numbers_and_without_touching_the_images():
    images = np.full((1, 2, 2, 3), (255.0, 127.5, 0.0), "float32")
    before = images.copy()
    tf = models.preprocess("xception", images)[0, 0, 0]
    np.testing.assert_allclose(tf, (1, 0, -1))
    caffe = models.preprocess("vgg16", images)[0, 0, 0]  # blue, green, red
    np.testing.assert_allclose(caffe, (-103.939, 127.5 - 116.779, 255 - 123.68), 1e-5)
    torch = models.preprocess("densenet121", images[0])[0, 0]
    np.testing.assert_allclose(
        torch, ((1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, -0.406 / 0.225), 1e-5
    )
    np.testing.assert_array_equal(images, before)
    black = np.zeros((1, 2, 2, 3))
    assert models.preprocess("xception", black).max() == -1  # may be 0 to 255
    nearly = np.ones((1, 2, 2, 3), "uint8")
    assert models.preprocess("xception", nearly).max() < -0.99


@pytest.mark.parametrize(
    ("name", "images", "message"),
    [
        ("alexnet", np.zeros((1, 2, 2, 3)), "no ImageNet weights for 'alexnet'"),
        ("vgg16", np.zeros((1, 2, 2, 1)), r"given \(1, 2, 2, 1\)"),
        ("vgg16", np.zeros((2, 3)), r"given \(2, 3\)"),
        ("vgg16", np.full((1, 2, 2, 3), 0.5), "multiply by 255"),
        ("vgg16", np.full((1, 2, 2, 3), 256.0), "takes 0 to 255; given"),
        ("vgg16", np.full((1, 2, 2, 3), -1.0), "takes 0 to 255; given"),
        ("vgg16", np.full((1, 2, 2, 3), np.nan), "takes 0 to 255; given nan"),
    ],
)
def test_images_that_are_none_are_refused(name, images, message):
    with pytest.raises(ValueError, match=message):
        models.preprocess(name, images)


def test_efficientnets_preprocessing():
    images = np.array([[[0, 127, 255]]], "uint8")
    found = models.preprocess("efficientnet_lite0", images)[0, 0]
    np.testing.assert_array_equal(found, np.float32([-127 / 128, 0, 1]))


@pytest.mark.parametrize("name", ["efficientnet_lite0", *pretrained.TWINS])
def test_pixels_come_back_from_inputs(name):
    pixels = np.arange(256 * 3, dtype="uint16").reshape(-1, 1, 3) % 251
    pixels = pixels.astype("uint8")
    low, high = models.input_bounds(name)
    inputs = models.preprocess(name, pixels)
    assert ((low <= inputs) & (inputs <= high)).all()
    assert low.shape == high.shape == (3,)
    np.testing.assert_array_equal(models.to_pixels(name, inputs), pixels)
    step = (high - low) / 255
    np.testing.assert_array_equal(models.to_pixels(name, inputs + 0.4 * step), pixels)
    beyond = models.to_pixels(name, np.stack([low - 1, high + 1]))
    np.testing.assert_array_equal(beyond, [[0] * 3, [255] * 3])
    assert beyond.dtype == np.uint8


def test_pixels_are_refused_by_shape_and_network():
    with pytest.raises(ValueError, match=r"takes inputs \(\.\.\., 3\); given \(3, 4\)"):
        models.to_pixels("vgg16", np.zeros((3, 4)))
    with pytest.raises(ValueError, match="no ImageNet weights for 'alexnet'"):
        models.to_pixels("alexnet", np.zeros((3, 3)))


def test_every_class_has_one_name_of_its_own():
    names = models.imagenet_names()
    assert len(names) == len({name.lower() for name in names}) == 1000
    assert [models.imagenet_class(name) for name in names] == list(range(1000))
    some = {0: "tench", 9: "ostrich", 388: "giant panda", 967: "espresso"}
    assert {k: names[k] for k in some} == some
    assert names[134] == "crane (bird)"
    assert names[517] == "crane (machine)"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Ostrich", 9),
        (" struthio camelus ", 9),
        ("projectile", 744),
        ("missile", 657),
        ("Cardigan", 474),
    ],
)
def test_any_name_that_one_class_alone_has_will_do(name, number):
    assert models.imagenet_class(name) == number


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ostrch", "ostrich, "),
        ("cat", "tiger cat, Persian cat, Siamese cat, Egyptian cat"),
        ("crane", r"crane \(bird\), crane \(machine\)"),
        (9, ""),
    ],
)
def test_other_names_are_refused_and_the_nearest_are_offered(name, near):
    with pytest.raises(ValueError, match=f"called {name!r}; the nearest are {near}"):
        models.imagenet_class(name)


def test_classes_are_decoded():
    logits = np.zeros((2, 1000), "float32")
    logits[0, 9], logits[0, 1], logits[1, 967] = 1000, 999, 20  # no overflow
    first, second = models.decode(keras.ops.convert_to_tensor(logits), top=2)
    assert [name for name, _ in first] == ["ostrich", "goldfish"]
    odds = [p for _, p in first]
    np.testing.assert_allclose(odds, [1 / (1 + np.e**-1), 1 / (1 + np.e)], rtol=1e-5)
    assert second[0][0] == "espresso"
    assert second[0][1] == pytest.approx(1 / (1 + 999 * np.exp(-20)))
    assert len(models.decode(logits)[0]) == 5


@pytest.mark.parametrize(
    ("shape", "top", "message"),
    [
        ((1, 10), 5, r"\(n, 1000\); given \(1, 10\)"),
        ((1000,), 5, r"given \(1000,\)"),
        ((1, 1000), 0, "takes top=1 or more; given 0"),
        ((1, 1000), 1001, "takes top to 1000; given 1001"),
    ],
)
def test_decoding_refuses_what_it_cannot_name(shape, top, message):
    with pytest.raises(ValueError, match=message):
        models.decode(np.zeros(shape), top=top)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_neither_decoded_nor_a_pixel(value):
    logits, inputs = np.zeros((2, 1000)), np.zeros((2, 2, 3))
    logits[1, 7] = inputs[1, 1, 2] = value
    with pytest.raises(ValueError, match="decode takes finite logits"):
        models.decode(logits)
    with pytest.raises(ValueError, match="to_pixels takes finite inputs"):
        models.to_pixels("vgg16", inputs)
