"""Files of PyTorch 1.5, written here by hand: read exactly, and no program is run."""

import collections
import hashlib
import io
import os
import pickle

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib.models import torch_file
from cnnlib.models.pretrained import copy_from_torch

MACHINE = {"protocol_version": 1001, "little_endian": True}


class Named:
    """Pickled as the bare name ``module.name``; called, as a call of it."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Storage:
    def __init__(self, kind, key, values):
        self.kind, self.key, self.values = kind, key, values


class Pickler(pickle._Pickler):
    """Writes names that cannot be imported here."""

    def save(self, thing, save_persistent_id=True):
        if isinstance(thing, Named) and not thing.arguments:
            self.write(f"c{thing.module}\n{thing.name}\n".encode())
        elif isinstance(thing, Named):
            self.save(Named(thing.module, thing.name))
            super().save(thing.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(thing, save_persistent_id)

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            kind = Named("torch", thing.kind)
            return "storage", kind, thing.key, "cpu", len(thing.values), None
        return None


def tensor(storage, offset, shape, stride):
    hooks = collections.OrderedDict()
    parts = storage, offset, shape, stride, False, hooks
    return Named("torch._utils", "_rebuild_tensor_v2", *parts)


MAGIC = 0x1950A86A20F9469CFC6C  # PyTorch's; any number would do


def written(tensors, storages, magic=MAGIC):
    file = io.BytesIO()
    for part in (magic, 1001, MACHINE, tensors, [s.key for s in storages]):
        Pickler(file, 2).dump(part)
    for storage in storages:
        file.write(len(storage.values).to_bytes(8, "little"))
        file.write(storage.values.tobytes())
    return file.getvalue()


FLOATS = Storage("FloatStorage", "1", np.arange(12, dtype="<f4"))
LONGS = Storage("LongStorage", "2", np.array([7], "<i8"))


def read(tmp_path, data):
    """What a file of that content holds, were it the published one."""
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    return torch_file.read(path, hashlib.sha256(data).hexdigest())


def test_strided_views_are_read(tmp_path):
    tensors = collections.OrderedDict(
        rows=tensor(FLOATS, 0, (3, 4), (4, 1)),
        columns=tensor(FLOATS, 0, (4, 3), (1, 4)),
        part=tensor(FLOATS, 5, (2, 2), (4, 2)),
        one=tensor(LONGS, 0, (), ()),
    )
    found = read(tmp_path, written(tensors, [LONGS, FLOATS]))
    whole = np.arange(12.0).reshape(3, 4)
    assert list(found) == ["rows", "columns", "part", "one"]
    np.testing.assert_array_equal(found["rows"], whole)
    np.testing.assert_array_equal(found["columns"], whole.T)
    np.testing.assert_array_equal(found["part"], [[5, 7], [9, 11]])
    assert found["one"] == 7
    assert [v.dtype.name for v in found.values()] == ["float32"] * 3 + ["int64"]


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("posix", "system"), ("builtins", "eval"), ("torch", "load")],
)
@pytest.mark.parametrize("place", ["magic", "tensors", "bare"])
def test_a_program_in_the_pickle_is_refused_and_not_run(tmp_path, module, name, place):
    mark = tmp_path / "it ran"
    call = Named(module, name, f"touch '{mark}'")
    if place == "magic":
        data = written({}, [], magic=call)
    elif place == "tensors":
        data = written({"a": tensor(FLOATS, 0, (3,), (1,)), "b": call}, [FLOATS])
    else:
        data = written({"a": Named(module, name)}, [])
    told = rf"^a pickle names {module}\.{name}, which is not run$"
    with pytest.raises(ValueError, match=told):
        read(tmp_path, data)
    assert not mark.exists()


def test_a_program_by_pythons_own_pickler_is_refused(tmp_path):
    mark = tmp_path / "it ran"

    class Program:
        def __reduce__(self):
            return os.system, (f"touch '{mark}'",)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(Program(), protocol)
        with pytest.raises(ValueError, match="system, which is not run"):
            read(tmp_path, data)
    assert not mark.exists()


def test_of_another_content_no_byte_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "_Unpickler", None)
    path = tmp_path / "weights.pth"
    path.write_bytes(written({}, []))
    told = f"{path} is not the published file: its SHA-256 is [0-9a-f]{{64}}, expected"
    with pytest.raises(OSError, match=told):
        torch_file.read(path, "0" * 64)


def small(filters=2, extra=False):
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(filters, 1, use_bias=False, name="conv")(image)
    x = layers.DepthwiseConv2D((2, 3), use_bias=False, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3, name="dense", use_bias=extra)(x)
    return keras.Model(image, x, name="small")


def test_axes_are_brought_into_keras_order(tmp_path):
    storage = Storage("FloatStorage", "1", np.arange(40, dtype="<f4"))
    tensors = collections.OrderedDict(
        conv=tensor(storage, 0, (2, 3, 1, 1), (3, 1, 1, 1)),
        depthwise=tensor(storage, 6, (2, 1, 2, 3), (6, 6, 3, 1)),
        num_batches_tracked=tensor(LONGS, 0, (), ()),
        dense=tensor(storage, 18, (3, 2), (2, 1)),
    )
    found = read(tmp_path, written(tensors, [storage, LONGS]))
    model = small()
    copy_from_torch(found, model)
    conv, depthwise, dense = model.get_weights()
    np.testing.assert_array_equal(conv[0, 0], np.arange(6).reshape(2, 3).T)
    np.testing.assert_array_equal(
        depthwise[:, :, 1, 0], np.arange(12, 18).reshape(2, 3)
    )
    np.testing.assert_array_equal(dense, np.arange(18, 24).reshape(3, 2).T)

    for other in (small(extra=True), small(filters=5)):
        with pytest.raises(ValueError, match=r"longer|shape"):
            copy_from_torch(found, other)
