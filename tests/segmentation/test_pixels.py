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


def test_a_strange_label_makes_a_compiled_loss_and_metric_nan():
    x = np.zeros((2, 3, 3, 1), "float32")
    y = np.zeros((2, 3, 3), "int32")
    model = keras.Sequential([keras.Input((3, 3, 1)), layers.Conv2D(2, 1)])
    model.compile("sgd", CrossEntropy(), metrics=[MeanIoU(2)])
    for label in (2, -1):
        y[1, 2, 2] = label
        log = model.evaluate(x, y, return_dict=True, verbose=0)
        assert np.isnan(log["loss"])
        assert np.isnan(log["mean_iou"])
    y[1, 2, 2] = 1
    log = model.evaluate(x, y, return_dict=True, verbose=0)
    assert np.isfinite(log["loss"])
    assert np.isfinite(log["mean_iou"])


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
        (lambda: CrossEntropy()(Y, Z, np.full(2, np.nan)), "finite weights from 0"),
        (lambda: CrossEntropy(class_weights=[1, 2])(Y, Z), "2 class weights for 3"),
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


def test_a_label_between_two_classes_makes_a_compiled_loss_and_metric_nan():
    """As of a mask that was divided by 255: it would be class 0 everywhere."""
    x = np.zeros((2, 3, 3, 1), "float32")
    y = np.zeros((2, 3, 3), "float32")
    model = keras.Sequential([keras.Input((3, 3, 1)), layers.Conv2D(2, 1)])
    model.compile("sgd", CrossEntropy(), metrics=[MeanIoU(2)])
    y[1, 2, 2] = 1
    log = model.evaluate(x, y, return_dict=True, verbose=0)
    assert np.isfinite(list(log.values())).all()
    y[1, 2, 2] = 1 / 255
    log = model.evaluate(x, y, return_dict=True, verbose=0)
    assert np.isnan(list(log.values())).all()
