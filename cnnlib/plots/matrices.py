"""Matrices by colour and by number: filters, small tables, who is taken for whom."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import to_rgb

from cnnlib import checks
from cnnlib.plots.style import COLORS, STYLE, WIDTH, Figure, bare, panels


@rc_context(STYLE)
def filters(kernel: np.ndarray, *, alt: str, columns: int = 8) -> Figure:
    """The filters of a kernel (height, width, 1, n), on one colour scale.

    Orange is positive, purple negative, white nothing.
    """
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or kernel.shape[2] != 1:
        raise ValueError(f"filters takes (height, width, 1, n); given {kernel.shape}")
    checks.integer("filters", "columns", columns)
    n, most = kernel.shape[-1], np.abs(kernel).max()
    figure = Figure(-(-n // columns) * WIDTH / columns * 0.95, alt)
    grid = panels(figure, n, columns)
    for axes, one in zip(grid.flat, np.moveaxis(kernel[:, :, 0], -1, 0), strict=False):
        picture = axes.imshow(one, cmap="PuOr_r", vmin=-most, vmax=most)
        bare(axes)
    figure.colorbar(picture, ax=grid, label="weight", shrink=0.9)
    return figure


@rc_context(STYLE)
def grids(
    arrays: Mapping[str, np.ndarray], *, alt: str, height: float = 4, digits: int = 0
) -> Figure:
    """Small matrices by title, on one colour scale, their numbers to ``digits``."""
    checks.labelled("grids", arrays)
    checks.integer("grids", "digits", digits, least=0)
    figure = Figure(height, alt)
    widths = [np.shape(a)[1] for a in arrays.values()]
    row = figure.subplots(1, len(arrays), squeeze=False, width_ratios=widths)[0]
    most = max(np.abs(a).max() for a in arrays.values()) or 1
    for axes, (title, array) in zip(row, arrays.items(), strict=True):
        axes.imshow(array, cmap="PuOr_r", vmin=-1.6 * most, vmax=1.6 * most)
        for (i, j), value in np.ndenumerate(array):
            axes.text(j, i, f"{value:.{digits}f}", ha="center", va="center")
        axes.set_title(title)
        bare(axes)
    return figure


@rc_context(STYLE)
def confusion(
    matrix: np.ndarray,
    class_names: Sequence[str],
    *,
    alt: str,
    height: float | None = None,
) -> Figure:
    """How often each class is taken for each: hits in blue, mistakes in orange.

    Hits are shaded by their share of the row, mistakes by the largest mistake. Up to 20
    classes are named and counted in their cells; more are numbered from 0.

    Args:
        matrix: (classes, classes) counts, rows the true class, columns the answer.
        class_names: one per class.
    """
    matrix = np.asarray(matrix)
    n = len(class_names)
    if matrix.shape != (n, n) or matrix.dtype.kind not in "iu" or matrix.min() < 0:
        raise ValueError(
            f"confusion takes counts, whole numbers of shape ({n}, {n}) for {n} names; "
            f"given {matrix.dtype} of shape {matrix.shape}"
        )
    hits = np.eye(n, dtype=bool)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    missed = np.where(hits, 0, matrix)
    shade = np.where(hits, share, missed / max(missed.max(), 1))
    colors = np.array([to_rgb(c) for c in COLORS[:2]])
    tint = np.where(hits[..., None], colors[0], colors[1])
    figure = Figure(height, alt, needed=1.3 + max(0.42 * min(n, 12), 2))
    axes = figure.subplots()
    # Some shade at the least mistake, so that it can be found from afar.
    shade = np.where(shade > 0, 0.2 + 0.8 * shade, 0)[..., None]
    axes.imshow(1 - shade * (1 - tint), aspect="auto")
    if n <= 20:
        for (i, j), count in np.ndenumerate(matrix):
            color = "white" if hits[i, j] and shade[i, j] > 0.5 else "black"
            text = f"{count:,}" if count else ""
            axes.text(j, i, text, ha="center", va="center", color=color)
        axes.set_xticks(range(n), class_names)
        axes.set_yticks(range(n), class_names)
        if max(len(str(name)) for name in class_names) * n > 75:
            for tick in axes.get_xticklabels():
                tick.set(rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="0.85", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="answer", ylabel="true class")
    axes.spines[:].set_visible(False)
    return figure
