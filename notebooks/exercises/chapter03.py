"""Exercises on pooling."""

import keras
import numpy as np
from keras import layers, ops

from exercises import Wrong, alike, ask, exercise, numbers


def pooled(maps, size, summary, stride=None):
    """Windows of size×size, summed up: (n, h, w, channels) -> (n, h', w', channels)."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, (size, size), (1, 2))
    stride = stride or size
    return summary(windows[:, ::stride, ::stride], axis=(-2, -1))


def root_mean_square(x, axis):
    return np.sqrt(np.mean(x**2, axis=axis))


@exercise("03.1", "right for every size, and at borders where the windows do not fit")
def another_summary(pool_rms):
    """``pool_rms(maps, size)``: the root of the mean square of each window."""
    rng = np.random.default_rng(31)
    for n, h, w, c, size in [(2, 6, 4, 3, 2), (1, 9, 7, 2, 3), (3, 5, 8, 1, 2)]:
        maps = rng.normal(size=(n, h, w, c))
        alike(
            ask(pool_rms, maps.astype("float32"), size),
            pooled(maps, size, root_mean_square),
            f"for maps of {h}×{w}, {c} channels, windows of {size}×{size}, the answer",
            mistakes={
                "is the mean of the squares, without the root": pooled(
                    maps**2, size, np.mean
                ),
                "is the root of the sum, not of the mean": size
                * pooled(maps, size, root_mean_square),
                "squares the mean: first square, then take the mean": np.abs(
                    pooled(maps, size, np.mean)
                ),
                "is the mean of the absolute values": pooled(
                    np.abs(maps), size, np.mean
                ),
                "is the standard deviation, which takes the mean away first": pooled(
                    maps, size, np.std
                ),
                "is the mean": pooled(maps, size, np.mean),
                "is the maximum": pooled(maps, size, np.max),
                "has windows that overlap": pooled(maps, size, root_mean_square, 1),
                "mixes the channels": np.sqrt(
                    pooled((maps**2).mean(axis=-1, keepdims=True), size, np.mean)
                ),
                "has windows that hang over the border": np.sqrt(
                    ops.average_pool(maps**2, size, padding="same")
                ),
            },
        )


NETS = {
    "a convolution with stride 2, pooling of 2": [
        layers.Conv2D(4, 3, strides=2),
        layers.MaxPooling2D(2),
    ],
    "pooling of 3 with stride 2, convolutions with strides 1 and 3": [
        layers.MaxPooling2D(3, strides=2),
        layers.Conv2D(4, 3),
        layers.Conv2D(4, 5, strides=3),
    ],
    "a convolution with dilation 2": [layers.Conv2D(4, 3, dilation_rate=2)],
    "average-pooling of 2 and a convolution, twice": [
        layers.AveragePooling2D(2),
        layers.Conv2D(4, 3),
        layers.AveragePooling2D(2),
        layers.Conv2D(4, 3),
    ],
}


def network(shrinking, side=64):
    """The layers, then a global mean and three logits, with random weights."""
    net = keras.Sequential([keras.Input((side, side, 1))])
    for seed, layer in enumerate(shrinking):
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D):
            start = keras.initializers.GlorotUniform(seed)
            config |= {"activation": "relu", "kernel_initializer": start}
        net.add(type(layer).from_config(config))
    net.add(layers.GlobalAveragePooling2D())
    net.add(layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(9)))
    return net


def strides(net, of=(layers.Conv2D, layers.MaxPooling2D, layers.AveragePooling2D)):
    return [layer.strides[0] for layer in net.layers if isinstance(layer, of)]


def steps(net):
    """The right step first, then what one gets by mistakes, with their words."""
    convolutions = np.prod(strides(net, layers.Conv2D))
    windows = [getattr(layer, "pool_size", (1,))[0] for layer in net.layers]
    found = strides(net)
    return {
        "is right": np.prod(found),
        "adds the strides up": sum(found),
        "looks at the poolings alone": np.prod(found) / convolutions,
        "looks at the convolutions alone": convolutions,
        "takes the size of a window for its stride": np.prod(windows) * convolutions,
        "is the largest stride alone": max(found),
        "counts the layers that shrink, not by how much": sum(s > 1 for s in found),
    }


@exercise("03.2", "right for convolutions and poolings, with overlap and dilation")
def unnoticed(step):
    """``step(net)``: the smallest shift that a net with a global mean ignores."""
    nets = {name: network(shrinking) for name, shrinking in NETS.items()}
    answers = {
        name: numbers(ask(step, net), f"the step of a net of {name}")
        for name, net in nets.items()
    }
    rows = [steps(net) for net in nets.values()]
    if all(answer.shape == () for answer in answers.values()):
        for words in list(rows[0])[1:]:  # a mistake is one that explains every answer
            if np.allclose(list(answers.values()), [row[words] for row in rows]):
                raise Wrong(f"step {words}")
    for (name, answer), row in zip(answers.items(), rows, strict=True):
        alike(answer, row["is right"], f"the step of a net of {name}")


STRIDE_3 = layers.Conv2D(4, 4, strides=3)


def moved(images, down, right):
    return np.roll(images, (down, right), axis=(1, 2))


@exercise("03.3", "no shift by whole pixels changes the outputs, in either direction")
def every_shift(steady):
    """``steady(net, images, step)``: the mean of the outputs over shifts."""
    rng = np.random.default_rng(33)
    for shrinking in (NETS["a convolution with stride 2, pooling of 2"], [STRIDE_3]):
        net = network(shrinking, side=60)
        step = int(np.prod(strides(net)))
        images = np.zeros((3, 60, 60, 1), "float32")
        images[:, 27:33, 27:33] = rng.uniform(size=(3, 6, 6, 1))
        every = range(step)

        def mean_over(shifts, net=net, images=images):
            copies = [moved(images, *shift) for shift in shifts]
            outputs = net(np.concatenate(copies))
            return np.reshape(outputs, (len(copies), 3, -1)).mean(axis=0)

        expected = mean_over([(i, j) for i in every for j in every])
        what = f"the answer of a net with step {step}"
        answer = ask(steady, net, images, step)
        alike(
            answer,
            expected,
            what,
            1e-4,
            mistakes={
                "is that of the net alone, which notices shifts": mean_over([(0, 0)]),
                "still notices shifts up and down": mean_over([(0, j) for j in every]),
                "still notices shifts to the side": mean_over([(i, 0) for i in every]),
                "averages over shifts along the diagonal alone": mean_over(
                    [(i, i) for i in every]
                ),
                "leaves out shifts both down and to the side": mean_over(
                    [(0, j) for j in every] + [(i, 0) for i in every]
                ),
                "counts a shift by the whole step, which is no shift at all": mean_over(
                    [(i, j) for i in range(step + 1) for j in range(step + 1)]
                ),
                "adds the outputs up: take their mean": step**2 * expected,
                "is what the net says of the mean image; it is not linear": net(
                    np.mean([moved(images, i, j) for i in every for j in every], 0)
                ),
            },
        )
        for shift in [(1, 0), (-2, 5)]:
            again = ask(steady, net, moved(images, *shift), step)
            alike(again, expected, f"{what}, on images moved by {shift},", 1e-4)
