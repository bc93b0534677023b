"""Segmentation: losses on logits, streaming metrics, U-Net's weight map and tiles.

Labels are whole numbers from 0 of shape (n, height, width), or (n, height, width, 1);
logits are (n, height, width, classes). One channel of logits is that of class 1 beside
a class 0 whose logit is 0, as under a sigmoid. A label out of range is refused where
values can be seen; in a compiled function, as in ``fit``, it makes the result NaN.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl
from keras import ops
from scipy import ndimage

# ----------------------------------------------------------------------------- losses


class _PixelLoss(keras.losses.Loss):
    """A loss over all pixels at once, which weights and ignored labels need."""

    def __init__(self, ignored, class_weights, name):
        super().__init__(name=name)
        self.ignored = ignored
        self.class_weights = None if class_weights is None else list(class_weights)

    def __call__(self, y_true, y_pred, sample_weight=None):
        who = type(self).__name__
        labels, logits, strange = _pixels(who, y_true, y_pred, self.ignored)
        weights = ops.cast(labels >= 0, "float32")
        if sample_weight is not None:
            weights *= _weights(who, sample_weight, tuple(labels.shape))
        labels = ops.clip(labels, 0, logits.shape[-1] - 1)
        if self.class_weights is not None:
            if len(self.class_weights) != logits.shape[-1]:
                raise ValueError(
                    f"{who} has {len(self.class_weights)} class weights for "
                    f"{logits.shape[-1]} classes"
                )
            of_class = ops.convert_to_tensor(np.array(self.class_weights, "float32"))
            weights *= ops.take(of_class, labels)
        hits = ops.one_hot(labels, logits.shape[-1], dtype="float32")
        return ops.where(strange, float("nan"), self.value(hits, logits, weights))

    def value(self, hits, logits, weights):
        """The loss, from one-hot labels, logits and a weight for every pixel."""
        raise NotImplementedError

    def get_config(self):
        """The constructor's arguments."""
        own = {"ignored": self.ignored, "class_weights": self.class_weights}
        return {"name": self.name, **own}


@keras.saving.register_keras_serializable("cnnlib")
class CrossEntropy(_PixelLoss):
    """Cross-entropy averaged over the pixels by their weights.

    Σ w · (−log p) / Σ w over all pixels of the batch, w being the sample weight (a
    weight map, or a number per image) times that of the pixel's class; 0 where all
    weights are. Keras's own divides by the number of pixels.

    Args:
        ignored: a label whose pixels don't count, or None.
        class_weights: one per class, or None.
        name: of the loss.

    Raises:
        ValueError: when called: labels, logits, weights of shapes that do not fit
            together, labels out of range, weights that are negative or NaN.
    """

    def __init__(self, *, ignored=None, class_weights=None, name="cross_entropy"):
        super().__init__(ignored, class_weights, name)

    def value(self, hits, logits, weights):
        """The weighted mean of −log p."""
        return _cross_entropy(hits, logits, weights)


@keras.saving.register_keras_serializable("cnnlib")
class SoftDice(_PixelLoss):
    """One minus the mean over the classes of soft Dice, after V-Net (arXiv:1606.04797).

    For each class, over all pixels of the batch, with p the softmax and t 0 or 1::

        (2 Σ w p t + smooth) / (Σ w p + Σ w t + smooth)

    So a class that occurs nowhere counts 1 as its probabilities go to 0, and what is
    wrongly given to it costs. Keras's own throws classes together, takes
    probabilities, and punishes an empty class that was rightly left out.

    Args:
        ignored: a label whose pixels don't count, or None.
        smooth: in pixels.
        name: of the loss.

    Raises:
        ValueError: ``smooth`` is not above 0; and, when called, as ``CrossEntropy``.
    """

    def __init__(self, *, ignored=None, smooth=1.0, name="soft_dice"):
        super().__init__(ignored, None, name)
        if not 0 < smooth < math.inf:
            raise ValueError(f"SoftDice takes smooth above 0; given {smooth!r}")
        self.smooth = smooth

    def value(self, hits, logits, weights):
        """One minus mean Dice."""
        return _dice_loss(hits, logits, weights, self.smooth)

    def get_config(self):
        """The constructor's arguments."""
        return {"name": self.name, "ignored": self.ignored, "smooth": self.smooth}


