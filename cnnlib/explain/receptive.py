"""Receptive fields, computed from the layers' windows alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
from keras import layers as kl

from cnnlib import checks, graph
from cnnlib.explain.forward import only
from cnnlib.layers import Subsampling2D, TableConv2D


class ReceptiveField(NamedTuple):
    """What part of the image a unit sees; each entry is (rows, columns), in pixels.

    The unit in row i sees the ``size`` rows from ``start + i · stride`` on, as far as
    the image has them; likewise its columns. A negative ``start`` lies in the padding.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]


def receptive_field(model: keras.Model, layer: str) -> ReceptiveField:
    """The part of the image that a unit of a layer can see, from the layers alone.

    Along each axis, for a window of k places, dilation d and stride s, on n places with
    p places of padding in all::

        window  K = d · (k − 1) + 1
        places  n ← ⌊(n + p − K) / s⌋ + 1      "valid": p = 0; "same": n ← ⌈n / s⌉
        size    r ← r + (K − 1) · j            from r = 1
        start   a ← a − ⌊p / 2⌋ · j            from a = 0
        stride  j ← j · s                      from j = 1

    Where branches meet, what one unit sees is the rectangle around all of it. Nothing
    is said of how much each pixel counts (arXiv:1701.04128). Refused are models of
    unknown height or width, and what lies behind anything that is no window on a plane,
    such as Flatten or upsampling, or behind a join of branches of different strides.
    """
    path = graph.find(model, layer)
    shape = graph.image_shape("receptive_field", model)
    if None in shape[:2]:
        raise ValueError(
            "receptive_field takes a model with known height and width, since padding "
            f"depends on them; {model.name!r} takes (n, {checks.listed(shape)})"
        )
    seen = view(model, path, shape[:2])
    if isinstance(seen, Lost):
        raise ValueError(f"{layer!r} has no receptive field here: {seen.why}")
    rows, columns = seen.axes
    return ReceptiveField(*zip(rows[:3], columns[:3], strict=True))


class Axis(NamedTuple):
    """What unit 0 sees along an axis, and how many units there are."""

    size: int
    stride: int
    start: int
    places: int

    def through(self, window: int, stride: int, dilation: int, padding: str):
        """Behind a window that slides along the axis."""
        span = dilation * (window - 1) + 1
        places, before = (self.places - span) // stride + 1, 0
        if padding == "same":
            places = -(-self.places // stride)
            before = max((places - 1) * stride + span - self.places, 0) // 2
        return Axis(
            self.size + (span - 1) * self.stride,
            self.stride * stride,
            self.start - before * self.stride,
            places,
        )

    def padded(self, before: int, after: int):
        """With places added at both ends, or taken away if negative."""
        start = self.start - before * self.stride
        return self._replace(start=start, places=self.places + before + after)


@dataclass(frozen=True)
class View:
    """What the units of a layer see: rows, columns. No tuple, which Keras unpacks."""

    axes: tuple[Axis, Axis]


@dataclass(frozen=True)
class Lost:
    """Where receptive fields end, and why."""

    why: str


def view(model: keras.Model, path: str, sides: Sequence[int]) -> View | Lost:
    """What the units of the layer at ``path`` see of an image with these sides."""
    calls = {}

    def keep(here, value):
        calls.setdefault(here, []).append(value)
        return value

    image = View(tuple(Axis(1, 1, 0, side) for side in sides))
    graph.run(model, [image], _see, keep)
    return only(calls, path)


def _see(path: str, layer, *args, **kwargs):
    """What the units of a layer see, for each of its outputs."""
    values = keras.tree.flatten((args, kwargs))
    seen = _step(path, layer, [x for x in values if isinstance(x, View | Lost)])
    outputs = len(keras.tree.flatten(layer.output))
    return seen if outputs == 1 else [seen] * outputs


def _step(path: str, layer, inputs: list) -> View | Lost:
    """What one unit of a layer sees, given what those of its inputs do."""
    for lost in inputs:
        if isinstance(lost, Lost):
            return lost
    kind = type(layer).__name__
    if len({tuple((a.stride, a.places) for a in x.axes) for x in inputs}) > 1:
        return Lost(f"{path!r} ({kind}) joins branches of different strides or sizes")
    axes = _around(inputs)
    if getattr(layer, "data_format", None) == "channels_first":
        return Lost(f"{path!r} ({kind}) has its channels first")
    if isinstance(layer, kl.ZeroPadding2D):
        amounts = layer.padding
    elif isinstance(layer, kl.Cropping2D):
        amounts = [(-before, -after) for before, after in layer.cropping]
    else:
        window = _window(layer)
        if window is None:
            return Lost(f"{path!r} ({kind}) is no window that slides over its input")
        *settings, padding = window
        each = zip(axes, *settings, strict=True)
        return View(tuple(axis.through(*own, padding) for axis, *own in each))
    both = zip(axes, amounts, strict=True)
    return View(tuple(axis.padded(before, after) for axis, (before, after) in both))


def _window(layer) -> graph.Window | None:
    """The window of a layer, of Keras's or of ours."""
    if isinstance(layer, TableConv2D):
        return graph.Window((layer.kernel_size, layer.kernel_size))
    if isinstance(layer, Subsampling2D):
        return graph.Window((2, 2), (2, 2))
    return graph.window(layer)


def _around(views: list[View]) -> tuple[Axis, ...]:
    """What units see that read from all of the views: the rectangle around it."""
    axes = []
    for parts in zip(*(view.axes for view in views), strict=True):
        start = min(axis.start for axis in parts)
        end = max(axis.start + axis.size for axis in parts)
        axes.append(parts[0]._replace(size=end - start, start=start))
    return tuple(axes)
