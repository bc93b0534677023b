"""The exercises on segmentation: right answers pass, mistakes are named."""

import keras
import numpy as np
import pytest

from exercises import verdict


def scores(truth, found, classes):
    table = np.zeros((classes, classes))
    np.add.at(table, (np.ravel(truth), np.ravel(found)), 1)
    hits, each = np.diag(table), table.sum(0) + table.sum(1)
    with np.errstate(invalid="ignore"):
        return np.stack([hits / (each - hits), 2 * hits / each])


def by_loop(truth, found, classes):
    rows = []
    for c in range(classes):
        a, b = truth == c, found == c
        if not (a | b).any():
            rows.append((float("nan"), float("nan")))
            continue
        both = (a & b).sum()
        rows.append((both / (a | b).sum(), 2 * both / (a.sum() + b.sum())))
    return [[iou for iou, _ in rows], [dice for _, dice in rows]]


def empty_as(number):
    return lambda *given: np.nan_to_num(scores(*given), nan=number)


def zeros_as_nan(*given):
    found = scores(*given)
    return np.where(found > 0, found, np.nan)


def by_sum(*given):
    dice = scores(*given)[1]
    return [dice / 2, dice]


def half_dice(*given):
    iou, dice = scores(*given)
    return [iou, dice / 2]


def recall(truth, found, classes):
    hits = np.array([((truth == c) & (found == c)).sum() for c in range(classes)])
    each = np.array([(truth == c).sum() for c in range(classes)])
    with np.errstate(invalid="ignore"):
        return [hits / each] * 2


def by_image(truth, found, classes):
    pairs = zip(truth, found, strict=True)
    each = np.stack([scores(t, f, classes) for t, f in pairs])
    with np.errstate(invalid="ignore"):
        count = (~np.isnan(each)).sum(0)
        return np.nansum(each, 0) / count


def unet_sizes(most, depth, pair=4, even=True, bottom=4, least=1):
    def out(rows, level=0):
        if level == depth:
            return rows - bottom
        rows -= pair
        if rows <= 0 or (even and rows % 2):
            return None
        below = out(rows // 2, level + 1)
        return None if below is None else 2 * below - pair

    every = ((n, out(n)) for n in range(1, most + 1))
    return {n: rows for n, rows in every if rows is not None and rows >= least}


def as_kernel(weights, rows, columns):
    return weights.reshape(rows, columns, -1, weights.shape[-1])


def read(x, weights, bias, rows, columns):
    kernel = as_kernel(weights, rows, columns)
    return keras.ops.conv(x[None], kernel, padding="valid")[0] + bias


def read_by_windows(x, weights, bias, rows, columns):
    height, width = x.shape[0] - rows + 1, x.shape[1] - columns + 1
    said = [
        x[i : i + rows, j : j + columns].ravel() @ weights + bias
        for i in range(height)
        for j in range(width)
    ]
    return np.reshape(said, (height, width, -1))


def maps_first(weights, rows, columns):
    units = weights.shape[-1]
    return weights.reshape(-1, rows, columns, units).transpose(1, 2, 0, 3)


def columns_first(weights, rows, columns):
    units = weights.shape[-1]
    return weights.reshape(columns, rows, -1, units).swapaxes(0, 1)


def units_first(weights, rows, columns):
    units = weights.shape[-1]
    return weights.reshape(rows, columns, units, -1).swapaxes(2, 3)


def turned(weights, rows, columns):
    return as_kernel(weights, rows, columns)[::-1, ::-1]


def read_turned(x, weights, bias, rows, columns):
    back = turned(weights, rows, columns).reshape(weights.shape)
    return read(x, back, bias, rows, columns)


RIGHT = {
    "14.1": [(scores,), (by_loop,)],
    "14.2": [(unet_sizes,)],
    "14.3": [(as_kernel, read), (as_kernel, read_by_windows)],
}


@pytest.mark.parametrize(
    ("number", "answers"), [(n, a) for n, given in RIGHT.items() for a in given]
)
def test_a_right_answer_is_solved(number, answers):
    line = verdict(number, *answers)
    assert line.startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", RIGHT)
@pytest.mark.parametrize("stub", [..., None, lambda *given: ...])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "— not solved" in verdict(number, *[stub] * len(RIGHT[number][0]))


def test_half_an_answer_is_not_solved():
    assert "— not solved" in verdict("14.3", as_kernel, lambda *given: ...)


WRONG = {
    "gives 0 to a class that is in neither": ("14.1", empty_as(0)),
    "gives 1 to a class that is in neither": ("14.1", empty_as(1)),
    "gives no number to a class": ("14.1", zeros_as_nan),
    "has Dice in the first row": ("14.1", lambda *g: scores(*g)[::-1]),
    "twice in the union": ("14.1", by_sum),
    "whose intersection is counted once": ("14.1", half_dice),
    "the pixels of the truth only": ("14.1", recall),
    "is a mean over images": ("14.1", by_image),
    "the classes are columns": ("14.1", lambda *g: scores(*g).T),
    "has shape (2, 4); (2, 5) is expected": (
        "14.1",
        lambda t, f, c: scores(t, f, c)[:, 1:],
    ),
    "is made of str": ("14.1", lambda *g: "many"),
    "is off by up to": ("14.1", lambda *g: scores(*g) ** 2),
    "an odd number of rows": ("14.2", lambda m, d: unet_sizes(m, d, even=False)),
    "at the bottom": ("14.2", lambda m, d: unet_sizes(m, d, bottom=0)),
    "one pixel a side": ("14.2", lambda m, d: unet_sizes(m, d, pair=2, bottom=2)),
    "of which no row is left": ("14.2", lambda m, d: unet_sizes(m, d, least=-1000)),
    "lacks the last size": ("14.2", lambda m, d: unet_sizes(m - 1, d)),
    "exchanged": ("14.2", lambda m, d: {b: a for a, b in unet_sizes(m, d).items()}),
    "lacks a size that it takes: 44": (
        "14.2",
        lambda m, d: {a: b for a, b in unet_sizes(m, d).items() if a > 44},
    ),
    "that it does not take: 5": ("14.2", lambda m, d: {5: 1} | unet_sizes(m, d)),
    "there are not 99 left": ("14.2", lambda m, d: unet_sizes(m, d) | {44: 99}),
    "is of type list, not a dict": ("14.2", lambda m, d: list(unet_sizes(m, d))),
    "as the slowest to vary": ("14.3", maps_first, read),
    "takes columns for rows": ("14.3", columns_first, read),
    "takes the units before the maps": ("14.3", units_first, read),
    "is turned round: Keras's": ("14.3", turned, read),
    "lacks the bias": ("14.3", as_kernel, lambda x, w, b, *s: read(x, w, 0 * b, *s)),
    "has the kernel turned round": ("14.3", as_kernel, read_turned),
    "has an activation": ("14.3", as_kernel, lambda *g: keras.ops.relu(read(*g))),
    "has an axis for the images": ("14.3", as_kernel, lambda *g: read(*g)[None]),
    "your code raises": ("14.3", as_kernel, lambda x, w, *rest: x @ w),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_named(words):
    number, *answers = WRONG[words]
    line = verdict(number, *answers)
    assert line.startswith(f"exercise {number} — wrong: ")
    assert words in line
