"""The catalogue: every network by its name, and the families that have variants."""

from collections.abc import Callable, Iterator
from importlib import import_module

import keras

from cnnlib.models.entry import Entry
from cnnlib.models.rbf import rbf_network

# The files of builders in the talk's order; within a file, the rows' order counts.
FILES = (
    "lenet",
    "mnist",
    "alexnet",
    "vgg",
    "inception",
    "inception_v4",
    "xception",
    "resnet",
    "resnet_v2",
    "stochastic",
    "highway",
    "fractalnet",
    "densenet",
    "fcn",
    "unet",
    "fc_densenet",
    "series",
    "video",
)


def entries() -> Iterator[Entry]:
    """The rows that stand beside the builders, file by file."""
    for file in FILES:
        for value in vars(import_module(f"cnnlib.models.{file}")).values():
            entry = getattr(value, "entry", None)
            if isinstance(entry, Entry):
                yield entry


CATALOG: dict[str, Entry] = {entry.name: entry for entry in entries()}

# Builders with parameters of their own: those with variants, and one without any row.
FAMILIES: dict[str, Callable[..., keras.Model]] = {
    entry.family.__name__: entry.family for entry in CATALOG.values() if entry.family
}
FAMILIES["rbf_network"] = rbf_network
