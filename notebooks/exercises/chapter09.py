"""Exercises on the race for ImageNet."""

from functools import cache, partial

import keras
import numpy as np

from cnnlib import models
from exercises import compare, exercise, judged


def keras_top_k_error(scores, truth, k):
    top = keras.metrics.sparse_top_k_categorical_accuracy
    return 1 - np.mean(top(truth, scores, k))


def top_k_error_by_ranks(scores, truth, k):
    own = scores[np.arange(len(truth)), truth]
    return np.mean((scores > own[:, None]).sum(axis=1) >= k)


@exercise(
    "09.1",
    "equal to Keras's top-k accuracy for every k tried",
    reference=keras_top_k_error,
    mistakes={
        "is the accuracy: what you count are hits": (
            lambda scores, truth, k: 1 - keras_top_k_error(scores, truth, k)
        ),
        "is given in percent; a share is asked for": (
            lambda scores, truth, k: 100 * keras_top_k_error(scores, truth, k)
        ),
        "is that of the k smallest scores": (
            lambda scores, truth, k: keras_top_k_error(-scores, truth, k)
        ),
        "is a count; a share is asked for": (
            lambda scores, truth, k: len(truth) * keras_top_k_error(scores, truth, k)
        ),
        "is that of k + 1": (
            lambda scores, truth, k: keras_top_k_error(scores, truth, k + 1)
        ),
        "is that of k - 1": (
            lambda scores, truth, k: top_k_error_by_ranks(scores, truth, k - 1)
        ),
    },
    also_right=[top_k_error_by_ranks],
    also_wrong={"one number is asked for": lambda *given: [keras_top_k_error(*given)]},
)
def scores_and_labels(rng):
    """``error(scores, truth, k)`` is the share of misses among the k best."""
    for n, classes, k in [(40, 10, 1), (30, 10, 5), (50, 7, 2), (20, 5, 5)]:
        scores = rng.normal(size=(n, classes)).astype("float32")
        truth = rng.integers(0, classes, n)
        what = f"the top-{k} error of {n} images and {classes} classes"
        yield what, scores, truth, k


def keras_parameters(side, maps, filters, groups):
    layer = keras.layers.Conv2D(filters, side, groups=groups)
    layer.build((None, 8, 8, maps))
    return layer.count_params()


def counted(side, maps, filters, groups, power=2, splits=1, biases=None):
    """The count by the formula, and what it is if one mistook something."""
    weights = side**power * maps * filters / groups**splits
    return weights + (biases(filters, groups) if biases else filters)


@exercise(
    "09.2",
    "equal to the weights and biases that Keras counts",
    reference=keras_parameters,
    tolerance=0,
    mistakes={
        "lacks the biases": partial(counted, biases=lambda filters, groups: 0),
        "has a bias per group, not per filter": partial(
            counted, biases=lambda filters, groups: groups
        ),
        "is that without groups": partial(counted, splits=0),
        "divides by the groups twice: maps and filters": partial(counted, splits=2),
        "divides the biases by the groups as well": partial(
            counted, biases=lambda filters, groups: filters / groups
        ),
        "takes the side once, not squared": partial(counted, power=1),
    },
    also_right=[counted],
)
def grouped_convolutions(rng):
    """``parameters(side, maps, filters, groups)`` counts a grouped convolution."""
    for side, maps, filters, groups in [(5, 96, 256, 2), (3, 12, 8, 4), (1, 6, 9, 1)]:
        what = f"the count for {side}×{side} filters, {maps} maps, {filters} filters"
        yield f"{what}, {groups} groups", side, maps, filters, groups


CONVOLUTIONS, LOGITS = 14_714_688, 513_000
OTHER_COUNTS = {
    "lacks the biases of the dense layer": CONVOLUTIONS + LOGITS - 1000,
    "is of the convolutions alone: the logits are missing": CONVOLUTIONS,
    "still has the dense layer of 4096 before the logits": (
        CONVOLUTIONS + 16_781_312 + 4_097_000
    ),
    "keeps the logits of the old network, which see 4096 numbers": (
        CONVOLUTIONS + 4_097_000
    ),
    "has logits that see all 7×7 places: average them first": (
        CONVOLUTIONS + 7 * 7 * 512 * 1000 + 1000
    ),
    "is in millions; the exact number is asked for": (CONVOLUTIONS + LOGITS) / 1e6,
}


@cache
def slim_parameters():
    model = models.vgg16(input_shape=(32, 32, 3), classes=1000)
    convolutions = [x for x in model.layers if x.name.startswith("conv")]
    return sum(layer.count_params() for layer in convolutions) + 512 * 1000 + 1000


@judged(
    "09.3",
    "the convolutions and one dense layer on 512 averages",
    mistakes=OTHER_COUNTS
    | {
        "is off by up to": 138_357_544,
    },
    also_right=[np.int64(CONVOLUTIONS + LOGITS), float(CONVOLUTIONS + LOGITS)],
)
def slim_vgg16(count, rng):
    """The parameters of VGG-16 with one dense layer on averaged maps."""
    compare(count, slim_parameters(), "the count", 0, OTHER_COUNTS)
