"""Exercises on data sets."""

from functools import partial

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from exercises import Wrong, ask, exercise, judged, numbers


def nearest_means(images, labels, unknown, forms=2, named=True):
    """The labels by the nearest of the means, and what one gets by mistakes."""
    flat = images.reshape(len(images), -1)
    split = KMeans(forms, n_init=4, random_state=0)
    classes = np.unique(labels)
    means = [split.fit(flat[labels == c]).cluster_centers_ for c in classes]
    owners = np.repeat(classes, forms) if named else np.arange(forms * len(classes))
    differences = unknown.reshape(len(unknown), 1, -1) - np.concatenate(means)
    return owners[(differences**2).sum(axis=2).argmin(axis=1)]


def nearest_image(images, labels, unknown):
    near = NearestNeighbors(n_neighbors=1).fit(images.reshape(len(images), -1))
    nearest = near.kneighbors(unknown.reshape(len(unknown), -1), return_distance=False)
    return labels[nearest[:, 0]]


def means_across_classes(images, labels, unknown):
    """Clusters of all images, each with the label that most of its images have."""
    flat, count = images.reshape(len(images), -1), 2 * len(np.unique(labels))
    split = KMeans(count, n_init=4, random_state=0).fit(flat)
    members = [labels[split.labels_ == i] for i in range(count)]
    owners = np.array([np.bincount(each).argmax() for each in members])
    return owners[split.predict(unknown.reshape(len(unknown), -1))]


def of_absolute_values(images, labels, unknown):
    return nearest_means(abs(images - 30), labels, abs(unknown - 30), forms=1)


FORMS = {
    "comes from one mean per class: these classes come in two forms, far apart": (
        partial(nearest_means, forms=1)
    ),
    "comes from three means per class; two are asked for": partial(
        nearest_means, forms=3
    ),
    "is that of the nearest image; take the nearest mean": nearest_image,
    "comes from clusters of all images: split the images of each class": (
        means_across_classes
    ),
}


@judged(
    "07.1",
    "classes that come in two forms are told apart, whatever their labels",
    mistakes=FORMS
    | {
        "for 34 images of the classes (0, 1), the answer": of_absolute_values,
        "the nearest of two means has another label": lambda *given: np.roll(
            nearest_means(*given), 1
        ),
        "is it the number of a mean?": partial(nearest_means, named=False),
        "for each image to learn from": lambda x, y, unknown: nearest_means(x, y, x),
        "has shape ()": lambda *given: nearest_means(*given)[0],
    },
    also_right=[lambda *given: nearest_means(*given).tolist()],
)
def two_forms(function, rng):
    """``two_forms(images, labels, unknown)`` returns labels."""
    for names, side in [((0, 1), 3), ((0, 1, 2), 5), ((7, 3), 4), ((4, 0, 9, 5), 3)]:
        images, labels, unknown, expected = forms_of_classes(names, side, rng)
        what = f"for {len(unknown)} images of the classes {names}, the answer"
        answer = numbers(ask(function, images, labels, unknown), what)
        if answer.shape == labels.shape:
            raise Wrong(
                f"{what} has an entry for each image to learn from, not of those"
            )
        if answer.shape != expected.shape:
            raise Wrong(
                f"{what} has shape {answer.shape}; {expected.shape} is expected"
            )
        if strange := sorted(set(answer.tolist()) - set(names)):
            raise Wrong(
                f"{what} names {strange[0]}, which is no label: is it the number of a "
                "mean?"
            )
        if (answer == expected).all():
            continue
        for words, mistake in FORMS.items():
            if (mistake(images, labels, unknown) == answer).all():
                raise Wrong(f"{what} {words}")
        missed = np.sum(answer != expected)
        raise Wrong(
            f"{what} is wrong for {missed}: the nearest of two means has another label"
        )


def forms_of_classes(names, side, rng):
    """Images to learn from and unknown ones, each with labels by the nearest mean.

    One form of each class is compact, and near to those of the other classes. The other
    one is far away, and stretched towards the compact form of the next class: near to
    that, but nearer to stretched images, lie some unknown ones.
    """
    axes = np.eye(side * side)[: len(names)]
    compact, stretched = 30 + 4 * axes, 30 - 20 * axes
    learned, unknown = [], []  # pairs of label and image
    for i, name in enumerate(names):
        other = (i + 1) % len(names)
        way = compact[other] - stretched[i]
        for parts, along in (
            (learned, [*np.linspace(-0.45, 0.45, 23), -0.7, 0.7]),
            (unknown, np.linspace(-0.2, 0.2, 5)),
        ):
            parts += [(name, stretched[i] + t * way) for t in along]
            parts += [(name, compact[i])] * 10
        unknown += [(names[other], compact[other] - t * way) for t in (0.42, 0.25)]
    return *scattered(learned, side, rng), *scattered(unknown, side, rng)


def scattered(pairs, side, rng):
    """The pairs in another order, as noisy images and their labels."""
    labels, images = zip(*(pairs[i] for i in rng.permutation(len(pairs))), strict=True)
    images = images + 0.3 * rng.normal(size=(len(pairs), side * side))
    return images.reshape(-1, side, side, 1), np.array(labels)


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
