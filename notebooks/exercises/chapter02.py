"""Exercises on convolution."""

import numpy as np
from keras import ops

from exercises import Wrong, alike, ask, exercise, numbers


def convolve(image, kernel, stride=1, padding="valid"):
    """Keras's, (h, w, channels) * (k, k, channels, filters), in double precision."""
    found = ops.conv(image[None], kernel, stride, padding)
    return ops.convert_to_numpy(found)[0]


@exercise("02.1", "equal to Keras's padding='same' for every size and stride tried")
def same_padding(pad_same):
    """``pad_same(image, k, stride)`` adds the zeros that ``padding="same"`` adds."""
    rng = np.random.default_rng(21)
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
        margins = _margins(padded, image, where)
        expected = convolve(image, kernel, stride, "same")
        if min(padded.shape[:2]) >= k:
            answer = convolve(padded.astype(float), kernel, stride)
            if answer.shape == expected.shape and np.allclose(answer, expected):
                continue
        _complain(h, k, stride, margins[0], ("row", "above", "below"), where)
        _complain(w, k, stride, margins[1], ("column", "left", "right"), where)


def _margins(padded, image, where):
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


def _complain(side, k, stride, margin, names, where):
    """Say what is wrong along one axis, if anything is."""
    total = max((-(-side // stride) - 1) * stride + k - side, 0)
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
    found = {"leaves the picture where it is": one(1, 1)}
    for i, down in enumerate(("down", "", "up")):
        for j, across in enumerate(("to the right", "", "to the left")):
            if way := " and ".join(filter(None, (down, across))):
                found[f"moves the picture {way}"] = one(i, j)
    return found


@exercise("02.2", "one leaves a picture, one moves it, one sharpens it")
def nine_numbers(keep, shift, sharpen):
    """Three 3×3 filters, each the only one that does what is asked."""
    blur = np.full((3, 3), 1 / 9)
    usual = moves() | {"adds nine pixels up": 9 * blur, "blurs the picture": blur}
    alike(keep, one(1, 1), "keep", mistakes=usual)
    alike(shift, one(1, 0), "shift", mistakes=usual)
    sharpen = numbers(sharpen, "sharpen")
    if sharpen.shape == (3, 3) and not np.isclose(sharpen.sum(), 1, atol=1e-5):
        flat = f"{np.round(sharpen.sum(), 3) + 0:g}"
        raise Wrong(f"sharpen makes a flat picture {flat} times as bright as it was")
    alike(
        sharpen,
        2 * one(1, 1) - blur,
        "sharpen",
        mistakes=usual
        | {
            "sharpens, but nine times as much as asked": 10 * one(1, 1) - 9 * blur,
            "sharpens, but with a blur that leaves the corners out": np.array(
                [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
            ),
        },
    )


@exercise("02.3", "every filter and bias was found from what they made of images")
def which_filter(find_filter):
    """``find_filter(images, maps)`` -> kernel, bias, as a Keras layer keeps them."""
    rng = np.random.default_rng(23)
    for height, width in [(12, 12), (9, 14)]:
        images = rng.normal(size=(256, height, width, 1)).astype("float32")
        kernel, bias = rng.normal(size=(3, 3, 1, 1)), rng.uniform(0.5, 1, size=1)
        maps = ops.conv(images, kernel.astype("float32")) + bias.astype("float32")
        answer = ask(find_filter, images, ops.convert_to_numpy(maps))
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise Wrong("two arrays are asked for: return kernel, bias")
        where = f"from {height}×{width} images"
        _near(
            answer[0],
            kernel,
            f"the kernel found {where}",
            mistakes={
                "is turned round: layers slide it as it is": kernel[::-1, ::-1],
                "has rows and columns exchanged": kernel.swapaxes(0, 1),
                "is turned round, with rows and columns exchanged": kernel[
                    ::-1, ::-1
                ].swapaxes(0, 1),
            },
        )
        _near(
            answer[1],
            bias,
            f"the bias found {where}",
            mistakes={"is 0: it can be found, too": [0], "has the wrong sign": -bias},
        )


def _near(answer, expected, what, mistakes):
    """Alike to a hundredth; what is nearly so has been trained, but not enough."""
    found = numbers(answer, what)
    if found.shape == expected.shape:
        off = np.abs(found - expected).max() / np.abs(expected).max()
        if 0.01 < off < 0.3:
            raise Wrong(f"{what} is near, but off by more than a hundredth: train on")
    alike(answer, expected, what, 0.01, mistakes)
