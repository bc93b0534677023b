"""Exercises on convolutions along time."""

import keras
import numpy as np

from exercises import Wrong, alike, ask, exercise


@exercise("15.1", "equal to Keras's causal convolution, dilated or not")
def no_look_ahead(causal):
    """``causal(x, kernel, dilation)`` convolves along time with the past only."""
    rng = np.random.default_rng(151)
    for length, k, dilation in [(17, 3, 1), (23, 4, 3), (12, 5, 4), (9, 2, 2)]:
        x = rng.normal(size=(length, 3)).astype("float32")
        kernel = rng.normal(size=(k, 3, 2)).astype("float32")
        reach = (k - 1) * dilation

        def run(before, after, kernel=kernel, d=dilation, x=x):
            padded = np.pad(x, ((before, after), (0, 0)))[None]
            y = keras.ops.conv(padded, kernel, padding="valid", dilation_rate=d)
            return np.asarray(y)[0]

        mistakes = {
            "looks ahead: the zeros belong before the beginning only": run(
                reach // 2, reach - reach // 2
            ),
            "looks into the future: the zeros are at the wrong end": run(0, reach),
            "has the kernel the other way round: its last slice belongs to t": run(
                reach, 0, kernel[::-1]
            ),
        }
        if reach < length:
            mistakes["is too short: it lacks the zeros before the beginning"] = run(
                0, 0
            )
        if dilation > 1:
            mistakes["takes moments in a row: dilation is their distance"] = run(
                k - 1, 0, d=1
            )
        what = f"the output for length {length}, k = {k}, dilation = {dilation}"
        answer = ask(causal, x, kernel, dilation)
        alike(answer, run(reach, 0), what, 1e-4, mistakes=mistakes)


def reader(frames, side, window, maps, classes):
    """A small 3D network that forgets place and time at its end."""
    conv = {"padding": "same", "activation": "relu", "bias_initializer": "normal"}
    return keras.Sequential(
        [
            keras.Input((frames, side, side + 1, 1)),
            keras.layers.Conv3D(maps, window, **conv),
            keras.layers.MaxPooling3D((1, 2, 2)),
            keras.layers.Conv3D(maps + 1, window, **conv),
            keras.layers.GlobalAveragePooling3D(),
            keras.layers.Dense(classes, bias_initializer="normal"),
        ]
    )


@exercise("15.2", "the same logits for clips run backwards, in networks of any size")
def the_film_backwards(backwards):
    """``backwards(weights)`` makes a network read clips from their end."""
    rng = np.random.default_rng(152)
    for frames, side, window, maps in [(5, 6, 3, 3), (4, 7, (3, 5, 3), 5)]:
        keras.utils.set_random_seed(frames)
        net = reader(frames, side, window, maps, classes=4)
        given = net.get_weights()
        answer = ask(backwards, [np.copy(w) for w in given])
        try:
            net.set_weights(list(answer))
        except Exception as error:
            shapes = ", ".join(str(w.shape) for w in given)
            raise Wrong(f"set_weights takes arrays of {shapes}") from error
        clips = rng.normal(size=(3, frames, side, side + 1, 1)).astype("float32")
        found = np.asarray(net(clips))

        def flipped(*axes, given=given, net=net, clips=clips, last=False):
            changed = [np.flip(w, axes) if w.ndim == 5 else w for w in given]
            if last:
                changed[-2] = changed[-2][::-1]
            net.set_weights(changed)
            return np.asarray(net(clips))

        mistakes = {
            "is what it was before": flipped(),
            "is that of clips upside down and backwards in space, not in time": (
                flipped(1, 2)
            ),
            "is that of clips turned over in space as well": flipped(0, 1, 2),
            "is that of clips turned upside down: that axis is the rows": flipped(1),
            "is that of mirrored clips: that axis is the columns": flipped(2),
            "has the dense layer reversed too: time is gone when it comes": flipped(
                0, last=True
            ),
        }
        what = f"the network's output for {frames} frames"
        alike(found, flipped(0), what, 1e-4, mistakes=mistakes)
