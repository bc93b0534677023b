"""Data that come with the libraries: real digits and real photographs, no download."""

import matplotlib
import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image

from cnnlib import checks
from cnnlib.datasets.catalogue import Dataset

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

PHOTOGRAPHS = ("china", "flower", "grace_hopper")


def photograph(name: str) -> np.ndarray:
    """A colour photograph that scikit-learn or matplotlib ships.

    Args:
        name: one of ``PHOTOGRAPHS``: ``china`` (a temple) and ``flower``, 427×640, from
            scikit-learn; ``grace_hopper``, a portrait of 600×512, from matplotlib.

    Returns:
        uint8 of shape (height, width, 3), 0 to 255.

    Raises:
        ValueError: ``name`` is not a known photograph.
    """
    checks.named("photograph", name, PHOTOGRAPHS)
    if name == "grace_hopper":
        with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
            return np.asarray(Image.open(file).convert("RGB"))
    return np.array(load_sample_image(f"{name}.jpg"))
