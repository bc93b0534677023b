"""Exercises on segmentation."""

from functools import partial

import keras
import numpy as np

from cnnlib import models
from exercises import Wrong, ask, compare, exercise, judged


def counted(truth, found, classes):
    """Pixels of each class that are in both, in the truth, in what was found."""
    each = np.arange(classes).reshape(-1, *[1] * np.ndim(truth))
    axes = tuple(range(1, 1 + np.ndim(truth)))
    true, guessed = truth == each, found == each
    return (true & guessed).sum(axes), true.sum(axes), guessed.sum(axes)


def scores(truth, found, classes):
    """IoU and Dice; NaN where a class is in neither, 0 / 0."""
    hits, true, guessed = counted(truth, found, classes)
    with np.errstate(invalid="ignore"):
        return np.stack([hits / (true + guessed - hits), 2 * hits / (true + guessed)])


def neither_as(number):
    """The scores, with a number where a class is in neither."""
    return lambda *given: np.nan_to_num(scores(*given), nan=number)


def only_hits(*given):
    both = scores(*given)
    return np.where(both > 0, both, np.nan)


def recall_twice(*given):
    hits, true, _ = counted(*given)
    with np.errstate(invalid="ignore"):
        return np.stack([hits / true] * 2)


def mean_of_images(truth, found, classes):
    pairs = zip(truth, found, strict=True)
    images = np.ma.masked_invalid([scores(t, f, classes) for t, f in pairs])
    return images.mean(axis=0).filled(np.nan)


def by_table(truth, found, classes):
    table = np.zeros((classes, classes))
    np.add.at(table, (np.ravel(truth), np.ravel(found)), 1)
    hits, each = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    return [(hits / (each - hits)).tolist(), (2 * hits / each).tolist()]


@exercise(
    "14.1",
    "equal to the counts of pixels, the empty class included",
    reference=scores,
    mistakes={
        "gives 0 to a class that is in neither": neither_as(0),
        "gives 1 to a class that is in neither": neither_as(1),
        "gives -1 to a class that is in neither": neither_as(-1),
        "gives no number to a class that only occurs, or is only found": only_hits,
        "has Dice in the first row": lambda *given: scores(*given)[::-1],
        "counts pixels of both twice in the union": (
            lambda *given: scores(*given)[1] * [[0.5], [1]]
        ),
        "has a Dice whose intersection is counted once": (
            lambda *given: scores(*given) * [[1], [0.5]]
        ),
        "divides by the pixels of the truth only": recall_twice,
        "is a mean over images; all pixels are counted together": mean_of_images,
        "has a row for each class; the classes are columns": (
            lambda *given: scores(*given).T
        ),
    },
    also_right=[by_table],
    also_wrong={
        "is not NaN just where it should be": neither_as(0.5),
    },
)
def labels(rng):
    """``scores(truth, found, classes)`` is (2, classes): IoU and Dice."""
    for shape, classes in [((3, 7, 9), 5), ((5, 8), 4), ((60,), 6)]:
        truth, found = rng.integers(0, classes, (2, *shape))
        truth[truth == classes - 1], found[found == classes - 2] = 0, 0
        truth[truth == 1], found[found == 1] = 0, 0
        yield f"your array for {classes} classes", truth, found, classes


def unet_sizes(most, depth, *, pair=4, even=True, bottom=True, least=1):
    """The sizes of a U-Net, with its rules exchanged."""
    sizes = {}
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
                sizes[size] = rows
    return sizes


def accepted(most, depth):
    """The sizes that the library's U-Net takes."""
    sizes = {}
    for size in range(1, most + 1):
        try:
            sizes[size] = models.unet_output_size(size, depth=depth)
        except ValueError:
            continue
    return sizes


OTHER_SIZES = {
    "lets a pooling meet an odd number of rows": partial(unet_sizes, even=False),
    "lacks the convolutions at the bottom": partial(unet_sizes, bottom=False),
    "takes one pixel a side for two convolutions": partial(unet_sizes, pair=2),
    "holds sizes of which no row is left": partial(unet_sizes, least=-1000),
    "lacks the last size": lambda most, depth: unet_sizes(most - 1, depth),
    "has sizes and answers exchanged": (
        lambda most, depth: {out: n for n, out in unet_sizes(most, depth).items()}
    ),
}


