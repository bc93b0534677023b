"""Exercises on convolutions along time."""

from functools import cache, partial

import keras
import numpy as np

from cnnlib.datasets import cylinder_bell_funnel
from exercises import Wrong, ask, compare, exercise, judged


def convolution(x, kernel, dilation, before=1.0, after=0.0):
    """Keras's, with shares of a causal one's zeros before and after."""
    reach = (len(kernel) - 1) * dilation
    zeros = int(before * reach), int(np.ceil(after * reach))
    padded = np.pad(x, (zeros, (0, 0)))[None]
    y = keras.ops.conv(padded, kernel, padding="valid", dilation_rate=dilation)
    return np.asarray(y)[0]


def moment_by_moment(x, kernel, dilation):
    y = np.zeros((len(x), kernel.shape[2]))
    for t in range(len(x)):
        for back, w in enumerate(kernel[::-1]):
            if t >= back * dilation:
                y[t] += x[t - back * dilation] @ w
    return y


@exercise(
    "15.1",
    "equal to Keras's causal convolution, dilated or not",
    reference=convolution,
    tolerance=1e-4,
    mistakes={
        "looks ahead: the zeros belong before the beginning only": partial(
            convolution, before=0.5, after=0.5
        ),
        "looks into the future: the zeros are at the wrong end": partial(
            convolution, before=0, after=1
        ),
        "has the kernel the other way round: its last slice belongs to t": (
            lambda x, kernel, dilation: convolution(x, kernel[::-1], dilation)
        ),
        "is too short: it lacks the zeros before the beginning": partial(
            convolution, before=0
        ),
        "takes moments in a row: dilation is their distance": (
            lambda x, kernel, dilation: convolution(x, kernel, 1)
        ),
    },
    also_right=[moment_by_moment],
)
def series_and_kernels(rng):
    """``causal(x, kernel, dilation)`` convolves along time with the past only."""
    for length, k, dilation in [(17, 3, 1), (23, 4, 3), (12, 5, 4), (9, 2, 2)]:
        x = rng.normal(size=(length, 3)).astype("float32")
        kernel = rng.normal(size=(k, 3, 2)).astype("float32")
        what = f"the output for length {length}, k = {k}, dilation = {dilation}"
        yield what, x, kernel, dilation


@cache
def reader(frames, side, window, maps, classes=4):
    """A small 3D network that forgets place and time at its end, and its weights."""
    keras.utils.set_random_seed(frames)
    conv = {"padding": "same", "activation": "relu", "bias_initializer": "normal"}
    net = keras.Sequential(
        [
            keras.Input((frames, side, side + 1, 1)),
            keras.layers.Conv3D(maps, window, **conv),
            keras.layers.MaxPooling3D((1, 2, 2)),
            keras.layers.Conv3D(maps + 1, window, **conv),
            keras.layers.GlobalAveragePooling3D(),
            keras.layers.Dense(classes, bias_initializer="normal"),
        ]
    )
    return net, net.get_weights()


def flipped(*axes):
    """The function that turns these axes of every 3D kernel round."""
    return lambda weights: [np.flip(w, axes) if w.ndim == 5 else w for w in weights]


def flipped_with_dense(weights):
    return [w[::-1] if w.ndim in (2, 5) else w for w in weights]


OTHER_TURNS = {
    "is what it was before": flipped(),
    "is that of clips upside down and backwards in space, not in time": flipped(1, 2),
    "is that of clips turned over in space as well": flipped(0, 1, 2),
    "is that of clips turned upside down: that axis is the rows": flipped(1),
    "is that of mirrored clips: that axis is the columns": flipped(2),
    "has the dense layer reversed too: time is gone when it comes": flipped_with_dense,
}


def turned_in_place(weights):
    for w in weights:
        if w.ndim == 5:
            w[:] = np.flip(w, 0).copy()
    return tuple(weights)


@judged(
    "15.2",
    "the same logits for clips run backwards, in networks of any size",
    mistakes=OTHER_TURNS
    | {
        "output for 5 frames is off": lambda weights: [-w for w in flipped(0)(weights)],
        "set_weights takes arrays of (3, 3, 3, 1, 3)": (
            lambda weights: flipped(0)(weights)[:-1]
        ),
    },
    also_right=[turned_in_place],
)
def the_film_backwards(backwards, rng):
    """``backwards(weights)`` makes a network read clips from their end."""
    for frames, side, window, maps in [(5, 6, 3, 3), (4, 7, (3, 5, 3), 5)]:
        net, weights = reader(frames, side, window, maps)
        clips = rng.normal(size=(3, frames, side, side + 1, 1)).astype("float32")

        def logits(weights, net=net, clips=clips):
            net.set_weights(weights)
            return np.asarray(net(clips))

        answer = ask(backwards, weights)
        try:
            found = logits(list(answer))
        except Exception as error:
            shapes = ", ".join(str(w.shape) for w in weights)
            raise Wrong(f"set_weights takes arrays of {shapes}") from error
        compare(
            found,
            np.asarray(logits_of_turned_clips(net, weights, clips)),
            f"the network's output for {frames} frames",
            1e-4,
            {
                words: partial(lambda turn, w, say: say(turn(w)), turn, weights, logits)
                for words, turn in OTHER_TURNS.items()
            },
        )


