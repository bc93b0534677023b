"""Exercises on data sets."""

from functools import partial

import keras
import numpy as np
from keras import layers
from sklearn.neighbors import NearestNeighbors

from cnnlib import datasets
from cnnlib.training import OneCycle
from exercises import Wrong, ask, exercise, judged, numbers
from exercises.chapter06 import built

NUMBERS, READ = 16, 0.87


def network(count=NUMBERS, name="features", last=10, activation=None, trainable=True):
    """The function that builds a small network with a layer of features."""

    def build():
        return keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(16, 5, strides=2, activation="relu"),
                layers.Conv2D(32, 3, strides=2, activation="relu"),
                layers.Flatten(),
                layers.Dense(count, name=name, trainable=trainable),
                layers.Dense(last, activation),
            ]
        )

    return build


def features_are_maps():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(2, 3, strides=9, name="features"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


@judged(
    "07.1",
    "a few features per digit, and the nearest mean reads more than by 784 pixels",
    mistakes={
        "of the test digits; 87% is asked for": network(1),
        "there is no layer called 'features', only conv": network(name="few"),
        "the features are 64 numbers an image; 16 may be": network(64),
        "the features have shape (None, 3, 3, 2), not (None, up to 16)": (
            features_are_maps
        ),
        "the outputs sum to 1: logits are asked for, without a softmax": network(
            activation="softmax"
        ),
        "7 images become an output of (7, 9), not (7, 10)": network(last=9),
        "build() returns str, not a Keras model": lambda: "a network",
        "a function is asked for that returns the model; this is one": network()(),
    },
    also_right=[network(12)],
)
def few_features(build, rng):
    """``build()`` returns an uncompiled model with a layer called ``features``."""
    net = built(build, rng, side=28, seed=71)
    names = [layer.name for layer in net.layers]
    if "features" not in names:
        raise Wrong(f"there is no layer called 'features', only {', '.join(names)}")
    out = net.get_layer("features").output
    if len(out.shape) != 2:
        raise Wrong(f"the features have shape {out.shape}, not (None, up to {NUMBERS})")
    if out.shape[1] > NUMBERS:
        raise Wrong(f"the features are {out.shape[1]} numbers an image; 16 may be")
    digits = datasets.load("digits28")
    x_train, x_test = digits.x_train / np.float32(255), digits.x_test / np.float32(255)
    rate = OneCycle(5e-3, 6 * -(-len(x_train) // 32))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(rate), loss)
    net.fit(x_train, digits.y_train, batch_size=32, epochs=6, verbose=0)
    describe = keras.Model(net.inputs, out)
    learned, unknown = [describe.predict(x, verbose=0) for x in (x_train, x_test)]
    means = np.stack([learned[digits.y_train == c].mean(axis=0) for c in range(10)])
    guess = np.square(unknown[:, None] - means).sum(axis=2).argmin(axis=1)
    if (read := np.mean(guess == digits.y_test)) < READ:
        raise Wrong(
            f"the nearest mean of the features reads {read:.0%} of the test digits; "
            f"{READ:.0%} is asked for"
        )


def hold_out(groups, share, seed, order=None, beyond=False):
    """The groups in an order, by chance, until the share is there; or one more."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.unique(groups)) if order is None else order(groups, rng)
    held = np.zeros(len(groups), bool)
    for name in names:
        enough = held.sum() >= share * len(groups)
        if enough and not (beyond and held.sum() == share * len(groups)):
            break
        held |= groups == name
    return held


def hold_out_by_sizes(groups, share, seed):
    """Without a loop, in another order by chance, and as a list."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).random(len(names)).argsort()
    reached = np.cumsum(sizes[order]) >= share * len(groups) - 1e-9
    return np.isin(groups, names[order[: reached.argmax() + 1]]).tolist()


def one_after_the_other(groups, rng):
    names = np.unique(groups)
    return np.roll(names, rng.integers(len(names)))


def largest_first(groups, rng):
    names, sizes = np.unique(groups, return_counts=True)
    return names[np.argsort(-sizes - 0.5 * rng.random(len(names)))]


def share_of_groups(groups, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    return np.isin(groups, names[: int(share * len(names)) - 1])


def hold_out_too_many(groups, share, seed):
    held = hold_out(groups, share, seed)
    rest = np.unique(groups[~held])
    return held | np.isin(groups, rest[: len(rest) // 3])


@judged(
    "07.2",
    "whole groups in either part, drawn by chance, in the share asked for",
    mistakes={
        "is torn: it has images in both parts": lambda groups, share, seed: (
            np.random.default_rng(seed).random(len(groups)) < share
        ),
        "shares of images are meant, not of groups": share_of_groups,
        "with a group less it would still have the share": hold_out_too_many,
        "for 10 groups, seed 0, the test part has 12 of 40 images": partial(
            hold_out, beyond=True
        ),
        "True marks the training images": lambda *given: ~hold_out(*given),
        "every seed gives the same split": (
            lambda groups, share, seed: hold_out(groups, share, 0)
        ),
        "the same seed gives another split": (
            lambda groups, share, seed: hold_out(groups, share, None)
        ),
        "large groups come into the test part more often than small ones": partial(
            hold_out, order=lambda groups, rng: rng.permutation(groups)
        ),
        "large groups come": partial(hold_out, order=largest_first),
        "only 24 different splits": partial(hold_out, order=one_after_the_other),
        "answer has dtype int64": lambda *given: np.flatnonzero(hold_out(*given)),
        "answer has dtype bool and shape": lambda *given: hold_out(*given)[:-1],
    },
    also_right=[hold_out_by_sizes],
)
def whole_groups(function, rng):
    """``hold_out(groups, share, seed)`` returns a boolean mask."""
    for count, share in [(12, 0.25), (40, 0.2), (31, 0.4), (10, 0.2)]:
        names = rng.permutation(1000)[:count]
        sizes = rng.integers(1, 9, size=count) if count > 10 else 4
        groups = rng.permutation(np.repeat(names, sizes))
        masks = [
            test_part(
                function, groups, share, seed, f"for {count} groups, seed {seed},"
            )
            for seed in (0, 1, 2, 0)
        ]
        if (masks[0] != masks[3]).any():
            raise Wrong("the same seed gives another split when it is asked again")
        if all((mask == masks[0]).all() for mask in masks):
            raise Wrong("every seed gives the same split")
    judge_chance(function)


def test_part(function, groups, share, seed, where):
    """The mask, if it splits as it should."""
    mask = numbers(ask(function, groups, share, seed), f"{where} the answer")
    if mask.dtype != bool or mask.shape != groups.shape:
        raise Wrong(
            f"{where} the answer has dtype {mask.dtype} and shape {mask.shape}; bool "
            f"and {groups.shape} are expected"
        )
    if torn := sorted({*groups[mask].tolist()} & {*groups[~mask].tolist()}):
        raise Wrong(f"{where} group {torn[0]} is torn: it has images in both parts")
    if not just_enough(mask, groups, share) and just_enough(~mask, groups, share):
        raise Wrong(
            f"{where} the two parts are exchanged: True marks the training images"
        )
    held = f"{where} the test part has {mask.sum()} of {len(groups)} images"
    if mask.sum() < share * len(groups) - 1e-9:
        raise Wrong(
            f"{held}, less than the share of {share}: shares of images are meant, not "
            "of groups"
        )
    if not just_enough(mask, groups, share):
        raise Wrong(
            f"{held}: with a group less it would still have the share of {share}"
        )
    return mask


def just_enough(mask, groups, share):
    """Whether the part has its share, and would not without its largest group."""
    needed = share * len(groups) - 1e-9
    largest = np.unique(groups[mask], return_counts=True)[1].max(initial=0)
    return mask.sum() - largest < needed <= mask.sum()


def judge_chance(function):
    """That every group has the same chance, whatever its size and its neighbours."""
    groups = np.repeat(np.arange(24), np.tile([1, 9], 12))
    first = np.searchsorted(groups, np.arange(24))
    held = np.array(
        [
            test_part(function, groups, 0.3, seed, f"for 24 groups, seed {seed},")[
                first
            ]
            for seed in range(200)
        ]
    )
    small, large = held[:, ::2].mean(), held[:, 1::2].mean()
    if large > small + 0.1:
        raise Wrong(
            "large groups come into the test part more often than small ones, "
            f"{large:.0%} against {small:.0%}: draw groups, not images"
        )
    if (different := len(np.unique(held, axis=0))) < 100:
        raise Wrong(
            f"200 seeds give only {different} different splits: draw one by one"
        )


def shared(one, other):
    """The mean number of entries that a row has in common with the other's."""
    return np.mean([len({*a} & {*b}) for a, b in zip(one, other, strict=True)])


def kept(points, plane, k, first=1, last=0):
    """The share of neighbours from ``first`` to k + ``last``; 0 is the point itself."""
    orders = [
        np.argsort(np.square(x[:, None] - x[None]).sum(axis=2), axis=1)
        for x in (points, plane)
    ]
    near = [order[:, first : k + 1 + last] for order in orders]
    return shared(*near) / near[0].shape[1]


def kept_in_order(points, plane, k):
    near = [
        NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
        for x in (points, plane)
    ]
    return np.mean(near[0] == near[1])


def kept_by_distances(points, plane, k):
    """With the k-th smallest distance in place of sets."""
    marks = []
    for x in (points, plane):
        far = np.linalg.norm(x[:, None] - x, axis=2) + np.diag([np.inf] * len(x))
        marks.append(far <= np.sort(far, axis=1)[:, k - 1 : k])
    return np.logical_and(*marks).sum() / (k * len(points))


@exercise(
    "07.3",
    "the share of neighbours that a map keeps, counted as by hand",
    reference=kept,
    mistakes={
        "counts each point as a neighbour of its own": partial(kept, first=0),
        "counts each point as the first of its own neighbours": partial(
            kept, first=0, last=-1
        ),
        "counts a point itself, and divides by the neighbours alone": (
            lambda points, plane, k: kept(points, plane, k, first=0) * (k + 1) / k
        ),
        "asks for the same neighbours in the same order": kept_in_order,
        "is a number of neighbours, not a share": (
            lambda points, plane, k: kept(points, plane, k) * k
        ),
        "is in per cent; a share from 0 to 1 is asked for": (
            lambda *given: 100 * kept(*given)
        ),
        "is the share of neighbours that are lost": lambda *given: 1 - kept(*given),
    },
    also_right=[kept_by_distances],
    also_wrong={
        "is off by up to": lambda points, plane, k: kept(points, plane, 5),
    },
)
def points_and_maps(rng):
    """``kept(points, plane, k)`` returns one share."""
    for count, features, k, noise in [(30, 6, 5, 0.5), (41, 9, 3, 1), (25, 4, 8, 0.2)]:
        points = rng.normal(size=(count, features))
        plane = points[:, :2] + noise * rng.normal(size=(count, 2))
        # Far from 0, and the map in another order of size: neither matters.
        what = f"for {count} points and their {k} nearest, the answer"
        yield what, points + 7, 100 * plane, k
