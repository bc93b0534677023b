"""Exercises on segmentation."""

from functools import partial

import keras
import numpy as np

from cnnlib import models
from exercises import Wrong, ask, exercise, judged, numbers


def counted(truth, found, classes):
    """Pixels of each class that are in both, in the truth, in what was found."""
    each = np.arange(classes).reshape(-1, *[1] * np.ndim(truth))
    axes = tuple(range(1, 1 + np.ndim(truth)))
    true, guessed = truth == each, found == each
    return (true & guessed).sum(axes), true.sum(axes), guessed.sum(axes)


def scores(truth, found, classes):
    """IoU and Dice; NaN where a class is in neither, 0 / 0."""
    hits, true, guessed = counted(truth, found, classes)
    with np.errstate(invalid="ignore"):
        return np.stack([hits / (true + guessed - hits), 2 * hits / (true + guessed)])


def neither_as(number):
    """The scores, with a number where a class is in neither."""
    return lambda *given: np.nan_to_num(scores(*given), nan=number)


def only_hits(*given):
    both = scores(*given)
    return np.where(both > 0, both, np.nan)


def recall_twice(*given):
    hits, true, _ = counted(*given)
    with np.errstate(invalid="ignore"):
        return np.stack([hits / true] * 2)


def mean_of_images(truth, found, classes):
    pairs = zip(truth, found, strict=True)
    images = np.ma.masked_invalid([scores(t, f, classes) for t, f in pairs])
    return images.mean(axis=0).filled(np.nan)


def by_table(truth, found, classes):
    table = np.zeros((classes, classes))
    np.add.at(table, (np.ravel(truth), np.ravel(found)), 1)
    hits, each = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    return [(hits / (each - hits)).tolist(), (2 * hits / each).tolist()]


@exercise(
    "14.1",
    "equal to the counts of pixels, the empty class included",
    reference=scores,
    mistakes={
        "gives 0 to a class that is in neither": neither_as(0),
        "gives 1 to a class that is in neither": neither_as(1),
        "gives -1 to a class that is in neither": neither_as(-1),
        "gives no number to a class that only occurs, or is only found": only_hits,
        "has Dice in the first row": lambda *given: scores(*given)[::-1],
        "counts pixels of both twice in the union": (
            lambda *given: scores(*given)[1] * [[0.5], [1]]
        ),
        "has a Dice whose intersection is counted once": (
            lambda *given: scores(*given) * [[1], [0.5]]
        ),
        "divides by the pixels of the truth only": recall_twice,
        "is a mean over images; all pixels are counted together": mean_of_images,
        "has a row for each class; the classes are columns": (
            lambda *given: scores(*given).T
        ),
    },
    also_right=[by_table],
    also_wrong={
        "is not NaN just where it should be": neither_as(0.5),
    },
)
def labels(rng):
    """``scores(truth, found, classes)`` is (2, classes): IoU and Dice."""
    for shape, classes in [((3, 7, 9), 5), ((5, 8), 4), ((60,), 6)]:
        truth, found = rng.integers(0, classes, (2, *shape))
        truth[truth == classes - 1], found[found == classes - 2] = 0, 0
        truth[truth == 1], found[found == 1] = 0, 0
        yield f"your array for {classes} classes", truth, found, classes


def unet_sizes(most, depth, *, pair=4, even=True, bottom=True, least=1):
    """The sizes of a U-Net, with its rules exchanged."""
    sizes = {}
    for size in range(1, most + 1):
        rows = size
        for _ in range(depth):
            rows -= pair
            if rows <= 0 or (even and rows % 2):
                break
            rows //= 2
        else:
            rows -= pair * bottom
            for _ in range(depth):
                rows = 2 * rows - pair
            if rows >= least:
                sizes[size] = rows
    return sizes


def accepted(most, depth):
    """The sizes that the library's U-Net takes."""
    sizes = {}
    for size in range(1, most + 1):
        try:
            sizes[size] = models.unet_output_size(size, depth=depth)
        except ValueError:
            continue
    return sizes


OTHER_SIZES = {
    "lets a pooling meet an odd number of rows": partial(unet_sizes, even=False),
    "lacks the convolutions at the bottom": partial(unet_sizes, bottom=False),
    "takes one pixel a side for two convolutions": partial(unet_sizes, pair=2),
    "holds sizes of which no row is left": partial(unet_sizes, least=-1000),
    "lacks the last size": lambda most, depth: unet_sizes(most - 1, depth),
    "has sizes and answers exchanged": (
        lambda most, depth: {out: n for n, out in unet_sizes(most, depth).items()}
    ),
}


