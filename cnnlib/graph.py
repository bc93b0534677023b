"""Keras's graph: the layers of a model, those of nested models, the tensors between.

And ``Layer``, which the library's own are made of.

The one room that touches what Keras keeps private. Models are Sequential or functional,
and may have other such models as layers. A layer within a nested model is called by its
path, "backbone/conv5", or by any end of it that no other layer has: "conv5".

What is said of layers holds for operations too, such as those that ``x + y`` makes. A
model that ``of`` refuses is refused by all functions.
"""

import difflib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl

from cnnlib import checks


class Layer(kl.Layer):
    """Keras's layer, which can be saved, too, if it was made with NumPy's numbers."""

    def __new__(cls, *args, **kwargs):
        # Keras remembers settings as they are given here, and saves none but Python's.
        args, kwargs = keras.tree.map_structure(_plain, (args, kwargs))
        return super().__new__(cls, *args, **kwargs)


def _plain(value):
    """NumPy's numbers and arrays as Python's; anything else as it is."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


class Step(NamedTuple):
    """One call of a layer: the names it reads from, once each, and symbolic tensors."""

    name: str
    layer: keras.Operation
    reads: tuple[str, ...]
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]


def of(model: keras.Model) -> keras.Function:
    """The graph of a model; its ``inputs`` and ``outputs`` are lists of tensors.

    Raises:
        ValueError: the model is not built, or neither Sequential nor functional.
    """
    if not isinstance(model, keras.Function | keras.Sequential):
        kind = type(model).__name__
        called = f"{model.name!r} ({kind})" if hasattr(model, "name") else f"a {kind}"
        raise ValueError(
            "only Sequential and functional models tell how their layers are "
            f"connected; given {called}"
        )
    if not is_graph(model):
        raise ValueError(
            f"{model.name!r} is not built: start it with a keras.Input, or call it "
            "once on a batch"
        )
    if isinstance(model, keras.Function):
        return model
    return keras.Function(model.inputs, model.outputs)


def is_graph(layer) -> bool:
    """Whether a layer is a built model whose own layers can be walked."""
    models = (keras.Function, keras.Sequential)
    return isinstance(layer, models) and bool(getattr(layer, "inputs", None))


def steps(model: keras.Model) -> Iterator[Step]:
    """The calls of a model's layers, in the order of computation, inputs left out.

    A nested model is one step; a layer that is called twice has two.
    """
    graph = of(model)
    source = {id(tensor): tensor.name for tensor in graph.inputs}
    for _, nodes in sorted(graph._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            if node.is_input:
                continue
            inputs, outputs = tuple(node.input_tensors), tuple(node.outputs)
            reads = dict.fromkeys(source[id(tensor)] for tensor in inputs)
            name = node.operation.name
            yield Step(name, node.operation, tuple(reads), inputs, outputs)
            source |= {id(tensor): name for tensor in outputs}


def layers(model: keras.Model) -> dict[str, keras.Operation]:
    """All layers by path, nested ones before the model that holds them; no inputs."""
    paths = {}
    for layer in of(model).operations:
        if is_graph(layer):
            inner = layers(layer)
            paths |= {f"{layer.name}/{path}": one for path, one in inner.items()}
        if not isinstance(layer, kl.InputLayer):
            paths[layer.name] = layer
    return paths


def find(model: keras.Model, name: str) -> str:
    """The path of the layer that is meant by a path or by its end.

    Raises:
        ValueError: no layer is called so, or several are.
    """
    paths = list(layers(model))
    if name in paths:
        return name
    meant = [path for path in paths if path.endswith(f"/{name}")]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ValueError(f"{name!r} could be any of {', '.join(meant)}")

    def likeness(path):
        ends = (path, path.rpartition("/")[2])
        return max(difflib.SequenceMatcher(None, str(name), e).ratio() for e in ends)

    raise ValueError(
        f"{model.name!r} has no layer {name!r}; the nearest is "
        f"{max(paths, key=likeness)!r}. Known: {', '.join(paths)}"
    )


def depth_first(model: keras.Model) -> list[keras.Operation]:
    """All layers, each once, after those it depends on; nested models are unfolded.

    The inputs of a join come in its order, each with all that leads to it. Layers that
    only pass on, such as a padding, do not change the order of the others, unlike that
    of ``model.layers``.
    """
    graph = of(model)
    ordered, seen = [], set()
    todo = [(tensor, False) for tensor in reversed(graph.outputs)]
    while todo:  # no recursion: networks are deeper than Python's stack
        tensor, ready = todo.pop()
        layer, index, _ = tensor._keras_history
        call = layer._inbound_nodes[index]
        if ready:
            ordered += depth_first(layer) if is_graph(layer) else [layer]
        elif call not in seen:
            seen.add(call)
            todo.append((tensor, True))
            todo += [(one, False) for one in reversed(call.input_tensors)]
    once = dict.fromkeys(ordered)
    return [layer for layer in once if not isinstance(layer, kl.InputLayer)]


def run(
    model: keras.Model,
    values: list,
    apply: Callable,
    tap: Callable = lambda path, value: value,
):
    """Send values of any kind, one per input, through a model and its nested models.

    Every call of a layer becomes ``apply(path, layer, *args, **kwargs)``, with the
    values in place of the tensors. ``tap(path, value)`` sees what a layer or a nested
    model gives, and returns what the following layers get. Lists, tuples and
    dictionaries are taken apart as several values, as Keras does with tensors.

    Returns:
        The value of the one output, or the structure of several.
    """

    def at(layer):
        def within(path, *args, **kwargs):
            return apply(f"{layer.name}/{path}", *args, **kwargs)

        def tap_within(path, value):
            return tap(f"{layer.name}/{path}", value)

        def call(*args, **kwargs):
            if is_graph(layer):
                inputs = args or kwargs["inputs"]
                value = run(layer, keras.tree.flatten(inputs), within, tap_within)
            else:
                value = apply(layer.name, layer, *args, **kwargs)
            return tap(layer.name, value)

        return call

    # The only way through a graph that takes anything but tensors.
    output = of(model)._run_through_graph(values, operation_fn=at)
    alone = isinstance(output, list | tuple) and len(output) == 1
    return output[0] if alone else output


def logits(who: str, output) -> None:
    """Refuse an output that Keras knows to be probabilities; on JAX it can't tell."""
    if hasattr(output, "_keras_logits"):
        raise ValueError(
            f"{who} takes logits; given what a softmax or a sigmoid makes of them"
        )


