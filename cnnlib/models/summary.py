"""A network stage by stage: shapes, parameters, multiply-adds."""

import math
from typing import NamedTuple

import keras
from keras import layers

from cnnlib import graph
from cnnlib.layers import FixedConv2DTranspose, RepeatedUnit, TableConv2D

TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    FixedConv2DTranspose,
)
# Every weight of their kernels is used once at each place of the output.
PLACED = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Dense,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    TableConv2D,
)


class Stage(NamedTuple):
    """Layers whose names begin alike; ``output`` is the last one's, without batch."""

    name: str
    layers: int
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


def stages(model: keras.Model) -> list[Stage]:
    """The stages of a network in the order of computation.

    A stage is what stands in a layer's name before the first underscore: ``conv2`` of
    ``conv2_1_bn``. A multiply-add is one multiplication by a kernel's weight for one
    example, with its addition: biases, normalization, activation and pooling are not
    counted, as is the papers' habit.

    Raises:
        ValueError: the model is not built, or for inputs of any size; or what
            ``multiply_adds`` refuses.
    """
    if not model.built:
        raise ValueError(f"{model.name!r} has no shapes yet: build it, or call it once")
    if any(None in tensor.shape[1:] for tensor in graph.of(model).inputs):
        raise ValueError(f"{model.name!r} takes any size: build it for a certain one")
    calls: dict[str, list[graph.Step]] = {}
    for step in graph.steps(model):
        calls.setdefault(step.name, []).append(step)
    by_name: dict[str, Stage] = {}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        name = layer.name.partition("_")[0]
        before = by_name.get(name, Stage(name, 0, (), 0, 0))
        each = calls[layer.name]
        by_name[name] = Stage(
            name,
            before.layers + 1,
            tuple(each[-1].outputs[0].shape[1:]),
            before.parameters + layer.count_params(),
            before.multiply_adds + sum(map(_of_call, each)),
        )
    return list(by_name.values())


def multiply_adds(layer: keras.layers.Layer) -> int:
    """Multiplications by the weights of kernels, for one example.

    Of a layer in its first call; of a model in all its layers' calls. Every weight of a
    kernel is used once at each place of the output; in a transposed convolution, once
    at each place of the input.

    Raises:
        ValueError: a layer whose kernels are used otherwise, as those of recurrent
            layers and of attention are; or of unknown size.
    """
    if graph.is_graph(layer):
        return sum(map(_of_call, graph.steps(layer)))
    if not layer.weights:
        return 0
    inputs, outputs = keras.tree.flatten(layer.input), keras.tree.flatten(layer.output)
    return _of_call(graph.Step(layer.name, layer, (), tuple(inputs), tuple(outputs)))


def _of_call(step: graph.Step) -> int:
    """The multiplications of one call of a layer or a model."""
    layer = step.layer
    if graph.is_graph(layer):
        return multiply_adds(layer)
    if isinstance(layer, RepeatedUnit):
        return layer.count * multiply_adds(layer.unit())
    weights = getattr(layer, "weights", ())
    kernels = [math.prod(w.shape) for w in weights if "kernel" in w.name]
    ours = type(layer).__module__.startswith(("keras.", "cnnlib."))
    if not weights or (ours and not kernels):
        return 0
    last = getattr(layer, "data_format", None) != "channels_first"
    if type(layer) not in (*PLACED, *TRANSPOSED) or not last:
        raise ValueError(
            f"multiply_adds does not know how {layer.name!r} ({type(layer).__name__}) "
            "uses its weights" + " with channels first" * (not last)
        )
    tensors = step.inputs if type(layer) in TRANSPOSED else step.outputs
    shape = tensors[0].shape
    if None in shape[1:]:
        raise ValueError(f"{layer.name!r} takes any size: build it for a certain one")
    return sum(kernels) * math.prod(shape[1:-1])


def summary(model: keras.Model) -> str:
    """The stages as a table, a line each, and a line of totals."""
    lines = stages(model)
    number = sum(stage.layers for stage in lines)
    parameters = sum(stage.parameters for stage in lines)
    adds = sum(stage.multiply_adds for stage in lines)
    total = Stage("all", number, (), parameters, adds)
    rows = [("stage", "layers", "output", "parameters", "multiply-adds")]
    for name, count, shape, weights, products in [*lines, total]:
        output = " × ".join(map(str, shape))
        rows.append((name, f"{count:,}", output, f"{weights:,}", f"{products:,}"))
    return table(rows, left=(0, 2))


def table(rows: list[tuple[str, ...]], left: tuple[int, ...]) -> str:
    """Rows of text as aligned columns; those of ``left`` begin at the same place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        line = "  ".join(
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(cells)
        )
        lines.append(line.rstrip())
    return "\n".join(lines)
