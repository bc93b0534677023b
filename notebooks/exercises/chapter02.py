"""Exercises on convolution."""

from functools import partial

import numpy as np
from keras import ops

from exercises import Wrong, ask, compare, exercise, judged, numbers


def convolve(image, kernel, stride=1, padding="valid"):
    """Keras's, (h, w, channels) * (k, k, channels, filters), in double precision."""
    return ops.convert_to_numpy(ops.conv(image[None], kernel, stride, padding))[0]


def needed(side, k, stride):
    """The rows of zeros that Keras adds."""
    return max((-(-side // stride) - 1) * stride + k - side, 0)


def pad(image, k, stride, total=needed, before=lambda n: n // 2, mode="constant"):
    """Keras's padding, and what it would be if one mistook something."""
    margins = []
    for side in image.shape[:2]:
        count = total(side, k, stride)
        margins.append((before(count), count - before(count)))
    return np.pad(image, [*margins, (0, 0)], mode=mode)


def pad_beyond_the_reach(image, k, stride):
    """Keras's padding, and rows below that no window comes to."""
    padded = pad(image, k, stride)
    spare = [stride - 1 - (side - k) % stride for side in padded.shape[:2]]
    return np.pad(padded, [(0, spare[0]), (0, spare[1]), (0, 0)])


def pad_as_if_square(image, k, stride):
    n = needed(len(image), k, stride)
    return np.pad(image, [(n // 2, n - n // 2)] * 2 + [(0, 0)])


@judged(
    "02.1",
    "equal to Keras's padding='same' for every size and stride tried",
    mistakes={
        "6×9, filter of 4×4, stride 1, 2 rows above and 1 below: the number is right, "
        "the uneven row goes elsewhere": partial(pad, before=lambda n: n - n // 2),
        "8×7, filter of 3×3, stride 2, 1 row above and 1 below are too many": partial(
            pad, total=lambda side, k, stride: k - 1
        ),
        "filter of 4×4, stride 1, 2 rows above and 2 below are too many": partial(
            pad, total=lambda side, k, stride: k // 2 * 2
        ),
        "0 rows above and 0 below are too few": lambda image, k, stride: image,
        "0 rows above and 2 below: the number is right, the halves are not equal": (
            partial(pad, before=lambda n: 0)
        ),
        "stride 2, 0 columns left and 1 right are too few": pad_as_if_square,
        "the margin is not made of zeros": partial(pad, mode="edge"),
        "does not stand unchanged": lambda *given: pad(*given)[::-1],
        "leave the channels alone": lambda image, k, stride: np.pad(image, 1),
    },
    also_right=[pad_beyond_the_reach, lambda *given: ops.cast(pad(*given), "float32")],
)
def same_padding(pad_same, rng):
    """``pad_same(image, k, stride)`` adds the zeros that ``padding="same"`` adds."""
    for h, w, k, stride in [
        (7, 6, 3, 1),
        (6, 9, 4, 1),
        (8, 7, 3, 2),
        (7, 10, 5, 3),
        (12, 8, 1, 2),
        (9, 13, 2, 3),
    ]:
        image = rng.normal(size=(h, w, 2))
        kernel = rng.normal(size=(k, k, 2, 3))
        where = f"for an image of {h}×{w}, filter of {k}×{k}, stride {stride}"
        padded = numbers(ask(pad_same, image, k, stride), f"the answer {where}")
        margins = find_margins(padded, image, where)
        expected = convolve(image, kernel, stride, "same")
        if min(padded.shape[:2]) >= k:
            answer = convolve(padded.astype(float), kernel, stride)
            if answer.shape == expected.shape and np.allclose(answer, expected):
                continue
        judge_margin(h, k, stride, margins[0], ("row", "above", "below"), where)
        judge_margin(w, k, stride, margins[1], ("column", "left", "right"), where)


def find_margins(padded, image, where):
    """How many rows and columns stand around the image, which must be whole."""
    if padded.ndim != 3 or padded.shape[2] != image.shape[2]:
        raise Wrong(
            f"{where}, the answer has shape {padded.shape}; pad height and width of "
            f"the image's {image.shape}, and leave the channels alone"
        )
    h, w, _ = image.shape
    for i in range(padded.shape[0] - h + 1):
        for j in range(padded.shape[1] - w + 1):
            if np.allclose(padded[i : i + h, j : j + w], image, atol=1e-5):
                rest = padded.copy()
                rest[i : i + h, j : j + w] = 0
                if np.abs(rest).max(initial=0) > 0:
                    raise Wrong(f"{where}, the margin is not made of zeros")
                down, right = np.array(padded.shape[:2]) - (i + h, j + w)
                return (i, down), (j, right)
    raise Wrong(f"{where}, the image does not stand unchanged in the answer")


def judge_margin(side, k, stride, margin, names, where):
    """Say what is wrong along one axis, if anything is."""
    total = needed(side, k, stride)
    right = total // 2, total - total // 2
    if margin == right:
        return
    line, first, last = names
    lines = line if margin[0] == 1 else f"{line}s"
    added = f"{where}, {margin[0]} {lines} {first} and {margin[1]} {last}"
    if sum(margin) != total:
        often = "many" if sum(margin) > total else "few"
        raise Wrong(f"{added} are too {often}: count how far the windows reach")
    if margin[::-1] == right:
        raise Wrong(f"{added}: the number is right, the uneven {line} goes elsewhere")
    raise Wrong(f"{added}: the number is right, the halves are not equal")


def one(i, j):
    """The 3×3 filter with a 1 at row i, column j, and zeros elsewhere."""
    return np.eye(9)[3 * i + j].reshape(3, 3)


def moves():
    """What such a filter does: its only neighbour's number comes to the middle."""
    filters = {"leaves the picture where it is": one(1, 1)}
    for i, down in enumerate(("down", "", "up")):
        for j, across in enumerate(("to the right", "", "to the left")):
            if way := " and ".join(filter(None, (down, across))):
                filters[f"moves the picture {way}"] = one(i, j)
    return filters


BLUR = np.full((3, 3), 1 / 9)
KEEP, SHIFT, SHARPEN = one(1, 1), one(1, 0), 2 * one(1, 1) - BLUR
USUAL = moves() | {"adds nine pixels up": 9 * BLUR, "blurs the picture": BLUR}
SHARP = {
    "sharpens, but nine times as much as asked": 10 * KEEP - 9 * BLUR,
    "sharpens, but with a blur that leaves the corners out": np.array(
        [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    ),
}


def other_keeps():
    """Filters that do something, each as the answer to ``keep``."""
    others = {words: f for words, f in USUAL.items() if (f != KEEP).any()}
    return {f"keep {words}": (f, SHIFT, SHARPEN) for words, f in others.items()}


@judged(
    "02.2",
    "one leaves a picture, one moves it, one sharpens it",
    answers=3,
    mistakes=other_keeps()
    | {f"sharpen {words}": (KEEP, SHIFT, f) for words, f in SHARP.items()}
    | {
        "shift leaves the picture where it is": (KEEP, KEEP, SHARPEN),
        "shift moves the picture to the left": (KEEP, one(1, 2), SHARPEN),
        "shift has shape (3, 3, 1, 1)": (KEEP, SHIFT[..., None, None], SHARPEN),
        "sharpen makes a flat picture 0 times": (KEEP, SHIFT, KEEP - BLUR),
        "sharpen makes a flat picture 9 times": (KEEP, SHIFT, 9 * SHARPEN),
        "sharpen makes a flat picture -7 times": (KEEP, SHIFT, 2 * KEEP - 9 * BLUR),
        "sharpen leaves the picture where it is": (KEEP, SHIFT, KEEP),
    },
    also_right=[(KEEP.tolist(), ops.convert_to_tensor(SHIFT), np.float32(SHARPEN))],
)
def nine_numbers(keep, shift, sharpen, rng):
    """Three 3×3 filters, each the only one that does what is asked."""
    compare(keep, KEEP, "keep", mistakes=USUAL)
    compare(shift, SHIFT, "shift", mistakes=USUAL)
    sharpen = numbers(sharpen, "sharpen")
    if sharpen.shape == (3, 3) and not np.isclose(sharpen.sum(), 1, atol=1e-5):
        flat = f"{np.round(sharpen.sum(), 3) + 0:g}"
        raise Wrong(f"sharpen makes a flat picture {flat} times as bright as it was")
    compare(sharpen, SHARPEN, "sharpen", mistakes=USUAL | SHARP)


def find_by_equations(images, maps):
    windows = np.lib.stride_tricks.sliding_window_view(images[..., 0], (3, 3), (1, 2))
    rows = windows.reshape(-1, 9)
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    solved = np.linalg.lstsq(rows, maps.ravel(), rcond=None)[0]
    return solved[:9].reshape(3, 3, 1, 1), solved[9:]


def with_kernel(change):
    """What is found, its kernel changed."""

    def find(images, maps):
        kernel, bias = find_by_equations(images, maps)
        return change(kernel), bias

    return find


def with_bias(change):
    """What is found, its bias changed."""

    def find(images, maps):
        kernel, bias = find_by_equations(images, maps)
        return kernel, change(bias)

    return find


@exercise(
    "02.3",
    "every filter and bias was found from what they made of images",
    reference=find_by_equations,
    parts=("the kernel found", "the bias found"),
    tolerance=0.01,
    nearly="is near, but off by more than a hundredth: train on",
    mistakes={
        "is turned round: layers slide it as it is": with_kernel(
            lambda kernel: kernel[::-1, ::-1]
        ),
        "has rows and columns exchanged": with_kernel(
            lambda kernel: kernel.swapaxes(0, 1)
        ),
        "is turned round, with rows and columns exchanged": with_kernel(
            lambda kernel: kernel[::-1, ::-1].swapaxes(0, 1)
        ),
        "is 0: it can be found, too": with_bias(lambda bias: 0 * bias),
        "has the wrong sign": with_bias(lambda bias: -bias),
    },
    also_wrong={
        "kernel found from 12×12 images is near, but": with_kernel(lambda k: 0.98 * k),
        "bias found from 12×12 images is near, but": with_bias(lambda b: 1.1 * b),
    },
)
def hidden_filters(rng):
    """``find_filter(images, maps)`` -> kernel, bias, as a Keras layer keeps them."""
    for height, width in [(12, 12), (9, 14)]:
        images = rng.normal(size=(256, height, width, 1)).astype("float32")
        kernel = rng.normal(size=(3, 3, 1, 1)).astype("float32")
        bias = rng.uniform(0.5, 1, size=1).astype("float32")
        maps = ops.convert_to_numpy(ops.conv(images, kernel) + bias)
        yield f" from {height}×{width} images", images, maps
