"""Figures over all pixels so far, which ``fit`` and ``evaluate`` report.

Each takes the number of ``classes`` and is NaN before the first pixel.
"""

import keras
from keras import ops

from cnnlib import checks
from cnnlib.segmentation.pixels import IGNORED, ignorable, pixels, ratio


class _Counted(keras.metrics.Metric):
    """A figure made of how many pixels of each class are taken for each."""

    def __init__(self, classes, *, ignored=None, name=None, dtype=None):
        super().__init__(name=name or self.NAME, dtype=dtype)
        who = type(self).__name__
        count = checks.integer(who, "classes", classes, least=2)
        self.classes, self.ignored = count, ignorable(who, ignored)
        # Whole numbers, exact; the last row counts what is no class.
        self.counts = self.add_variable(
            (count + 1, count), "zeros", dtype="int", name="counts"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the pixels of a batch; weights are refused."""
        who, count = type(self).__name__, self.classes
        if sample_weight is not None:
            raise ValueError(
                f"{who} counts pixels, which have no weights: give it as one of "
                "metrics, not of weighted_metrics"
            )
        labels, logits, _ = pixels(who, y_true, y_pred, self.ignored)
        if logits.shape[-1] != count:
            raise ValueError(
                f"{who} is for {count} classes; the logits are of {logits.shape[-1]}"
            )
        cells = labels * count + ops.cast(ops.argmax(logits, axis=-1), "int32")
        cells = ops.where(ops.any(ops.isnan(logits), axis=-1), count * count, cells)
        last = count * (count + 1)
        cells = ops.reshape(ops.where(labels == IGNORED, last, cells), (-1,))
        counts = ops.segment_sum(ops.ones_like(cells), cells, num_segments=last + 1)
        counts = ops.reshape(counts[:-1], (count + 1, count))
        self.counts.assign_add(ops.cast(counts, self.counts.dtype))

    def result(self):
        """The mean over the classes that occur or are predicted."""
        counts = ops.cast(self.counts, "float32")
        counts = ops.where(ops.sum(counts[-1]) > 0, float("nan"), counts[:-1])
        true, taken = ops.sum(counts, axis=1), ops.sum(counts, axis=0)
        scores = self.score(ops.diagonal(counts), true, taken)
        there = ops.logical_not(ops.isnan(scores))
        total = ops.sum(ops.where(there, scores, 0.0))
        return ratio(total, ops.sum(ops.cast(there, "float32")), float("nan"))

    def get_config(self):
        own = {"classes": self.classes, "ignored": self.ignored}
        return {"name": self.name, "dtype": self.dtype, **own}


@keras.saving.register_keras_serializable("cnnlib")
class MeanIoU(_Counted):
    """Intersection over union, |A ∩ B| / |A ∪ B|, its mean over the classes there."""

    NAME = "mean_iou"

    def score(self, hits, true, taken):
        return ratio(hits, true + taken - hits, float("nan"))


@keras.saving.register_keras_serializable("cnnlib")
class MeanDice(_Counted):
    """Dice coefficient, 2 |A ∩ B| / (|A| + |B|), its mean over the classes there."""

    NAME = "mean_dice"

    def score(self, hits, true, taken):
        return ratio(2 * hits, true + taken, float("nan"))


@keras.saving.register_keras_serializable("cnnlib")
class PixelAccuracy(_Counted):
    """The part of all pixels so far that are given their class."""

    NAME = "pixel_accuracy"

    def score(self, hits, true, taken):
        return ratio(ops.sum(hits), ops.sum(true), float("nan"))
