"""What a network looks at: activations, receptive fields, saliency, Grad-CAM.

Numbers only; ``plots`` draws them. Models are Sequential or functional, of images,
with one input (n, height, width, channels), and may contain other such models as
layers. A layer within a nested model is called by its path, "backbone/conv5", or by any
end of it that no other layer has: "conv5".
"""

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from cnnlib import gradients
from cnnlib.layers import Subsampling2D, TableConv2D


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


class ReceptiveField(NamedTuple):
    """What part of the image a unit sees; each entry is (rows, columns), in pixels.

    The unit in row i sees the ``size`` rows from ``start + i · stride`` on, as far as
    the image has them; likewise its columns. A negative ``start`` lies in the padding.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]


def outline(model: keras.Model) -> list[Box]:
    """The layers of a model in the order of computation, its input first.

    A nested model is one box. Operations that are no layers count as layers.

    Raises:
        ValueError: the model is not built, or neither Sequential nor functional.
    """
    boxes, source = [], {}
    inputs = [keras.KerasTensor(x.shape, x.dtype) for x in _graph(model).inputs]
    for tensor, given in zip(inputs, _graph(model).inputs, strict=True):
        boxes.append(Box(given.name, "Input", tuple(given.shape[1:]), 0, ()))
        source[id(tensor)] = given.name

    def note(path, operation, *args, **kwargs):
        output = operation.compute_output_spec(*args, **kwargs)
        given = [source.get(id(x)) for x in keras.tree.flatten((args, kwargs))]
        first = keras.tree.flatten(output)[0]
        count = operation.count_params() if isinstance(operation, kl.Layer) else 0
        boxes.append(
            Box(
                path,
                type(operation).__name__,
                tuple(first.shape[1:]),
                count,
                tuple(dict.fromkeys(name for name in given if name)),
            )
        )
        for tensor in keras.tree.flatten(output):
            source[id(tensor)] = path
        return output

    _walk(model, inputs, note, nested=False)
    return boxes


def activations(
    model: keras.Model, x: np.ndarray, layers: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """The outputs of layers on a batch, at inference.

    Args:
        model: Sequential or functional, with one input; models may be nested in it.
        x: (n, height, width, channels), as the model takes it.
        layers: names of layers; all of them if None.

    Returns:
        Layer to output, each (n, ...): the given names in their order, or the paths of
        all layers and nested models in the order of computation, but for those that are
        called more than once.

    Raises:
        ValueError: the model is not built or of another kind, it has no such layer, it
            calls that layer more than once, or ``x`` has another shape.
    """
    x = _batch("activations", model, x)
    named = [layers] if isinstance(layers, str) else layers
    paths = None if named is None else {name: _find(model, name) for name in named}
    found = _outputs(model, x)
    if paths is None:
        paths = {path: path for path in found if len(found[path]) == 1}
    return {
        name: ops.convert_to_numpy(_only(found, path)) for name, path in paths.items()
    }


def saliency(
    model: keras.Model, x: np.ndarray, classes: int | Sequence[int] | None = None
) -> np.ndarray:
    """How much each pixel moves a class's logit: |∂ logit / ∂ pixel|.

    Simonyan, Vedaldi and Zisserman (arXiv:1312.6034): the absolute gradient, its
    largest over the channels.

    Args:
        model: Sequential or functional, one input, logits (n, classes) out.
        x: (n, height, width, channels), as the model takes it.
        classes: one class for all images, or one per image; None for the predicted.

    Returns:
        (n, height, width), float, at least 0.

    Raises:
        ValueError: the model is not built or gives no (n, classes), ``x`` has another
            shape, or a class is out of range.
    """
    _image_shape("saliency", model)
    x = _batch("saliency", model, x)
    chosen = _classes(model, model(x, training=False), classes)
    found = gradients.gradient(lambda x: _score(model(x, training=False), chosen), x)
    return np.abs(found).max(axis=-1)


def grad_cam(
    model: keras.Model,
    x: np.ndarray,
    layer: str | None = None,
    classes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Where a class is seen: Grad-CAM (Selvaraju et al., arXiv:1610.02391).

    Each map A_k of the layer is weighted by ∂ logit / ∂ A_k, averaged over its places;
    the sum is cut off below zero, brought to the image's size by bilinear
    interpolation, and divided by its largest value (a map of zeros stays one).

    Args:
        model: Sequential or functional, one input, logits (n, classes) out. Models may
            be nested in it, the layer in any of them.
        x: (n, height, width, channels), as the model takes it.
        layer: name of a layer with output (n, rows, columns, maps); by default the last
            of more than one place.
        classes: one class for all images, or one per image; None for the predicted.

    Returns:
        (n, height, width), float32 from 0 to 1.

    Raises:
        ValueError: the model is not built or gives no (n, classes), ``x`` has another
            shape, a class is out of range, there is no such layer, or its output has
            no places.
    """
    _image_shape("grad_cam", model)
    x = _batch("grad_cam", model, x)
    path = None if layer is None else _find(model, layer)
    found = _outputs(model, x)
    if path is None:
        plain = [p for p, given in found.items() if len(given) == 1]
        wide = [p for p in plain if math.prod(_places(found[p][0])) > 1]
        if not wide:
            raise ValueError(
                "grad_cam takes a model with a layer of output (n, rows, columns, "
                f"maps), more than one place; {model.name!r} has none"
            )
        path = wide[-1]
    maps = _only(found, path)
    if not _places(maps):
        raise ValueError(
            "grad_cam takes a layer with output (n, rows, columns, maps); "
            f"{path!r} gives {tuple(maps.shape)}"
        )
    chosen = _classes(model, model(x, training=False), classes)

    def score(maps):
        return _score(_forward(model, x, lambda p, v: maps if p == path else v), chosen)

    weights = gradients.gradient(score, maps).mean(axis=(1, 2), keepdims=True)
    weighted = np.maximum((weights * ops.convert_to_numpy(maps)).sum(axis=-1), 0)
    drawn = ops.convert_to_numpy(
        ops.image.resize(
            weighted[..., None], x.shape[1:3], "bilinear", data_format="channels_last"
        )
    )[..., 0]
    most = drawn.max(axis=(1, 2), keepdims=True)
    return drawn / np.where(most > 0, most, 1)


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
    is said of how much each pixel counts (arXiv:1701.04128).

    Args:
        model: Sequential or functional, one input with known height and width; models
            may be nested in it.
        layer: its name.

    Raises:
        ValueError: there is no such layer, or between it and the image lies one that is
            no window on a plane: Flatten, global pooling, upsampling, layers unknown
            here; or branches of different strides meet.
    """
    wanted = _find(model, layer)
    shape = _image_shape("receptive_field", model)
    if None in shape[:2]:
        raise ValueError(
            "receptive_field takes a model with known height and width, since padding "
            f"depends on them; {model.name!r} takes (n, {_commas(shape)})"
        )
    found = _seen(model, wanted, shape[:2])
    if isinstance(found, _Lost):
        raise ValueError(f"{layer!r} has no receptive field here: {found.why}")
    rows, columns = found.axes
    return ReceptiveField(*zip(rows[:3], columns[:3], strict=True))


def measured_receptive_field(
    model: keras.Model, layer: str, seed: int = 0
) -> tuple[int, int]:
    """The part of the image that moves a central unit of a layer, from gradients.

    Four dim images are shown to the model, each brighter towards one side, and the
    unit's absolute gradients with respect to the pixels are added up; the answer is the
    height and width of the rectangle around those that are not zero.

    So that nothing is hidden by chance, the weights are replaced for the time of the
    measurement: kernels by positive random numbers, biases and shifts by 0, scales by
    1. Then no two paths cancel, no ReLU is shut, and max-pooling follows its window's
    outermost pixel on the bright side of each image. The images are larger than the
    model's where they must be for the field to be measured whole.

    Only the layers up to the unit are run, none of which may fix the image's size.
    After some 70 kernels of 3×3 the rim of the field fades below what float32 can hold.

    Args:
        model: Sequential or functional, one input; models may be nested in it.
        layer: name of a layer with output (n, rows, columns, maps).
        seed: of the random kernels.

    Returns:
        (height, width), in pixels.

    Raises:
        ValueError: there is no such layer, its output has no places, the gradient
            vanishes everywhere, or the field is the whole image, however large.
    """
    wanted = _find(model, layer)
    *sides, channels = _image_shape("measured_receptive_field", model)
    sides = [side or 64 for side in sides]
    seen = _seen(model, wanted, sides)
    if isinstance(seen, _Plane):
        # Room for all of it: behind a gap of a dilated window more may lie outside.
        sides = [
            max(n, axis.size + 4 * axis.stride)
            for n, axis in zip(sides, seen.axes, strict=True)
        ]
    rng = np.random.default_rng(seed)
    depthwise = [
        id(operation.kernel)
        for operation in _paths(model).values()
        if isinstance(operation, kl.DepthwiseConv2D)
    ]
    replaced = [
        (variable, _open(variable, rng, id(variable) in depthwise))
        for variable in model.variables
        if "float" in variable.dtype
    ]
    for _ in range(4):
        with keras.StatelessScope(state_mapping=replaced):
            moving = _moving(model, wanted, (*sides, channels), rng)
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


class _Axis(NamedTuple):
    """What unit 0 sees along an axis, and how many units there are."""

    size: int
    stride: int
    start: int
    places: int

    def through(self, window, stride=1, dilation=1, padding="valid"):
        """Behind a window that slides along the axis."""
        span = dilation * (window - 1) + 1
        places, before = (self.places - span) // stride + 1, 0
        if padding == "same":
            places = -(-self.places // stride)
            before = max((places - 1) * stride + span - self.places, 0) // 2
        return _Axis(
            self.size + (span - 1) * self.stride,
            self.stride * stride,
            self.start - before * self.stride,
            places,
        )

    def moved(self, before, after):
        """With places added at both ends, or taken away if negative."""
        start = self.start - before * self.stride
        return self._replace(start=start, places=self.places + before + after)


@dataclass(frozen=True)
class _Plane:
    """What the units of a layer see: rows, columns. No tuple, which Keras unpacks."""

    axes: tuple[_Axis, _Axis]

    def through(self, windows, strides, dilations=(1, 1), padding="valid"):
        """Behind a window that slides over the plane."""
        settings = zip(self.axes, windows, strides, dilations, strict=True)
        return _Plane(tuple(axis.through(*own, padding) for axis, *own in settings))

    def moved(self, amounts, sign=1):
        """With ((top, bottom), (left, right)) places added, or taken away."""
        both = zip(self.axes, amounts, strict=True)
        return _Plane(tuple(axis.moved(sign * a, sign * b) for axis, (a, b) in both))


@dataclass(frozen=True)
class _Lost:
    """Where receptive fields end, and why."""

    why: str


POINTWISE = (
    *(
        kl.Activation,
        kl.ReLU,
        kl.LeakyReLU,
        kl.PReLU,
        kl.ELU,
        kl.Identity,
        kl.Rescaling,
    ),
    *(kl.BatchNormalization, kl.Dropout, kl.SpatialDropout2D, kl.Dense),
    *(kl.GaussianDropout, kl.GaussianNoise, kl.ActivityRegularization),
    *(kl.Add, kl.Subtract, kl.Multiply, kl.Average, kl.Maximum, kl.Minimum),
)
# The classes of keras.ops are not public; their names are those of the functions.
POINTWISE_OPS = set(
    "Abs Absolute Add Cast Clip Divide Elu Exp Gelu LeakyRelu Log Maximum Minimum "
    "Multiply Negative Relu Relu6 Selu Sigmoid Silu Softplus Sqrt Square Subtract Tanh "
    "TrueDivide".split()
)
CHANNELWISE = {"Concatenate", "LayerNormalization", "Softmax", "Split"}


def _see(path: str, operation, *args, **kwargs):
    """What the units of an operation see, given what those of its inputs do."""
    given = [
        x for x in keras.tree.flatten((args, kwargs)) if type(x) in (_Plane, _Lost)
    ]
    seen = _step(path, operation, given)
    outputs = len(keras.tree.flatten(operation.output))
    return seen if outputs == 1 else [seen] * outputs


def _step(path: str, operation, given: list) -> _Plane | _Lost:
    for lost in given:
        if isinstance(lost, _Lost):
            return lost
    kind = type(operation).__name__
    if len({tuple((a.stride, a.places) for a in x.axes) for x in given}) > 1:
        return _Lost(f"{path!r} ({kind}) joins branches of different strides or sizes")
    plane = _around(given)
    last = (-1, 3, [-1], [3])
    if getattr(operation, "data_format", None) == "channels_first":
        return _Lost(f"{path!r} ({kind}) has its channels first")
    if isinstance(operation, (kl.Conv2D, kl.DepthwiseConv2D, kl.SeparableConv2D)):
        settings = (operation.kernel_size, operation.strides, operation.dilation_rate)
        return plane.through(*settings, operation.padding)
    if isinstance(operation, (kl.MaxPooling2D, kl.AveragePooling2D)):
        settings = (operation.pool_size, operation.strides)
        return plane.through(*settings, padding=operation.padding)
    if isinstance(operation, TableConv2D):
        return plane.through((operation.kernel_size,) * 2, (1, 1))
    if isinstance(operation, Subsampling2D):
        return plane.through((2, 2), (2, 2))
    if isinstance(operation, kl.ZeroPadding2D):
        return plane.moved(operation.padding)
    if isinstance(operation, kl.Cropping2D):
        return plane.moved(operation.cropping, -1)
    if isinstance(operation, POINTWISE):
        return plane
    if not isinstance(operation, kl.Layer) and kind in POINTWISE_OPS:
        return plane
    if kind in CHANNELWISE and getattr(operation, "axis", None) in last:
        return plane
    return _Lost(f"{path!r} ({kind}) is no window that slides over its input")


def _around(planes: list[_Plane]) -> _Plane:
    """What units see that read from all of the planes: the rectangle around it."""
    axes = []
    for parts in zip(*(plane.axes for plane in planes), strict=True):
        start = min(axis.start for axis in parts)
        end = max(axis.start + axis.size for axis in parts)
        axes.append(parts[0]._replace(size=end - start, start=start))
    return _Plane(tuple(axes))


def _seen(model: keras.Model, path: str, sides: Sequence[int]) -> _Plane | _Lost:
    """What the units of a layer see of an image with these sides."""
    found = {}

    def keep(here, value):
        found.setdefault(here, []).append(value)
        return value

    image = _Plane(tuple(_Axis(1, 1, 0, side) for side in sides))
    _walk(model, [image], _see, keep)
    return _only(found, path)


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
            _forward(model, x, reach)
        except _Reached as reached:
            (maps,) = reached.args
        if not _places(maps):
            raise ValueError(
                "measured_receptive_field takes a layer with output (n, rows, columns, "
                f"maps); {path!r} gives {tuple(maps.shape)}"
            )
        row, column = (n // 2 for n in _places(maps))
        # Each map counts by its own amount: the sum of a softmax would move nowhere.
        mixture = rng.random(maps.shape[-1], "float32") + 0.5
        return ops.sum(ops.cast(maps[:, row, column], "float32") * mixture)

    return (gradients.gradient(unit, x) != 0).any(axis=(0, 3))


def _open(variable, rng, depthwise: bool) -> np.ndarray:
    """Values for a variable that let every gradient through."""
    if variable.name in ("bias", "beta", "moving_mean"):
        return np.zeros(variable.shape)
    if len(variable.shape) < 2:
        return np.ones(variable.shape)
    kernel = rng.random(variable.shape, "float32") + 0.5
    # Divided by the inputs of a unit, so that activations neither grow nor fade.
    depthwise = depthwise or variable.name == "depthwise_kernel"
    return kernel / math.prod(variable.shape[: -2 if depthwise else -1])


def _nested(operation) -> bool:
    """Whether an operation is a model whose layers can be entered."""
    models = (keras.Function, keras.Sequential)
    return isinstance(operation, models) and hasattr(operation, "inputs")


def _graph(model: keras.Model) -> keras.Function:
    """The graph of a model's operations."""
    if isinstance(model, keras.Function):
        return model
    if not isinstance(model, keras.Sequential):
        raise ValueError(
            "explain takes Sequential and functional models; given a "
            f"{type(model).__name__}"
        )
    if not _nested(model):
        raise ValueError(
            f"{model.name!r} is not built: start it with a keras.Input, or call it "
            "once on a batch"
        )
    return keras.Function(model.inputs, model.outputs)


