"""Weights that PyTorch wrote before its version 1.6, read without PyTorch.

Such a file is four pickles in a row (a magic number, a version, the machine, the
tensors), a fifth with the keys of the storages, and the storages themselves. A pickle
can run any program, and state any length: so a file is read only if its content is the
known one, and even then by four names alone.
"""

import collections
import hashlib
import io
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np

STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _View(NamedTuple):
    """A tensor as it is pickled: a view of a storage in steps of ``stride``."""

    storage: tuple  # its kind and its key
    offset: int
    shape: tuple
    stride: tuple
    requires_grad: bool
    hooks: object


KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _View,
    **{("torch", name): kind for name, kind in STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in KNOWN:
            raise ValueError(f"a pickle names {module}.{name}, which is not run")
        return KNOWN[module, name]

    def persistent_load(self, key):
        return key[1:3]


def read(path: str | Path, sha256: str) -> dict[str, np.ndarray]:
    """The tensors of a file by name, float32 or int64, in the file's order.

    Raises:
        OSError: the file's SHA-256 is another, or it could not be opened.
        ValueError: its pickles name anything but tensors; nothing of it is run.
    """
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise OSError(
            f"{path} is not the published file: its SHA-256 is {found}, expected "
            f"{sha256}"
        )
    file = io.BytesIO(content)
    *_, views, keys = (_Unpickler(file).load() for _ in range(5))
    kinds = {key: kind for kind, key in (view.storage for view in views.values())}
    storages = {}
    for key in keys:
        length = int.from_bytes(file.read(8), "little")
        data = file.read(length * kinds[key].itemsize)
        storages[key] = np.frombuffer(data, kinds[key])
    return {name: _tensor(view, storages) for name, view in views.items()}


def _tensor(view: _View, storages: dict) -> np.ndarray:
    storage = storages[view.storage[1]][view.offset :]
    strides = [step * storage.itemsize for step in view.stride]
    return np.lib.stride_tricks.as_strided(storage, view.shape, strides).copy()
