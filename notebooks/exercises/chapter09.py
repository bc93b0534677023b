"""Exercises on the race for ImageNet."""

from functools import partial

import keras
import numpy as np
from keras import layers

from exercises import Wrong, ask, exercise, judged


def keras_top_k_error(scores, truth, k):
    top = keras.metrics.sparse_top_k_categorical_accuracy
    return 1 - np.mean(top(truth, scores, k))


def top_k_error_by_ranks(scores, truth, k):
    own = scores[np.arange(len(truth)), truth]
    return np.mean((scores > own[:, None]).sum(axis=1) >= k)


@exercise(
    "09.1",
    "equal to Keras's top-k accuracy for every k tried",
    reference=keras_top_k_error,
    mistakes={
        "is the accuracy: what you count are hits": (
            lambda scores, truth, k: 1 - keras_top_k_error(scores, truth, k)
        ),
        "is given in percent; a share is asked for": (
            lambda scores, truth, k: 100 * keras_top_k_error(scores, truth, k)
        ),
        "is that of the k smallest scores": (
            lambda scores, truth, k: keras_top_k_error(-scores, truth, k)
        ),
        "is a count; a share is asked for": (
            lambda scores, truth, k: len(truth) * keras_top_k_error(scores, truth, k)
        ),
        "is that of k + 1": (
            lambda scores, truth, k: keras_top_k_error(scores, truth, k + 1)
        ),
        "is that of k - 1": (
            lambda scores, truth, k: top_k_error_by_ranks(scores, truth, k - 1)
        ),
    },
    also_right=[top_k_error_by_ranks],
    also_wrong={"one number is asked for": lambda *given: [keras_top_k_error(*given)]},
)
def scores_and_labels(rng):
    """``error(scores, truth, k)`` is the share of misses among the k best."""
    for n, classes, k in [(40, 10, 1), (30, 10, 5), (50, 7, 2), (20, 5, 5)]:
        scores = rng.normal(size=(n, classes)).astype("float32")
        truth = rng.integers(0, classes, n)
        what = f"the top-{k} error of {n} images and {classes} classes"
        yield what, scores, truth, k


def keras_parameters(side, maps, filters, groups):
    layer = keras.layers.Conv2D(filters, side, groups=groups)
    layer.build((None, 8, 8, maps))
    return layer.count_params()


def counted(side, maps, filters, groups, power=2, splits=1, biases=None):
    """The count by the formula, and what it is if one mistook something."""
    weights = side**power * maps * filters / groups**splits
    return weights + (biases(filters, groups) if biases else filters)


@exercise(
    "09.2",
    "equal to the weights and biases that Keras counts",
    reference=keras_parameters,
    tolerance=0,
    mistakes={
        "lacks the biases": partial(counted, biases=lambda filters, groups: 0),
        "has a bias per group, not per filter": partial(
            counted, biases=lambda filters, groups: groups
        ),
        "is that without groups": partial(counted, splits=0),
        "divides by the groups twice: maps and filters": partial(counted, splits=2),
        "divides the biases by the groups as well": partial(
            counted, biases=lambda filters, groups: filters / groups
        ),
        "takes the side once, not squared": partial(counted, power=1),
    },
    also_right=[counted],
)
def grouped_convolutions(rng):
    """``parameters(side, maps, filters, groups)`` counts a grouped convolution."""
    for side, maps, filters, groups in [(5, 96, 256, 2), (3, 12, 8, 4), (1, 6, 9, 1)]:
        what = f"the count for {side}×{side} filters, {maps} maps, {filters} filters"
        yield f"{what}, {groups} groups", side, maps, filters, groups


def slim(
    blocks,
    classes,
    *,
    activation="relu",
    padding="same",
    pooling=layers.MaxPooling2D,
    end=layers.GlobalAveragePooling2D,
    head=None,
    sides=(None, None),
):
    """VGG's convolutions and one dense layer, and what it is if one mistook something.

    ``pooling`` and ``end`` make layers, or are None to leave them out.
    """
    image = x = keras.Input((*sides, 3))
    for filters, count in blocks:
        for _ in range(count):
            x = layers.Conv2D(filters, 3, padding=padding, activation=activation)(x)
        x = pooling(2)(x) if pooling else x
    x = end()(x) if end else x
    return keras.Model(image, layers.Dense(classes, activation=head)(x))