@judged(
    "14.2",
    "the sizes of U-Nets of depth 1 to 5, in and out",
    mistakes=OTHER_SIZES
    | {
        "lacks a size that it takes: 44": lambda most, depth: {
            size: out for size, out in unet_sizes(most, depth).items() if size > 44
        },
        "that it does not take: 5": lambda *given: {5: 1} | unet_sizes(*given),
        "there are not 99 left": lambda *given: unet_sizes(*given) | {44: 99},
        "is of type list, not a dict": lambda *given: list(unet_sizes(*given)),
    },
    also_right=[unet_sizes],
)
def in_and_out(function, rng):
    """``unet_sizes(most, depth)`` is {size in: size out}."""
    for most, depth in [(92, 2), (60, 1), (140, 3), (572, 4), (444, 5)]:
        answer, right = ask(function, most, depth), accepted(most, depth)
        what = f"the answer for {most} pixels and depth {depth}"
        if not isinstance(answer, dict):
            raise Wrong(f"{what} is of type {type(answer).__name__}, not a dict")
        if answer == right:
            continue
        for words, mistake in OTHER_SIZES.items():
            if answer == mistake(most, depth):
                raise Wrong(f"{what} {words}")
        if missing := sorted(set(right) - set(answer)):
            raise Wrong(f"{what} lacks a size that it takes: {missing[0]}")
        if strange := [size for size in answer if size not in right]:
            raise Wrong(f"{what} has a size that it does not take: {strange[0]}")
        size = next(size for size in right if answer[size] != right[size])
        raise Wrong(f"{what}: of {size} rows there are not {answer[size]} left")


def block(x, maps):
    for _ in range(2):
        x = keras.layers.Conv2D(maps, 3, padding="same", activation="relu")(x)
    return x


def small_unet(*, side=None, skips=True, pools=2, end=None, units=2, maps=8, out=1):
    """A small U-Net, with one of its parts exchanged."""
    image = keras.Input((side, side, 1))
    x, levels = block(image, maps), []
    for level in range(pools):
        levels.append((x, maps + 4 * level))
        pooled = keras.layers.MaxPooling2D()(x)
        x = block(pooled, maps + 4 * level + 4)
    for skip, count in reversed(levels):
        x = keras.layers.UpSampling2D()(x)
        x = block(keras.layers.Concatenate()([x, skip]) if skips else x, count)
    answer = keras.layers.Conv2D(units, 1, strides=out, activation=end)(x)
    return keras.Model(image, answer)


def compiled():
    net = small_unet()
    net.compile("adam", "mse")
    return net


def two_inputs():
    first, second = keras.Input((None, None, 1)), keras.Input((None, None, 1))
    return keras.Model([first, second], keras.layers.Add()([first, second]))


def said(net, images):
    """What a network says of images; complains where it cannot read them."""
    sides = "×".join(map(str, images.shape[1:3]))
    try:
        answer = net(images, training=False)
    except Exception as error:
        raise Wrong(
            f"your network does not take images of {sides}: any size is asked for "
            "whose sides 4 divides"
        ) from error
    answer = numbers(answer, f"what your network says of images of {sides}")
    if answer.shape != (*images.shape[:3], 2):
        raise Wrong(
            f"your network answers images of {sides} with shape {answer.shape}; two "
            "logits for every pixel are asked for"
        )
    return answer


@judged(
    "14.3",
    "sees far and sharply, learned from 80 steps",
    mistakes={
        "returns str, not a Keras model": lambda: "U-Net",
        "this is Functional: give build itself": small_unet(),
        "is compiled": compiled,
        "takes 2 inputs": two_inputs,
        "does not take images of 32×32": partial(small_unet, side=64),
        "two logits for every pixel": partial(small_unet, out=2),
        "with shape (2, 32, 32, 1); two": partial(small_unet, units=1),
        "gives probabilities": partial(small_unet, end="softmax"),
        "weights; at most 20,000": partial(small_unet, maps=24),
        "sees less than ten rows far": partial(small_unet, pools=0),
        "does a skip bring the finest map back": partial(small_unet, skips=False),
    },
    also_right=[partial(small_unet, maps=10)],
)
def build_unet(build, rng):
    """``build()`` returns an uncompiled model for images of any size."""
    if isinstance(build, keras.Model):
        raise Wrong(f"this is {type(build).__name__}: give build itself")
    keras.utils.set_random_seed(0)
    net = ask(build)
    if not isinstance(net, keras.Model):
        raise Wrong(f"build() returns {type(net).__name__}, not a Keras model")
    if net.compiled:
        raise Wrong("your network is compiled; it is compiled here, to be trained")
    if len(getattr(net, "inputs", None) or [0]) > 1:
        raise Wrong(f"your network takes {len(net.inputs)} inputs, not one image")
    noise = rng.normal(size=(2, 32, 32, 1)).astype("float32")
    logits = said(net, noise)
    said(net, rng.normal(size=(1, 24, 40, 1)).astype("float32"))
    if np.abs(logits.sum(axis=-1) - 1).max() < 1e-4:
        raise Wrong("your network gives probabilities; logits are asked for")
    if net.count_params() > 20_000:
        raise Wrong(
            f"it has {net.count_params():,} weights; at most 20,000 are allowed"
        )
    other = noise.copy()
    other[:, 26:] += 3
    if np.abs(said(net, other) - logits)[:, :17].max() < 1e-7:
        raise Wrong("your network sees less than ten rows far: are there two poolings?")
    right = ask(noise_learned, net, rng)
    if right < 0.9:
        raise Wrong(
            f"trained, it is right at {100 * right:.0f} % of the pixels of new noise; "
            "does a skip bring the finest map back?"
        )


def noise_learned(net, rng):
    """Train to say whether a pixel is above 0; how often that is right, on new ones."""
    x, new = rng.normal(size=(2, 16, 32, 32, 1)).astype("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(0.01), loss, steps_per_execution=4)
    net.fit(x, x > 0, batch_size=4, epochs=20, verbose=0)
    guess = net.predict(new, verbose=0).argmax(axis=-1)
    return (guess == (new[..., 0] > 0)).mean()