@keras.saving.register_keras_serializable("cnnlib")
class CrossEntropyDice(_PixelLoss):
    """``CrossEntropy`` plus ``SoftDice``; sample weights count in both.

    There are no class weights: Dice weighs all classes alike as it is.

    Args:
        ignored: a label whose pixels don't count, or None.
        smooth: as in ``SoftDice``.
        dice: the factor of soft Dice.
        name: of the loss.

    Raises:
        ValueError: as ``SoftDice``; ``dice`` is below 0.
    """

    def __init__(
        self, *, ignored=None, smooth=1.0, dice=1.0, name="cross_entropy_dice"
    ):
        super().__init__(ignored, None, name)
        if not (0 < smooth < math.inf and 0 <= dice < math.inf):
            raise ValueError(
                "CrossEntropyDice takes smooth above 0 and dice from 0; given "
                f"{smooth=}, {dice=}"
            )
        self.smooth, self.dice = smooth, dice

    def value(self, hits, logits, weights):
        """The sum."""
        dice = _dice_loss(hits, logits, weights, self.smooth)
        return _cross_entropy(hits, logits, weights) + self.dice * dice

    def get_config(self):
        """The constructor's arguments."""
        own = {"smooth": self.smooth, "dice": self.dice}
        return {"name": self.name, "ignored": self.ignored, **own}


def _cross_entropy(hits, logits, weights):
    loss = -ops.sum(hits * ops.log_softmax(logits, axis=-1), axis=-1)
    return _ratio(ops.sum(weights * loss), ops.sum(weights))


def _dice_loss(hits, logits, weights, smooth):
    weights = ops.reshape(weights, (-1, 1))
    found = weights * ops.reshape(ops.softmax(logits, axis=-1), (-1, logits.shape[-1]))
    hits = ops.reshape(hits, (-1, logits.shape[-1]))
    both = ops.sum(found * hits, axis=0)
    each = ops.sum(found, axis=0) + ops.sum(weights * hits, axis=0)
    return 1 - ops.mean((2 * both + smooth) / (each + smooth))


# ---------------------------------------------------------------------------- metrics


