"""Keras's graph: the layers of a model, those of nested models, the tensors between.

The one room that touches what Keras keeps private. Models are Sequential or functional,
and may have other such models as layers. A layer within a nested model is called by its
path, "backbone/conv5", or by any end of it that no other layer has: "conv5".

What is said of layers holds for operations too, such as those that ``x + y`` makes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
from keras import layers as kl

from cnnlib import checks


class Step(NamedTuple):
    """One call of a layer: the tensors it reads, where they come from, what it gives.

    ``reads`` holds the names of the layers, or of the model's inputs, that gave the
    tensors of ``inputs``, each once. Tensors are Keras's symbolic ones, with shapes.
    """

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

    Raises:
        ValueError: as ``of``.
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
    """All layers by path, nested ones before the model that holds them; no inputs.

    Raises:
        ValueError: as ``of``.
    """
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
        ValueError: no layer is called so, or several are; or as ``of``.
    """
    paths = list(layers(model))
    if name in paths:
        return name
    meant = [path for path in paths if path.endswith(f"/{name}")]
    if len(meant) > 1:
        raise ValueError(f"{name!r} could be any of {', '.join(meant)}")
    if not meant:
        checks.named(f"layer of {model.name!r}", name, paths)
    return meant[0]


def depth_first(model: keras.Model) -> list[keras.Operation]:
    """All layers, each once, after those it depends on; nested models are unfolded.

    The inputs of a sum or a concatenation come in the order in which they are joined,
    each with all that leads to it. Layers that only pass on, such as a padding, do not
    change the order of the others, unlike that of ``model.layers``.

    Raises:
        ValueError: as ``of``.
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
    """Send values of any kind through a model and its nested models.

    Every call of a layer becomes ``apply(path, layer, *args, **kwargs)``, with the
    values in place of the tensors. ``tap(path, value)`` sees what a layer or a nested
    model gives, and returns what the following layers get.

    Args:
        model: the model.
        values: one for each input. Lists, tuples and dictionaries are taken apart as
            several values, as Keras does with tensors.
        apply: gives the value of each of the layer's outputs.
        tap: for looking at values, or replacing them.

    Returns:
        The value of the one output, or the structure of several.

    Raises:
        ValueError: as ``of``.
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


def input_shape(who: str, model: keras.Model) -> tuple[int | None, ...]:
    """The shape of a model's one input, without the batch axis; None for any length.

    Raises:
        ValueError: ``who`` was given a model of several inputs; or as ``of``.
    """
    inputs = of(model).inputs
    if len(inputs) != 1:
        raise ValueError(
            f"{who} takes a model with one input; {model.name!r} has {len(inputs)}"
        )
    return tuple(inputs[0].shape[1:])


def image_shape(who: str, model: keras.Model) -> tuple[int | None, ...]:
    """(height, width, channels) of a model's one input; None for any length.

    Raises:
        ValueError: ``who`` was given a model of anything but images; or as
            ``input_shape``.
    """
    shape = input_shape(who, model)
    if len(shape) != 3:
        raise ValueError(
            f"{who} takes a model of images, (n, height, width, channels); "
            f"{model.name!r} takes (n, {listed(shape)})"
        )
    return shape


def listed(shape: tuple[int | None, ...]) -> str:
    """A shape for a sentence: "any, any, 3"."""
    return ", ".join("any" if side is None else str(side) for side in shape)


# What layers do to the places of (n, rows, columns, maps), at inference. A layer that
# is in none of these tables is unknown: it may mix all places, as GroupNormalization.

SLIDING = (
    kl.Conv2D,
    kl.DepthwiseConv2D,
    kl.SeparableConv2D,
    kl.MaxPooling2D,
    kl.AveragePooling2D,
)
POINTWISE = (
    kl.Activation,
    kl.ActivityRegularization,
    kl.Add,
    kl.AlphaDropout,
    kl.Average,
    kl.BatchNormalization,
    kl.Dense,
    kl.Dropout,
    kl.ELU,
    kl.GaussianDropout,
    kl.GaussianNoise,
    kl.Identity,
    kl.LeakyReLU,
    kl.Maximum,
    kl.Minimum,
    kl.Multiply,
    kl.PReLU,
    kl.RandomBrightness,
    kl.RandomContrast,
    kl.RandomFlip,
    kl.RandomRotation,
    kl.RandomTranslation,
    kl.RandomZoom,
    kl.ReLU,
    kl.Rescaling,
    kl.SpatialDropout2D,
    kl.Subtract,
)
# The classes of keras.ops are not public; their names are those of the functions.
POINTWISE_OPERATIONS = set(
    "Abs Absolute Add Cast Clip Divide Elu Exp Gelu LeakyRelu Log Maximum Minimum "
    "Multiply Negative Relu Relu6 Selu Sigmoid Silu Softplus Sqrt Square Subtract Tanh "
    "TrueDivide".split()
)
POINTWISE_IF_LAST = {  # where their axis is that of the maps
    *("Concatenate", "LayerNormalization", "RMSNormalization", "Softmax", "Split"),
    "UnitNormalization",
}
LAST = (-1, 3, [-1], [3])


class Window(NamedTuple):
    """What a layer reads for one place of its output, as (rows, columns).

    ``padding`` is "valid" or "same".
    """

    size: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "valid"


def window(layer: keras.Operation) -> Window | None:
    """The window that a layer slides over its input: one place, if it acts pointwise.

    Returns:
        None for a layer that is unknown, has its channels first, or does something
        else to places: pads, crops, enlarges, reorders or mixes all of them.
    """
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    if isinstance(layer, SLIDING):
        pooling = not hasattr(layer, "kernel_size")
        return Window(
            layer.pool_size if pooling else layer.kernel_size,
            layer.strides,
            (1, 1) if pooling else layer.dilation_rate,
            layer.padding,
        )
    kind = type(layer).__name__
    pointwise = (
        isinstance(layer, POINTWISE)
        or (kind in POINTWISE_OPERATIONS and not isinstance(layer, kl.Layer))
        or (kind in POINTWISE_IF_LAST and getattr(layer, "axis", None) in LAST)
    )
    return Window() if pointwise else None
