"""Exercises on segmentation."""

import numpy as np

from cnnlib import models
from exercises import Wrong, alike, ask, exercise, numbers

NEITHER = -1  # in place of NaN, that numbers can be compared


def counted(truth, found, classes: int) -> tuple[np.ndarray, ...]:
    """Pixels of each class that are in both, in the truth, in what was found."""
    each = np.arange(classes).reshape(-1, *[1] * np.ndim(truth))
    axes = tuple(range(1, 1 + np.ndim(truth)))
    true, given = truth == each, found == each
    return (true & given).sum(axes), true.sum(axes), given.sum(axes)


def both_scores(truth, found, classes: int) -> np.ndarray:
    """IoU and Dice, ``NEITHER`` where a class is in neither."""
    hits, true, given = counted(truth, found, classes)
    each = true + given
    some = np.maximum(each, 1)
    pair = np.stack([hits / np.maximum(each - hits, 1), 2 * hits / some])
    return np.where(each > 0, pair, NEITHER)


@exercise("14.1", "equal to the counts of pixels, the empty class included")
def iou_and_dice(scores):
    """``scores(truth, found, classes)`` is (2, classes): IoU and Dice."""
    rng = np.random.default_rng(141)
    for shape, classes in [((3, 7, 9), 5), ((5, 8), 4), ((60,), 6)]:
        truth, found = rng.integers(0, classes, (2, *shape))
        truth[truth == classes - 1], found[found == classes - 2] = 0, 0
        truth[truth == 1], found[found == 1] = 0, 0
        right = both_scores(truth, found, classes)
        hits, true, _ = counted(truth, found, classes)
        what = f"your array for {classes} classes"
        answer = ask(scores, truth, found, classes)
        try:
            answer = np.array(answer, dtype=float)
        except Exception:
            answer = numbers(answer, what)
        if answer.shape == (classes, 2):
            raise Wrong(f"{what} has a row for each class; the classes are columns")
        pairs = zip(truth, found, strict=True)
        images = np.stack([both_scores(t, f, classes) for t, f in pairs])
        mean = np.ma.masked_equal(images, NEITHER).mean(axis=0).filled(NEITHER)
        alike(
            np.where(np.isnan(answer), NEITHER, answer),
            right,
            what,
            mistakes={
                "gives 0 to a class that is in neither": np.maximum(right, 0),
                "gives 1 to a class that is in neither": np.abs(right),
                "gives no number to a class that only occurs, or is only found": (
                    np.where(right > 0, right, NEITHER)
                ),
                "has Dice in the first row": right[::-1],
                "counts pixels of both twice in the union": np.stack(
                    [np.where(right[0] < 0, right[0], right[1] / 2), right[1]]
                ),
                "has a Dice whose intersection is counted once": np.where(
                    [[False], [True]], np.where(right < 0, right, right / 2), right
                ),
                "divides by the pixels of the truth only": np.stack(
                    [np.where(true > 0, hits / np.maximum(true, 1), NEITHER)] * 2
                ),
                "is a mean over images; all pixels are counted together": mean,
            },
        )


def sizes(most, depth, *, pair=4, even=True, bottom=True, least=1) -> dict[int, int]:
    """The sizes of a U-Net, with its rules exchanged."""
    found = {}
    for size in range(1, most + 1):
        rows = size
        for _ in range(depth):
            rows -= pair
            if rows <= 0 or (even and rows % 2):
                break
            rows //= 2
        else:
            rows -= pair * bottom
            for _ in range(depth):
                rows = 2 * rows - pair
            if rows >= least:
                found[size] = rows
    return found


def accepted(most: int, depth: int) -> dict[int, int]:
    """The sizes that the library's U-Net takes."""
    found = {}
    for size in range(1, most + 1):
        try:
            found[size] = models.unet_output_size(size, depth=depth)
        except ValueError:
            continue
    return found


@exercise("14.2", "the sizes of U-Nets of depth 1 to 5, in and out")
def in_and_out(unet_sizes):
    """``unet_sizes(most, depth)`` is {size in: size out}."""
    for most, depth in [(92, 2), (60, 1), (140, 3), (572, 4), (444, 5)]:
        answer, right = ask(unet_sizes, most, depth), accepted(most, depth)
        what = f"the answer for {most} pixels and depth {depth}"
        if not isinstance(answer, dict):
            raise Wrong(f"{what} is of type {type(answer).__name__}, not a dict")
        if answer == right:
            continue
        mistakes = {
            "lets a pooling meet an odd number of rows": sizes(most, depth, even=False),
            "lacks the convolutions at the bottom": sizes(most, depth, bottom=False),
            "takes one pixel a side for two convolutions": sizes(most, depth, pair=2),
            "holds sizes of which no row is left": sizes(most, depth, least=-most),
            "lacks the last size": sizes(most - 1, depth),
            "has sizes and answers exchanged": {out: n for n, out in right.items()},
        }
        for words, mistaken in mistakes.items():
            if answer == mistaken:
                raise Wrong(f"{what} {words}")
        if missing := sorted(set(right) - set(answer)):
            raise Wrong(f"{what} lacks a size that it takes: {missing[0]}")
        strange = [size for size in answer if size not in right]
        if strange:
            raise Wrong(f"{what} has a size that it does not take: {strange[0]}")
        size = next(size for size in right if answer[size] != right[size])
        raise Wrong(f"{what}: of {size} rows there are not {answer[size]} left")


@exercise("14.3", "equal to the dense layer at every window")
def dense_as_convolution(as_kernel, read):
    """A kernel from a dense layer's weights, and what it says everywhere."""
    rng = np.random.default_rng(143)
    for (rows, columns, maps, units), image in [
        ((3, 3, 4, 5), (7, 9)),
        ((2, 5, 3, 1), (6, 11)),
        ((4, 1, 2, 6), (4, 8)),
    ]:
        weights = rng.normal(size=(rows * columns * maps, units)).astype("float32")
        bias = rng.normal(size=units).astype("float32")
        x = rng.normal(size=(*image, maps)).astype("float32")
        right = weights.reshape(rows, columns, maps, units)
        first = weights.reshape(maps, rows, columns, units).transpose(1, 2, 0, 3)
        across = weights.reshape(columns, rows, maps, units).swapaxes(0, 1)
        last = weights.reshape(rows, columns, units, maps).swapaxes(2, 3)
        alike(
            ask(as_kernel, weights, rows, columns),
            right,
            f"the kernel for {rows}×{columns} places",
            mistakes={
                "takes the maps as the slowest to vary; they are the fastest": first,
                "takes columns for rows": across,
                "takes the units before the maps": last,
                "is turned round: Keras's convolutions don't do that": (
                    right[::-1, ::-1]
                ),
            },
        )
        view = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), (0, 1))
        windows = np.moveaxis(view, 2, -1)
        flat = windows.reshape(*windows.shape[:2], -1)
        said = flat @ weights
        turned = flat @ right[::-1, ::-1].reshape(weights.shape)
        alike(
            ask(read, x, weights, bias, rows, columns),
            said + bias,
            f"what is read from {image[0]}×{image[1]} places",
            1e-4,
            mistakes={
                "lacks the bias": said,
                "has the kernel turned round": turned + bias,
                "has an activation": np.maximum(said + bias, 0),
                "has an axis for the images; only one was given": (said + bias)[None],
            },
        )
