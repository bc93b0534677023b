"""Receptive fields, measured by gradients."""

import math

import keras
import numpy as np
from keras import layers, ops

from cnnlib import checks, gradients, graph
from cnnlib.explain.forward import forward, maps, places
from cnnlib.explain.receptive import View, view


def measured_receptive_field(
    model: keras.Model, layer: str, seed: int = 0
) -> tuple[int, int]:
    """(height, width) of what moves a central unit of a layer, in pixels, by gradients.

    The unit's absolute gradients with respect to the pixels of four dim images, each
    brighter towards one side, are added up, and a rectangle laid around those that are
    not zero. The images are larger than the model's where the field needs it.

    So that nothing is hidden by chance, the weights are replaced for the time of the
    measurement: kernels by positive random numbers, biases and shifts by 0, scales by
    1. Then no two paths cancel, no ReLU is shut, and max-pooling follows its window's
    outermost pixel on the bright side of each image.

    Only the layers up to the unit are run, none of which may fix the image's size.
    After some 70 kernels of 3×3 the rim of the field fades below what float32 can hold.
    Refused are layers of float16, which can hold much less, a gradient that vanishes
    everywhere, and a field that is the whole image, however large.
    """
    path = graph.find(model, layer)
    for name, one in graph.layers(model).items():
        if getattr(one, "compute_dtype", None) == "float16":
            raise ValueError(
                "measured_receptive_field takes no model of float16, which loses the "
                f"gradients of the rim; {name!r} computes in it"
            )
    *sides, channels = graph.image_shape("measured_receptive_field", model)
    sides = [side or 64 for side in sides]
    seen = view(model, path, sides)
    if isinstance(seen, View):
        # Room for all of it: behind a gap of a dilated window more may lie outside.
        sides = [
            max(n, axis.size + 4 * axis.stride)
            for n, axis in zip(sides, seen.axes, strict=True)
        ]
    rng = checks.rng("measured_receptive_field", seed)
    opened = _opened(model, rng)
    for _ in range(4):
        with keras.StatelessScope(state_mapping=opened):
            moving = _moving(model, path, (*sides, channels), rng)
        spans = [np.flatnonzero(moving.any(axis=axis)) for axis in (1, 0)]
        if not spans[0].size:
            raise ValueError(
                "measured_receptive_field found no gradient from "
                f"{layer!r} to the image"
            )
        whole = [
            span[0] > 0 and span[-1] < n - 1
            for span, n in zip(spans, sides, strict=True)
        ]
        if all(whole):
            return tuple(int(span[-1] - span[0]) + 1 for span in spans)
        tried = sides
        sides = [n if done else 2 * n for n, done in zip(sides, whole, strict=True)]
    raise ValueError(
        f"{layer!r} sees up to the edge of every image, even of "
        f"{tried[0]}×{tried[1]} pixels"
    )


class _Reached(Exception):  # noqa: N818
    """Carries a layer's output out of a model that need not be run further."""


def _moving(model, path: str, shape, rng) -> np.ndarray:
    """Which pixels of an image of this shape move the central unit: (height, width)."""
    height, width, channels = shape
    down = np.broadcast_to(np.linspace(0.5, 1.5, height)[:, None], (height, width))
    right = np.broadcast_to(np.linspace(0.5, 1.5, width), (height, width))
    ramps = np.stack([down, down[::-1], right, right[:, ::-1]])
    # Dim, so that no activation saturates after many sums of residual units.
    x = 1e-3 * np.repeat(ramps[..., None], channels, axis=-1)

    def reach(here, value):
        if here == path:
            raise _Reached(value)
        return value

    def unit(x):
        try:
            forward(model, x, reach)
        except _Reached as reached:
            seen = maps("measured_receptive_field", path, *reached.args)
        except Exception as error:  # each layer raises its own
            told = str(error).partition("\n")[0]
            raise ValueError(
                f"measured_receptive_field runs all layers up to {path!r} on images of "
                f"{height}×{width}, and one does not take them: {told}"
            ) from error
        row, column = (n // 2 for n in places(seen))
        # Each map counts by its own amount: the sum of a softmax would move nowhere.
        mixture = rng.random(seen.shape[-1], "float32") + 0.5
        return ops.sum(ops.cast(seen[:, row, column], "float32") * mixture)

    return (gradients.gradient(unit, x) != 0).any(axis=(0, 3))


def _opened(model: keras.Model, rng) -> list[tuple]:
    """(variable, value) for all weights, kernels divided by the inputs of a unit."""
    depthwise = {
        id(layer.kernel)
        for layer in graph.layers(model).values()
        if isinstance(layer, layers.DepthwiseConv2D)
    }
    opened = []
    for variable in model.variables:
        if "float" not in variable.dtype:
            continue
        shape = variable.shape
        if variable.name in ("bias", "beta", "moving_mean"):
            value = np.zeros(shape)
        elif len(shape) < 2:
            value = np.ones(shape)
        else:
            alone = id(variable) in depthwise or variable.name == "depthwise_kernel"
            inputs = math.prod(shape[: -2 if alone else -1])
            value = (rng.random(shape, "float32") + 0.5) / inputs
        opened.append((variable, value))
    return opened
