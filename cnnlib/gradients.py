"""Gradients, compiling and checks at run time, which Keras leaves to its backends.

Beside ``runs.processes``, which is JAX's, the only room that knows which backend it is.
Gradients raise ``NotImplementedError`` on any but TensorFlow and JAX.
"""

import contextlib
import weakref
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import ops

from cnnlib import checks

__all__ = [
    "compiled",
    "demand",
    "gradient",
    "input_gradient",
    "slope",
    "through",
    "weight_gradients",
]


def gradient(function: Callable, x: np.ndarray) -> np.ndarray:
    """The gradient of ``function``, tensor to one number, at an array ``x``.

    It is an array of Keras's float type, zero where ``x`` does not matter.
    ``function`` uses ``keras.ops`` or layers.

    Raises:
        ValueError: the function returns anything but one number, shape ().
    """
    x = ops.convert_to_tensor(np.asarray(x), dtype=keras.config.floatx())
    return ops.convert_to_numpy(slope(function, x))


def slope(function: Callable, x):
    """``gradient`` of and to a tensor, for use inside of what Keras compiles."""
    x = ops.convert_to_tensor(x)
    return _slopes(lambda tensors: (function(*tensors), ()), [x])[0][0]


def through(output, loss: Callable, *, together: bool = False):
    """A number whose gradient is that of a loss of ``output``, kept within half floats.

    A layer of half precision can hold no gradient below 6e-8, which is that of a
    cross-entropy whose softmax is sure. So the loss is differentiated by the output
    alone, in float32 or better, and each example's slope divided by a power of two
    before it goes through the network; by one for all if they go ``together``, into the
    gradient of the weights.

    Returns:
        the number, and the powers of two, (n,), to multiply each example's gradient by.
    """
    output = keras.tree.map_structure(_wide, output)
    parts = keras.tree.flatten(output)

    def number(parts):
        return loss(keras.tree.pack_sequence_as(output, parts)), ()

    slopes, _ = _slopes(number, [ops.stop_gradient(part) for part in parts])
    rows = [ops.reshape(slope, (ops.shape(slope)[0], -1)) for slope in slopes]
    largest = ops.max(ops.abs(ops.concatenate(rows, axis=1)), axis=1)
    if together:  # a mean over n examples has slopes of 1 / n
        largest = ops.ones_like(largest) * ops.max(largest) * len(largest)
    least = 2.0**-120  # so that one divided by it, too, is within float32
    powers = ops.exp2(ops.floor(ops.log2(ops.maximum(largest, least))))
    scaled = zip(slopes, parts, strict=True)
    total = sum(ops.sum(_times(slope, 1 / powers) * part) for slope, part in scaled)
    return total, powers


def _wide(tensor):
    """In float32 what is of half precision."""
    half = "16" in keras.backend.standardize_dtype(tensor.dtype)
    return ops.cast(tensor, "float32") if half else tensor


def _times(x, factors):
    """Each example of x times its factor, (n,)."""
    return x * ops.reshape(factors, (-1, *(1,) * (len(x.shape) - 1)))


# What has been compiled for a model goes when the model goes.
_COMPILED: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()


def input_gradient(model: keras.Model, loss: Callable) -> Callable:
    """A compiled function to the gradient of each example's loss by its input.

    It is compiled once for each model and loss and kept: later calls see later weights,
    but not layers that were exchanged in between.

    Args:
        model: one tensor in, one out; run at inference.
        loss: ``loss(output, *others)``, one number per example, shape (n,), of the
            model's output and arrays with n rows; each depends on its example only.

    Returns:
        ``function(x, *others)`` to two arrays: the gradient and the model's output.
    """
    known = _COMPILED.setdefault(model, {})
    if loss not in known:
        known[loss] = _compile(weakref.ref(model), loss)
    return known[loss]


def _compile(model: weakref.ref, loss: Callable) -> Callable:
    """What ``input_gradient`` keeps; it must not keep the model alive."""

    def values():
        parts = model().trainable_variables, model().non_trainable_variables
        return [[variable.value for variable in part] for part in parts]

    def step(values, x, *others):
        def total(tensors):
            output, _ = model().stateless_call(*values, *tensors, training=False)
            number, powers = through(output, lambda o: ops.sum(loss(o, *others)))
            return number, (powers, output)

        [slopes], (powers, output) = _slopes(total, [x])
        return _times(slopes, powers), output

    backend = keras.backend.backend()
    if backend == "tensorflow":
        # What reads a variable is traced, and so reads it in every call.
        run = _traced(lambda *arrays: step(values(), *arrays))
    elif backend == "jax":
        import jax

        # Weights are arguments: what is compiled would hold those of the first call.
        jitted = jax.jit(step)

        def run(*arrays):
            return jitted(values(), *arrays)

    else:
        raise _unknown(backend)

    def function(x, *others):
        tensors = [ops.convert_to_tensor(array) for array in (x, *others)]
        return tuple(ops.convert_to_numpy(result) for result in run(*tensors))

    return function