def scores(who: str, model: keras.Model, output) -> tuple[int, int]:
    """The shape (n, classes) of logits that a model gives, if it gives such."""
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) != 2:
        raise ValueError(
            f"{who} takes a classifier with logits (n, classes); {model.name!r} gives "
            f"{shape or 'several outputs'}"
        )
    values = keras.ops.convert_to_numpy(output)
    checks.finite(who, f"logits of {model.name!r}", values)
    return shape


def input_shape(who: str, model: keras.Model) -> tuple[int | None, ...]:
    """The shape of a model's one input, without the batch; None for any length."""
    inputs = of(model).inputs
    if len(inputs) != 1:
        raise ValueError(
            f"{who} takes a model with one input; {model.name!r} has {len(inputs)}"
        )
    return tuple(inputs[0].shape[1:])


def image_shape(who: str, model: keras.Model) -> tuple[int | None, ...]:
    """(height, width, channels) of a model's one input; None for any length."""
    shape = input_shape(who, model)
    if len(shape) != 3:
        raise ValueError(
            f"{who} takes a model of images, (n, height, width, channels); "
            f"{model.name!r} takes (n, {checks.listed(shape)})"
        )
    return shape


# What layers and operations of Keras do to the places of (n, rows, columns, maps), at
# inference, by the names of their classes. One that is in none of these tables is
# unknown: it may mix all places, as GroupNormalization does.
CONVOLUTIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
POOLINGS = {"MaxPooling2D", "AveragePooling2D"}
POINTWISE = set(
    """
    Abs Absolute Activation ActivityRegularization Add AlphaDropout Average
    BatchNormalization Cast Clip Dense Divide Dropout ELU Elu Exp GaussianDropout
    GaussianNoise Gelu Identity LeakyReLU LeakyRelu Log Maximum Minimum Multiply
    Negative PReLU RandomBrightness RandomContrast RandomFlip RandomRotation
    RandomTranslation RandomZoom ReLU Relu Relu6 Rescaling Selu Sigmoid Silu Softplus
    SpatialDropout2D Sqrt Square Subtract Tanh TrueDivide
    """.split()
)
# These do, where their axis is that of the maps.
POINTWISE_ON_LAST = set(
    "Concatenate LayerNormalization RMSNormalization Softmax Split "
    "UnitNormalization".split()
)


class Window(NamedTuple):
    """What a layer reads for one place; ``padding`` is "valid" or "same"."""

    size: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "valid"


def window(layer: keras.Operation) -> Window | None:
    """The window that a layer slides over its input: one place, if it acts pointwise.

    None for a layer that is unknown or not Keras's own, has its channels first or an
    activation that is not Keras's, or does something else to places: pads, crops,
    enlarges, reorders, mixes them.
    """
    kind = type(layer).__name__
    ours = not type(layer).__module__.startswith("keras.")
    if ours or getattr(layer, "data_format", None) == "channels_first":
        return None
    if not _pointwise(getattr(layer, "activation", None)):
        return None
    if kind in CONVOLUTIONS:
        size, dilation = layer.kernel_size, layer.dilation_rate
        return Window(size, layer.strides, dilation, layer.padding)
    if kind in POOLINGS:
        return Window(layer.pool_size, layer.strides, padding=layer.padding)
    if kind in POINTWISE or (_on_maps(layer) and kind in POINTWISE_ON_LAST):
        return Window()
    return None


def alike(layer: keras.Operation, constants: list) -> bool:
    """Whether a layer that ``window`` knows does the same at every place.

    A slope, a scale or a constant may be given for each place, and batch normalization
    for each row.
    """
    held = [getattr(layer, name, None) for name in ("alpha", "scale", "offset")]
    shapes = [tuple(getattr(x, "shape", np.shape(x))) for x in [*held, *constants]]
    one_for_all = all(side == 1 for shape in shapes for side in shape[-3:-1])
    return one_for_all and _on_maps(layer)


def _on_maps(layer) -> bool:
    """Whether the axis of a layer, if it has one, is that of the maps."""
    return getattr(layer, "axis", -1) in (-1, 3, [-1], [3])


def _pointwise(activation) -> bool:
    """Whether an activation is known to leave places apart: Keras's, ours, or none."""
    if isinstance(activation, kl.Layer):
        return window(activation) == Window()
    named = getattr(keras.activations, getattr(activation, "__name__", ""), None)
    ours = getattr(activation, "__module__", "").startswith("cnnlib.")
    return activation is None or activation is named or ours
