"""Losses over all pixels at once, which weights and ignored labels need."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks, graph
from cnnlib.segmentation.pixels import ignorable, pixels, ratio, sample_weights


@keras.saving.register_keras_serializable("cnnlib")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy averaged over the pixels by their weights.

    Σ w · (−log p) / Σ w over all pixels of the batch, w being the sample weight (a
    weight map, or a number per image) times that of the pixel's class, if there are
    ``class_weights``, in a row or by class as ``fit`` takes them; 0 where all weights
    are. Keras's own divides by the number of pixels.
    """

    def __init__(self, *, ignored=None, class_weights=None, name="cross_entropy"):
        super().__init__(name=name)
        who = type(self).__name__
        self.ignored = ignorable(who, ignored)
        if class_weights is not None:
            if isinstance(class_weights, dict) and set(class_weights) != set(
                range(len(class_weights))
            ):
                raise ValueError(
                    f"{who} takes a weight for every class from 0 on; given those of "
                    f"{list(class_weights)}"
                )
            class_weights = [
                checks.number(who, "class_weights", class_weights[k], least=0)
                for k in range(len(class_weights))
            ]
        self.class_weights = class_weights

    def __call__(self, y_true, y_pred, sample_weight=None):
        who = type(self).__name__
        graph.logits(who, y_pred)
        labels, logits, strange = pixels(who, y_true, y_pred, self.ignored)
        classes = logits.shape[-1]
        weights = ops.cast(labels >= 0, "float32")
        if sample_weight is not None:
            weights *= sample_weights(who, sample_weight, tuple(labels.shape))
        labels = ops.clip(labels, 0, classes - 1)
        if self.class_weights is not None:
            count = len(self.class_weights)
            if count != classes:
                raise ValueError(
                    f"{who} has {count} class weights for {classes} classes"
                )
            of_class = ops.convert_to_tensor(np.array(self.class_weights, "float32"))
            weights *= ops.take(of_class, labels)
        hits = ops.one_hot(labels, classes, dtype="float32")
        return ops.where(strange, float("nan"), self.value(hits, logits, weights))

    def value(self, hits, logits, weights):
        """The loss of one-hot labels, logits, and a weight for every pixel."""
        loss = -ops.sum(hits * ops.log_softmax(logits, axis=-1), axis=-1)
        return ratio(ops.sum(weights * loss), ops.sum(weights))

    def get_config(self):
        own = {"ignored": self.ignored, "class_weights": self.class_weights}
        return {"name": self.name, **own}


@keras.saving.register_keras_serializable("cnnlib")
class CrossEntropyDice(CrossEntropy):
    """``CrossEntropy`` plus ``dice`` times soft Dice, after V-Net (arXiv:1606.04797).

    Soft Dice is one minus the mean over the classes of, with p the softmax and t 0 or 1
    at each pixel of the batch::

        (2 Σ w p t + smooth) / (Σ w p + Σ w t + smooth)

    So a class that occurs nowhere counts 1 as its probabilities go to 0. Keras's own
    throws classes together, takes probabilities, and punishes an empty class that was
    rightly left out.
    """

    def __init__(
        self, *, ignored=None, smooth=1.0, dice=1.0, name="cross_entropy_dice"
    ):
        super().__init__(ignored=ignored, name=name)
        self.smooth = checks.number("CrossEntropyDice", "smooth", smooth, above=0)
        self.dice = checks.number("CrossEntropyDice", "dice", dice, least=0)

    def value(self, hits, logits, weights):
        flat = (-1, logits.shape[-1])
        columns = ops.reshape(weights, (-1, 1))
        chances = columns * ops.reshape(ops.softmax(logits, axis=-1), flat)
        true = ops.reshape(hits, flat)
        both = ops.sum(chances * true, axis=0)
        each = ops.sum(chances, axis=0) + ops.sum(columns * true, axis=0)
        dice = 1 - ops.mean((2 * both + self.smooth) / (each + self.smooth))
        return super().value(hits, logits, weights) + self.dice * dice

    def get_config(self):
        own = {"smooth": self.smooth, "dice": self.dice}
        return {"name": self.name, "ignored": self.ignored, **own}
