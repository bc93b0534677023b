"""What tiles of a size give, from the layers of a model alone."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import keras
from keras import layers as kl

from cnnlib import checks, graph
from cnnlib.layers import (
    CropLike,
    GatedSum,
    LocalResponseNormalization,
    SurvivalGate,
)


class Tiling(NamedTuple):
    """How a model sees a tile, each entry (rows, columns).

    ``output`` of the ``tile``'s pixels are predicted, its middle; ``period`` is the
    product of a path's strides, the shift under which the model does the same.
    """

    tile: tuple[int, int]
    output: tuple[int, int]
    period: tuple[int, int]


def tiling(model: keras.Model, tile=None) -> Tiling:
    """What tiles of this size give, from the layers alone.

    Args:
        model: Sequential or functional, of images, logits per pixel out; models may be
            nested in it.
        tile: of the input, a number or (height, width); None for the model's own.

    Raises:
        ValueError: the model is of another kind or has no size of its own; a layer may
            mix all pixels; the output is coarser than the input; or tiles of this size
            lose pixels at a stride or do not fit together where paths meet: sizes
            nearby that do are listed.
    """
    *own, channels = graph.image_shape("tiling", model)
    if tile is None and None in own:
        raise ValueError(
            f"{model.name!r} takes images of any size: say which tile, in pixels"
        )
    tile = checks.pair("tiling", "tile", tuple(own) if tile is None else tile)
    if any(side not in (None, n) for side, n in zip(own, tile, strict=True)):
        raise ValueError(
            f"{model.name!r} takes tiles of {own[0]}×{own[1]} pixels only; given "
            f"{tile[0]}×{tile[1]}"
        )
    try:
        return _trace(model, tile, channels)
    except _MisfitError as misfit:
        near = _fitting(model, max(tile), channels) if None in own else []
        sides = f"; these sides fit: {', '.join(map(str, near))}" if near else ""
        raise ValueError(
            f"tiles of {tile[0]}×{tile[1]} do not fit {model.name!r}: {misfit}{sides}"
        ) from None


class _MisfitError(Exception):
    """Why a tile of some size does not fit."""


@dataclass(frozen=True)
class _Maps:
    """A tensor's shape, and the pixels from one of its places to the next."""

    tensor: keras.KerasTensor
    strides: tuple[Fraction, Fraction]


def _trace(model: keras.Model, tile, channels) -> Tiling:
    """A tile's way through the model."""
    periods = [1, 1]

    def apply(path, layer, *args, **kwargs):
        everything = keras.tree.flatten((args, kwargs))
        inputs = [x for x in everything if isinstance(x, _Maps)]
        args, kwargs = keras.tree.map_structure(
            lambda x: x.tensor if isinstance(x, _Maps) else x, (args, kwargs)
        )
        try:
            output = layer.compute_output_spec(*args, **kwargs)
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise _MisfitError(f"paths of different sizes meet ({reason})") from None
        factors = _factors(path, layer, inputs[0].tensor, output)
        strides = []
        for axis, factor in enumerate(factors):
            stride = max(maps.strides[axis] for maps in inputs) * factor
            periods[axis] = math.lcm(periods[axis], int(max(stride, 1)))
            strides.append(stride)
        return keras.tree.map_structure(lambda x: _Maps(x, tuple(strides)), output)

    start = _Maps(keras.KerasTensor((1, *tile, channels)), (1, 1))
    end = graph.run(model, [start], apply)
    if (
        not isinstance(end, _Maps)
        or len(end.tensor.shape) != 4
        or end.strides != (1, 1)
    ):
        shapes = [tuple(x.tensor.shape[1:]) for x in keras.tree.flatten(end)]
        raise _MisfitError(
            f"its output, {', '.join(map(str, shapes))}, is not one for every pixel"
        )
    output = tuple(end.tensor.shape[1:3])
    if min(output) < 1 or any((a - b) % 2 for a, b in zip(tile, output, strict=True)):
        raise _MisfitError(
            f"they give {output[0]}×{output[1]} pixels, which is no middle"
        )
    return Tiling(tile, output, tuple(periods))


# These leave every place where it is, or only drop and add some at the borders.
_HARMLESS = (
    kl.Cropping2D,
    kl.ZeroPadding2D,
    CropLike,
    GatedSum,
    LocalResponseNormalization,
    SurvivalGate,
)


def _factors(path: str, layer, source, output) -> tuple[Fraction, Fraction]:
    """By how much the places of a layer's output are further apart than its input's.

    Raises:
        ValueError: nothing is known of the layer.
        _MisfitError: pixels fall off its end.
    """
    if isinstance(layer, _HARMLESS):
        return 1, 1
    if isinstance(layer, kl.Conv2DTranspose):
        return Fraction(1, layer.strides[0]), Fraction(1, layer.strides[1])
    if isinstance(layer, kl.UpSampling2D):
        return Fraction(1, layer.size[0]), Fraction(1, layer.size[1])
    if isinstance(layer, kl.Resizing):
        rows, columns = source.shape[1:3]
        return Fraction(rows, output.shape[1]), Fraction(columns, output.shape[2])
    window = graph.window(layer)
    if window is None:
        raise ValueError(
            f"the layer {path!r} ({type(layer).__name__}) may see more of an image "
            "than a tile holds: tiles would not give what the whole image gives"
        )
    for n, size, stride in zip(
        source.shape[1:3], window.size, window.strides, strict=True
    ):
        lost = (n if window.padding == "same" else n - size) % stride
        if lost:
            raise _MisfitError(f"{path!r} loses {lost} pixels at its stride")
    return window.strides


def _fitting(model, side: int, channels) -> list[int]:
    """Sides of tiles nearby that fit, four at most."""
    sides = []
    for n in sorted(range(max(side - 32, 1), side + 33), key=lambda n: abs(n - side)):
        if len(sides) == 4:
            break
        try:
            _trace(model, (n, n), channels)
        except _MisfitError:
            continue
        sides.append(n)
    return sorted(sides)
