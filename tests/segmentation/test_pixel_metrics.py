"""Metrics are judged by loops over pixels."""

import math

import keras
import numpy as np
import pytest
from labelled import array, case, rng

from cnnlib.segmentation import CrossEntropy, MeanDice, MeanIoU, PixelAccuracy


def slow_scores(batches, classes, ignored):
    pairs = [
        (int(t), int(p))
        for y, logits in batches
        for t, p in zip(y.ravel(), logits.argmax(-1).ravel(), strict=True)
        if t != ignored
    ]
    iou, dice = [], []
    for c in range(classes):
        both = sum(t == c and p == c for t, p in pairs)
        either = sum(t == c or p == c for t, p in pairs)
        each = sum((t == c) + (p == c) for t, p in pairs)
        iou.append(both / either if either else math.nan)
        dice.append(2 * both / each if each else math.nan)
    right = sum(t == p for t, p in pairs)
    return iou, dice, right / len(pairs) if pairs else math.nan


def nanmean(values):
    there = [v for v in values if not math.isnan(v)]
    return sum(there) / len(there) if there else math.nan


def test_streaming_metrics_equal_loops_over_all_pixels():
    for i in range(12):
        y, logits, classes, ignored, _ = case(i)
        batches = [(y, logits), (y[:1], rng.normal(size=logits[:1].shape))]
        made = [
            metric(classes, ignored=ignored)
            for metric in (MeanIoU, MeanDice, PixelAccuracy)
        ]
        for batch in batches:
            for metric in made:
                metric.update_state(*batch)
        iou, dice, accuracy = slow_scores(batches, classes, ignored)
        mean_iou, mean_dice, right = (metric.result() for metric in made)
        same = np.testing.assert_allclose
        same(float(mean_iou), nanmean(iou), rtol=1e-5)
        same(float(mean_dice), nanmean(dice), rtol=1e-5)
        same(float(right), accuracy, rtol=1e-5)


def test_metrics_count_who_is_taken_for_whom_and_start_anew():
    metric = MeanIoU(3)
    assert np.isnan(float(metric.result()))
    logits = np.eye(3)[[[[0, 0, 1, 2]]]]
    metric.update_state(np.array([[[0, 1, 1, 1]]]), logits)
    expected = [[1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(array(metric.counts), expected)
    metric.reset_state()
    assert not array(metric.counts).any()


def test_counts_stay_exact_where_floats_would_not():
    metric = PixelAccuracy(2)
    metric.counts.assign(np.array([[2**24, 0], [0, 0], [0, 0]]))
    metric.update_state(np.zeros((1, 1, 1), int), np.array([[[[1.0, 0]]]]))
    assert array(metric.counts)[0, 0] == 2**24 + 1


def test_a_metric_of_one_channel_asks_whether_the_logit_is_positive():
    y = np.array([[[0, 1, 1, 0]]])
    metric = PixelAccuracy(2)
    metric.update_state(y, np.array([-0.4, 0.4, -0.1, 0.3]).reshape(1, 1, 4, 1))
    np.testing.assert_array_equal(array(metric.counts)[:2], [[1, 1], [1, 1]])


@pytest.mark.parametrize("kind", [MeanIoU, MeanDice, PixelAccuracy])
def test_an_answer_that_is_nan_is_none(kind):
    y, z = np.zeros((1, 2, 2), int), np.zeros((1, 2, 2, 3), "float32")
    z[..., 0], z[0, 1, 1, 2] = 1, np.nan
    metric = kind(3)
    metric.update_state(y, z)
    assert np.isnan(float(metric.result()))
    y[0, 1, 1] = 255
    skipping = kind(3, ignored=255)
    skipping.update_state(y, z)
    assert float(skipping.result()) == 1


def test_metrics_stand_beside_each_other_under_their_own_names():
    kinds = {
        "mean_iou": MeanIoU,
        "mean_dice": MeanDice,
        "pixel_accuracy": PixelAccuracy,
    }
    model = keras.Sequential([keras.Input((2, 2, 2)), keras.layers.Identity()])
    made = [kind(2) for kind in kinds.values()]
    model.compile(loss=CrossEntropy(), metrics=[*made, PixelAccuracy(2, name="own")])
    y = np.array([[[0, 0], [1, 1]]])
    logits = np.eye(2)[np.array([[[0, 1], [1, 1]]])]
    log = model.evaluate(logits, y, verbose=0, return_dict=True)
    assert log.pop("loss") > 0
    expected = {
        "mean_iou": (1 / 2 + 2 / 3) / 2,
        "mean_dice": (2 / 3 + 4 / 5) / 2,
        "pixel_accuracy": 3 / 4,
        "own": 3 / 4,
    }
    assert log == pytest.approx(expected)
    for kind, name in zip(made, kinds, strict=True):
        again = type(kind).from_config(kind.get_config())
        assert (again.name, again.classes) == (name, 2)


@pytest.mark.parametrize("kind", [MeanDice, MeanIoU, PixelAccuracy])
def test_a_metric_has_the_type_that_is_asked_for(kind):
    assert kind(2, dtype="float64").dtype == "float64"


@pytest.mark.parametrize("kind", [MeanDice, MeanIoU, PixelAccuracy])
def test_the_ends_of_labels_out_of_range_are_told_in_their_order(kind):
    labels = np.array([[[-3, 0], [1, 7]]])
    with pytest.raises(ValueError, match="from 0 to 1; given -3 to 7"):
        kind(2).update_state(labels, np.zeros((1, 2, 2, 2), "float32"))
