"""Exercises on convolutions along time."""

from functools import cache, partial

import keras
import numpy as np

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
