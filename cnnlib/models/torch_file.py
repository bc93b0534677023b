"""Weights that PyTorch wrote before its version 1.6, read without PyTorch.

Such a file is four pickles in a row (a magic number, a version, the machine, the
tensors), a fifth with the keys of the storages, and the storages themselves. A pickle
can run any program; this reader knows four names and refuses every other.
"""

import collections
import io
import pickle
import pickletools
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _View(NamedTuple):
    """A tensor as it is pickled: a view of a storage in steps of ``stride``."""

    storage: tuple
    offset: int
    shape: tuple
    stride: tuple
    requires_grad: bool = False
    hooks: object = None


KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _View,
    **{("torch", name): kind for name, kind in STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not run")
        return KNOWN[module, name]

    def persistent_load(self, key):
        _, kind, name, _, length, _ = key
        return kind, name, length


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, float32 or int64, in the file's order.

    Raises:
        ValueError: the file is cut short, is no such file, or its pickles name anything
            but tensors; nothing of it is run.
        OSError: it could not be opened.
    """
    # From memory, where no length that a broken file states asks for more than it has.
    file = io.BytesIO(Path(path).read_bytes())
    try:
        return _read(file)
    except Exception as error:  # whatever a broken pickle makes Python raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path} can't be read as weights of PyTorch 1.5: {reason}"
        ) from error


def _load(file: io.BytesIO):
    """The next pickle; Python would make a memo as long as a broken one states."""
    start, most = file.tell(), file.getbuffer().nbytes
    for code, number, _ in pickletools.genops(file):
        if code.name == "LONG_BINPUT" and number > most:
            raise ValueError(f"it puts a part at place {number} of its memo")
    file.seek(start)
    return _Unpickler(file).load()


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    if _load(file) != MAGIC:
        raise ValueError("it does not begin with PyTorch's magic number")
    for _ in ("version", "machine"):
        _load(file)
    views = _load(file)
    kinds = {view.storage[1]: view.storage[0] for view in views.values()}
    storages = {}
    for name in _load(file):
        length = int.from_bytes(file.read(8), "little")
        data = file.read(length * kinds[name].itemsize)
        storages[name] = np.frombuffer(data, kinds[name], length)
    return {name: _tensor(view, storages) for name, view in views.items()}


def _tensor(view: _View, storages: dict) -> np.ndarray:
    _, name, length = view.storage
    storage = storages[name]
    steps = zip(view.shape, view.stride, strict=True)
    last = view.offset + sum((side - 1) * step for side, step in steps)
    whole = min((*view.shape, *view.stride, view.offset), default=0) >= 0
    if len(storage) != length or not whole or not last < length:
        raise ValueError(f"storage {name} is not as long as its tensor asks for")
    strides = [step * storage.itemsize for step in view.stride]
    seen = np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides)
    return seen.copy()
