"""Data that come with the libraries: real digits and real photographs, no download."""

import importlib.resources

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits

from cnnlib import checks
from cnnlib.datasets.catalogue import Dataset
from cnnlib.datasets.pictures import picture

TRAIN = 1415  # of 1,797, in the order of the file: here one writer's digits end

DIGIT_NAMES = tuple("0123456789")


def digits() -> Dataset:
    """scikit-learn's handwritten digits as shipped: 8×8, values 0 to 16.

    They are the 1,797 test digits of the UCI set "Optical recognition of handwritten
    digits" (Alpaydin and Kaynak, 1998). The first 1,415 are the training set, the last
    382 the test set: in the order of the file, where one writer's digits stand together
    and another's begin at 1,415, so that the test digits are of hands that were not
    trained on.
    """
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("uint8")
    labels = labels.astype("int32")
    return Dataset(
        images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:], DIGIT_NAMES
    )


def digits28() -> Dataset:
    """The same digits and split, drawn up to MNIST's 28×28 and 0 to 255.

    Each image is enlarged 3.5 times by cubic splines, clipped and rounded; no detail is
    added, so the strokes stay soft.
    """
    small = digits()
    # Splines are linear and separable: one 28×8 matrix enlarges rows, then columns.
    spline = ndimage.zoom(
        np.eye(8), (3.5, 1), order=3, mode="grid-constant", grid_mode=True
    )

    def enlarge(images: np.ndarray) -> np.ndarray:
        large = spline @ (images[..., 0] * (255 / 16)) @ spline.T
        return np.rint(large.clip(0, 255)).astype("uint8")[..., None]

    return small._replace(x_train=enlarge(small.x_train), x_test=enlarge(small.x_test))


DIGITS = {"digits": digits, "digits28": digits28}

# Each photograph, where it comes from, and its file there.
_SKIMAGE, _SKLEARN = "skimage.data", "sklearn.datasets.images"
_FILES = {
    "china": (_SKLEARN, "china.jpg"),
    "flower": (_SKLEARN, "flower.jpg"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "cat": (_SKIMAGE, "chelsea.png"),
    "coffee": (_SKIMAGE, "coffee.png"),
    "cameraman": (_SKIMAGE, "camera.png"),
    "motorcycle": (_SKIMAGE, "motorcycle_left.png"),
    "rocket": (_SKIMAGE, "rocket.jpg"),
}
PHOTOGRAPHS = tuple(_FILES)


def photograph(name: str) -> np.ndarray:
    """A colour photograph that scikit-learn, matplotlib or scikit-image ships.

    Args:
        name: one of ``PHOTOGRAPHS``: ``china`` (a temple) and ``flower``, 427×640;
            ``grace_hopper``, a portrait of 600×512; ``cat``, 300×451, ``coffee``,
            400×600, ``motorcycle``, 500×741, ``rocket``, 427×640; and ``cameraman``,
            512×512, which is grey, in three equal channels.

    Returns:
        uint8 of shape (height, width, 3), 0 to 255.

    Raises:
        ValueError: ``name`` is not a known photograph.
    """
    checks.named("photograph", name, PHOTOGRAPHS)
    package, file = _FILES[name]
    return picture(str(importlib.resources.files(package).joinpath(file)))
