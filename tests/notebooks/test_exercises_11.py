"""The exercises on residual networks: right answers pass, mistakes are named."""

import keras
import numpy as np
import pytest

from cnnlib.layers import PaddedIdentity
from exercises import verdict


def empty(*given): ...


@pytest.mark.parametrize("number", ["11.1", "11.2", "11.3"])
@pytest.mark.parametrize("left", [None, ..., empty])
def test_an_empty_stub_is_not_solved(number, left):
    assert "— not solved" in verdict(number, left)


def wrong(number, answer, words):
    line = verdict(number, answer)
    assert "— wrong:" in line
    assert words in line


def kernel(side, maps):
    found = np.zeros((side, side, maps, maps), "float32")
    found[side // 2, side // 2] = np.eye(maps)
    return found


def kernel_by_loops(side, maps):
    found = [
        [
            [
                [float(i == j == side // 2 and a == b) for b in range(maps)]
                for a in range(maps)
            ]
            for j in range(side)
        ]
        for i in range(side)
    ]
    return keras.ops.convert_to_tensor(found)


@pytest.mark.parametrize("answer", [kernel, kernel_by_loops])
def test_the_identity_is_a_one_in_the_middle(answer):
    assert "— solved:" in verdict("11.1", answer)


def all_maps(side, maps):
    found = kernel(side, maps)
    found[side // 2, side // 2] = 1
    return found


def corner(side, maps):
    return np.roll(kernel(side, maps), (-(side // 2),) * 2, axis=(0, 1))


def whole_window(side, maps):
    return kernel(side, maps) * 0 + np.eye(maps)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (all_maps, "joins every map to every other"),
        (corner, "looks at the corner"),
        (whole_window, "sums over the whole window"),
        (lambda s, m: whole_window(s, m) / s**2, "is an average"),
        (lambda s, m: kernel(s, m) / m, "is divided by the maps"),
        (lambda s, m: kernel(3, 4), "has shape (3, 3, 4, 4); (5, 5, 2, 2)"),
        (lambda s, m: 2 * kernel(s, m), "is off by up to"),
        (lambda s, m: kernel(s, m)[..., 0], "has shape"),
        (lambda s, m: "delta", "is made of str"),
        (lambda s, m: kernel(s, m) * np.nan, "infinite or not a number"),
        (lambda s: s, "your code raises TypeError"),
        (np.eye(3), "a function is asked for; this is ndarray"),
    ],
)
def test_a_kernel_that_does_something_is_told_what(answer, words):
    wrong("11.1", answer, words)


def backward(x, w1, w2, error):
    return error + ((error @ w2.T) * (x @ w1 > 0)) @ w1.T


def backward_by_jacobian(x, w1, w2, error):
    found = []
    for row, behind in zip(x, error, strict=True):
        slope = np.diag(row @ w1 > 0).astype("float32")
        found.append((np.eye(len(row)) + w1 @ slope @ w2) @ behind)
    return keras.ops.convert_to_tensor(np.array(found))


@pytest.mark.parametrize("answer", [backward, backward_by_jacobian])
def test_the_error_passes_branch_and_shortcut(answer):
    assert "— solved:" in verdict("11.2", answer)


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *g: backward(*g) - g[3], "lacks what comes back through the shortcut"),
        (lambda x, w1, w2, e: e, "has the shortcut and nothing else"),
        (lambda x, w1, w2, e: e + e @ w2.T @ w1.T, "ignores ReLU"),
        (lambda *g: backward(*g) - g[3] + 1, "adds a 1 in place of the error"),
        (lambda x, w1, w2, e: e + relu(e @ w2.T) @ w1.T, "has ReLU on the error"),
        (
            lambda x, w1, w2, e: e + (e @ w2.T * relu(x @ w1)) @ w1.T,
            "multiplies by ReLU's value",
        ),
        (lambda *g: backward(*g) + g[3], "counts the shortcut twice"),
        (lambda *g: 2 * g[3] - backward(*g), "is subtracted on the branch"),
        (
            lambda x, w1, w2, e: e + (e @ w2.T * (x @ w1 < 0)) @ w1.T,
            "the wrong way round",
        ),
        (lambda *g: backward(*g) * 1.01, "is off by up to"),
        (lambda *g: backward(*g).T, "has shape (5, 6); (6, 5)"),
        (lambda x, w1, w2, e: e @ w2 @ w1, "your code raises ValueError"),
        (lambda *g: "one", "is made of str"),
        (lambda *g: backward(*g) * np.nan, "infinite or not a number"),
        (1, "a function is asked for; this is int"),
    ],
)
def test_a_wrong_gradient_is_told_what_is_wrong(answer, words):
    wrong("11.2", answer, words)


def padded(x, filters, places=None, behind=None):
    kept = x[:, ::2, ::2] if places is None else places
    behind = filters - x.shape[-1] if behind is None else behind
    return np.pad(kept, [(0, 0)] * 3 + [(0, behind)])


def by_the_layer(x, filters):
    return PaddedIdentity(filters, 2)(x)


@pytest.mark.parametrize("answer", [padded, by_the_layer])
def test_every_second_place_and_zeros(answer):
    assert "— solved:" in verdict("11.3", answer)


def pooled(x, filters, kind):
    layer = getattr(keras.layers, f"{kind}Pooling2D")(2)
    return padded(x, filters, places=np.asarray(layer(x)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, n: np.roll(padded(x, n), n - x.shape[-1], -1), "new maps in front"),
        (lambda x, n: padded(x, n, x), "keeps every place"),
        (lambda x, n: padded(x, n, x[:, 1::2, 1::2]), "begins at the second place"),
        (lambda x, n: x[:, ::2, ::2], "lacks the new maps"),
        (lambda x, n: padded(x, n, behind=n), "adds as many maps as there shall be"),
        (lambda x, n: pooled(x, n, "Average"), "takes the mean of four places"),
        (lambda x, n: pooled(x, n, "Max"), "takes the largest of four places"),
        (lambda x, n: padded(x, n) + 1, "is off by up to"),
        (lambda x, n: padded(x, n)[..., 0], "has shape"),
        (lambda x, n: {"maps": n}, "is made of dict"),
        (lambda x, n: padded(x, n) * np.nan, "infinite or not a number"),
        (lambda x, n: keras.Input((4, 4, n)), "is symbolic; return an array"),
        (lambda x: x, "your code raises TypeError"),
        ([1, 2], "a function is asked for; this is list"),
    ],
)
def test_another_shortcut_is_told_what_is_wrong(answer, words):
    wrong("11.3", answer, words)
