"""What every loader returns."""

from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Images, labels and class names, split into a training and a test set.

    Images are uint8 of shape (n, height, width, channels), labels int32 of shape (n,);
    label ``k`` stands for ``class_names[k]``.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
