"""Exercises on hyperparameters."""

from functools import partial

import keras
import numpy as np

from exercises import Wrong, exercise, judged, numbers


def whole_numbers(answer, shape, what):
    """An answer as whole numbers; ``shape`` may hold None where any length will do."""
    array = numbers(answer, what)
    fits = len(shape) == array.ndim and all(
        wanted in (None, side) for wanted, side in zip(shape, array.shape, strict=True)
    )
    if not fits or not array.size or (array != np.rint(array)).any():
        row = f"{shape[-1]} whole numbers"
        raise Wrong(f"{what} is not {row if len(shape) == 1 else f'rows of {row}'}")
    return array.astype(int).tolist()


@judged(
    "04.1",
    "exactly half for every even side, and both ends are read alike",
    mistakes={
        "the two ends are not read alike": (3, 0, 1),
        "the output is not the mirrored one": (4, 0, 2),
        "a side of 10 becomes 4, not 5": (5, 1, 1),
        "a side of 10 becomes 6, not 5": (4, 2, 2),
        "a filter of 3 to 9 is asked for, not of 10": (10, 4, 4),
        "there can't be fewer than 0 zeros": (4, -1, 3),
        "some windows see nothing else": (4, 4, 0),
        "the answer is not 3 whole numbers": (4, 1),
        "the answer is no array of numbers": (4, (1, 1)),
    },
    also_right=[[6, 2, 2], np.array([8, 3, 3]), (4.0, 1, 1), (4, 1, 2)],
)
def half(answer, rng):
    """``(filter size, zeros before, zeros after)``, at stride 2."""
    k, before, after = whole_numbers(answer, (3,), "the answer")
    if not 3 <= k <= 9:
        raise Wrong(f"a filter of 3 to 9 is asked for, not of {k}")
    if min(before, after) < 0:
        raise Wrong("there can't be fewer than 0 zeros")
    if max(before, after) >= k:
        raise Wrong("with so many zeros some windows see nothing else")
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


def pixels_that_move(stack, side):
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


STACKS = [
    [(3, 2, 1, 0), (5, 1, 1, 0)],
    [(3, 1, 1, 0)],
    [(5, 1, 1, 2)],
    [(4, 1, 2, 0)],
    [(5, 2, 1, 2)],
    [(3, 1, 1, 1), (3, 2, 1, 0), (2, 2, 1, 0)],
    [(5, 1, 2, 4), (2, 2, 1, 0), (3, 1, 3, 3), (3, 3, 1, 1)],
]


def first_and_last(stack, unit):
    pixels = np.flatnonzero(pixels_that_move(stack, 150)[:, unit])
    return int(pixels[0]), int(pixels[-1])


def sees(stack, unit, order=-1, padded=1, dilated=None, end=0):
    """The pixels by going back, and what they are if one mistook something."""
    first = last = unit
    for k, stride, dilation, before in stack[::order]:
        first = first * stride - padded * before
        last = last * stride - padded * before + (dilated or dilation) * (k - 1)
    return first, last + end


@exercise(
    "04.2",
    "just the pixels that Keras's units see, in seven stacks of layers",
    reference=first_and_last,
    tolerance=0,
    mistakes={
        "ends with the first pixel that is not seen": partial(sees, end=1),
        "leaves out the zeros before": partial(sees, padded=0),
        "leaves out the dilation": partial(sees, dilated=1),
        "takes the layers in the wrong order": partial(sees, order=1),
    },
    also_right=[lambda *given: np.array(sees(*given))],
)
def stacks_and_units(rng):
    """``sees(stack, unit)`` returns the first pixel and the last."""
    for stack in STACKS:
        seen = pixels_that_move(stack, 150)
        # Of units near an end some pixels lie among the zeros, where none is seen.
        inside = ~seen[:30].any(axis=0) & ~seen[-30:].any(axis=0)
        for unit in rng.choice(np.flatnonzero(inside), 3, replace=False).tolist():
            yield f"sees({stack}, {unit})", stack, unit


SIDE, MAPS, FIELD, PARAMETERS = 64, (16, 16, 32), 63, 15_000
FAR_SIGHT = [(16, 3, 2, 1)] * 2 + [(16, 3, 1, 1), (16, 3, 1, 2), (32, 3, 1, 4)]


@judged(
    "04.3",
    "the maps, the field without a hole, and the parameters are as asked",
    mistakes={
        "the last maps are (32, 32, 32), not (16, 16, 32)": FAR_SIGHT[1:],
        "the last maps are (16, 16, 16), not": FAR_SIGHT[:-1],
        "a unit sees 47 pixels, not 63 or more": [*FAR_SIGHT[:3], FAR_SIGHT[-1]],
        "there are holes in the field": [*FAR_SIGHT[:2], (32, 3, 1, 7)],
        "21,328 parameters; 15,000 may be": [
            *FAR_SIGHT[:2],
            *[(16, 3, 1, 1)] * 6,
            (32, 3, 1, 1),
        ],
        "layer 1 has 8 filters; 16 is the least": [(8, 3, 2, 1), *FAR_SIGHT[1:]],
        "layer 1 has a stride and a dilation": [(16, 3, 2, 2), *FAR_SIGHT[1:]],
        "strides and dilations are 1 to 99 here": [(16, 3, 0, 1), *FAR_SIGHT[1:]],
        "the answer is not rows of 4 whole numbers": [(16, 3, 2), (32, 3, 2)],
        "the answer is no array of numbers": [(16, 3, 2, 1), (16, 3)],
    },
    also_right=[
        np.array(FAR_SIGHT, float),
        [(16, 5, 2, 1), (16, 3, 2, 1), (16, 3, 1, 2), (16, 3, 1, 3), (32, 3, 1, 3)],
        [(16, 4, 4, 1), (16, 3, 1, 1), (16, 3, 1, 3), (32, 3, 1, 4)],
    ],
)
def far_sight(answer, rng):
    """``[(filters, filter size, stride, dilation), ...]``."""
    layers = whole_numbers(answer, (None, 4), "the answer")
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
    seen = pixels_that_move(stack, 4 * SIDE)
    pixels = np.flatnonzero(seen[:, seen.shape[1] // 2])
    if np.ptp(pixels) + 1 < FIELD:
        raise Wrong(f"a unit sees {np.ptp(pixels) + 1} pixels, not {FIELD} or more")
    if (np.diff(pixels) > 1).any():
        raise Wrong("there are holes in the field: pixels that no path leads from")
    if net.count_params() > PARAMETERS:
        raise Wrong(f"{net.count_params():,} parameters; {PARAMETERS:,} may be")