SLIM_MISTAKES = {
    "its convolutions have no ReLU": partial(slim, activation=None),
    "its outputs went through a softmax: logits are asked for": partial(
        slim, head="softmax"
    ),
    "there is a ReLU on its logits": partial(slim, head="relu"),
    "it takes the mean where max-pooling is asked for": partial(
        slim, pooling=layers.AveragePooling2D
    ),
    "there is no pooling behind its blocks": partial(slim, pooling=None),
    "it takes the maximum of each map where the mean is asked for": partial(
        slim, end=layers.GlobalMaxPooling2D
    ),
    "its convolutions lose the border: padding": partial(slim, padding="valid"),
}


SLIM_CASES = [((22, 26), [(4, 1), (6, 2)], 5), ((24, 20), [(3, 2), (5, 3)], 4)]


def weights_like(net, rng):
    """Random weights for a network, small enough for logits of about 1."""
    shapes = [w.shape for w in net.weights]
    return [rng.normal(0, (2 / max(np.prod(s[:-1]), 9)) ** 0.5, s) for s in shapes]


def outputs(net, images):
    """What a learner's network makes of images; Wrong where it can't read them."""
    if not isinstance(net, keras.Model):
        raise Wrong(f"slim_vgg returns {type(net).__name__}, not a Keras model")
    try:
        return np.asarray(ask(net, images))
    except Exception as error:
        size = "×".join(map(str, images.shape[1:]))
        words = f"the model can't read images of {size}: any size is asked for"
        raise Wrong(words) from error


@judged(
    "09.3",
    "VGG's convolutions, the means of their maps, and one dense layer, for any size",
    mistakes=SLIM_MISTAKES
    | {
        "the model can't read images of 22×26×3: any size is asked for": partial(
            slim, sides=(16, 16), end=layers.Flatten
        ),
        "the model can't read images of 24×20×3: any size is asked for": partial(
            slim, sides=(22, 26)
        ),
        "the weights of its layers have the shapes": lambda blocks, classes: slim(
            [(filters, 1) for filters, _ in blocks], classes
        ),
        "2 images become an output of": partial(slim, end=None),
        "slim_vgg returns str, not a Keras model": lambda blocks, classes: "vgg",
        "a function is asked for that returns the model; this is one": slim([], 2),
    },
    also_right=[partial(slim)],
)
def slim_vgg(build, rng):
    """``build(blocks, classes)`` returns a network that emits logits."""
    if isinstance(build, keras.Model):
        raise Wrong("a function is asked for that returns the model; this is one")
    # Two sizes, and large enough for the network that loses its borders.
    for size, blocks, classes in SLIM_CASES:
        net, right = ask(build, blocks, classes), slim(blocks, classes)
        images = rng.normal(size=(2, *size, 3)).astype("float32")
        out = outputs(net, images)
        if out.shape != (2, classes):
            raise Wrong(
                f"2 images become an output of {out.shape}; (2, {classes}) is asked for"
            )
        shapes, wanted = ([tuple(w.shape) for w in n.weights] for n in (net, right))
        if shapes != wanted:
            raise Wrong(
                f"the weights of its layers have the shapes {shapes}; for the blocks "
                f"{blocks} and {classes} classes {wanted} are expected"
            )
        weights = weights_like(right, rng)
        net.set_weights(weights)
        out = outputs(net, images)
        known = {"": slim, **SLIM_MISTAKES}
        others = {words: maker(blocks, classes) for words, maker in known.items()}
        for other in others.values():
            other.set_weights(weights)
        alike = [
            words
            for words, other in others.items()
            if np.allclose(out, np.asarray(other(images)), atol=1e-4)
        ]
        if not alike:
            raise Wrong("with the same weights other logits come out than expected")
        if alike[0]:
            raise Wrong(alike[0])
