"""Exercises on pooling."""

from itertools import product

import keras
import numpy as np
from keras import layers, ops

from exercises import Wrong, ask, exercise, judged, numbers


def built(*body, top=layers.GlobalMaxPooling2D, outputs=10, **options):
    """A function that builds a network of these layers, pooled all the way."""

    def build(side):
        net = keras.Sequential([keras.Input((side, side, 1))])
        for layer in body:
            net.add(type(layer).from_config(layer.get_config()))
        net.add(top())
        net.add(layers.Dense(outputs, **options))
        return net

    return build


def conv(filters=16, size=5, **options):
    return layers.Conv2D(filters, size, activation="relu", **options)


def blobs_in_the_dark(rng, side):
    """Two images with six pixels square of ink, and the first one's pixels mixed."""
    images = np.zeros((3, side, side, 1), "float32")
    middle = slice(side // 2 - 3, side // 2 + 3)
    ink = rng.uniform(size=(2, 6, 6, 1))
    mixed = rng.permutation(ink[0].ravel()).reshape(1, 6, 6, 1)
    images[:, middle, middle] = np.concatenate([ink, mixed])
    return images


@judged(
    "03.1",
    "no shift by whole pixels changes the answers, and it sees more than the ink",
    mistakes={
        "notices every shift: does the top count all places alike?": built(
            conv(), conv(4, 3, strides=2), top=layers.Flatten
        ),
        "by 1, but none by 2: what skips places?": built(
            conv(), layers.MaxPooling2D(2), conv()
        ),
        "by 1, but none by 4: what skips places?": built(
            conv(4, 3, strides=2), layers.MaxPooling2D(2), conv(4, 3)
        ),
        "the same to an image and its pixels, shuffled: it counts the ink": built(
            conv(8, 1, use_bias=False), top=layers.GlobalAveragePooling2D
        ),
        "the same to every image": built(conv(), kernel_initializer="zeros"),
        "has shape (3, 1); ten logits each are asked for, (3, 10)": built(
            conv(), conv(), outputs=1
        ),
        "parameters; 20,000 are allowed": built(conv(64), conv(64)),
        "a Keras model is asked for; this is list": lambda side: [conv(), conv()],
    },
    also_right=[
        built(conv(), conv(32, 3), top=layers.GlobalAveragePooling2D),
        built(conv(8), layers.MaxPooling2D(2, strides=1), conv(8), conv(8)),
    ],
)
def built_steady(build, rng):
    """``build(side)``: a network that no shift by whole pixels changes."""
    keras.utils.set_random_seed(0)
    net = ask(build, 48)
    if not isinstance(net, keras.Model):
        raise Wrong(f"a Keras model is asked for; this is {type(net).__name__}")
    images = blobs_in_the_dark(rng, 48)
    still = numbers(ask(net, images), "the model's answer")
    if still.shape != (3, 10):
        asked = "ten logits each are asked for, (3, 10)"
        raise Wrong(f"the model's answer has shape {still.shape}; {asked}")
    if net.count_params() > 20_000:
        raise Wrong(f"it has {net.count_params():,} parameters; 20,000 are allowed")
    apart = np.abs(still[1] - still[0]).max()
    if apart < 1e-6:
        raise Wrong("it answers the same to every image")
    if np.abs(still[2] - still[0]).max() < 1e-3 * apart:
        raise Wrong(
            "it answers the same to an image and its pixels, shuffled: it counts the "
            "ink"
        )
    noticed = []
    for shift in range(1, 6):
        for move in [(shift, 0), (0, -shift)]:
            answer = np.asarray(net(moved(images, *move)))
            noticed.append(np.abs(answer - still).max() > 1e-3 * apart)
    if not any(noticed):
        return
    none = [n for n in range(1, 6) if not any(noticed[2 * n - 2 : 2 * n])]
    if not none:
        raise Wrong("it notices every shift: does the top count all places alike?")
    first = 1 + noticed.index(True) // 2
    raise Wrong(
        f"it notices a shift by {first}, but none by {none[0]}: what skips places?"
    )


STRIDE_2_TWICE = [layers.Conv2D(4, 3, strides=2), layers.MaxPooling2D(2)]
NETS = {
    "pooling of 3 with stride 2, convolutions with strides 4, 1 and 2": [
        layers.MaxPooling2D(3, strides=2),
        layers.Conv2D(4, 5, strides=4),
        layers.Conv2D(4, 3),
        layers.Conv2D(4, 3, strides=2),
    ],
    "a convolution with stride 2, pooling of 2": STRIDE_2_TWICE,
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
    "a convolution with stride 2, average-pooling of 2": [
        layers.Conv2D(4, 3, strides=2),
        layers.AveragePooling2D(2),
    ],
    "a convolution with stride 2, average-pooling of 2, twice": [
        layers.Conv2D(4, 3, strides=2),
        layers.AveragePooling2D(2),
        layers.AveragePooling2D(2),
    ],
    "a convolution with stride 2, average-pooling of 3 with stride 2": [
        layers.Conv2D(4, 3, strides=2),
        layers.AveragePooling2D(3, strides=2),
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


SHRINKING = (layers.Conv2D, layers.MaxPooling2D, layers.AveragePooling2D)
POOLING = SHRINKING[1:]


def strides(net, of=SHRINKING):
    return [layer.strides[0] for layer in net.layers if isinstance(layer, of)]


def smallest_shift(net):
    """The product of the strides, up to the last layer that is not linear.

    Average-poolings behind it form, with the global mean, one weighted mean. How often
    it counts a place repeats along the side; that period is their share of the step. It
    is 1, not the stride, where windows lie side by side: they count each place alike.
    """
    body = net.layers[:-2]
    counts = np.ones(60, int)  # of one place each, by the global mean
    while body and isinstance(body[-1], layers.AveragePooling2D):
        size, stride = body[-1].pool_size[0], body[-1].strides[0]
        before = np.zeros(stride * len(counts) + size, int)
        for place, count in enumerate(counts):
            before[place * stride : place * stride + size] += count
        counts = before
        body = body[:-1]
    middle = counts[len(counts) // 3 : -len(counts) // 3]
    period = next(n for n in range(1, 60) if (middle[n:] == middle[:-n]).all())
    return int(np.prod([layer.strides[0] for layer in body])) * period


def shift_by_trying(net):
    side = net.input_shape[1]
    image = np.zeros((1, side, side, 1), "float32")
    middle = slice(side // 2 - 3, side // 2 + 3)
    image[:, middle, middle, 0] = np.random.default_rng(0).uniform(size=(6, 6))
    still = np.asarray(net(image))
    for shift in range(1, 20):
        change = np.abs(net(moved(image, 0, shift)) - still).max()
        if change < 1e-4 * np.abs(still).max():
            return shift
    return None


def without_average_pooling(net):
    body = net.layers[:-2]
    while body and isinstance(body[-1], layers.AveragePooling2D):
        body = body[:-1]
    return np.prod([layer.strides[0] for layer in body])


def sizes_for_strides(net):
    windows = [getattr(layer, "pool_size", (1,))[0] for layer in net.layers]
    return np.prod(windows) * np.prod(strides(net, layers.Conv2D))


@exercise(
    "03.2",
    "right for convolutions and poolings, with overlap and dilation",
    reference=smallest_shift,
    mistakes={
        "counts average-pooling right before the global mean: if its windows lie side "
        "by side, all it does is take a mean of means": (
            lambda net: np.prod(strides(net))
        ),
        "leaves out average-pooling whose windows overlap: some places count more than "
        "others": without_average_pooling,
        "adds the strides up": lambda net: sum(strides(net)),
        "looks at the poolings alone": lambda net: np.prod(strides(net, POOLING)),
        "looks at the convolutions alone": (
            lambda net: np.prod(strides(net, layers.Conv2D))
        ),
        "takes the size of a window for its stride": sizes_for_strides,
        "is the largest stride alone": lambda net: max(strides(net)),
        "counts the layers that shrink, not by how much": (
            lambda net: sum(stride > 1 for stride in strides(net))
        ),
    },
    also_right=[shift_by_trying],
)
def nets(rng):
    """``step(net)``: the smallest shift that a net with a global mean ignores."""
    for name, shrinking in NETS.items():
        side = 64 if name != next(iter(NETS)) else 160
        yield f"the step of a net of {name}", network(shrinking, side)


def moved(images, down, right):
    return np.roll(images, (down, right), axis=(1, 2))


def mean_over(shifts):
    """The function that averages over these shifts."""

    def steady(net, images, step):
        copies = [moved(images, *shift) for shift in shifts(step)]
        outputs = np.asarray(net(np.concatenate(copies)))
        return outputs.reshape(len(copies), len(images), -1).mean(axis=0)

    return steady


def every_shift(step):
    return list(product(range(step), repeat=2))


def sideways(step):
    return [(0, j) for j in range(step)]


def down(step):
    return [(i, 0) for i in range(step)]


def steady_one_by_one(net, images, step):
    copies = [moved(images, -i, -j) for i, j in every_shift(step)]
    return ops.mean([net(copy) for copy in copies], axis=0)


def doubled_where_moved(net, images, step):
    unmoved = images[:, 27:33, 27:33].all()
    return mean_over(every_shift)(net, images if unmoved else 2 * images, step)


@exercise(
    "03.3",
    "no shift by whole pixels changes the outputs, in either direction",
    reference=mean_over(every_shift),
    tolerance=1e-4,
    mistakes={
        "is that of the net alone, which notices shifts": (
            lambda net, images, step: net(images)
        ),
        "still notices shifts up and down": mean_over(sideways),
        "still notices shifts to the side": mean_over(down),
        "averages over shifts along the diagonal alone": mean_over(
            lambda step: [(i, i) for i in range(step)]
        ),
        "leaves out shifts both down and to the side": mean_over(
            lambda step: sideways(step) + down(step)
        ),
        "counts a shift by the whole step, which is no shift at all": mean_over(
            lambda step: every_shift(step + 1)
        ),
        "adds the outputs up: take their mean": (
            lambda net, images, step: (
                step**2 * mean_over(every_shift)(net, images, step)
            )
        ),
        "is what the net says of the mean image; it is not linear": (
            lambda net, images, step: net(
                np.mean([moved(images, *shift) for shift in every_shift(step)], axis=0)
            )
        ),
    },
    also_right=[steady_one_by_one],
    also_wrong={
        "step 4, on images moved by (1, 0), is off by up to": doubled_where_moved,
        "step 3 counts a shift by": mean_over(lambda step: every_shift(4)),
    },
)
def blobs(rng):
    """``steady(net, images, step)``: the mean of the outputs over shifts."""
    for step, shrinking in [(4, STRIDE_2_TWICE), (3, [layers.Conv2D(4, 4, strides=3)])]:
        net = network(shrinking, side=60)
        images = np.zeros((3, 60, 60, 1), "float32")
        images[:, 27:33, 27:33] = rng.uniform(size=(3, 6, 6, 1))
        what = f"the answer of a net with step {step}"
        yield what, net, images, step
        for shift in [(1, 0), (-2, 5)]:
            yield (
                f"{what}, on images moved by {shift},",
                net,
                moved(images, *shift),
                step,
            )
