"""Builders for the talk's networks, and the catalogue of them.

A builder is one function with the field's name and keyword-only arguments. It returns
an uncompiled ``keras.Model`` with named layers that emits **logits**::

    model = models.mnist_cnn(input_shape=(28, 28, 1), classes=10)
    model = models.build("lenet5")
"""

import difflib
from collections.abc import Callable
from typing import NamedTuple

import keras

from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn

__all__ = ["CATALOG", "Entry", "build", "lenet5", "mlp", "mnist_cnn"]


class Entry(NamedTuple):
    """A network of the catalogue, at its builder's defaults.

    ``published`` is the parameter count as the source states it, None where it states
    none; ``exact`` is the count of all weights of the model built here.
    """

    builder: Callable[..., keras.Model]
    year: int
    paper: str
    published: str | None
    exact: int


CATALOG = {
    "lenet5": Entry(lenet5, 1998, "doi:10.1109/5.726791", "60,000", 60_000),
    "mlp": Entry(mlp, 2015, "Keras's mnist_mlp.py", None, 669_706),
    "mnist_cnn": Entry(mnist_cnn, 2015, "Keras's mnist_cnn.py", None, 600_810),
}


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