class _Counted(keras.metrics.Metric):
    """A figure made of how many pixels of each class are taken for each."""

    def __init__(self, classes, *, ignored=None, name=None, dtype=None):
        super().__init__(name=name or self.NAME, dtype=dtype)
        names = range(classes) if isinstance(classes, int) else classes
        self.class_names = [str(name) for name in names]
        self.ignored = ignored
        if len(self.class_names) < 2:
            raise ValueError(
                f"{type(self).__name__} takes two classes or more; given {classes!r}"
            )
        count = len(self.class_names)
        # Whole numbers, exact; the last row counts labels that are out of range.
        self.counts = self.add_variable(
            (count + 1, count), "zeros", dtype="int", name="counts"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the pixels of a batch."""
        who, count = type(self).__name__, len(self.class_names)
        if sample_weight is not None:
            raise ValueError(
                f"{who} counts pixels, which have no weights: give it as one of "
                "metrics, not of weighted_metrics"
            )
        labels, logits, _ = _pixels(who, y_true, y_pred, self.ignored)
        if logits.shape[-1] != count:
            raise ValueError(
                f"{who} is for {count} classes; the logits are of {logits.shape[-1]}"
            )
        cells = labels * count + ops.cast(ops.argmax(logits, axis=-1), "int32")
        last = count * (count + 1)
        cells = ops.reshape(ops.where(labels == _IGNORED, last, cells), (-1,))
        found = ops.segment_sum(ops.ones_like(cells), cells, num_segments=last + 1)
        found = ops.reshape(found[:-1], (count + 1, count))
        self.counts.assign_add(ops.cast(found, self.counts.dtype))

    def confusion(self) -> np.ndarray:
        """Pixels so far: int64 (classes, classes), rows the true class."""
        return ops.convert_to_numpy(self.counts)[:-1].astype("int64")

    def _parts(self):
        """Hits, pixels of the class, pixels given to it; NaN after a strange label."""
        counts = ops.cast(self.counts, "float32")
        fine = ops.where(ops.sum(counts[-1]) > 0, float("nan"), 1.0)
        counts = counts[:-1] * fine
        return ops.diagonal(counts), ops.sum(counts, axis=1), ops.sum(counts, axis=0)

    def _iou(self):
        hits, true, given = self._parts()
        return _ratio(hits, true + given - hits, float("nan"))

    def _dice(self):
        hits, true, given = self._parts()
        return _ratio(2 * hits, true + given, float("nan"))

    def _named(self, values):
        """A dict, which ``fit`` reports entry by entry."""
        return {
            f"{self.name}/{name}": values[i] for i, name in enumerate(self.class_names)
        }

    def get_config(self):
        """The constructor's arguments."""
        own = {"classes": self.class_names, "ignored": self.ignored}
        return {"name": self.name, "dtype": self.dtype, **own}


@keras.saving.register_keras_serializable("cnnlib")
class IoU(_Counted):
    """Intersection over union of each class, over all pixels so far.

    The result is a dict, "iou/name" to number; NaN for a class that neither occurs nor
    is found.

    Args:
        classes: their number, or their names.
        ignored: a label whose pixels don't count, or None.
        name: of the metric.
        dtype: of the result.

    Raises:
        ValueError: fewer than two classes; and, when called: labels and logits of
            shapes that do not fit together, labels out of range, weights.
    """

    NAME = "iou"

    def result(self):
        """One number per class."""
        return self._named(self._iou())


@keras.saving.register_keras_serializable("cnnlib")
class Dice(_Counted):
    """Dice coefficient of each class, 2 |A ∩ B| / (|A| + |B|), over all pixels so far.

    The result is a dict, "dice/name" to number; NaN for a class that neither occurs nor
    is found. Arguments and errors are those of ``IoU``.
    """

    NAME = "dice"

    def result(self):
        """One number per class."""
        return self._named(self._dice())


@keras.saving.register_keras_serializable("cnnlib")
class MeanIoU(_Counted):
    """The mean of ``IoU`` over the classes that occur or are found; arguments as there.

    NaN before the first pixel.
    """

    NAME = "mean_iou"

    def result(self):
        """One number."""
        return _mean(self._iou())


@keras.saving.register_keras_serializable("cnnlib")
class MeanDice(_Counted):
    """The mean of ``Dice`` over the classes that occur or are found.

    NaN before the first pixel. Arguments and errors are those of ``IoU``.
    """

    NAME = "mean_dice"

    def result(self):
        """One number."""
        return _mean(self._dice())


@keras.saving.register_keras_serializable("cnnlib")
class PixelAccuracy(_Counted):
    """The part of all pixels so far that are given their class.

    NaN before the first pixel. Arguments and errors are those of ``IoU``.
    """

    NAME = "pixel_accuracy"

    def result(self):
        """One number."""
        hits, true, _ = self._parts()
        return _ratio(ops.sum(hits), ops.sum(true), float("nan"))


def _mean(values):
    """The mean of what is not NaN."""
    there = ops.logical_not(ops.isnan(values))
    total = ops.sum(ops.where(there, values, 0.0))
    return _ratio(total, ops.sum(ops.cast(there, "float32")), float("nan"))


def _ratio(part, whole, empty=0.0):
    """A quotient, or ``empty`` where nothing is to be divided by; NaN stays NaN."""
    nothing = ops.equal(whole, 0)
    return ops.where(nothing, empty, part / ops.where(nothing, 1.0, whole))


_IGNORED = -1


def _pixels(who: str, y, logits, ignored):
    """Labels, logits float32, and whether there are labels out of range.

    Labels are int32, −1 where they are ignored, the number of classes if out of range.
    """
    y, logits = ops.convert_to_tensor(y), ops.convert_to_tensor(logits)
    shape, lead = tuple(y.shape), tuple(logits.shape[:-1])
    if not lead or (not _alike(shape, lead) and not _alike(shape, (*lead, 1))):
        raise ValueError(
            f"{who} takes labels of shape {lead} for logits of {tuple(logits.shape)}; "
            f"given {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{who} takes at least one pixel; given labels of {shape}")
    logits = ops.cast(logits, "float32")
    if logits.shape[-1] == 1:
        logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
    count = logits.shape[-1]
    labels = y if len(shape) == len(lead) else y[..., 0]
    seen = _seen(labels)
    counted = seen[seen != ignored] if seen is not None else ()
    if len(counted) and not (counted.min() >= 0 and counted.max() < count):
        raise ValueError(
            f"{who} takes labels from 0 to {count - 1}"
            f"{'' if ignored is None else f', or {ignored} to be ignored'}; given "
            f"{counted.min():g} to {counted.max():g}"
        )
    labels = ops.cast(labels, "int32")
    skip = ops.equal(labels, -1 if ignored is None else ignored)
    skip = ops.logical_and(skip, ignored is not None)
    outside = ops.logical_or(labels < 0, labels >= count)
    strange = ops.logical_and(outside, ops.logical_not(skip))
    labels = ops.where(strange, count, ops.where(skip, _IGNORED, labels))
    return labels, logits, ops.any(strange)


def _alike(shape, other) -> bool:
    """Whether two shapes are the same, as far as they are known."""
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )


def _weights(who: str, weights, shape):
    """Sample weights that can be multiplied with labels of this shape."""
    weights = ops.cast(ops.convert_to_tensor(weights), "float32")
    given = tuple(weights.shape)
    if len(given) == len(shape) + 1 and given[-1] == 1:
        weights = weights[..., 0]
    fits = _alike(tuple(weights.shape), shape)
    if len(given) == 1 and _alike(given, shape[:1]):
        weights = ops.reshape(weights, (-1, *(1 for _ in shape[1:])))
    elif not fits:
        raise ValueError(
            f"{who} takes a weight per pixel, {shape}, or per image; given {given}"
        )
    seen = _seen(weights)
    if seen is not None and not (np.isfinite(seen).all() and seen.min() >= 0):
        raise ValueError(f"{who} takes finite weights from 0; some are not")
    return weights


def _seen(x) -> np.ndarray | None:
    """The values of a tensor, unless it stands for values yet to come."""
    try:
        return np.asarray(x)
    except (TypeError, NotImplementedError):
        return None


# --------------------------------------------------------------------- the weight map


def weight_map(
    labels: np.ndarray,
    *,
    w0: float = 10.0,
    sigma: float = 5.0,
    balance: bool = True,
) -> np.ndarray:
    """U-Net's weights, which make it learn the seams between cells (arXiv:1505.04597).

    On the background, with d1 and d2 the distances to the nearest cell and to the
    second nearest::

        w = w_class + w0 · exp(−(d1 + d2)² / 2 σ²)

    and on cells w = w_class. Where there are fewer than two cells there is no seam.
    What is less than 1e-6 of w0 may be left out.

    Args:
        labels: (height, width) or (n, height, width) whole numbers: 0 background, every
            cell a number of its own. ``scipy.ndimage.label`` makes them from a mask.
        w0: how much the narrowest seam is worth.
        sigma: in pixels.
        balance: whether w_class is pixels / (2 · pixels of the class), class meaning
            cell or background, in each image; else it is 1.

    Returns:
        float32 of the shape of ``labels``.

    Raises:
        ValueError: labels of another rank or type, or negative; ``w0`` below 0, or
            ``sigma`` not above it.
    """
    labels = np.asarray(labels)
    if labels.ndim not in (2, 3) or labels.dtype.kind not in "iu" or not labels.size:
        raise ValueError(
            "weight_map takes whole numbers, (height, width) or (n, height, width); "
            f"given {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0 or not (0 <= w0 < math.inf and 0 < sigma < math.inf):
        raise ValueError(
            "weight_map takes labels from 0, w0 from 0 and sigma above 0; given labels "
            f"from {labels.min()}, {w0=}, {sigma=}"
        )
    if labels.ndim == 3:
        maps = [weight_map(x, w0=w0, sigma=sigma, balance=balance) for x in labels]
        return np.stack(maps)
    cell = labels > 0
    weights = np.ones(labels.shape)
    if balance:
        for part in (cell, ~cell):
            weights[part] = labels.size / (2 * max(part.sum(), 1))
    nearest, second = np.full((2, *labels.shape), np.inf)
    margin = math.ceil(5.3 * sigma)  # beyond it, d1 + d2 gives less than 1e-6
    _, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape) + (0 if (labels == 0).any() else 1)
    for i, box in enumerate(ndimage.find_objects(numbers), 1):
        around = tuple(
            slice(max(side.start - margin, 0), side.stop + margin) for side in box
        )
        distance = ndimage.distance_transform_edt(numbers[around] != i)
        first = nearest[around]
        second[around] = np.minimum(second[around], np.maximum(first, distance))
        nearest[around] = np.minimum(first, distance)
    seam = w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return np.where(cell, weights, weights + seam).astype("float32")


