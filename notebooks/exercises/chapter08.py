"""Exercises on augmentation."""

import numpy as np

from cnnlib import augment
from exercises import alike, ask, exercise


@exercise("08.1", "each image by its own number, mirrored left to right, to the bit")
def mirror(flip):
    """``flip(x, u)`` mirrors the images whose number is below a half."""
    rng = np.random.default_rng(81)
    for n, height, width, channels in [(6, 4, 7, 3), (9, 5, 5, 1), (1, 3, 6, 2)]:
        x = rng.normal(size=(n, height, width, channels))
        u = np.append(rng.uniform(0.5, 1, n // 2), rng.uniform(0, 0.5, n - n // 2))
        rng.shuffle(u)
        turn = (u < 0.5)[:, None, None, None]
        alike(
            ask(flip, x, u),
            np.where(turn, x[:, :, ::-1], x),
            f"your batch of {n} images",
            tolerance=0,
            mistakes={
                "is as it was given": x,
                "is mirrored as a whole; each image has a number of its own": (
                    x[:, :, ::-1]
                ),
                "is turned upside down where it should be mirrored left to right": (
                    np.where(turn, x[:, ::-1], x)
                ),
                "has its channels reversed; the columns are the last axis but one": (
                    np.where(turn, x[..., ::-1], x)
                ),
                "has its images in reverse order; the first axis counts them": (
                    np.where(turn, x[::-1], x)
                ),
                "is mirrored up and down as well": (
                    np.where(turn, x[:, ::-1, ::-1], x)
                ),
                "has the other images mirrored, those of 0.5 and more": (
                    np.where(turn, x, x[:, :, ::-1])
                ),
                "has only its mirrored images; the others stay where they were": (
                    x[u < 0.5][:, :, ::-1]
                ),
            },
        )


def cut(padded, corners, height: int, width: int):
    """From each padded image the window at its corner."""
    return np.stack(
        [
            image[i : i + height, j : j + width]
            for image, (i, j) in zip(padded, corners, strict=True)
        ]
    )


@exercise("08.2", "windows of the padded images, each at its own corner, to the bit")
def crop(pad_and_crop):
    """``pad_and_crop(x, corners, padding)`` keeps the size of the images."""
    rng = np.random.default_rng(82)
    for n, height, width, channels, p in [
        (5, 6, 9, 3, 2),
        (8, 7, 7, 1, 3),
        (3, 4, 5, 2, 1),
    ]:
        x = rng.normal(size=(n, height, width, channels))
        corners = rng.integers(0, 2 * p + 1, (n, 2))
        corners[:2] = (0, 2 * p), (2 * p, p)  # both ends, and never all alike
        sides = ((0, 0), (p, p), (p, p), (0, 0))
        padded = np.pad(x, sides)

        def made(corners, padded=padded, height=height, width=width):
            return cut(padded, corners, height, width)

        alike(
            ask(pad_and_crop, x, corners, p),
            made(corners),
            f"your crop of {n} images",
            tolerance=0,
            mistakes={
                "takes the first image's corner for all": (
                    made(np.repeat(corners[:1], n, axis=0))
                ),
                "takes column before row": made(corners[:, ::-1]),
                "goes the other way: a corner is counted from the top left": (
                    made(2 * p - corners)
                ),
                "is the middle, wherever the corner is": made(np.full((n, 2), p)),
                "is padded with the pixels of the edge, not with zeros": (
                    made(corners, np.pad(x, sides, mode="edge"))
                ),
                "is padded with mirrored pixels, not with zeros": (
                    made(corners, np.pad(x, sides, mode="reflect")) if p < height else x
                ),
                "is padded, but not cropped": padded,
            },
        )


def turned(degrees: float, middle) -> np.ndarray:
    """The matrix that reads a picture turned about a point (row, column)."""
    angle = np.deg2rad(degrees)
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.asarray(middle, float)
    return np.column_stack([linear, middle - linear @ middle])


@exercise("08.3", "equal to augment.matrices for angles and sizes of every kind")
def rotation(matrix):
    """``matrix(degrees, height, width)`` turns about the middle of the image."""
    for degrees, height, width in [(-75, 9, 14), (30, 28, 28), (130, 31, 8)]:
        right = augment.matrices(
            height, width, rotation=np.array([degrees], dtype="float32")
        )
        right = np.asarray(right)[0]
        linear = right[:, :2]
        middle = np.array([(height - 1) / 2, (width - 1) / 2])
        swapped = turned(-degrees, middle[::-1])
        alike(
            ask(matrix, degrees, height, width),
            right,
            f"your matrix for {degrees}° and {height}×{width} pixels",
            tolerance=1e-4,
            mistakes={
                "lacks its third column, the shift": linear,
                "turns about the first pixel, not about the middle": (
                    turned(degrees, (0, 0))
                ),
                "turns about (height / 2, width / 2): the first pixel's middle is 0, "
                "the last one's is height − 1": turned(
                    degrees, (height / 2, width / 2)
                ),
                "turns clockwise; or leads from the input to the output, where the "
                "output is to read from the input": turned(-degrees, middle),
                "takes degrees for radians": turned(np.rad2deg(degrees), middle),
                "has x before y; rows come first": swapped,
                "has its shift the wrong way round: the middle must not move": (
                    np.column_stack([linear, linear @ middle - middle])
                ),
                "moves the first pixel to the middle: the middle must come back to "
                "itself": np.column_stack([linear, middle]),
                "has a row too many: the last one, 0 0 1, is left out": (
                    np.vstack([right, [0, 0, 1]])
                ),
            },
        )
