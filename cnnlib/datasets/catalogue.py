"""The sets that are not embedded: where they come from and what exactly is in them.

``sets.json`` has their class names, sources and checksums. A checksum is that of the
*content*, of a file after unzipping or of a member of an archive, so that every
container of a set is held to the same figures. 64 hexadecimal digits are SHA-256, 32
are MD5; ``data/README.md`` gives the source of each.
"""

import json
from importlib import resources
from typing import NamedTuple

import numpy as np

IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Dataset(NamedTuple):
    """What every loader returns, split into a training and a test set.

    Images are uint8 of shape (n, height, width, channels), labels int32 of shape (n,);
    label ``k`` stands for ``class_names[k]``.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]


class CifarLayout(NamedTuple):
    """One of the two official forms of a CIFAR set: a folder, or an archive of it."""

    kind: str  # "python" (pickled batches) or "binary" (fixed-length records)
    folder: str
    archives: tuple[str, ...]
    train: dict[str, str]  # member: checksum, in the order of the set
    test: dict[str, str]

    @property
    def members(self) -> dict[str, str]:
        """All members, those of the training set first."""
        return {**self.train, **self.test}


class Set(NamedTuple):
    """A set that is looked for, and downloaded where it is not found."""

    title: str
    folders: tuple[str, ...]  # names a folder of it goes by
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    idx: dict[str, str]  # the four IDX files: checksum, of the sets that have them
    cifar: tuple[CifarLayout, ...]
    download: dict[str, str]  # file: where keras.datasets takes it from


def _tuples(row: dict) -> dict:
    """A row of the file, with tuples in place of JSON's lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}


def _read() -> dict[str, Set]:
    text = resources.files("cnnlib.datasets").joinpath("sets.json").read_text("utf-8")
    sets = {}
    for name, row in json.loads(text).items():
        row["cifar"] = [CifarLayout(**_tuples(layout)) for layout in row["cifar"]]
        sets[name] = Set(**_tuples(row))
    return sets


SETS = _read()
