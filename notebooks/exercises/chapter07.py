"""Exercises on data sets."""

import numpy as np

from exercises import Wrong, alike, ask, exercise, numbers


@exercise(
    "07.1", "classes that come in two forms are told apart, whatever their labels"
)
def two_forms(function):
    """``two_forms(images, labels, unknown)`` returns labels."""
    rng = np.random.default_rng(71)
    for names, side in [((0, 1), 3), ((0, 1, 2), 5), ((7, 3), 4), ((4, 0, 9, 5), 3)]:
        classes = len(names)
        # Two clumps for each class, all far apart, and all with the mean 0: opposite.
        form = np.repeat(np.eye(side * side)[:classes], 2, axis=0) * 20
        form[1::2] *= -1
        where = rng.permutation(np.repeat(np.arange(2 * classes), 15))
        images = form[where] + rng.normal(size=(len(where), side * side))
        images = images.reshape(-1, side, side, 1)
        labels = np.array(names)[where // 2]
        train = rng.permutation(len(where)) < 20 * classes
        what = f"for {(~train).sum()} images of the classes {names}, the answer"
        found = ask(function, images[train], labels[train], images[~train])
        _labels(numbers(found, what), labels, train, names, what)


def _labels(answer, labels, train, names, what):
    """That the answer holds the labels of those that are not in ``train``."""
    expected = labels[~train]
    if answer.shape == labels[train].shape:
        raise Wrong(f"{what} has an entry for each image to learn from, not of those")
    if answer.shape != expected.shape:
        raise Wrong(f"{what} has shape {answer.shape}; {expected.shape} is expected")
    if strange := sorted(set(answer.tolist()) - set(names)):
        raise Wrong(
            f"{what} names {strange[0]}, which is no label: is it the number of a mean?"
        )
    if (missed := np.sum(answer != expected)) > 0:
        raise Wrong(
            f"{what} is wrong for {missed}: these classes come in two forms, far apart"
        )


@exercise(
    "07.2", "whole groups in either part, drawn by chance, in the share asked for"
)
def hold_out(function):
    """``hold_out(groups, share, seed)`` returns a boolean mask."""
    rng = np.random.default_rng(72)
    for count, share in [(12, 0.25), (40, 0.2), (31, 0.4)]:
        names = rng.permutation(1000)[:count]
        groups = rng.permutation(np.repeat(names, rng.integers(1, 9, size=count)))
        parts = [
            _part(
                function, groups, share, seed, f"for {count} groups, seed {seed}, the"
            )
            for seed in (0, 1, 2, 0)
        ]
        if (parts[0] != parts[3]).any():
            raise Wrong("the same seed gives another split when it is asked again")
        if all((part == parts[0]).all() for part in parts):
            raise Wrong("every seed gives the same split")


def _part(function, groups, share, seed, what):
    """The mask, if it splits as it should."""
    mask = numbers(ask(function, groups, share, seed), f"{what} answer")
    if mask.dtype != bool or mask.shape != groups.shape:
        raise Wrong(
            f"{what} answer has dtype {mask.dtype} and shape {mask.shape}; bool and "
            f"{groups.shape} are expected"
        )
    if torn := sorted({*groups[mask].tolist()} & {*groups[~mask].tolist()}):
        raise Wrong(f"{what} group {torn[0]} is torn: it has images in both parts")
    held = mask.sum()
    if not _enough(mask, groups, share) and _enough(~mask, groups, share):
        raise Wrong(f"{what} two parts are exchanged: True marks the training images")
    if held < share * len(groups) - 1e-9:
        raise Wrong(
            f"{what} test part has {held} of {len(groups)} images, less than the share "
            f"of {share}: shares of images are meant, not of groups"
        )
    if not _enough(mask, groups, share):
        raise Wrong(
            f"{what} test part has {held} of {len(groups)} images: with a group less "
            f"it would still have the share of {share}"
        )
    return mask


def _enough(mask, groups, share):
    """Whether the part has its share, and would not without its largest group."""
    needed = share * len(groups) - 1e-9
    largest = np.unique(groups[mask], return_counts=True)[1].max(initial=0)
    return mask.sum() - largest < needed <= mask.sum()


@exercise("07.3", "the share of neighbours that a map keeps, counted as by hand")
def kept(function):
    """``kept(points, plane, k)`` returns one share."""
    rng = np.random.default_rng(73)
    for count, features, k, noise in [(30, 6, 5, 0.5), (41, 9, 3, 1), (25, 4, 8, 0.2)]:
        points = rng.normal(size=(count, features))
        plane = points[:, :2] + noise * rng.normal(size=(count, 2))
        # Far from 0, and the map in another order of size: neither matters.
        points, plane = points + 7, 100 * plane
        what = f"for {count} points and their {k} nearest, the answer"
        answer = numbers(ask(function, points, plane, k), what)
        if answer.shape:
            raise Wrong(f"{what} has shape {answer.shape}; one share is asked for")
        alike(answer, *_shares(points, plane, k, what))


def _shares(points, plane, k, what):
    """The right share, and what the usual mistakes make of it."""
    before, after = _order(points), _order(plane)
    share = _shared(before[:, 1 : k + 1], after[:, 1 : k + 1]) / k
    return (
        share,
        what,
        1e-5,
        {
            "counts each point as a neighbour of its own": _shared(
                before[:, : k + 1], after[:, : k + 1]
            )
            / (k + 1),
            "counts each point as the first of its own neighbours": _shared(
                before[:, :k], after[:, :k]
            )
            / k,
            "counts a point itself, and divides by the neighbours alone": _shared(
                before[:, : k + 1], after[:, : k + 1]
            )
            / k,
            "asks for the same neighbours in the same order": np.mean(
                before[:, 1 : k + 1] == after[:, 1 : k + 1]
            ),
            "is a number of neighbours, not a share": share * k,
            "is in per cent; a share from 0 to 1 is asked for": share * 100,
            "is the share of neighbours that are lost": 1 - share,
        },
    )


def _order(points):
    """For each point all points, the nearest first: itself."""
    return np.argsort(np.square(points[:, None] - points[None]).sum(axis=2), axis=1)


def _shared(one, other):
    """The mean number of entries that a row has in common with the other's."""
    return np.mean([len({*a} & {*b}) for a, b in zip(one, other, strict=True)])