def _walk(
    model: keras.Model,
    values: list,
    apply: Callable,
    tap: Callable = lambda path, value: value,
    *,
    nested: bool = True,
    prefix: str = "",
):
    """Send values of any kind through a model.

    Every operation is replaced by ``apply(path, operation, *args, **kwargs)``, with the
    values in place of its tensors; ``tap(path, value)`` may change what an operation or
    a nested model gives. Nested models are entered, or else are operations.
    """

    def at(operation):
        path = prefix + operation.name

        def call(*args, **kwargs):
            if nested and _nested(operation):
                inputs = keras.tree.flatten(args)
                value = _walk(operation, inputs, apply, tap, prefix=f"{path}/")
            else:
                value = apply(path, operation, *args, **kwargs)
            return tap(path, value)

        return call

    # Private, but the only way through a graph that takes anything but tensors.
    output = _graph(model)._run_through_graph(values, operation_fn=at)
    one = isinstance(output, (list, tuple)) and len(output) == 1
    return output[0] if one else output


def _forward(model: keras.Model, x, tap: Callable):
    """The model's output at inference, with every operation's output tapped."""

    def run(path, operation, *args, **kwargs):
        return operation(*args, **kwargs)

    return _walk(model, [ops.convert_to_tensor(x)], run, tap)


