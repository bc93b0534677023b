"""Predicting images of any size by overlapping tiles."""

import keras
import numpy as np

from cnnlib import checks, graph
from cnnlib.segmentation.tiling import tiling


def predict_tiles(
    model: keras.Model,
    images: np.ndarray,
    *,
    tile=None,
    stride=None,
    margin: int = 0,
    batch_size: int = 4,
    verbose: int = 0,
) -> np.ndarray:
    """Predict images of any size by overlapping tiles (U-Net, arXiv:1505.04597).

    The images are continued beyond their borders by mirroring, by as much as the model
    takes away; every tile predicts its middle. For a model of valid convolutions the
    tiles give what the whole mirrored image would give, to rounding.

    Padding with zeros ("same") makes a model see the edges of its tiles, as seams:
    ``margin`` drops that many pixels of what it gives, at each side. Half of its
    receptive field is enough.

    Args:
        model: as in ``tiling``.
        images: (n, height, width, channels), as the model takes them; mirrored up to
            one tile where they are smaller.
        tile: of the input in pixels, a number or (height, width); None for the model's.
        stride: between tiles, likewise: a multiple of the period, at most what a tile
            predicts; None for the largest.
        margin: in pixels.
        batch_size: tiles at a time.
        verbose: 1 for a progress bar.

    Returns:
        The logits, float32 (n, height, width, classes).

    Raises:
        ValueError: images of another shape, or not finite; what ``tiling`` refuses; a
            stride that would give other numbers than the whole image, with those that
            won't.
    """
    images = np.asarray(images)
    channels = graph.image_shape("predict_tiles", model)[-1]
    if images.ndim != 4 or not images.size or channels not in (None, images.shape[-1]):
        raise ValueError(
            f"predict_tiles takes images (n, height, width, {channels or 'channels'}), "
            f"n at least 1; given {images.shape}"
        )
    checks.finite("predict_tiles", "images", images)
    margin = checks.integer("predict_tiles", "margin", margin, least=0)
    batch_size = checks.integer("predict_tiles", "batch_size", batch_size)
    tile, whole, period = tiling(model, tile)
    output = whole[0] - 2 * margin, whole[1] - 2 * margin
    if min(output) < 1:
        raise ValueError(f"a margin of {margin} leaves nothing of {whole}")
    strides = _strides(stride, output, period)
    lines, pads = [], [(0, 0)]
    for n, side, used, step in zip(
        images.shape[1:3], tile, output, strides, strict=True
    ):
        line = range(0, max(n - used, 0) + step, step) if n > used else range(1)
        before = (side - used) // 2
        pads.append((before, line[-1] + side - before - n))
        lines.append(line)
    padded = np.pad(images, [*pads, (0, 0)], mode="reflect")
    places = [(i, a, b) for i in range(len(images)) for a in lines[0] for b in lines[1]]
    bar = keras.utils.Progbar(len(places), verbose=verbose, unit_name="tile")
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
        bar.update(start + len(batch))
    return result


def _strides(stride, output, period) -> tuple[int, int]:
    """The steps between tiles, if tiles then see what the whole image would."""
    largest = [side // p * p for side, p in zip(output, period, strict=True)]
    if min(largest) < 1:
        raise ValueError(
            f"tiles predict {output[0]}×{output[1]} pixels, fewer than the model's "
            f"period, {period[0]}×{period[1]}: take larger ones"
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
