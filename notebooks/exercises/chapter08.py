"""Exercises on augmentation."""

from functools import partial

import numpy as np

from cnnlib import augment
from exercises import Wrong, ask, exercise, judged, numbers


def squares(
    x,
    size,
    rng,
    *,
    room=0,
    shared=False,
    fill=0.0,
    keep=False,
    around=False,
    some=False,
):
    """Cutout, and what it is if one mistook something.

    Args:
        x: images.
        size: of the squares.
        rng: a random generator.
        room: how many places more there are along each side than fit.
        shared: whether all images have the same square.
        fill: what stands in the square.
        keep: whether the square is kept and the rest erased.
        around: whether the square's middle is drawn, so that it is cut at the border.
        some: whether only some of the images get a square.
    """
    n, height, width, _ = x.shape
    rows = rng.integers(height if around else height - size + 1 + room, size=n)
    columns = rng.integers(width if around else width - size + 1 + room, size=n)
    if shared:
        rows[:], columns[:] = rows[0], columns[0]
    if around:
        rows, columns = rows - size // 2, columns - size // 2
    out = x.copy()
    for image, row, column in zip(out, rows, columns, strict=True):
        inside = np.zeros((height, width), bool)
        inside[max(row, 0) : row + size, max(column, 0) : column + size] = True
        image[~inside if keep else inside] = fill
    return np.where((rows % 2 == 0)[:, None, None, None], x, out) if some else out


def squares_at_once(x, size, rng):
    n, height, width, _ = x.shape
    rows = rng.integers(height - size + 1, size=(n, 1, 1))
    columns = rng.integers(width - size + 1, size=(n, 1, 1))
    i, j = np.mgrid[:height, :width]
    down, right = i - rows, j - columns
    inside = (down >= 0) & (down < size) & (right >= 0) & (right < size)
    return np.where(inside[..., None], 0, x)


@judged(
    "08.1",
    "a black square in each image, at every place equally often",
    mistakes={
        "all images have their square at the same place": partial(squares, shared=True),
        "never lies at the last place": partial(squares, room=-1),
        "is cut off at the border": partial(squares, around=True),
        "the erased pixels are not all 0": partial(squares, fill=0.5),
        "pixels outside of the square are changed": partial(squares, keep=True),
        "some images have no square": partial(squares, some=True),
        "the places do not depend on rng": lambda x, size, rng: squares(
            x, size, np.random.default_rng(0)
        ),
        "the answer has shape": lambda x, size, rng: squares(x, size, rng)[..., 0],
    },
    also_right=[squares, squares_at_once],
)
def cutout(erase, rng):
    """``erase(x, size, rng)`` blackens a square in each image."""
    n, height, width, size = 600, 6, 8, 3
    x = rng.uniform(0.2, 1, (n, height, width, 2))
    out = numbers(ask(erase, x, size, np.random.default_rng(1)), "the answer")
    if out.shape != x.shape:
        raise Wrong(f"the answer has shape {out.shape}; {x.shape} is expected")
    changed = (np.abs(out - x) > 1e-5).any(axis=-1)
    counts = changed.sum(axis=(1, 2))
    if counts.min() == 0:
        raise Wrong("some images have no square")
    corners = np.stack(
        [changed.any(axis=2).argmax(axis=1), changed.any(axis=1).argmax(axis=1)], axis=1
    )
    i, j = np.mgrid[:height, :width]
    down, right = (a - b[:, None, None] for a, b in zip((i, j), corners.T, strict=True))
    square = (down >= 0) & (down < size) & (right >= 0) & (right < size)
    if (changed & ~square).any():
        raise Wrong("pixels outside of the square are changed")
    if (counts < size**2).any():
        raise Wrong("a square is cut off at the border: it lies inside the image")
    if out[changed].any():
        raise Wrong("the erased pixels are not all 0")
    if (corners == corners[0]).all():
        raise Wrong("all images have their square at the same place")
    places = (height - size + 1, width - size + 1)
    found = np.zeros(places, int)
    np.add.at(found, tuple(corners.T), 1)
    if not found[-1].any() or not found[:, -1].any():
        raise Wrong("the square never lies at the last place, down and to the right")
    if found.min() < n / found.size / 3 or found.max() > 3 * n / found.size:
        raise Wrong("some places are drawn far more often than others")
    again = numbers(ask(erase, x, size, np.random.default_rng(2)), "the answer")
    if again.shape == out.shape and np.array_equal(again, out):
        raise Wrong("the places do not depend on rng: another seed gives the same ones")


