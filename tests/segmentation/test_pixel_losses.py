"""Losses are judged by loops over pixels."""

import keras
import numpy as np
import pytest
from keras import layers
from labelled import case, rng, slow_cross_entropy, slow_dice

from cnnlib.segmentation import CrossEntropy, CrossEntropyDice, MeanIoU


def test_losses_equal_loops_over_pixels():
    for i in range(24):
        y, logits, _, ignored, weights = case(i)
        ones = np.ones(y.shape)
        for given, used in ((None, ones), (weights, weights)):
            entropy = slow_cross_entropy(y, logits, ignored, used)
            dice = slow_dice(y, logits, ignored, used, 0.5)
            found = [
                float(loss(y, logits, given))
                for loss in (
                    CrossEntropy(ignored=ignored),
                    CrossEntropyDice(ignored=ignored, smooth=0.5, dice=2),
                )
            ]
            np.testing.assert_allclose(
                found, [entropy, entropy + 2 * dice], rtol=1e-4, atol=1e-5
            )


def test_class_weights_multiply_the_weights_of_their_pixels():
    for i in range(8):
        y, logits, classes, ignored, weights = case(i)
        of_class = rng.random(classes)
        inside = np.where((y >= 0) & (y < classes), y, 0)
        expected = slow_cross_entropy(y, logits, ignored, weights * of_class[inside])
        loss = CrossEntropy(ignored=ignored, class_weights=of_class)
        assert float(loss(y, logits, weights)) == pytest.approx(expected, abs=1e-4)


def test_class_weights_go_by_their_class_as_those_of_fit_do():
    logits, y = rng.normal(size=(2, 4, 5, 3)), rng.integers(0, 3, (2, 4, 5))
    by_class = CrossEntropy(class_weights={2: 0.5, 0: 1, 1: 5})
    in_a_row = CrossEntropy(class_weights=np.array([1, 5, 0.5]))
    assert float(by_class(y, logits)) == float(in_a_row(y, logits))
    assert by_class.get_config()["class_weights"] == [1, 5, 0.5]
    with pytest.raises(
        ValueError, match=r"every class from 0 on; given those of \[1, 2\]"
    ):
        CrossEntropy(class_weights={1: 1, 2: 5})


def test_a_last_axis_of_one_and_a_weight_per_image_are_understood():
    y, logits = rng.integers(0, 3, (4, 5, 6)), rng.normal(size=(4, 5, 6, 3))
    weights = rng.random(4)
    expected = slow_cross_entropy(
        y, logits, None, np.broadcast_to(weights[:, None, None], y.shape)
    )
    loss = CrossEntropy()
    assert float(loss(y, logits, weights)) == pytest.approx(expected, abs=1e-5)
    pixels = np.broadcast_to(weights[:, None, None, None], (4, 5, 6, 1))
    found = float(loss(y[..., None], logits, pixels))
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropyDice()])
def test_one_channel_is_the_logit_of_class_one(loss):
    y, logits = rng.integers(0, 2, (2, 4, 4)), rng.normal(size=(2, 4, 4, 1))
    both = np.concatenate([0 * logits, logits], axis=-1)
    assert float(loss(y, logits)) == pytest.approx(float(loss(y, both)), abs=1e-6)


def test_a_class_rightly_left_out_costs_nothing():
    y = np.zeros((1, 8, 8), int)
    logits = np.zeros((1, 8, 8, 3))
    logits[..., 0] = 30
    loss = CrossEntropyDice()
    assert float(loss(y, logits)) == pytest.approx(0, abs=1e-6)
    logits[0, :4, :, 2] = 60
    assert float(loss(y, logits)) - float(CrossEntropy()(y, logits)) > 0.3


def test_nothing_counted_costs_nothing():
    y, logits = np.full((1, 3, 3), 255), rng.normal(size=(1, 3, 3, 2))
    for loss in (CrossEntropy, CrossEntropyDice):
        assert float(loss(ignored=255)(y, logits)) == 0
    assert float(CrossEntropy()(0 * y, logits, np.zeros((1, 3, 3)))) == 0


def test_losses_train_a_model_with_weight_maps():
    x = rng.normal(size=(16, 6, 6, 1)).astype("float32")
    y = (x[..., 0] > 0).astype("int32")
    y[0, 0, 0] = 255
    weights = rng.random(y.shape).astype("float32")
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 1)])
    loss = CrossEntropyDice(ignored=255)
    model.compile(
        keras.optimizers.Adam(0.1),
        loss,
        metrics=[MeanIoU(2, ignored=255)],
    )
    before = float(loss(y, model(x), weights))
    log = model.evaluate(x, y, sample_weight=weights, return_dict=True, verbose=0)
    assert log["loss"] == pytest.approx(before, abs=1e-4)
    model.fit(x, y, sample_weight=weights, epochs=20, verbose=0)
    log = model.evaluate(x, y, return_dict=True, verbose=0)
    assert log["mean_iou"] > 0.9