def _outputs(model: keras.Model, x) -> dict[str, list]:
    """All that each operation and each nested model gives, call by call."""
    found = {}

    def keep(path, value):
        found.setdefault(path, []).append(value)
        return value

    _forward(model, x, keep)
    return found


def _only(found: dict[str, list], path: str):
    """What a layer gives, if it is called once."""
    if len(found[path]) > 1:
        raise ValueError(
            f"layer {path!r} is called {len(found[path])} times; which one?"
        )
    return found[path][0]


def _places(output) -> tuple[int, ...]:
    """Rows and columns of (n, rows, columns, maps); none of any other output."""
    shape = tuple(getattr(output, "shape", ()))
    return shape[1:3] if len(shape) == 4 else ()


def _paths(model: keras.Model, prefix: str = "") -> dict:
    """All layers by path, nested ones before the models that hold them; no inputs."""
    paths = {}
    for operation in _graph(model).operations:
        path = prefix + operation.name
        if _nested(operation):
            paths |= _paths(operation, f"{path}/")
        if not isinstance(operation, kl.InputLayer):
            paths[path] = operation
    return paths


def _find(model: keras.Model, name: str) -> str:
    """The path of the layer that is meant by a path or by its end."""
    paths = _paths(model)
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


def _commas(shape) -> str:
    return ", ".join("any" if n is None else str(n) for n in shape)


