"""Labels, logits and weights that do not fit."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import segmentation
from cnnlib.segmentation import (
    CrossEntropy,
    CrossEntropyDice,
    MeanIoU,
)


def tiny(loss, metrics=(), **settings):
    model = keras.Sequential([keras.Input((3, 3, 1)), layers.Conv2D(2, 1)])
    model.compile("sgd", loss, metrics=list(metrics), **settings)
    return model


IMAGES = np.zeros((2, 3, 3, 1), "float32")
EXTERNAL = "sparse_categorical_crossentropy"


@pytest.mark.parametrize("label", [255, -1, 1 / 255])
@pytest.mark.parametrize(
    ("loss", "metrics"),
    [(CrossEntropy(), ()), (CrossEntropyDice(), ()), (EXTERNAL, (MeanIoU,))],
)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_label_that_is_no_class_is_refused_in_fit_too(loss, metrics, label, method):
    y = np.zeros((2, 3, 3), "float32")
    y[1, 2, 2] = label
    if loss == EXTERNAL:  # Keras's own, which takes what it is told to leave out
        loss = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=label)
    told = "takes labels in whole numbers from 0 to 1"
    with pytest.raises(Exception, match=told):  # an error of the backend's own
        getattr(tiny(loss, [m(2) for m in metrics]), method)(IMAGES, y, verbose=0)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_refused_in_fit_too(weight):
    y, model = np.zeros((2, 3, 3), "int32"), tiny(CrossEntropy())
    with pytest.raises(Exception, match="takes finite weights from 0"):
        model.fit(IMAGES, y, sample_weight=np.array([1, weight]), verbose=0)


def test_weights_that_are_none_are_told_by_the_least_and_the_largest():
    y, logits = np.zeros((2, 3, 3), "int32"), np.zeros((2, 3, 3, 2), "float32")
    with pytest.raises(ValueError, match=r"finite weights from 0; given -1 to 3$"):
        CrossEntropy()(y, logits, sample_weight=np.array([3.0, -1.0]))


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropyDice()])
def test_weights_come_per_image_or_per_pixel_with_a_channel_or_without(loss):
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 2, (2, 4, 3)), rng.normal(size=(2, 4, 3, 2))
    logits[1] *= 4
    logits, image = logits.astype("float32"), np.array([1.0, 5.0], "float32")
    pixel = image[:, None, None] * np.ones((4, 3), "float32")
    per_image, per_pixel, with_channel = (
        float(loss(y, logits, sample_weight=w))
        for w in (image, pixel, pixel[..., None])
    )
    assert per_image == pytest.approx(per_pixel) == pytest.approx(with_channel)
    assert per_image != pytest.approx(float(loss(y, logits)), rel=0.01)
    for shape in ((2, 1), (2, 3, 4), (3,)):
        with pytest.raises(ValueError, match="takes a weight per pixel"):
            loss(y, logits, sample_weight=np.ones(shape, "float32"))


def test_good_labels_and_weights_are_accepted_in_fit():
    y, model = np.ones((2, 3, 3), "int32"), tiny(CrossEntropy(ignored=-1), [])
    y[0, 0] = -1
    model.fit(IMAGES, y, sample_weight=np.array([0.0, 2.0]), verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX refuses them")
@pytest.mark.parametrize("label", [2, -1, 1 / 255])
def test_a_strange_label_makes_a_loss_and_metric_nan_where_xla_drops_checks(label):
    y = np.zeros((2, 3, 3), "float32")
    model = tiny(CrossEntropy(), [MeanIoU(2)], jit_compile=True)
    assert np.isfinite(list(model.test_on_batch(IMAGES, y))).all()
    y[1, 2, 2] = label
    assert np.isnan(list(model.test_on_batch(IMAGES, y))).all()


Y, Z = np.zeros((2, 4, 5), int), np.zeros((2, 4, 5, 3))


TWO = np.full((2, 4, 5), 3)


@pytest.mark.parametrize("what", [CrossEntropy(), CrossEntropyDice(), MeanIoU(3)])
@pytest.mark.parametrize(
    ("y", "logits", "words"),
    [
        (Y[:, :3], Z, r"labels of shape \(2, 4, 5\)"),
        (Z, Z, r"labels of shape \(2, 4, 5\)"),
        (Y[:0], Z[:0], "at least one pixel"),
        (TWO, Z, "from 0 to 2; given 3 to 3"),
        (Y - 1, Z, "from 0 to 2; given -1 to -1"),
        (np.where(Y == 0, np.nan, 0), Z, "from 0 to 2; given nan"),
        (TWO / 2, Z, "whole numbers from 0 to 2; given 1.5"),
    ],
)
def test_labels_that_do_not_fit_are_refused(what, y, logits, words):
    with pytest.raises(ValueError, match=words):
        what(y, logits)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CrossEntropy()(Y, Z, np.ones((2, 4))), "weight per pixel"),
        (lambda: CrossEntropy()(Y, Z, -np.ones((2, 4, 5))), "finite weights from 0"),
        (lambda: CrossEntropy()(Y, Z, np.array([3.0, -1])), "from 0; given -1 to 3"),
        (lambda: CrossEntropy()(Y, Z, np.full(2, np.nan)), "finite weights from 0"),
        (lambda: CrossEntropy(class_weights=[1, 2])(Y, Z), "2 class weights for 3"),
        (lambda: CrossEntropy(class_weights="balanced"), "class_weights from 0; gi"),
        (lambda: CrossEntropy(class_weights=[1, -5, 1]), "class_weights from 0; given"),
        (lambda: CrossEntropy(class_weights=[1, np.nan, 1]), "class_weights from 0"),
        (
            lambda: CrossEntropy(ignored=[0, 1]),
            r"takes ignored=-\d+ or more; given \[0, 1\]",
        ),
        (lambda: CrossEntropyDice(ignored=1.5), "takes ignored=.* given 1.5"),
        (lambda: MeanIoU(3, ignored=True), "takes ignored=.* given True"),
        (lambda: CrossEntropy(ignored=9)(TWO, Z), "or 9 to be ignored"),
        (lambda: CrossEntropyDice(smooth=0), "smooth above 0"),
        (lambda: CrossEntropyDice(dice=-1), "dice from 0"),
        (lambda: MeanIoU(1), "classes=2 or more; given 1"),
        (lambda: MeanIoU(2)(Y, Z), "for 2 classes; the logits are of 3"),
        (lambda: MeanIoU(3)(Y, Z, np.ones((2, 4, 5))), "no weights"),
        (lambda: segmentation.weight_map(np.zeros((3, 3))), "whole numbers"),
        (lambda: segmentation.weight_map(np.zeros(3, int)), "whole numbers"),
        (lambda: segmentation.weight_map(np.zeros((0, 3), int)), "whole numbers"),
        (lambda: segmentation.weight_map(Y - 1), "labels from 0"),
        (lambda: segmentation.weight_map(Y, sigma=0), "sigma above 0"),
        (lambda: segmentation.weight_map(Y, w0=-1), "w0 from 0"),
    ],
)
def test_impossible_settings_are_refused(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("channels", "end", "loss", "metrics"),
    [
        (2, "softmax", CrossEntropy(), ()),
        (1, "sigmoid", CrossEntropyDice(), ()),
        (1, "sigmoid", "binary_crossentropy", [MeanIoU(2)]),
    ],
)
def test_probabilities_are_no_logits(channels, end, loss, metrics):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras remembers what came out of a softmax on TensorFlow alone")
    ends = [
        [layers.Conv2D(channels, 1, activation=end)],
        [layers.Conv2D(channels, 1), layers.Activation(end, dtype="float32")],
    ]
    for last in ends:
        model = keras.Sequential([keras.Input((3, 3, 1)), *last])
        model.compile("sgd", loss, metrics=list(metrics))
        with pytest.raises(ValueError, match="takes logits; given what a softmax or a"):
            model.fit(IMAGES, np.zeros((2, 3, 3, 1)), verbose=0)


def test_a_metric_of_two_channels_is_that_of_their_softmax():
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 2, (2, 3, 3)), rng.normal(size=(2, 3, 3, 2))
    odds = keras.activations.softmax(keras.ops.convert_to_tensor(z))
    assert float(MeanIoU(2)(y, odds)) == float(MeanIoU(2)(y, z))
