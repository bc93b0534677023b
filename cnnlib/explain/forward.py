"""What the layers of a model give for a batch of images."""

from collections.abc import Callable, Iterable

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from cnnlib import checks, graph


def activations(
    model: keras.Model, x: np.ndarray, layers: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """The outputs of layers on a batch, as in ``model(x, training=False)``.

    Args:
        model: of any one input.
        x: (n, ...), as the model takes it.
        layers: names of layers; None for all layers and nested models in the order of
            computation, called by their paths, but for those called more than once.

    Returns:
        Layer to output, each (n, ...), in the order of ``layers``.
    """
    x = batch("activations", model, x)
    names = [layers] if isinstance(layers, str) else layers
    paths = None if names is None else {name: graph.find(model, name) for name in names}
    calls, _ = outputs(model, x)
    if paths is None:
        paths = {path: path for path, values in calls.items() if len(values) == 1}
    return {
        name: ops.convert_to_numpy(only(calls, path)) for name, path in paths.items()
    }


def batch(who: str, model: keras.Model, x) -> np.ndarray:
    """The batch as floats, if it is one for this model."""
    shape = graph.input_shape(who, model)
    return checks.batch(who, np.asarray(x), shape).astype(keras.config.floatx())


def forward(model: keras.Model, x, tap: Callable):
    """The model's output at inference; ``tap`` as in ``graph.run``."""

    def call(path, layer, *args, **kwargs):
        if isinstance(layer, kl.Layer):
            kwargs["training"] = False
        return layer(*args, **kwargs)

    return graph.run(model, [ops.convert_to_tensor(x)], call, tap)


def outputs(model: keras.Model, x) -> tuple[dict[str, list], object]:
    """What each layer and nested model gives, call by call, and the model itself."""
    calls = {}

    def keep(path, value):
        calls.setdefault(path, []).append(value)
        return value

    output = forward(model, x, keep)
    return calls, output


def only(calls: dict[str, list], path: str):
    """What a layer gives, if it is called once."""
    if len(calls[path]) > 1:
        raise ValueError(
            f"layer {path!r} is called {len(calls[path])} times; which one?"
        )
    return calls[path][0]


def maps(who: str, path: str, output):
    """What a layer gives, if it has places."""
    if not places(output):
        raise ValueError(
            f"{who} takes a layer with output (n, rows, columns, maps); {path!r} gives "
            f"{tuple(output.shape)}"
        )
    return output


def places(output) -> tuple[int, ...]:
    """Rows and columns of (n, rows, columns, maps); none of any other output."""
    shape = tuple(getattr(output, "shape", ()))
    return shape[1:3] if len(shape) == 4 else ()
