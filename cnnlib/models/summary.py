"""A network stage by stage: shapes, parameters, multiply-adds."""

import math
from typing import NamedTuple

import keras
from keras import layers

TRANSPOSED = layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose


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
        ValueError: the model is not built, or for inputs of any size.
    """
    if not model.built:
        raise ValueError(f"{model.name!r} has no shapes yet: build it, or call it once")
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        raise ValueError(f"{model.name!r} takes any size: build it for a certain one")
    by_name: dict[str, Stage] = {}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        name = layer.name.partition("_")[0]
        before = by_name.get(name, Stage(name, 0, (), 0, 0))
        output = keras.tree.flatten(layer.output)
        by_name[name] = Stage(
            name,
            before.layers + 1,
            tuple(output[0].shape[1:]),
            before.parameters + layer.count_params(),
            before.multiply_adds + multiply_adds(layer),
        )
    return list(by_name.values())


def multiply_adds(layer: keras.layers.Layer) -> int:
    """Multiplications by the weights of a layer's kernels, for one example.

    Every weight of a kernel is used once at each place of the output; in a transposed
    convolution, once at each place of the input.
    """
    if isinstance(layer, keras.Model):
        return sum(map(multiply_adds, layer.layers))
    kernels = [math.prod(w.shape) for w in layer.weights if "kernel" in w.name]
    if not kernels:
        return 0
    shape = layer.input.shape if isinstance(layer, TRANSPOSED) else layer.output.shape
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