def _traced(function: Callable, **options) -> Callable:
    """``tf.function`` for every shape of its arguments, and any number of examples.

    By hand, since TensorFlow would warn of the fifth function that comes from the same
    line as if it were one.
    """
    import tensorflow as tf

    known = {}

    def run(*arguments):
        specs = tf.nest.map_structure(
            lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), arguments
        )
        if specs not in known:
            piece = tf.function(function, autograph=False, **options)
            # Kept out of what is being traced; elsewhere it would only stop tapes.
            eager = tf.executing_eagerly()
            with contextlib.nullcontext() if eager else tf.init_scope():
                known[specs] = piece.get_concrete_function(*specs)
        return known[specs](*arguments)

    return run


def weight_gradients(
    model: keras.Model, loss_function: Callable, x, y, *, training: bool = False
) -> dict[str, np.ndarray]:
    """The gradient of a batch's mean loss with respect to every trainable weight.

    The model is left as it was: with ``training=True`` dropout and batch statistics
    are at work, but neither random seeds nor moving averages move on.

    ``loss_function(y, model(x))`` is a number, or one per example of the batch. Weights
    are called "conv1/kernel", in a nested model "backbone/conv1/kernel", in the order
    from the input to the output. A model that is not built is a ``ValueError``.
    """
    checks.built("weight_gradients", model)
    checks.flag("weight_gradients", "training", training)
    names = dict(_weights(model))
    fixed = [variable.value for variable in model.non_trainable_variables]

    def loss(weights):
        output, _ = model.stateless_call(weights, fixed, x, training=training)
        return through(output, lambda o: ops.mean(loss_function(y, o)), together=True)

    variables = model.trainable_variables
    weights = [ops.convert_to_tensor(variable.value) for variable in variables]
    slopes, powers = _slopes(loss, weights)
    return {
        names.get(id(variable), variable.path): ops.convert_to_numpy(slope * powers[0])
        for variable, slope in zip(variables, slopes, strict=True)
    }


def compiled(function: Callable) -> Callable:
    """The same function, compiled by XLA for every shape of its arguments.

    It takes tensors, in tuples if need be, each with an axis of examples first, and
    depends on nothing else, random numbers least of all. On a backend other than
    TensorFlow and JAX it is returned as it is.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _traced(function, jit_compile=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def demand(holds, sentence: str, *values) -> None:
    """Refuse values, even if they are seen only when compiled code runs, as in ``fit``.

    Where ``holds`` is false, a ValueError, in compiled code the backend's error, has
    the sentence and ``values``, tensors of shape (). XLA on TensorFlow drops checks.
    """
    backend, seen = keras.backend.backend(), checks.visible(holds)
    if seen is not None:
        if not seen:
            given = " to ".join(f"{float(value):g}" for value in values)
            raise ValueError(f"{sentence}; given {given}")
        return
    if backend == "tensorflow":
        import tensorflow as tf

        tf.debugging.Assert(holds, [f"{sentence}; given", *values])
    elif backend == "jax":
        import jax

        def look(holds, *values):
            demand(holds, sentence, *values)

        jax.debug.callback(look, holds, *values)


def _weights(model: keras.Model, prefix: str = "") -> Iterator[tuple[int, str]]:
    """The identity and the name of every weight in the layers of a model.

    ``variable.path`` won't do: equal layers of two nested models share theirs.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _weights(layer, f"{prefix}{layer.name}/")
            continue
        for variable in layer.trainable_variables:
            own = f"/{variable.path}".rpartition(f"/{layer.name}/")[2]
            yield id(variable), f"{prefix}{layer.name}/{own}"


def _slopes(function: Callable, tensors: list) -> tuple[list, tuple]:
    """The gradients of a number, one per tensor, as tensors, and what else was found.

    ``function(tensors)`` is a pair, the number and a tuple of other tensors.
    """

    def number(tensors):
        value, others = function(tensors)
        value = ops.convert_to_tensor(value)
        if tuple(value.shape) != ():
            raise ValueError(
                "a gradient is that of one number, shape (); the function returned "
                f"shape {tuple(value.shape)}"
            )
        return value, others

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            value, others = number(tensors)
        none = tf.UnconnectedGradients.ZERO
        slopes = tape.gradient(value, tensors, unconnected_gradients=none)
        return [tf.convert_to_tensor(one) for one in slopes], others
    if backend == "jax":
        import jax

        return jax.grad(number, has_aux=True)(tensors)
    raise _unknown(backend)


def _unknown(backend: str) -> NotImplementedError:
    return NotImplementedError(
        f"gradients need Keras on TensorFlow or JAX; it runs on {backend!r}"
    )