def logits_of_turned_clips(net, weights, clips):
    net.set_weights(weights)
    return net(clips[:, ::-1])


def network(*parts, length=128, compiled=False):
    """A function that builds a network of these layers, each given by a function."""

    def series_reader():
        stack = [part() for part in parts]
        net = keras.Sequential([keras.Input((length, 1)), *stack])
        if compiled:
            net.compile("sgd", "mse")
        return net

    return series_reader


def conv(filters, size, strides=1, activation="relu"):
    return partial(
        keras.layers.Conv1D, filters, size, strides=strides, activation=activation
    )


def dense(units, activation=None):
    return partial(keras.layers.Dense, units, activation)


MEAN, FLAT = keras.layers.GlobalAveragePooling1D, keras.layers.Flatten


@cache
def series():
    return cylinder_bell_funnel(60, 100, seed=3)


def learned(net, seed):
    """The accuracy on unseen series after the training that the exercise promises."""
    data = series()
    net.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=9,
    )
    keras.utils.set_random_seed(seed)
    net.fit(data.x_train, data.y_train, batch_size=20, epochs=20, verbose=0)
    scores = np.asarray(net(data.x_test, training=False))
    return np.mean(scores.argmax(axis=1) == data.y_test)


@judged(
    "15.3",
    "a network of at most 1,000 parameters that has learned to read series",
    mistakes={
        "emits probabilities: logits are asked for, without a softmax": network(
            conv(8, 9, 4), conv(12, 9, 2), MEAN, dense(3, "softmax")
        ),
        "with 3,243 parameters; at most 1,000 are asked for": network(
            conv(32, 9, 4), conv(10, 9, 2), MEAN, dense(3)
        ),
        "says the same of a series run backwards: its windows must see an order": (
            network(conv(16, 1), conv(16, 1), MEAN, dense(3))
        ),
        "is linear, or nearly so: it lacks an activation": network(
            conv(8, 9, 4, None), conv(12, 9, 2, None), MEAN, dense(3)
        ),
        "makes (4, 10) of four series; (4, 3) is expected": network(
            conv(8, 9, 4), MEAN, dense(10)
        ),
        "makes (4, 30, 3) of four series; (4, 3) is expected": network(
            conv(8, 9, 4), dense(3)
        ),
        "takes series of length 64; 128 is expected": network(
            conv(8, 9, 4), MEAN, dense(3), length=64
        ),
        "a Keras model is asked for; this is list": lambda: [],
        "a Keras model is asked for; this is float": lambda: np.nan,
    },
    also_right=[
        network(conv(8, 9, 4), conv(8, 9, 2), FLAT, dense(3)),
        network(conv(8, 9, 4), conv(12, 9, 2), MEAN, dense(3), compiled=True),
    ],
)
def one_that_learns(series_reader, rng):
    """``series_reader()`` builds a small network that learns three shapes."""
    keras.utils.set_random_seed(0)
    net = ask(series_reader)
    if not isinstance(net, keras.Model):
        raise Wrong(f"a Keras model is asked for; this is {type(net).__name__}")
    shape = getattr(net, "input_shape", None)
    if isinstance(shape, tuple) and shape[1:2] not in {(128,), (None,)}:
        raise Wrong(f"it takes series of length {shape[1]}; 128 is expected")
    some = series().x_test[:4]
    found = ask(lambda: np.asarray(net(some, training=False)))
    if found.shape != (4, 3):
        raise Wrong(f"it makes {found.shape} of four series; (4, 3) is expected")
    if net.count_params() > 1000:
        raise Wrong(
            f"it is a network with {net.count_params():,} parameters; at most 1,000 "
            "are asked for"
        )
    if (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-4):
        raise Wrong("it emits probabilities: logits are asked for, without a softmax")
    turned = ask(lambda: np.asarray(net(some[:, ::-1], training=False)))
    if np.allclose(found, turned, rtol=1e-3, atol=1e-5):
        raise Wrong(
            "it says the same of a series run backwards: its windows must see an order"
        )
    between = ask(lambda: np.asarray(net((some[:2] + some[2:]) / 2, training=False)))
    if np.allclose(between, (found[:2] + found[2:]) / 2, rtol=1e-3, atol=1e-5):
        raise Wrong("it is linear, or nearly so: it lacks an activation")
    right = 0.0
    for seed in (0, 1):  # a bad start is no mistake
        right = max(right, ask(learned, net, seed))
        if right >= 0.85:
            return
    raise Wrong(f"it reads {right:.0%} of the unseen series; 85 % are asked for")
