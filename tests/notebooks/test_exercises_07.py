"""The exercises on data sets: right answers pass, mistakes are named."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from exercises import verdict


def empty(*given): ...


@pytest.mark.parametrize("number", ["07.1", "07.2", "07.3"])
@pytest.mark.parametrize("left", [None, ..., empty])
def test_an_empty_stub_is_not_solved(number, left):
    assert "— not solved" in verdict(number, left)


def wrong(number, answer, words):
    line = verdict(number, answer)
    assert "— wrong:" in line
    assert words in line


def means(images, labels, unknown, forms=2, names=True):
    flat = images.reshape(len(images), -1)
    split = KMeans(forms, n_init=4, random_state=0)
    found = [split.fit(flat[labels == c]).cluster_centers_ for c in np.unique(labels)]
    far = ((unknown.reshape(len(unknown), 1, -1) - np.concatenate(found)) ** 2).sum(2)
    owners = np.repeat(np.unique(labels), forms) if names else np.arange(far.shape[1])
    return owners[far.argmin(axis=1)]


@pytest.mark.parametrize("forms", [2, 3])
def test_means_of_each_form(forms):
    answer = verdict("07.1", lambda *given: means(*given, forms=forms).tolist())
    assert "— solved:" in answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *given: means(*given, forms=1), "these classes come in two forms"),
        (lambda *given: means(*given, names=False), "is it the number of a mean?"),
        (lambda x, y, unknown: means(x, y, x), "for each image to learn from"),
        (lambda *given: means(*given)[:, None], "1); ("),
        (lambda *given: means(*given)[0], "has shape ()"),
        (lambda *given: "seven", "is made of str"),
        (lambda *given: means(*given) * np.nan, "infinite or not a number"),
        (lambda x, y: y, "your code raises TypeError"),
        (7, "a function is asked for; this is int"),
    ],
)
def test_other_labels_are_told_what_is_wrong(answer, words):
    wrong("07.1", answer, words)


def drawn(groups, share, seed):
    held = np.zeros(len(groups), bool)
    for name in np.random.default_rng(seed).permutation(np.unique(groups)):
        if held.sum() < share * len(groups):
            held |= groups == name
    return held


def by_size(groups, share, seed):
    """In another order by chance, and as a list."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).random(len(names)).argsort()
    count = np.searchsorted(np.cumsum(sizes[order]), share * len(groups)) + 1
    return np.isin(groups, names[order[:count]]).tolist()


@pytest.mark.parametrize("answer", [drawn, by_size])
def test_whole_groups_are_held_out(answer):
    assert "— solved:" in verdict("07.2", answer)


def share_of_groups(groups, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    return np.isin(groups, names[: int(share * len(names)) - 1])


def one_too_many(groups, share, seed):
    held = drawn(groups, share, seed)
    rest = np.unique(groups[~held])
    return held | np.isin(groups, rest[: len(rest) // 3])


def of_images(groups, share, seed):
    return np.random.default_rng(seed).random(len(groups)) < share


def without_seed(groups, share, seed, generator=np.random.default_rng(0)):  # noqa: B008
    return drawn(groups, share, generator)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (of_images, "is torn: it has images in both parts"),
        (share_of_groups, "shares of images are meant, not of groups"),
        (one_too_many, "with a group less it would still have the share"),
        (lambda *given: ~drawn(*given), "True marks the training images"),
        (lambda g, s, seed: drawn(g, s, 0), "every seed gives the same split"),
        (without_seed, "the same seed gives another split"),
        (lambda *given: np.flatnonzero(drawn(*given)), "answer has dtype int64"),
        (lambda *given: drawn(*given) * 1, "answer has dtype int64"),
        (lambda *given: drawn(*given)[:-1], "answer has dtype bool and shape"),
        (lambda *given: "half", "is made of str"),
        (lambda *given: True, "answer has dtype bool and shape ()"),
        (lambda groups: groups, "your code raises TypeError"),
        (0.2, "a function is asked for; this is float"),
    ],
)
def test_other_splits_are_told_what_is_wrong(answer, words):
    wrong("07.2", answer, words)


def near(points, k, itself=False):
    tree = NearestNeighbors(n_neighbors=k).fit(points)
    return tree.kneighbors(points if itself else None, return_distance=False)


def kept(points, plane, k, itself=False, more=0):
    pair = near(points, k + more, itself), near(plane, k + more, itself)
    return np.mean([len(set(a) & set(b)) for a, b in zip(*pair, strict=True)]) / k


def by_distances(points, plane, k):
    """With the k-th smallest distance in place of sets."""
    marks = []
    for x in (points, plane):
        far = np.linalg.norm(x[:, None] - x, axis=2) + np.diag([np.inf] * len(x))
        marks.append(far <= np.sort(far, axis=1)[:, k - 1 : k])
    return np.logical_and(*marks).sum() / (k * len(points))


@pytest.mark.parametrize("answer", [kept, by_distances])
def test_the_share_of_neighbours_that_is_kept(answer):
    assert "— solved:" in verdict("07.3", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, q, k: kept(p, q, k, True, 1) * k / (k + 1), "of its own\n"),
        (lambda *given: kept(*given, True), "as the first of its own neighbours"),
        (lambda *given: kept(*given, True, 1), "and divides by the neighbours alone"),
        (lambda p, q, k: np.mean(near(p, k) == near(q, k)), "in the same order"),
        (lambda p, q, k: kept(p, q, k) * k, "is a number of neighbours, not a share"),
        (lambda *given: 100 * kept(*given), "is in per cent"),
        (lambda *given: 1 - kept(*given), "neighbours that are lost"),
        (lambda p, q, k: kept(p, q, 5), "is off by up to"),
        (lambda *given: [kept(*given)] * 2, "one share is asked for"),
        (lambda *given: "most", "is made of str"),
        (lambda *given: np.nan, "infinite or not a number"),
        (lambda points: 1, "your code raises TypeError"),
        (0.7, "a function is asked for; this is float"),
    ],
)
def test_other_shares_are_told_what_is_wrong(answer, words):
    assert "— wrong:" in verdict("07.3", answer)
    assert words in verdict("07.3", answer) + "\n"
