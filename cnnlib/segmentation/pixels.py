"""Labels, logits and weights of pixels that fit together."""

from keras import ops

from cnnlib import checks, gradients, graph

IGNORED = -1


def ignorable(who: str, label) -> int | None:
    """The label of pixels that don't count, any of 32 bits; None for no such."""
    return None if label is None else checks.integer(who, "ignored", label, -(2**31))


def pixels(who: str, labels, logits, ignored):
    """Labels, logits float32, and whether there are labels that are no class.

    Labels are int32, −1 where they are ignored, the number of classes if out of range
    or between two classes.
    """
    labels, logits = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
    shape, lead = tuple(labels.shape), tuple(logits.shape[:-1])
    if not lead or not (_alike(shape, lead) or _alike(shape, (*lead, 1))):
        raise ValueError(
            f"{who} takes labels of shape {lead} for logits of {tuple(logits.shape)}; "
            f"given {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{who} takes at least one pixel; given labels of {shape}")
    if logits.shape[-1] == 1:
        graph.logits(who, logits)
        logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
    logits = ops.cast(logits, "float32")
    count = logits.shape[-1]
    labels = labels if len(shape) == len(lead) else labels[..., 0]
    whole = ops.cast(labels, "int32")
    strange = ops.logical_or(whole < 0, whole >= count)
    strange = ops.logical_or(strange, ops.cast(whole, labels.dtype) != labels)
    if ignored is not None:
        skipped = ops.equal(whole, ignored)
        strange = ops.logical_and(strange, ops.logical_not(skipped))
        whole = ops.where(skipped, IGNORED, whole)
    any_strange = ops.any(strange)
    skipping = "" if ignored is None else f", or {ignored} to be ignored"
    told = f"{who} takes labels in whole numbers from 0 to {count - 1}{skipping}"
    fine = ops.logical_not(any_strange)
    gradients.demand(fine, told, ops.min(labels), ops.max(labels))
    return ops.where(strange, count, whole), logits, any_strange


def sample_weights(who: str, weights, shape):
    """Weights per pixel or per image to multiply labels of ``shape``."""
    weights = ops.cast(ops.convert_to_tensor(weights), "float32")
    own = tuple(weights.shape)
    if len(own) == len(shape) + 1 and own[-1] == 1:
        weights = weights[..., 0]
    if len(own) == 1 and _alike(own, shape[:1]):
        weights = ops.reshape(weights, (-1, *(1 for _ in shape[1:])))
    elif not _alike(tuple(weights.shape), shape):
        raise ValueError(
            f"{who} takes a weight per pixel, {shape}, or per image; given {own}"
        )
    told, fine = f"{who} takes finite weights from 0", ops.isfinite(weights)
    fine = ops.all(ops.logical_and(fine, weights >= 0))
    gradients.demand(fine, told, ops.min(weights), ops.max(weights))
    return weights


def ratio(part, whole, empty=0.0):
    """A quotient, or ``empty`` where nothing is to be divided by; NaN stays NaN."""
    nothing = ops.equal(whole, 0)
    return ops.where(nothing, empty, part / ops.where(nothing, 1.0, whole))


def _alike(shape, other) -> bool:
    """Whether two shapes are the same, as far as they are known."""
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )
