"""What every attack takes, and refuses in one sentence before it computes anything."""

from typing import NamedTuple

import keras
import numpy as np

from cnnlib import checks, graph


class Box(NamedTuple):
    """The range of the inputs: ``low`` and ``high``, float32, broadcast to an input."""

    low: np.ndarray
    high: np.ndarray

    def clip(self, x: np.ndarray) -> np.ndarray:
        """The nearest inputs within the range."""
        return np.clip(x, self.low, self.high)


def box(who: str, bounds) -> Box:
    """The declared range.

    ``bounds`` is (low, high), each a number, or one per channel, or one per pixel.
    """
    try:
        low, high = (np.asarray(bound, "float32") for bound in bounds)
        fits = bool(np.all(low < high) and np.isfinite(high - low).all())
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"{who} takes bounds=(low, high), finite and low below high; given "
            f"{bounds!r}"
        )
    return Box(low, high)


def differentiable(who: str, model: keras.Model) -> None:
    """Refuse a model that casts its input to whole numbers, where gradients end."""
    for tensor in getattr(model, "inputs", None) or ():
        if "float" not in tensor.dtype:
            raise ValueError(
                f"{who} takes a model of float inputs, which have gradients; "
                f"{model.name!r} takes {tensor.dtype}"
            )


def batch(who: str, model: keras.Model, x, box: Box) -> np.ndarray:
    """The batch as float32, if it is one for this model and within the range."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        advice = "rescale them first, as in x.astype('float32') / 255"
        if box.high.max() > 1:
            advice = "take x.astype('float32')"
        raise TypeError(f"{who} {told(box)} as floats; given {x.dtype}: {advice}")
    differentiable(who, model)
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, (list, dict)):
        raise ValueError(
            f"{who} takes a model with one input; {model.name!r} has {len(shape)}"
        )
    checks.batch(who, x, (None,) * max(x.ndim - 1, 1) if shape is None else shape[1:])
    try:
        fits = np.broadcast_shapes(x.shape[1:], box.low.shape, box.high.shape)
    except ValueError:
        fits = None
    if fits != x.shape[1:]:
        raise ValueError(
            f"{who} takes bounds that fit an input of shape {x.shape[1:]}; given "
            f"shapes {box.low.shape} and {box.high.shape}"
        )
    x = x.astype("float32", copy=False)
    if not ((x >= box.low) & (x <= box.high)).all():
        raise ValueError(
            f"{who} {told(box)}; given values from {x.min():g} to {x.max():g}"
        )
    return x


def classes(who: str, model: keras.Model, x: np.ndarray, box: Box) -> int:
    """The number of the model's logits.

    What is at least 0 and adds up to 1 for these inputs and for their negatives is no
    logit but a probability.
    """
    probe = np.concatenate([x[:8], box.low + box.high - x[:8]])
    logits = model(probe, training=False)
    shape = graph.scores(who, model, logits)
    if shape[1] < 2:
        raise ValueError(
            f"{who} takes a classifier with at least two classes; {model.name!r} has "
            "one"
        )
    values = keras.ops.convert_to_numpy(logits).astype("float64")
    if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=0.01):
        raise ValueError(
            f"{who} takes logits, and {model.name!r} ends in a softmax (its outputs "
            "add up to 1): build it with activation=None in the last layer and take "
            "over the weights by set_weights(model.get_weights())"
        )
    graph.logits(who, logits)
    return shape[1]


def labels(who: str, name: str, y, n: int, count: int) -> np.ndarray:
    """Labels as int32 of shape (n,); a single one stands for all."""
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(
            f"{who} takes {name} as whole numbers, one class per image; given {y.dtype}"
        )
    if y.shape not in ((), (n,)):
        raise ValueError(
            f"{who} takes {name} of shape ({n},), one class per image; given {y.shape}"
        )
    checks.labels(who, name, y, count)
    return np.broadcast_to(y.astype("int32"), (n,))


def others(who: str, targets, y: np.ndarray, count: int) -> np.ndarray:
    """Targets as int32 of shape (n,), none of them the true class."""
    targets = labels(who, "targets", targets, len(y), count)
    same = np.flatnonzero(targets == y)
    if same.size:
        raise ValueError(
            f"{who} takes targets other than the true class; image {same[0]} is of "
            f"class {y[same[0]]} already"
        )
    return targets


def checked(who: str, model: keras.Model, x, y, targets, bounds):
    """What all attacks take: x, y, targets (or None) and the box, checked."""
    limits = box(who, bounds)
    x = batch(who, model, x, limits)
    count = classes(who, model, x, limits)
    y = labels(who, "y", y, len(x), count)
    if targets is not None:
        targets = others(who, targets, y, count)
    return x, y, targets, limits


def told(box: Box) -> str:
    """What is taken, for a sentence."""
    return f"takes inputs within bounds=({box.low.min():g}, {box.high.max():g})"
