"""Reading images at places between their pixels."""

from keras import ops

from cnnlib import checks

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
FILL_MODES = ("constant", "nearest", "reflect", "mirror")


def sample(x, rows, columns, interpolation, fill_mode="reflect", fill_value=0.0):
    """Read images at places between their pixels.

    Args:
        x: (n, height, width, channels), any type.
        rows: (n, height', width') float32, in pixels from 0.
        columns: likewise.
        interpolation: one of ``INTERPOLATIONS``, as in ``Moving``.
        fill_mode: one of ``FILL_MODES``, as in ``Moving``.
        fill_value: what is read outside of the image in mode "constant".

    Returns:
        (n, height', width', channels), of x's type.
    """
    checks.choice("sample", "interpolation", interpolation, INTERPOLATIONS)
    checks.choice("sample", "fill_mode", fill_mode, FILL_MODES)
    height, width, channels = x.shape[1:]
    flat = ops.reshape(x, (-1, channels))
    start = ops.arange(ops.shape(x)[0], dtype="int32")[:, None, None] * (height * width)
    total = None
    across = _taps(columns, width, interpolation, fill_mode)
    for i, inside_i, weight_i in _taps(rows, height, interpolation, fill_mode):
        for j, inside_j, weight_j in across:
            value = ops.take(flat, start + i * width + j, axis=0)
            if fill_mode == "constant":
                inside = ops.logical_and(inside_i, inside_j)[..., None]
                value = ops.where(inside, value, ops.cast(fill_value, x.dtype))
            if interpolation == "nearest":
                return value
            value = value * ops.cast((weight_i * weight_j)[..., None], x.dtype)
            total = value if total is None else total + value
    return total


def _taps(places, side: int, interpolation: str, fill_mode: str):
    """The pixels along an axis that count, whether they exist, and how much each."""
    base, weights = _weights(places, interpolation)
    # Beyond any image, and within what a whole number holds.
    base = ops.cast(ops.clip(base, -1e9, 1e9), "int32")
    taps = []
    for step, weight in weights.items():
        i = base + step
        inside = ops.logical_and(i >= 0, i < side)
        taps.append((_folded(i, side, fill_mode), inside, weight))
    return taps


def _weights(places, interpolation: str):
    """The pixel before each place, and the weight of each pixel counted from it."""
    if interpolation == "nearest":
        return ops.floor(places + 0.5), {0: None}
    base = ops.floor(places)
    f = places - base
    g = 1 - f
    if interpolation == "bilinear":
        return base, {0: g, 1: f}
    return base, {
        -1: -0.5 * f * g * g,
        0: 1 + f * f * (1.5 * f - 2.5),
        1: 1 + g * g * (1.5 * g - 2.5),
        2: -0.5 * g * f * f,
    }


def _folded(i, side: int, fill_mode: str):
    """The pixel from 0 to side − 1 that stands for the i-th."""
    if fill_mode == "reflect":
        i = i % (2 * side)
        return ops.minimum(i, 2 * side - 1 - i)
    if fill_mode == "mirror" and side > 1:
        i = i % (2 * side - 2)
        return ops.minimum(i, 2 * side - 2 - i)
    return ops.clip(i, 0, side - 1)