def _input_shape(who: str, model: keras.Model) -> tuple[int | None, ...]:
    """The shape of the one input, without the batch axis."""
    inputs = _graph(model).inputs
    if len(inputs) != 1:
        raise ValueError(
            f"{who} takes a model with one input; {model.name!r} has {len(inputs)}"
        )
    return tuple(inputs[0].shape[1:])


def _image_shape(who: str, model: keras.Model) -> tuple[int | None, ...]:
    """(height, width, channels) of the one input."""
    shape = _input_shape(who, model)
    if len(shape) != 3:
        raise ValueError(
            f"{who} takes a model of images, (n, height, width, channels); "
            f"{model.name!r} takes (n, {_commas(shape)})"
        )
    return shape


def _batch(who: str, model: keras.Model, x) -> np.ndarray:
    """The batch as floats, if it is one for this model."""
    shape = _input_shape(who, model)
    x = np.asarray(x)
    fits = x.ndim == 1 + len(shape) and len(x) > 0
    if not fits or any(
        n not in (None, given) for n, given in zip(shape, x.shape[1:], strict=True)
    ):
        raise ValueError(
            f"{who} takes a batch of shape (n, {_commas(shape)}), n at least 1; "
            f"given {x.shape}"
        )
    return x.astype(keras.config.floatx())


def _classes(model: keras.Model, logits, classes) -> np.ndarray:
    """A class per image."""
    shape = tuple(getattr(logits, "shape", ()))
    if len(shape) != 2:
        raise ValueError(
            f"a class is explained by logits (n, classes); {model.name!r} gives "
            f"{shape or 'several outputs'}"
        )
    images, count = shape
    if classes is None:
        return ops.convert_to_numpy(logits).argmax(axis=1)
    chosen = np.asarray(classes)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (images,)):
        raise ValueError(
            f"classes takes one whole number, or one per image ({images}); given "
            f"{classes!r}"
        )
    if chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"classes go from 0 to {count - 1}; given {classes!r}")
    return np.broadcast_to(chosen, images)


def _score(logits, chosen: np.ndarray):
    """The sum of the chosen logits; images don't touch each other's gradients."""
    return ops.sum(ops.take_along_axis(logits, chosen[:, None], axis=1))
