"""Where in an image the evidence for a class lies: Grad-CAM."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from cnnlib import checks, gradients, graph
from cnnlib.explain.forward import batch, forward, maps, only, outputs, places


def grad_cam(
    model: keras.Model,
    x: np.ndarray,
    layer: str | None = None,
    classes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Where a class is seen: Grad-CAM (Selvaraju et al., arXiv:1610.02391).

    Each map A_k of the layer is weighted by ∂ logit / ∂ A_k, averaged over its places;
    the sum is cut off below zero, brought to the image's size by bilinear
    interpolation, and divided by its largest value (a map of zeros stays one).

    Args:
        model: gives logits (n, classes). A single logit is that of class 1; class 0
            then has the logit 0, and its map is zero.
        x: (n, height, width, channels), as the model takes it.
        layer: one of output (n, rows, columns, maps); by default the last of more than
            one place.
        classes: one class for all images, or one per image; None for the predicted.

    Returns:
        (n, height, width), float32 from 0 to 1.
    """
    graph.image_shape("grad_cam", model)
    x = batch("grad_cam", model, x)
    path = None if layer is None else graph.find(model, layer)
    calls, logits = outputs(model, x)
    path = path or _last_with_places(model, calls)
    seen = maps("grad_cam", path, only(calls, path))
    chosen = _classes(model, logits, classes)

    def score(seen):
        """The sum of the chosen logits; images don't touch each other's gradients."""
        logits = forward(model, x, lambda p, value: seen if p == path else value)
        return ops.sum(ops.take_along_axis(_two(logits), chosen[:, None], axis=1))

    slopes = gradients.gradient(score, seen)
    checks.finite("grad_cam", f"gradients of {model.name!r}", slopes)
    weights = slopes.mean(axis=(1, 2), keepdims=True)
    weighted = np.maximum((weights * ops.convert_to_numpy(seen)).sum(axis=-1), 0)
    drawn = ops.convert_to_numpy(
        ops.image.resize(
            weighted[..., None], x.shape[1:3], "bilinear", data_format="channels_last"
        )
    )[..., 0]
    most = drawn.max(axis=(1, 2), keepdims=True)
    return drawn / np.where(most > 0, most, 1)


def _last_with_places(model: keras.Model, calls: dict[str, list]) -> str:
    """The last layer of more than one place, of those that are called once."""
    for path, values in reversed(calls.items()):
        if len(values) == 1 and math.prod(places(values[0])) > 1:
            return path
    raise ValueError(
        "grad_cam takes a model with a layer of output (n, rows, columns, maps), more "
        f"than one place; {model.name!r} has none"
    )


def _two(logits):
    """Logits of two classes or more: one alone is that of class 1, beside a zero."""
    if logits.shape[1] > 1:
        return logits
    return ops.concatenate([ops.zeros_like(logits), logits], axis=1)


def _classes(model: keras.Model, logits, classes) -> np.ndarray:
    """A class per image."""
    shape = graph.scores("grad_cam", model, logits)
    graph.logits("grad_cam", logits)
    images, count = shape[0], max(shape[1], 2)
    if classes is None:
        return ops.convert_to_numpy(_two(logits)).argmax(axis=1)
    chosen = np.asarray(classes)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (images,)):
        raise ValueError(
            f"classes takes one whole number, or one per image ({images}); given "
            f"{classes!r}"
        )
    checks.labels("grad_cam", "classes", chosen, count)
    return np.broadcast_to(chosen, images)
