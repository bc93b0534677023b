"""Exercises on hyperparameters."""

import keras
import numpy as np

from exercises import Wrong, alike, ask, exercise, numbers


def _whole(answer, shape, what):
    """An answer as whole numbers; ``shape`` may hold None where any length will do."""
    found = numbers(answer, what)
    fits = len(shape) == found.ndim and all(
        wanted in (None, side) for wanted, side in zip(shape, found.shape, strict=True)
    )
    if not fits or not found.size or (found != np.rint(found)).any():
        row = f"{shape[-1]} whole numbers"
        raise Wrong(f"{what} is not {row if len(shape) == 1 else f'rows of {row}'}")
    return found.astype(int).tolist()


def _seen(stack, side):
    """Which pixels of a line move which unit, asked of Keras.

    Args:
        stack: (filter size, stride, dilation, zeros before) of each layer; after the
            line there are always zeros enough.
        side: the line's length.

    Returns:
        bool of shape (side, units).
    """
    lines = keras.ops.eye(side)[:, :, None]
    for k, stride, dilation, before in stack:
        lines = keras.ops.pad(lines, ((0, 0), (before, dilation * (k - 1)), (0, 0)))
        lines = keras.ops.conv(
            lines, keras.ops.ones((k, 1, 1)), stride, "valid", dilation_rate=dilation
        )
        lines = keras.ops.cast(lines > 0, "float32")
    return np.asarray(lines)[:, :, 0] > 0


@exercise("04.1", "exactly half for every even side, and both ends are read alike")
def half(answer):
    """``(filter size, zeros before, zeros after)``, at stride 2."""
    k, before, after = _whole(answer, (3,), "the answer")
    if not 3 <= k <= 9:
        raise Wrong(f"a filter of 3 to 9 is asked for, not of {k}")
    if min(before, after) < 0:
        raise Wrong("there can't be fewer than 0 zeros")
    if max(before, after) >= k:
        raise Wrong("with so many zeros some windows see nothing else")
    rng = np.random.default_rng(41)
    kernel = rng.normal(size=k)
    for side in range(10, 31, 2):
        line = rng.normal(size=side)
        there, back = (
            np.convolve(np.pad(x, (before, after)), w, "valid")[::2]
            for x, w in ((line, kernel), (line[::-1], kernel[::-1]))
        )
        if len(there) != side // 2:
            raise Wrong(f"a side of {side} becomes {len(there)}, not {side // 2}")
        if not np.allclose(there, back[::-1]):
            raise Wrong(
                "half it is, but the two ends are not read alike: for the mirrored "
                "image and filter the output is not the mirrored one"
            )


STACKS = [
    [(3, 1, 1, 0)],
    [(5, 1, 1, 2)],
    [(4, 1, 2, 0)],
    [(5, 2, 1, 2)],
    [(3, 2, 1, 0), (5, 1, 1, 0)],
    [(3, 1, 1, 1), (3, 2, 1, 0), (2, 2, 1, 0)],
    [(5, 1, 2, 4), (2, 2, 1, 0), (3, 1, 3, 3), (3, 3, 1, 1)],
]


@exercise("04.2", "just the pixels that Keras's units see, in seven stacks of layers")
def sees(function):
    """``sees(stack, unit)`` returns the first pixel and the last."""
    rng = np.random.default_rng(42)
    for stack in STACKS:
        seen = _seen(stack, 150)
        wrong = {
            "leaves out the zeros before": [(k, s, d, 0) for k, s, d, _ in stack],
            "leaves out the dilation": [(k, s, 1, z) for k, s, _, z in stack],
            "takes the layers in the wrong order": stack[::-1],
        }
        wrong = {words: _seen(other, 150) for words, other in wrong.items()}
        # Of units near an end some pixels lie among the zeros, where none is seen.
        inside = ~seen[:30].any(axis=0) & ~seen[-30:].any(axis=0)
        for unit in rng.choice(np.flatnonzero(inside), 3, replace=False).tolist():
            what = f"sees({stack}, {unit})"
            answer = ask(function, list(stack), unit)
            first, last = _ends(seen, unit)
            late = {"ends with the first pixel that is not seen": (first, last + 1)}
            mistakes = {words: _ends(other, unit) for words, other in wrong.items()}
            alike(answer, (first, last), what, 0, late | mistakes)


def _ends(seen, unit):
    pixels = np.flatnonzero(seen[:, unit])
    return int(pixels[0]), int(pixels[-1])


SIDE, MAPS, FIELD, PARAMETERS = 64, (16, 16, 32), 63, 15_000


@exercise("04.3", "the maps, the field without a hole, and the parameters are as asked")
def far_sight(answer):
    """``[(filters, filter size, stride, dilation), ...]``."""
    layers = _whole(answer, (None, 4), "the answer")
    if np.min(layers) < 1 or np.max(layers) > 99:
        raise Wrong("filters, filter sizes, strides and dilations are 1 to 99 here")
    net = keras.Sequential([keras.Input((SIDE, SIDE, 3))])
    for i, (filters, k, stride, dilation) in enumerate(layers, start=1):
        if filters < 16:
            raise Wrong(f"layer {i} has {filters} filters; 16 is the least")
        if stride > 1 and dilation > 1:
            raise Wrong(f"layer {i} has a stride and a dilation: Keras refuses that")
        net.add(keras.layers.Conv2D(filters, k, stride, "same", dilation_rate=dilation))
    if net.output_shape[1:] != MAPS:
        raise Wrong(f"the last maps are {net.output_shape[1:]}, not {MAPS}")
    stack = [(k, s, d, d * (k - 1)) for _, k, s, d in layers]
    seen = _seen(stack, 4 * SIDE)
    pixels = np.flatnonzero(seen[:, seen.shape[1] // 2])
    if np.ptp(pixels) + 1 < FIELD:
        raise Wrong(f"a unit sees {np.ptp(pixels) + 1} pixels, not {FIELD} or more")
    if (np.diff(pixels) > 1).any():
        raise Wrong("there are holes in the field: pixels that no path leads from")
    if net.count_params() > PARAMETERS:
        raise Wrong(f"{net.count_params():,} parameters; {PARAMETERS:,} may be")