def padded(x, padding, mode="constant"):
    return np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)], mode)


def crop(x, corners, padding, mode="constant"):
    height, width = x.shape[1:3]
    frames = padded(x, padding, mode)
    pairs = zip(frames, corners, strict=True)
    return np.stack([frame[i : i + height, j : j + width] for frame, (i, j) in pairs])


def crop_by_indices(x, corners, padding):
    rows = corners[:, :1] + np.arange(x.shape[1])
    columns = corners[:, 1:] + np.arange(x.shape[2])
    batch = np.arange(len(x))[:, None, None]
    return padded(x, padding)[batch, rows[:, :, None], columns[:, None, :]]


@exercise(
    "08.2",
    "windows of the padded images, each at its own corner, to the bit",
    reference=crop,
    tolerance=0,
    mistakes={
        "takes the first image's corner for all": (
            lambda x, corners, p: crop(x, np.repeat(corners[:1], len(x), axis=0), p)
        ),
        "takes column before row": lambda x, corners, p: crop(x, corners[:, ::-1], p),
        "goes the other way: a corner is counted from the top left": (
            lambda x, corners, p: crop(x, 2 * p - corners, p)
        ),
        "is the middle, wherever the corner is": lambda x, corners, p: x,
        "is padded with the pixels of the edge, not with zeros": partial(
            crop, mode="edge"
        ),
        "is padded with mirrored pixels, not with zeros": partial(crop, mode="reflect"),
        "is padded, but not cropped": lambda x, corners, p: padded(x, p),
    },
    also_right=[crop_by_indices],
)
def images_and_corners(rng):
    """``pad_and_crop(x, corners, padding)`` keeps the size of the images."""
    for n, height, width, channels, p in [
        (5, 6, 9, 3, 2),
        (8, 7, 7, 1, 3),
        (3, 4, 5, 2, 1),
    ]:
        x = rng.normal(size=(n, height, width, channels))
        corners = rng.integers(0, 2 * p + 1, (n, 2))
        corners[:2] = (0, 2 * p), (2 * p, p)  # both ends, and never all alike
        yield f"your crop of {n} images", x, corners, p


def middle(height, width):
    return np.array([(height - 1) / 2, (width - 1) / 2])


def linear(degrees):
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def turned(degrees, about):
    """The matrix that reads a picture turned about a point (row, column)."""
    return np.column_stack([linear(degrees), about - linear(degrees) @ about])


def rotation(degrees, height, width):
    return turned(degrees, middle(height, width))


def library_matrix(degrees, height, width):
    angles = np.array([degrees], dtype="float32")
    return np.asarray(augment.matrices(height, width, rotation=angles))[0]


@exercise(
    "08.3",
    "equal to augment.matrices for angles and sizes of every kind",
    reference=library_matrix,
    tolerance=1e-4,
    mistakes={
        "lacks its third column, the shift": lambda d, h, w: linear(d),
        "turns about the first pixel, not about the middle": (
            lambda d, h, w: turned(d, np.zeros(2))
        ),
        "turns about (height / 2, width / 2): the first pixel's middle is 0, "
        "the last one's is height − 1": lambda d, h, w: turned(d, np.array([h, w]) / 2),
        "turns clockwise; or leads from the input to the output, where the "
        "output is to read from the input": lambda d, h, w: rotation(-d, h, w),
        "takes degrees for radians": lambda d, h, w: rotation(np.rad2deg(d), h, w),
        "has x before y; rows come first": lambda d, h, w: rotation(-d, w, h),
        "has its shift the wrong way round: the middle must not move": (
            lambda d, h, w: rotation(d, h, w) * [1, 1, -1]
        ),
        "moves the first pixel to the middle: the middle must come back to itself": (
            lambda d, h, w: np.column_stack([linear(d), middle(h, w)])
        ),
        "has a row too many: the last one, 0 0 1, is left out": (
            lambda d, h, w: np.vstack([rotation(d, h, w), [0, 0, 1]])
        ),
    },
    also_right=[lambda d, h, w: rotation(d + 360, h, w).tolist()],
    also_wrong={"is off by up to": lambda d, h, w: rotation(d + 0.1, h, w)},
)
def angles_and_sizes(rng):
    """``matrix(degrees, height, width)`` turns about the middle of the image."""
    for degrees, height, width in [(-75, 9, 14), (30, 28, 28), (130, 31, 8)]:
        what = f"your matrix for {degrees}° and {height}×{width} pixels"
        yield what, degrees, height, width
