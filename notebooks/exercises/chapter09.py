"""Exercises on the race for ImageNet."""

import keras
import numpy as np

from cnnlib import models
from exercises import Wrong, alike, ask, exercise, numbers


@exercise("09.1", "equal to Keras's top-k accuracy for every k tried")
def top_k_error(error):
    """``error(scores, truth, k)`` is the share of misses among the k best."""
    rng = np.random.default_rng(91)
    for n, classes, k in [(40, 10, 1), (30, 10, 5), (50, 7, 2), (20, 5, 5)]:
        scores = rng.normal(size=(n, classes)).astype("float32")
        truth = rng.integers(0, classes, n)

        def expected(scores, truth, k):
            top = keras.metrics.sparse_top_k_categorical_accuracy
            return 1 - np.mean(top(truth, scores, k))

        right = expected(scores, truth, k)
        alike(
            ask(error, scores, truth, k),
            right,
            f"the top-{k} error of {n} images and {classes} classes",
            mistakes={
                "is the accuracy: what you count are hits": 1 - right,
                "is given in percent; a share is asked for": 100 * right,
                "is that of the k smallest scores": expected(-scores, truth, k),
                "is a count; a share is asked for": n * right,
                f"is that of k = {k + 1}": expected(scores, truth, k + 1),
                f"is that of k = {k - 1}": expected(scores, truth, k - 1),
            },
        )


@exercise("09.2", "equal to the weights and biases that Keras counts")
def grouped_parameters(parameters):
    """``parameters(side, maps, filters, groups)`` counts a grouped convolution."""
    for side, maps, filters, groups in [(5, 96, 256, 2), (3, 12, 8, 4), (1, 6, 9, 1)]:
        layer = keras.layers.Conv2D(filters, side, groups=groups)
        layer.build((None, 8, 8, maps))
        weights = layer.count_params() - filters
        whole = f"the count for {side}×{side} filters, {maps} maps, {filters} filters"
        alike(
            ask(parameters, side, maps, filters, groups),
            layer.count_params(),
            f"{whole}, {groups} groups",
            tolerance=0,
            mistakes={
                "lacks the biases": weights,
                "has a bias per group, not per filter": weights + groups,
                "is that without groups": groups * weights + filters,
                "divides by the groups twice: maps and filters": weights / groups
                + filters,
                "divides the biases by the groups as well": weights + filters / groups,
                "takes the side once, not squared": weights / side + filters,
            },
        )


@exercise("09.3", "the convolutions and one dense layer on 512 averages")
def slim_vgg16(count):
    """The parameters of VGG-16 with one dense layer on averaged maps."""
    model = models.vgg16(input_shape=(32, 32, 3), classes=1000)
    of = {layer.name: layer.count_params() for layer in model.layers}
    convolutions = sum(n for name, n in of.items() if name.startswith("conv"))
    right = convolutions + 512 * 1000 + 1000
    found = numbers(count, "the count")
    if found.ndim:
        raise Wrong(f"one number is asked for; this has shape {found.shape}")
    alike(
        found,
        right,
        "the count",
        tolerance=0,
        mistakes={
            "lacks the biases of the dense layer": right - 1000,
            "is of the convolutions alone: the logits are missing": convolutions,
            "still has the dense layer of 4096 before the logits": convolutions
            + of["fc7"]
            + of["logits"],
            "keeps the logits of the old network, which see 4096 numbers": convolutions
            + of["logits"],
            "has logits that see all 7×7 places: average them first": convolutions
            + 7 * 7 * 512 * 1000
            + 1000,
            "is in millions; the exact number is asked for": right / 1e6,
        },
    )
