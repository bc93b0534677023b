"""Gradients and compiling, which Keras leaves to its backends.

The only room that knows which backend it is.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import ops


def gradient(function: Callable, x: np.ndarray) -> np.ndarray:
    """The gradient of a number with respect to the array it was computed from.

    Args:
        function: takes a tensor of x's shape and returns one number, a tensor of shape
            (), computed with ``keras.ops`` or with layers. Whatever does not depend on
            its argument counts as a constant.
        x: where to take the gradient, any shape; computed with in Keras's float type.

    Returns:
        The gradient, of x's shape; zeros where the number does not depend on x.

    Raises:
        ValueError: the function returns anything but one number.
        NotImplementedError: Keras runs on another backend than TensorFlow or JAX.
    """
    x = ops.convert_to_tensor(np.asarray(x), dtype=keras.config.floatx())
    return _gradients(lambda tensors: function(tensors[0]), [x])[0]


def weight_gradients(
    model: keras.Model,
    loss_function: Callable,
    x: np.ndarray,
    y: np.ndarray,
    *,
    training: bool = False,
) -> dict[str, np.ndarray]:
    """The gradient of a batch's mean loss with respect to every trainable weight.

    The model is left as it was: with ``training=True`` dropout and batch statistics
    are at work, but neither random seeds nor moving averages move on.

    Args:
        model: any built model.
        loss_function: ``loss_function(y, model(x))``, a number or one per example, such
            as ``keras.losses.SparseCategoricalCrossentropy(from_logits=True)``.
        x: what the model takes, a batch.
        y: the targets.
        training: whether the model runs as in training.

    Returns:
        Weight to gradient, each of its weight's shape, from the input to the output. A
        weight is called by its layer and its own name, "conv1/kernel", preceded by the
        names of the models it is nested in, "backbone/conv1/kernel".

    Raises:
        ValueError: the model is not built.
        NotImplementedError: Keras runs on another backend than TensorFlow or JAX.
    """
    if not model.built:
        raise ValueError(
            f"weight_gradients takes a built model; {model.name!r} has no weights yet: "
            "start it with a keras.Input, or call it once on a batch"
        )
    names = dict(_weights(model))
    fixed = [variable.value for variable in model.non_trainable_variables]

    def loss(weights):
        output, _ = model.stateless_call(weights, fixed, x, training=training)
        return ops.mean(loss_function(y, output))

    weights = [variable.value for variable in model.trainable_variables]
    found = _gradients(loss, [ops.convert_to_tensor(weight) for weight in weights])
    variables = model.trainable_variables
    return {
        names.get(id(variable), variable.path): array
        for variable, array in zip(variables, found, strict=True)
    }


def compiled(function: Callable) -> Callable:
    """The same function, compiled by XLA into one piece on its first call.

    Worth it where many small operations follow each other, as between pixels. It is
    compiled anew for every shape of its arguments.

    Args:
        function: takes tensors, in tuples if need be, and returns tensors; nothing but
            its arguments may change from call to call, random numbers least of all.

    Returns:
        The compiled function, or the function itself on a backend other than TensorFlow
        and JAX.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


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


def _gradients(function: Callable, tensors: list) -> list[np.ndarray]:
    """The gradients of ``function(tensors)``, a number, one per tensor."""

    def number(tensors):
        value = ops.convert_to_tensor(function(tensors))
        if tuple(value.shape) != ():
            raise ValueError(
                "a gradient is that of one number, shape (); the function returned "
                f"shape {tuple(value.shape)}"
            )
        return value

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            value = number(tensors)
        none = tf.UnconnectedGradients.ZERO
        found = tape.gradient(value, tensors, unconnected_gradients=none)
    elif backend == "jax":
        import jax

        found = jax.grad(number)(tensors)
    else:
        raise NotImplementedError(
            f"gradients need Keras on TensorFlow or JAX; it runs on {backend!r}"
        )
    return [ops.convert_to_numpy(ops.convert_to_tensor(g)) for g in found]
