"""Figures over all pixels so far, which ``fit`` and ``evaluate`` report."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.segmentation.pixels import IGNORED, pixels, ratio


class _Counted(keras.metrics.Metric):
    """A figure made of how many pixels of each class are taken for each."""

    def __init__(self, classes, *, ignored=None, name=None, dtype=None):
        super().__init__(name=name or self.NAME, dtype=dtype)
        names = range(classes) if checks.is_integer(classes) else classes
        self.class_names = [str(name) for name in names]
        self.ignored = ignored
        if len(self.class_names) < 2:
            raise ValueError(
                f"{type(self).__name__} takes two classes or more; given {classes!r}"
            )
        count = len(self.class_names)
        # Whole numbers, exact; the last row counts labels that are no class.
        self.counts = self.add_variable(
            (count + 1, count), "zeros", dtype="int", name="counts"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the pixels of a batch."""
        who, count = type(self).__name__, len(self.class_names)
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
        last = count * (count + 1)
        cells = ops.reshape(ops.where(labels == IGNORED, last, cells), (-1,))
        counts = ops.segment_sum(ops.ones_like(cells), cells, num_segments=last + 1)
        counts = ops.reshape(counts[:-1], (count + 1, count))
        self.counts.assign_add(ops.cast(counts, self.counts.dtype))

    def confusion(self) -> np.ndarray:
        """Pixels so far: int64 (classes, classes), rows the true class."""
        return ops.convert_to_numpy(self.counts)[:-1].astype("int64")

    def _parts(self):
        """Hits, pixels of the class, pixels taken for it; NaN after a strange label."""
        counts = ops.cast(self.counts, "float32")
        fine = ops.where(ops.sum(counts[-1]) > 0, float("nan"), 1.0)
        counts = counts[:-1] * fine
        return ops.diagonal(counts), ops.sum(counts, axis=1), ops.sum(counts, axis=0)

    def _iou(self):
        hits, true, taken = self._parts()
        return ratio(hits, true + taken - hits, float("nan"))

    def _dice(self):
        hits, true, taken = self._parts()
        return ratio(2 * hits, true + taken, float("nan"))

    def _named(self, values):
        """A dict, which ``fit`` reports entry by entry."""
        return {
            f"{self.name}/{name}": values[i] for i, name in enumerate(self.class_names)
        }

    def get_config(self):
        own = {"classes": self.class_names, "ignored": self.ignored}
        return {"name": self.name, "dtype": self.dtype, **own}


@keras.saving.register_keras_serializable("cnnlib")
class IoU(_Counted):
    """Intersection over union of each class, over all pixels so far.

    The result is a dict, "iou/name" to number; NaN for a class that neither occurs nor
    is predicted.

    Args:
        classes: their number, or their names.
        ignored: a label whose pixels don't count, or None.
        name: of the metric.
        dtype: of the result.

    Raises:
        ValueError: fewer than two classes; and, when called: labels and logits of
            shapes that do not fit together, labels that are no class, weights.
    """

    NAME = "iou"

    def result(self):
        return self._named(self._iou())


@keras.saving.register_keras_serializable("cnnlib")
class Dice(_Counted):
    """Dice coefficient of each class, 2 |A ∩ B| / (|A| + |B|), over all pixels so far.

    The result is a dict, "dice/name" to number; NaN for a class that neither occurs nor
    is predicted. Arguments and errors are those of ``IoU``.
    """

    NAME = "dice"

    def result(self):
        return self._named(self._dice())


@keras.saving.register_keras_serializable("cnnlib")
class MeanIoU(_Counted):
    """The mean of ``IoU`` over the classes that occur or are predicted.

    NaN before the first pixel. Arguments and errors are those of ``IoU``.
    """

    NAME = "mean_iou"

    def result(self):
        return _mean(self._iou())


@keras.saving.register_keras_serializable("cnnlib")
class MeanDice(_Counted):
    """The mean of ``Dice`` over the classes that occur or are predicted.

    NaN before the first pixel. Arguments and errors are those of ``IoU``.
    """

    NAME = "mean_dice"

    def result(self):
        return _mean(self._dice())


@keras.saving.register_keras_serializable("cnnlib")
class PixelAccuracy(_Counted):
    """The part of all pixels so far that are given their class.

    NaN before the first pixel. Arguments and errors are those of ``IoU``.
    """

    NAME = "pixel_accuracy"

    def result(self):
        hits, true, _ = self._parts()
        return ratio(ops.sum(hits), ops.sum(true), float("nan"))


def _mean(values):
    """The mean of what is not NaN."""
    there = ops.logical_not(ops.isnan(values))
    total = ops.sum(ops.where(there, values, 0.0))
    return ratio(total, ops.sum(ops.cast(there, "float32")), float("nan"))
