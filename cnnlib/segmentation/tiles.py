"""Predicting images of any size by overlapping tiles, and what a model makes of one."""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import keras
import numpy as np
from keras import layers as kl

from cnnlib import checks, graph
from cnnlib.layers import CropLike, GatedSum, LocalResponseNormalization, SurvivalGate


def predict_tiles(
    model: keras.Model,
    images: np.ndarray,
    *,
    tile=None,
    stride=None,
    margin: int = 0,
    batch_size: int = 4,
) -> np.ndarray:
    """Predict images of any size by overlapping tiles (U-Net, arXiv:1505.04597).

    The images are mirrored beyond their borders, by as much as the model takes away;
    every tile predicts its middle. For a model of valid convolutions the tiles give
    what the whole mirrored image would give, to rounding. Padding with zeros ("same"),
    a bilinear enlargement, and a transposed convolution whose kernel is larger than its
    stride, make a model see the edges of its tiles, as seams: there, let ``margin`` be
    half of its receptive field.

    Args:
        model: as in ``tiling``.
        images: (n, height, width, channels); mirrored up to one tile if smaller.
        tile: in pixels, a number or (height, width); None for the model's input.
        stride: between tiles, likewise: a multiple of the period, at most what a tile
            predicts; None for the largest.
        margin: pixels of what a tile gives that are dropped at each side.
        batch_size: tiles at a time.

    Returns:
        The logits, float32 (n, height, width, classes).

    Raises:
        ValueError: what ``tiling`` refuses; images that are not finite; a stride that
            would give other numbers than the whole image.
    """
    channels = graph.image_shape("predict_tiles", model)[-1]
    images = checks.finite("predict_tiles", "images", images)
    checks.batch("predict_tiles", images, (None, None, channels))
    margin = checks.integer("predict_tiles", "margin", margin, least=0)
    batch_size = checks.integer("predict_tiles", "batch_size", batch_size)
    tile, whole, period = tiling(model, tile)
    output = whole[0] - 2 * margin, whole[1] - 2 * margin
    if min(output) < 1:
        raise ValueError(f"a margin of {margin} leaves nothing of {whole}")
    strides = _strides(stride, output, period)
    lines, pads = [], []
    for axis, step in enumerate(strides):
        n, side, used = images.shape[1 + axis], tile[axis], output[axis]
        line = range(0, max(n - used, 0) + step, step) if n > used else range(1)
        before = (side - used) // 2
        pads.append((before, line[-1] + side - before - n))
        lines.append(line)
    padded = np.pad(images, [(0, 0), *pads, (0, 0)], mode="reflect")
    places = list(itertools.product(range(len(images)), *lines))
    result = None
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        tiles = [padded[i, a : a + tile[0], b : b + tile[1]] for i, a, b in batch]
        logits = model.predict_on_batch(np.stack(tiles))
        if result is None:
            result = np.zeros((*images.shape[:3], logits.shape[-1]), "float32")
        for (i, a, b), own in zip(batch, logits, strict=True):
            own = own[margin : margin + output[0], margin : margin + output[1]]
            part = result[i, a : a + output[0], b : b + output[1]]
            part[...] = own[: part.shape[0], : part.shape[1]]
    return result


