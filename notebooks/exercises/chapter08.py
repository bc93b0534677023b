"""Exercises on augmentation."""

from functools import partial

import numpy as np

from cnnlib import augment
from exercises import exercise


def mirror(x, u, axes=(2,), below=True):
    """The images with a low number mirrored along axes; or those with a high one."""
    turn = (u < 0.5) == below
    return np.where(turn[:, None, None, None], np.flip(x, axes), x)


def mirror_by_loop(x, u):
    for i in np.flatnonzero(u < 0.5):
        x[i] = np.fliplr(x[i])
    return x


@exercise(
    "08.1",
    "each image by its own number, mirrored left to right, to the bit",
    reference=mirror,
    tolerance=0,
    mistakes={
        "is as it was given": lambda x, u: x,
        "is mirrored as a whole; each image has a number of its own": (
            lambda x, u: x[:, :, ::-1]
        ),
        "is turned upside down where it should be mirrored left to right": partial(
            mirror, axes=(1,)
        ),
        "has its channels reversed; the columns are the last axis but one": partial(
            mirror, axes=(3,)
        ),
        "has its images in reverse order; the first axis counts them": partial(
            mirror, axes=(0,)
        ),
        "is mirrored up and down as well": partial(mirror, axes=(1, 2)),
        "has the other images mirrored, those of 0.5 and more": partial(
            mirror, below=False
        ),
        "has only its mirrored images; the others stay where they were": (
            lambda x, u: x[u < 0.5][:, :, ::-1]
        ),
    },
    also_right=[mirror_by_loop],
    also_wrong={"your batch of 6 images is made of str": lambda x, u: "x"},
)
def images_and_numbers(rng):
    """``flip(x, u)`` mirrors the images whose number is below a half."""
    for n, height, width, channels in [(6, 4, 7, 3), (9, 5, 5, 1), (1, 3, 6, 2)]:
        x = rng.normal(size=(n, height, width, channels))
        u = np.append(rng.uniform(0.5, 1, n // 2), rng.uniform(0, 0.5, n - n // 2))
        rng.shuffle(u)
        yield f"your batch of {n} images", x, u


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
