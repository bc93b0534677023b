"""The layers of a model, as boxes and what they read."""

from typing import NamedTuple

import keras
from keras import layers

from cnnlib import graph


class Box(NamedTuple):
    """A layer of a model: what ``summary`` says of it, and the layers it reads from.

    ``shape`` is without the batch axis; ``parameters`` counts all weights; ``inputs``
    holds the names of layers.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    inputs: tuple[str, ...]


def outline(model: keras.Model) -> list[Box]:
    """The layers of a model in the order of computation, its input first.

    A nested model is one box. Operations that are no layers count as layers.
    """
    boxes = [
        Box(tensor.name, "Input", tuple(tensor.shape[1:]), 0, ())
        for tensor in graph.of(model).inputs
    ]
    for step in graph.steps(model):
        has_weights = isinstance(step.layer, layers.Layer)
        count = step.layer.count_params() if has_weights else 0
        shape = tuple(step.outputs[0].shape[1:])
        kind = type(step.layer).__name__
        boxes.append(Box(step.name, kind, shape, count, step.reads))
    return boxes