def _strides(stride, output, period) -> tuple[int, int]:
    """The steps between tiles, if tiles then see what the whole image would."""
    largest = [side // p * p for side, p in zip(output, period, strict=True)]
    if min(largest) < 1:
        raise ValueError(
            f"tiles predict {output[0]}×{output[1]} pixels, too few to be joined by a "
            f"model whose period is {period[0]}×{period[1]}"
        )
    if stride is None:
        return tuple(largest)
    stride = checks.pair("predict_tiles", "stride", stride)
    for step, most, p in zip(stride, largest, period, strict=True):
        if step % p or step > most:
            valid = [str(n) for n in range(p, most + 1, p)]
            if len(valid) > 12:
                valid = [*valid[:4], "…", *valid[-4:]]
            raise ValueError(
                f"a stride of {step} would give other numbers than the whole image: "
                f"valid are {', '.join(valid)}"
            )
    return stride


def tiling(model: keras.Model, tile=None):
    """What a model makes of tiles of this size, from its layers alone.

    Args:
        model: Sequential or functional, of images, logits per pixel out; models may be
            nested in it.
        tile: of the input, a number or (height, width); None for the model's own.

    Returns:
        Three pairs (rows, columns): the tile; how many of its pixels, its middle, are
        predicted; and the period, the shift under which the model does the same, which
        is the product of a path's strides.

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


def _trace(model: keras.Model, tile, channels):
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
        sizes = {(maps.tensor.shape[1:3], maps.strides) for maps in inputs}
        if len(sizes) > 1 and not isinstance(layer, CropLike):
            raise _MisfitError(f"maps of different sizes or strides meet in {path!r}")
        strides = []
        for axis, factor in enumerate(_factors(path, layer, inputs[0].tensor, output)):
            strides.append(max(maps.strides[axis] for maps in inputs) * factor)
            periods[axis] = math.lcm(periods[axis], int(max(strides[axis], 1)))
        constants = [x for x in everything if not isinstance(x, _Maps)]
        if not graph.alike(layer, constants):
            raise ValueError(
                f"the layer {path!r} ({type(layer).__name__}) does not do the same at "
                "every place: tiles would not give what the whole image gives"
            )
        return keras.tree.map_structure(lambda x: _Maps(x, tuple(strides)), output)

    start = _Maps(keras.KerasTensor((1, *tile, channels)), (1, 1))
    ends = keras.tree.flatten(graph.run(model, [start], apply))
    shapes = [tuple(end.tensor.shape[1:]) for end in ends]
    if len(ends) > 1 or len(shapes[0]) != 3 or ends[0].strides != (1, 1):
        raise _MisfitError(
            f"its output, {', '.join(map(str, shapes))}, is not one for every pixel"
        )
    output = shapes[0][:2]
    if min(output) < 1 or any((a - b) % 2 for a, b in zip(tile, output, strict=True)):
        raise _MisfitError(
            f"they give {output[0]}×{output[1]} pixels, which is no middle"
        )
    return tile, output, tuple(periods)


# These leave every place where it is, or only drop and add some at the borders.
_HARMLESS = (
    kl.Cropping2D,
    kl.ZeroPadding2D,
    CropLike,
    GatedSum,
    LocalResponseNormalization,
    SurvivalGate,
)


def _factors(path: str, layer, source, output):
    """By how much the places of a layer's output are further apart than its input's."""
    if isinstance(layer, _HARMLESS):
        return 1, 1
    if isinstance(layer, kl.Conv2DTranspose):
        return Fraction(1, layer.strides[0]), Fraction(1, layer.strides[1])
    if isinstance(layer, kl.UpSampling2D):
        return Fraction(1, layer.size[0]), Fraction(1, layer.size[1])
    sides = source.shape[1:3]
    if isinstance(layer, kl.Resizing):
        return Fraction(sides[0], output.shape[1]), Fraction(sides[1], output.shape[2])
    window = graph.window(layer)
    if window is None:
        raise ValueError(
            f"the layer {path!r} ({type(layer).__name__}) may see more of an image "
            "than a tile holds: tiles would not give what the whole image gives"
        )
    for n, size, stride in zip(sides, window.size, window.strides, strict=True):
        lost = (n if window.padding == "same" else n - size) % stride
        if lost:
            raise _MisfitError(f"{path!r} loses {lost} pixels at its stride")
    return window.strides


def _fitting(model, side: int, channels) -> list[int]:
    """Sides of tiles nearby that fit, four at most."""
    sides = []
    for n in sorted(range(max(side - 32, 1), side + 33), key=lambda n: abs(n - side)):
        try:
            _trace(model, (n, n), channels)
        except _MisfitError:
            continue
        sides.append(n)
        if len(sides) == 4:
            break
    return sorted(sides)
