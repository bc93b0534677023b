"""Builders for the talk's networks, and the catalogue of them.

A builder is one function with the field's name and keyword-only arguments. It returns
an uncompiled ``keras.Model`` with named layers that emits **logits**::

    model = models.mnist_cnn(input_shape=(28, 28, 1), classes=10)
    model = models.build("lenet5")
"""

import difflib

import keras

from cnnlib.models.alexnet import alexnet
from cnnlib.models.catalogue import CATALOG, Entry
from cnnlib.models.inception import googlenet, inception_v3
from cnnlib.models.inception_v4 import inception_resnet_v2, inception_v4
from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn
from cnnlib.models.pretrained import decode, preprocess
from cnnlib.models.vgg import vgg16, vgg19
from cnnlib.models.xception import xception

__all__ = [
    "CATALOG",
    "Entry",
    "alexnet",
    "build",
    "decode",
    "googlenet",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "lenet5",
    "mlp",
    "mnist_cnn",
    "preprocess",
    "vgg16",
    "vgg19",
    "xception",
]


def build(name: str, **options) -> keras.Model:
    """Build a network of the catalogue by name.

    Args:
        name: a key of ``CATALOG``.
        **options: what its builder takes.

    Raises:
        ValueError: ``name`` is not in the catalogue, or an option's value is refused.
        TypeError: the builder has no such option.
    """
    if name not in CATALOG:
        near = difflib.get_close_matches(str(name).lower(), CATALOG, n=1, cutoff=0)
        raise ValueError(
            f"no network is called {name!r}; the nearest is {near[0]!r}. "
            f"Known: {', '.join(CATALOG)}"
        )
    return CATALOG[name].builder(**options)