# --------------------------------------------------------------------------- the tiles


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
        ValueError: the model is of another kind or has no size of its own; its output
            is coarser than its input; or tiles of this size lose pixels at a stride or
            do not fit together where paths meet: sizes nearby that do are listed.
    """
    shape = _image_shape(model)
    if tile is None:
        if None in shape[:2]:
            raise ValueError(
                f"{model.name!r} takes images of any size: say which tile, in pixels"
            )
        tile = shape[:2]
    tile = _pair("tile", tile)
    if any(own not in (None, side) for own, side in zip(shape, tile, strict=False)):
        raise ValueError(
            f"{model.name!r} takes tiles of {shape[0]}×{shape[1]} pixels only; given "
            f"{tile[0]}×{tile[1]}"
        )
    found = _trace(model, tile, shape[-1])
    if isinstance(found, str):
        near = [] if None not in shape[:2] else _fitting(model, max(tile), shape[-1])
        sides = f"; these sides fit: {', '.join(map(str, near))}" if near else ""
        raise ValueError(
            f"tiles of {tile[0]}×{tile[1]} do not fit {model.name!r}: {found}{sides}"
        )
    return found


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
        images: (n, height, width, channels), as the model takes them.
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
            tile that predicts more than the image has; a stride that would give other
            numbers than the whole image, with those that won't.
    """
    images = np.asarray(images)
    channels = _image_shape(model)[-1]
    if images.ndim != 4 or not images.size or channels not in (None, images.shape[-1]):
        raise ValueError(
            f"predict_tiles takes images (n, height, width, {channels or 'channels'}), "
            f"n at least 1; given {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("predict_tiles takes finite images; some values are not")
    if margin != int(margin) or margin < 0 or batch_size < 1:
        raise ValueError(
            "predict_tiles takes a margin from 0 and a batch_size from 1; given "
            f"{margin=}, {batch_size=}"
        )
    found = tiling(model, tile)
    size = images.shape[1:3]
    output = tuple(side - 2 * margin for side in found.output)
    if min(output) < 1:
        raise ValueError(f"a margin of {margin} leaves nothing of {found.output}")
    if any(side > n for side, n in zip(output, size, strict=True)):
        raise ValueError(
            f"tiles that predict {output[0]}×{output[1]} pixels are larger than the "
            f"image, {size[0]}×{size[1]}: take smaller ones"
        )
    stride = _strides(stride, output, found.period)
    steps = [
        range(0, max(n - side, 0) + step, step) if n > side else range(1)
        for n, side, step in zip(size, output, stride, strict=True)
    ]
    pads = [(0, 0)]
    for line, n, side, whole in zip(steps, size, output, found.tile, strict=True):
        before = (whole - side) // 2
        pads.append((before, line[-1] + whole - before - n))
    padded = np.pad(images, [*pads, (0, 0)], mode="reflect")
    places = [(i, a, b) for i in range(len(images)) for a in steps[0] for b in steps[1]]
    bar = keras.utils.Progbar(len(places), verbose=verbose, unit_name="tile")
    result = None
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        tiles = [
            padded[i, a : a + found.tile[0], b : b + found.tile[1]] for i, a, b in batch
        ]
        logits = model.predict_on_batch(np.stack(tiles))
        if result is None:
            result = np.zeros((len(images), *size, logits.shape[-1]), "float32")
        for (i, a, b), given in zip(batch, logits, strict=True):
            given = given[margin : margin + output[0], margin : margin + output[1]]
            part = result[i, a : a + output[0], b : b + output[1]]
            part[...] = given[: part.shape[0], : part.shape[1]]
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
    stride = _pair("stride", stride)
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


def _trace(model: keras.Model, tile, channels) -> Tiling | str:
    """A tile's way through the model, or why there is none."""
    start = keras.KerasTensor((1, *tile, channels))
    strides = {id(start): (1, 1)}
    seen, lost, alive = [(1, 1)], [], [start]

    def step(operation, *args, **kwargs):
        output = operation.compute_output_spec(*args, **kwargs)
        given = [x for x in keras.tree.flatten((args, kwargs)) if id(x) in strides]
        before = [max(axis) for axis in zip(*(strides[id(x)] for x in given))]  # noqa: B905
        for tensor in keras.tree.flatten(output):
            alive.append(tensor)  # ids are those of living tensors
            after, left = _through(operation, given, tensor, before)
            strides[id(tensor)] = after
            seen.append(after)
            if left:
                lost.append(f"{operation.name!r} loses {left} pixels at its stride")
        return output

    try:
        (end,) = keras.tree.flatten(_run(model, [start], step))
    except ValueError as error:
        return f"paths of different sizes meet ({str(error).splitlines()[0]})"
    if lost:
        return lost[0]
    if len(end.shape) != 4 or strides.get(id(end)) != (1, 1):
        return f"its output, {tuple(end.shape[1:])}, is not one for every pixel"
    output = tuple(end.shape[1:3])
    if min(output) < 1 or any((a - b) % 2 for a, b in zip(tile, output, strict=True)):
        return f"they give {output[0]}×{output[1]} pixels, which is no middle"
    period = tuple(math.lcm(*(int(max(s[i], 1)) for s in seen)) for i in (0, 1))
    return Tiling(tile, output, period)


_SLIDING = (kl.Conv2D, kl.DepthwiseConv2D, kl.SeparableConv2D)
_POOLING = (kl.MaxPooling2D, kl.AveragePooling2D)


def _through(operation, given, tensor, before):
    """The stride behind an operation, and the pixels that fall off its end."""
    if isinstance(operation, kl.Conv2DTranspose):
        strides = operation.strides
        return tuple(a / b for a, b in zip(before, strides, strict=True)), 0
    if isinstance(operation, kl.UpSampling2D):
        return tuple(a / b for a, b in zip(before, operation.size, strict=True)), 0
    if isinstance(operation, (*_SLIDING, *_POOLING)):
        strides = operation.strides
        window = (
            operation.pool_size
            if isinstance(operation, _POOLING)
            else operation.kernel_size
        )
        left = 0
        for n, k, s in zip(given[0].shape[1:3], window, strides, strict=True):
            same = operation.padding == "same"
            left = left or (n % s if same else (n - k) % s if s > 1 else 0)
        return tuple(a * b for a, b in zip(before, strides, strict=True)), left
    if isinstance(operation, kl.Resizing) and len(tensor.shape) == 4:
        ratios = [n / m for n, m in zip(given[0].shape[1:3], tensor.shape[1:3])]  # noqa: B905
        return tuple(a * b for a, b in zip(before, ratios, strict=True)), 0
    return tuple(before), 0


def _run(model: keras.Model, values, step):
    """Send symbols through a model, nested ones included."""

    def at(operation):
        def call(*args, **kwargs):
            if isinstance(operation, keras.Function | keras.Sequential):
                return _run(operation, keras.tree.flatten(args), step)
            return step(operation, *args, **kwargs)

        return call

    graph = keras.Function(model.inputs, model.outputs)
    # Private, but the only way through a graph that tells of every operation.
    output = graph._run_through_graph(values, operation_fn=at)
    flat = keras.tree.flatten(output)
    return flat[0] if len(flat) == 1 else output


def _fitting(model, side: int, channels) -> list[int]:
    """Sides of tiles nearby that fit."""
    near = sorted(range(max(side - 32, 1), side + 33), key=lambda n: abs(n - side))
    found = []
    for n in near:
        if len(found) < 4 and not isinstance(_trace(model, (n, n), channels), str):
            found.append(n)
    return sorted(found)


def _image_shape(model) -> tuple[int | None, ...]:
    """(height, width, channels) of the one input."""
    inputs = getattr(model, "inputs", None)
    if not isinstance(model, keras.Function | keras.Sequential) or not inputs:
        raise ValueError(
            "tiles are for built Sequential and functional models; given a "
            f"{type(model).__name__}"
        )
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise ValueError(
            f"tiles are for models of images, (n, height, width, channels); "
            f"{model.name!r} takes {[tuple(x.shape) for x in inputs]}"
        )
    return tuple(inputs[0].shape[1:])


def _pair(name: str, given) -> tuple[int, int]:
    pair = (given, given) if np.ndim(given) == 0 else tuple(given)
    if len(pair) != 2 or any(n != int(n) or n < 1 for n in pair):
        raise ValueError(
            f"{name} takes whole pixels from 1, a number or (height, width); given "
            f"{given!r}"
        )
    return tuple(int(n) for n in pair)