@judged(
    "14.2",
    "the sizes of U-Nets of depth 1 to 5, in and out",
    mistakes=OTHER_SIZES
    | {
        "lacks a size that it takes: 44": lambda most, depth: {
            size: out for size, out in unet_sizes(most, depth).items() if size > 44
        },
        "that it does not take: 5": lambda *given: {5: 1} | unet_sizes(*given),
        "there are not 99 left": lambda *given: unet_sizes(*given) | {44: 99},
        "is of type list, not a dict": lambda *given: list(unet_sizes(*given)),
    },
    also_right=[unet_sizes],
)
def in_and_out(function, rng):
    """``unet_sizes(most, depth)`` is {size in: size out}."""
    for most, depth in [(92, 2), (60, 1), (140, 3), (572, 4), (444, 5)]:
        answer, right = ask(function, most, depth), accepted(most, depth)
        what = f"the answer for {most} pixels and depth {depth}"
        if not isinstance(answer, dict):
            raise Wrong(f"{what} is of type {type(answer).__name__}, not a dict")
        if answer == right:
            continue
        for words, mistake in OTHER_SIZES.items():
            if answer == mistake(most, depth):
                raise Wrong(f"{what} {words}")
        if missing := sorted(set(right) - set(answer)):
            raise Wrong(f"{what} lacks a size that it takes: {missing[0]}")
        if strange := [size for size in answer if size not in right]:
            raise Wrong(f"{what} has a size that it does not take: {strange[0]}")
        size = next(size for size in right if answer[size] != right[size])
        raise Wrong(f"{what}: of {size} rows there are not {answer[size]} left")


def as_kernel(weights, rows, columns):
    return weights.reshape(rows, columns, -1, weights.shape[-1])


def maps_slowest(weights, rows, columns):
    units = weights.shape[-1]
    return weights.reshape(-1, rows, columns, units).transpose(1, 2, 0, 3)


def columns_slower(weights, rows, columns):
    units = weights.shape[-1]
    return weights.reshape(columns, rows, -1, units).swapaxes(0, 1)


def units_before_maps(weights, rows, columns):
    units = weights.shape[-1]
    return weights.reshape(rows, columns, units, -1).swapaxes(2, 3)


def turned(weights, rows, columns):
    return as_kernel(weights, rows, columns)[::-1, ::-1]


def read_windows(x, weights, bias, rows, columns):
    """What the dense layer says of every window, one after the other."""
    view = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), (0, 1))
    windows = np.moveaxis(view, 2, -1)
    return windows.reshape(*windows.shape[:2], -1) @ weights + bias


def read(x, weights, bias, rows, columns, kernel=as_kernel):
    kernel = kernel(weights, rows, columns)
    return keras.ops.conv(x[None], kernel, padding="valid")[0] + bias


KERNELS = {
    "takes the maps as the slowest to vary; they are the fastest": maps_slowest,
    "takes columns for rows": columns_slower,
    "takes the units before the maps": units_before_maps,
    "is turned round: Keras's convolutions don't do that": turned,
}
READINGS = {
    "lacks the bias": lambda x, w, b, *sides: read(x, w, 0 * b, *sides),
    "has the kernel turned round": partial(read, kernel=turned),
    "has an activation": lambda *given: keras.ops.relu(read(*given)),
    "has an axis for the images; only one was given": lambda *given: read(*given)[None],
}


@judged(
    "14.3",
    "equal to the dense layer at every window",
    answers=2,
    mistakes={words: (kernel, read) for words, kernel in KERNELS.items()}
    | {words: (as_kernel, reading) for words, reading in READINGS.items()}
    | {"your code raises ValueError": (as_kernel, lambda x, w, *rest: x @ w)},
    also_right=[(as_kernel, read_windows)],
)
def dense_as_convolution(as_kernel_too, read_too, rng):
    """A kernel from a dense layer's weights, and what it says everywhere."""
    for (rows, columns, maps, units), image in [
        ((3, 3, 4, 5), (7, 9)),
        ((2, 5, 3, 1), (6, 11)),
        ((4, 1, 2, 6), (4, 8)),
    ]:
        weights = rng.normal(size=(rows * columns * maps, units)).astype("float32")
        bias = rng.normal(size=units).astype("float32")
        x = rng.normal(size=(*image, maps)).astype("float32")
        given = (weights, rows, columns)
        what = f"the kernel for {rows}×{columns} places"
        answer = ask(as_kernel_too, *given)
        compare(answer, as_kernel(*given), what, 1e-5, KERNELS, given)
        given = (x, weights, bias, rows, columns)
        what = f"what is read from {image[0]}×{image[1]} places"
        answer = ask(read_too, *given)
        compare(answer, read_windows(*given), what, 1e-4, READINGS, given)
