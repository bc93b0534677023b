"""The exercises on augmentation: right answers pass, mistakes are named."""

import numpy as np
import pytest

from exercises import verdict


def flip(x, u):
    return np.stack(
        [
            np.flip(image, axis=1) if v < 0.5 else image
            for image, v in zip(x, u, strict=True)
        ]
    )


def flip_where(x, u, way=np.fliplr):
    made = x.copy()
    for i in np.flatnonzero(u < 0.5):
        made[i] = way(x[i])
    return made


def crop(x, corners, padding, mode="constant", own=True):
    n, height, width, channels = x.shape
    tall, wide = height + 2 * padding, width + 2 * padding
    frame = np.zeros((n, tall, wide, channels))
    frame[:, padding:-padding, padding:-padding] = x
    if mode != "constant":
        sides = [(padding, padding)] * 2 + [(0, 0)]
        frame = np.stack([np.pad(image, sides, mode=mode) for image in x])
    rows = corners[:, :1] + np.arange(height)
    columns = corners[:, 1:] + np.arange(width)
    batch = np.arange(n)[:, None, None]
    return frame[batch, rows[:, :, None], columns[:, None, :]]


def matrix(degrees, height, width, middle=None):
    i, j = middle or ((height - 1) / 2, (width - 1) / 2)
    turn = np.exp(1j * np.pi * degrees / 180)
    shift = np.array([[1, 0, i], [0, 1, j], [0, 0, 1.0]])
    linear = np.array(
        [[turn.real, turn.imag, 0], [-turn.imag, turn.real, 0], [0, 0, 1]]
    )
    return (shift @ linear @ np.linalg.inv(shift))[:2]


RIGHT = {
    "08.1": [flip, flip_where],
    "08.2": [crop],
    "08.3": [matrix, lambda d, h, w: matrix(d + 360, h, w).tolist()],
}


@pytest.mark.parametrize(
    ("number", "answer"), [(n, a) for n, answers in RIGHT.items() for a in answers]
)
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", RIGHT)
@pytest.mark.parametrize("stub", [..., None, lambda *given: ...])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, stub)


def linear(d, h, w):
    return matrix(d, h, w)[:, :2]


def with_shift(d, h, w, sign):
    middle = np.array([(h - 1) / 2, (w - 1) / 2])
    turned = linear(d, h, w) @ middle
    shift = middle if sign is None else turned - middle
    return np.column_stack([linear(d, h, w), shift])


WRONG = {
    "is as it was given": ("08.1", lambda x, u: x),
    "is mirrored as a whole": ("08.1", lambda x, u: x[:, :, ::-1]),
    "upside down": ("08.1", lambda x, u: flip_where(x, u, np.flipud)),
    "channels reversed": (
        "08.1",
        lambda x, u: flip_where(x, u, lambda a: a[..., ::-1]),
    ),
    "images in reverse order": (
        "08.1",
        lambda x, u: np.where(u[:, None, None, None] < 0.5, x[::-1], x),
    ),
    "up and down as well": (
        "08.1",
        lambda x, u: flip_where(x, u, lambda a: a[::-1, ::-1]),
    ),
    "the other images mirrored": ("08.1", lambda x, u: flip_where(x, 1 - u)),
    "only its mirrored images": ("08.1", lambda x, u: x[u < 0.5][:, :, ::-1]),
    "08.1 — wrong: your batch of 6 images is made of str": ("08.1", lambda x, u: "x"),
    "takes the first image's corner for all": (
        "08.2",
        lambda x, c, p: crop(x, np.repeat(c[:1], len(c), axis=0), p),
    ),
    "takes column before row": ("08.2", lambda x, c, p: crop(x, c[:, ::-1], p)),
    "goes the other way": ("08.2", lambda x, c, p: crop(x, 2 * p - c, p)),
    "is the middle": ("08.2", lambda x, c, p: x),
    "pixels of the edge": ("08.2", lambda x, c, p: crop(x, c, p, "edge")),
    "with mirrored pixels": ("08.2", lambda x, c, p: crop(x, c, p, "reflect")),
    "but not cropped": (
        "08.2",
        lambda x, c, p: np.pad(x, ((0, 0), (p, p), (p, p), (0, 0))),
    ),
    "has shape (5, 5, 9, 3)": ("08.2", lambda x, c, p: crop(x, c, p)[:, 1:]),
    "your code raises IndexError": ("08.2", lambda x, c, p: crop(x, c + 9, p)),
    "lacks its third column": ("08.3", linear),
    "about the first pixel": ("08.3", lambda d, h, w: matrix(d, h, w, (0, 0))),
    "about (height / 2, width / 2)": (
        "08.3",
        lambda d, h, w: matrix(d, h, w, (h / 2, w / 2)),
    ),
    "turns clockwise": ("08.3", lambda d, h, w: matrix(-d, h, w)),
    "degrees for radians": ("08.3", lambda d, h, w: matrix(np.rad2deg(d), h, w)),
    "has x before y": (
        "08.3",
        lambda d, h, w: matrix(-d, h, w) if h == w else matrix(-d, w, h),
    ),
    "the wrong way round": ("08.3", lambda d, h, w: with_shift(d, h, w, -1)),
    "moves the first pixel to the middle": (
        "08.3",
        lambda d, h, w: with_shift(d, h, w, None),
    ),
    "a row too many": (
        "08.3",
        lambda d, h, w: np.vstack([matrix(d, h, w), [0, 0, 1]]),
    ),
    "not a number": ("08.3", lambda d, h, w: np.nan * matrix(d, h, w)),
    "is off by up to": ("08.3", lambda d, h, w: matrix(d + 1, h, w)),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_named(assert_named, words):
    assert_named(WRONG, words)
