"""Every picture of the course, and nothing else.

Each function returns a ``Figure``: a notebook shows it as the last expression of a
cell, ``savefig`` writes it. Colours are those of Okabe and Ito, which colour-blind
readers tell apart; sizes are fixed, so that the same numbers give the same pixels.
"""

import io
import itertools
from collections.abc import Collection, Mapping, Sequence

import keras
import matplotlib.figure
import numpy as np
from matplotlib import patches, rc_context
from matplotlib.collections import LineCollection
from matplotlib.path import Path

from cnnlib import augment, explain

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
TINTS = (*COLORS, "#882255", "#117733", "#999933")  # ten classes: three of Paul Tol's
LINES = ("-", "--", "-.", ":")
WIDTH = 10  # inches

STYLE = {
    "figure.dpi": 120,
    "savefig.dpi": 120,
    "savefig.bbox": None,
    "font.family": "DejaVu Sans",
    "font.size": 16,
    "axes.titlesize": 16,
    "axes.labelsize": 16,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=COLORS),
    "lines.linewidth": 3,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}


class Figure(matplotlib.figure.Figure):
    """A figure that shows itself in a notebook, with a text for those who can't see it.

    It is drawn at its own size, never cropped, and carries ``alt`` in the picture's
    metadata and as its plain-text form.
    """

    def __init__(self, height: float, alt: str):
        super().__init__(figsize=(WIDTH, height), layout="constrained")
        self.alt = alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        png = io.BytesIO()
        with rc_context(STYLE):
            self.savefig(png, format="png", metadata={"Software": None})
        data = {"image/png": png.getvalue(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


def _bare(axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _image(axes, image: np.ndarray, **kwargs) -> None:
    axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, **kwargs)
    _bare(axes)


def images(
    x: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    columns: int = 8,
    height: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A grid of images.

    Args:
        x: (n, height, width, 1 or 3): uint8, or float from 0 to 1 for colour.
        titles: one per image.
        alt: what the picture shows, for those who can't see it.
        columns: images in a row.
        height: of the figure, in inches; by default what square images need.
        limits: values drawn black and white (one channel); by default each image's own.

    Raises:
        ValueError: ``x`` is not such an array, or the titles are not as many.
    """
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or not len(x):
        raise ValueError(
            f"images takes (n, height, width, 1 or 3), n at least 1; given {x.shape}"
        )
    if titles is not None and len(titles) != len(x):
        raise ValueError(f"{len(x)} images, but {len(titles)} titles")
    columns = min(columns, len(x))
    rows = -(-len(x) // columns)
    low, high = limits or (None, None)
    with rc_context(STYLE):
        lines = 1 + max((t.count("\n") for t in titles), default=0) if titles else 0
        tall = WIDTH / columns * x.shape[1] / x.shape[2] + 0.3 * lines
        figure = Figure(height or rows * tall, alt)
        for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
            if i >= len(x):
                axes.set_axis_off()
                continue
            _image(axes, x[i], vmin=low, vmax=high)
            if titles is not None:
                axes.set_title(titles[i])
    return figure


def filters(kernel: np.ndarray, *, alt: str, columns: int = 8) -> Figure:
    """The filters of a convolution on a one-channel input, one colour scale for all.

    Orange is positive, purple negative, white nothing.

    Args:
        kernel: (height, width, 1, n), as ``layer.kernel``.
        alt: what the picture shows.
        columns: filters in a row.

    Raises:
        ValueError: the kernel has another rank, or more than one input channel.
    """
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or kernel.shape[2] != 1:
        raise ValueError(f"filters takes (height, width, 1, n); given {kernel.shape}")
    n = kernel.shape[-1]
    rows = -(-n // columns)
    most = np.abs(kernel).max()
    with rc_context(STYLE):
        figure = Figure(rows * WIDTH / columns * 0.95, alt)
        grid = figure.subplots(rows, columns, squeeze=False)
        for i, axes in enumerate(grid.flat):
            if i < n:
                picture = axes.imshow(
                    kernel[:, :, 0, i], cmap="PuOr_r", vmin=-most, vmax=most
                )
                _bare(axes)
            else:
                axes.set_axis_off()
        figure.colorbar(picture, ax=grid, label="weight", shrink=0.9)
    return figure


def grids(
    arrays: Mapping[str, np.ndarray], *, alt: str, height: float = 4, digits: int = 0
) -> Figure:
    """Small matrices side by side, each number written into its cell.

    Args:
        arrays: title: matrix.
        alt: what the picture shows.
        height: of the figure, in inches.
        digits: after the decimal point.
    """
    with rc_context(STYLE):
        figure = Figure(height, alt)
        widths = [np.shape(a)[1] for a in arrays.values()]
        row = figure.subplots(1, len(arrays), squeeze=False, width_ratios=widths)[0]
        for axes, (title, array) in zip(row, arrays.items(), strict=True):
            most = np.abs(array).max() or 1
            axes.imshow(array, cmap="PuOr_r", vmin=-1.6 * most, vmax=1.6 * most)
            for (i, j), value in np.ndenumerate(array):
                axes.text(j, i, f"{value:.{digits}f}", ha="center", va="center")
            axes.set_title(title)
            _bare(axes)
    return figure


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    height: float = 4.5,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """Curves over a common axis, told apart by colour and by dashes.

    Args:
        x: the common coordinates.
        series: label: values, one per coordinate.
        xlabel: with its unit.
        ylabel: with its unit.
        alt: what the picture shows.
        height: of the figure, in inches.
        ylim: limits of the vertical axis.

    Raises:
        ValueError: a series has not as many values as there are coordinates.
    """
    with rc_context(STYLE):
        figure = Figure(height, alt)
        axes = figure.subplots()
        for i, (label, values) in enumerate(series.items()):
            if len(values) != len(x):
                raise ValueError(
                    f"{label!r} has {len(values)} values for {len(x)} places"
                )
            marker = "o" if len(x) <= 20 else None
            axes.plot(x, values, LINES[i % 4], marker=marker, label=label)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        if all(float(value).is_integer() for value in x) and len(x) <= 20:
            axes.xaxis.get_major_locator().set_params(integer=True)
        if ylim is not None:
            axes.set_ylim(ylim)
        if len(series) > 1:
            axes.legend()
    return figure


def series(
    x: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    maps: np.ndarray | None = None,
    columns: int = 3,
    height: float | None = None,
) -> Figure:
    """Time series in panels of their own that share their axes.

    Args:
        x: (n, length) values.
        titles: one per series.
        alt: what the picture shows.
        maps: (n, length) values at least 0, each taken up to its own largest one: where
            a map is high, the curve is thick and orange, else thin and grey.
        columns: panels in a row.
        height: of the figure, in inches.

    Raises:
        ValueError: ``x`` is not such an array, titles or maps are not as many, or a map
            has values below 0.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or not len(x) or x.shape[1] < 2:
        raise ValueError(f"series takes (n, length of 2 or more); given {x.shape}")
    if titles is not None and len(titles) != len(x):
        raise ValueError(f"{len(x)} series, but {len(titles)} titles")
    if maps is not None and (np.shape(maps) != x.shape or np.min(maps) < 0):
        raise ValueError(
            f"series takes maps of values from 0, {x.shape} as the series; given "
            f"{np.shape(maps)} from {np.min(maps):.3g}"
        )
    columns = min(columns, len(x))
    rows = -(-len(x) // columns)
    with rc_context(STYLE):
        figure = Figure(height or 2.6 * rows + 0.6, alt)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for i, axes in enumerate(grid.flat):
            if i >= len(x):
                axes.set_axis_off()
                continue
            axes.plot(x[i], lw=1.5, color=COLORS[0] if maps is None else "0.6")
            if maps is not None:
                places = np.stack([np.arange(x.shape[1]), x[i]], axis=1)
                pieces = np.stack([places[:-1], places[1:]], axis=1)
                heat = np.asarray(maps[i], dtype=float)
                heat = (heat[:-1] + heat[1:]) / 2 / max(heat.max(), 1e-12)
                hot = LineCollection(
                    pieces, linewidths=5 * heat, colors=COLORS[1], capstyle="round"
                )
                axes.add_collection(hot)
            if titles is not None:
                axes.set_title(titles[i])
        for axes in grid[-1]:
            axes.set_xlabel("time")
    return figure


def bars(
    values: Mapping[str, float],
    *,
    xlabel: str,
    alt: str,
    height: float = 3,
    digits: int = 0,
    highlight: Collection[str] = (),
) -> Figure:
    """Horizontal bars with their values written at the end.

    Args:
        values: label: length, drawn from the top.
        xlabel: with its unit.
        alt: what the picture shows.
        height: of the figure, in inches.
        digits: after the decimal point.
        highlight: labels of the bars that are orange, not blue.

    Raises:
        ValueError: there is no bar to highlight.
    """
    if unknown := set(highlight) - set(values):
        raise ValueError(f"no bar is called {sorted(unknown)}; {list(values)} are")
    with rc_context(STYLE):
        figure = Figure(height, alt)
        axes = figure.subplots()
        colors = [COLORS[label in highlight] for label in values]
        drawn = axes.barh(list(values), list(values.values()), color=colors)
        axes.bar_label(drawn, fmt=f"{{:,.{digits}f}}", padding=6)
        axes.invert_yaxis()
        axes.set_xlabel(xlabel)
        axes.xaxis.set_major_formatter(
            "{x:,.0f}" if max(values.values()) >= 5 else "{x:g}"
        )
        axes.margins(x=0.15)
    return figure


def bands(
    x: Sequence[float],
    series: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    height: float = 4.5,
    ylim: tuple[float, float] | None = None,
    log: bool = False,
) -> Figure:
    """Runs over several seeds: the median as a curve, all of them within a band.

    Args:
        x: the common coordinates.
        series: label: (seeds, len(x)) values; the band goes from the smallest to the
            largest.
        xlabel: with its unit.
        ylabel: with its unit.
        alt: what the picture shows.
        height: of the figure, in inches.
        ylim: limits of the vertical axis.
        log: whether the vertical axis is logarithmic.

    Raises:
        ValueError: an array is not (seeds, len(x)), or has no seed.
    """
    middle = {}
    for label, runs in series.items():
        runs = np.asarray(runs, dtype=float)
        if runs.ndim != 2 or runs.shape[1] != len(x) or not len(runs):
            raise ValueError(
                f"bands takes (seeds, {len(x)}) values per label; {label!r} has "
                f"{runs.shape}"
            )
        middle[label] = np.median(runs, axis=0)
    with rc_context(STYLE):
        figure = lines(
            x, middle, xlabel=xlabel, ylabel=ylabel, alt=alt, height=height, ylim=ylim
        )
        (axes,) = figure.axes
        for line, runs in zip(axes.lines, series.values(), strict=True):
            low, high = np.min(runs, axis=0), np.max(runs, axis=0)
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.25, lw=0)
        if log:
            axes.set_yscale("log")
        title = "line: median, band: all seeds"
        axes.legend(title=title, title_fontsize=14, alignment="left")
    return figure


MARKERS = "osD^vP*"
# Where a label may stand, in its own widths and heights from its point.
PLACES = ((0.1, 0), (-1.1, 0), (-0.5, 1), (-0.5, -1), (0.1, 0.8), (0.1, -0.8))


def points(
    families: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    height: float = 5.4,
    log: bool = False,
) -> Figure:
    """Named points on the plane, those of a family joined in their order.

    Each name stands beside its point, where it covers the fewest other things.

    Args:
        families: label: {name: (x, y)}.
        xlabel: with its unit.
        ylabel: with its unit.
        alt: what the picture shows.
        height: of the figure, in inches.
        log: whether the horizontal axis is logarithmic.

    Raises:
        ValueError: a family is empty, or there are more than seven.
    """
    if not 0 < len(families) <= len(MARKERS) or not all(families.values()):
        raise ValueError(
            f"points takes 1 to {len(MARKERS)} families with a point or more each; "
            f"given { ({label: len(family) for label, family in families.items()}) }"
        )
    with rc_context(STYLE):
        figure = Figure(height, alt)
        axes = figure.subplots()
        for i, (label, family) in enumerate(families.items()):
            x, y = zip(*family.values(), strict=True)
            look = {"marker": MARKERS[i], "ms": 11, "ls": LINES[i % 4], "lw": 1.5}
            axes.plot(x, y, color=COLORS[i], label=label, **look)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
        if log:
            axes.xaxis.get_major_locator().set_params(subs=(1, 2, 5))
            axes.xaxis.set_major_formatter("{x:,g}")
            axes.xaxis.set_minor_formatter("")
        axes.margins(0.12)
        if len(families) > 1:
            axes.legend()
        figure.draw_without_rendering()  # settles where the points come to lie
        _label(figure, axes, families)
    return figure


def _label(figure: Figure, axes, families) -> None:
    """Write every name beside its point, the first place that is free, else the best.

    Works in pixels on rectangles (left, bottom, right, top).
    """
    dot = 9 * figure.dpi / 72
    places = [
        axes.transData.transform(xy) for f in families.values() for xy in f.values()
    ]
    taken = [(x - dot, y - dot, x + dot, y + dot) for x, y in places]
    for line in axes.lines:  # as a string of small dots
        path = axes.transData.transform(line.get_xydata())
        for start, end in itertools.pairwise(path):
            along = np.linspace(start, end, 40)
            taken += [(x - 3, y - 3, x + 3, y + 3) for x, y in along]
    if legend := axes.get_legend():
        taken.append(legend.get_window_extent().extents)
    inside = axes.get_window_extent().extents
    names = [name for family in families.values() for name in family]
    for (x, y), name in zip(places, names, strict=True):
        text = axes.text(0, 0, name, transform=None, fontsize=14, va="center")
        box = text.get_window_extent()
        best = None
        for right, up in PLACES:
            left = x + right * box.width + np.sign(right + 0.5) * dot
            middle = y + up * (box.height * 0.5 + dot)
            half = box.height / 2
            place = (left, middle - half, left + box.width, middle + half)
            cost = sum(_common(place, other) for other in taken)
            cost += box.width * box.height - _common(place, inside)
            if best is None or cost < best[0]:
                best = cost, place
        taken.append(best[1])
        text.set_position((best[1][0], (best[1][1] + best[1][3]) / 2))


def _common(a, b) -> float:
    """The area that two rectangles share."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def confusion(
    matrix: np.ndarray,
    class_names: Sequence[str],
    *,
    alt: str,
    height: float | None = None,
) -> Figure:
    """How often each class is taken for each: hits in blue, mistakes in orange.

    Hits are shaded by their share of the row, mistakes by the largest mistake, so that
    rare ones show. Up to 20 classes are named, and each count that is not 0 is written
    into its cell; more are numbered from 0.

    Args:
        matrix: (classes, classes) counts, rows the true class, columns the answer.
        class_names: one per class.
        alt: what the picture shows.
        height: of the figure, in inches.

    Raises:
        ValueError: the matrix is not square, holds anything but counts, or has not as
            many classes as there are names.
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
    colors = np.array([matplotlib.colors.to_rgb(c) for c in COLORS[:2]])
    tint = np.where(hits[..., None], colors[0], colors[1])
    with rc_context(STYLE):
        figure = Figure(height or 1.3 + max(0.42 * min(n, 12), 2), alt)
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


def image_map(
    points: Mapping[str, np.ndarray],
    images: np.ndarray,
    labels: Sequence,
    *,
    alt: str,
    height: float = 4.8,
    side: float = 0.05,
) -> Figure:
    """Thumbnails placed on the plane, one panel per set of places, side by side.

    One-channel images become ink in the colour of their class, bright where they are
    bright; colour images get a frame of that colour.

    Args:
        points: title: (n, 2) places, such as those of t-SNE.
        images: (n, height, width, 1 or 3): uint8, or float from 0 to 1.
        labels: one per image; equal ones share a colour.
        alt: what the picture shows.
        height: of the figure, in inches.
        side: of a thumbnail, as a part of the panel's height.

    Raises:
        ValueError: the numbers of places, images and labels differ, or the images have
            other shapes or values.
    """
    images = _unit(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(
            "image_map takes images (n, height, width, 1 or 3), n at least 1; given "
            f"{images.shape}"
        )
    n = len(images)
    for title, places in points.items():
        if np.shape(places) != (n, 2) or len(labels) != n:
            raise ValueError(
                f"image_map takes a place (x, y) and a label per image; {title!r} has "
                f"{np.shape(places)} for {n} images and {len(labels)} labels"
            )
    labels = np.asarray(labels).tolist()
    kinds = sorted(set(labels))
    tints = [TINTS[kinds.index(label) % len(TINTS)] for label in labels]
    thumbs = [
        _thumbnail(image, matplotlib.colors.to_rgb(tint))
        for image, tint in zip(images, tints, strict=True)
    ]
    with rc_context(STYLE):
        figure = Figure(height, alt)
        row = figure.subplots(1, len(points), squeeze=False)[0]
        wide = min(WIDTH / len(points) / height, 2.5)
        for axes, (title, places) in zip(row, points.items(), strict=True):
            axes.imshow(_placed(thumbs, np.asarray(places, float), side, wide))
            axes.set_title(title)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color="0.7")
    return figure


def _unit(x: np.ndarray) -> np.ndarray:
    """Images as floats from 0 to 1."""
    x = np.asarray(x)
    x = x / 255 if x.dtype == np.uint8 else x.astype(float)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            "images are uint8, or float from 0 to 1; given values from "
            f"{x.min():g} to {x.max():g}"
        )
    return x


def _thumbnail(image: np.ndarray, tint: Sequence[float]) -> np.ndarray:
    """(height, width, 4): ink on nothing, or the picture in a frame."""
    times = max(1, round(48 / image.shape[0]))
    image = image.repeat(times, axis=0).repeat(times, axis=1)
    picture = np.ones((*image.shape[:2], 4))
    if image.shape[-1] == 1:
        picture[..., :3] = tint
        picture[..., 3] = image[..., 0]
        return picture
    edge = max(2, image.shape[0] // 16)
    picture[..., :3] = tint
    picture[edge:-edge, edge:-edge, :3] = image[edge:-edge, edge:-edge]
    return picture


def _placed(thumbs, places: np.ndarray, side: float, wide: float) -> np.ndarray:
    """Thumbnails on white, ``wide`` times as wide as high, at their places."""
    tall, broad = thumbs[0].shape[:2]
    height = round(tall / side)
    width = round(height * wide)
    low, span = places.min(axis=0), np.ptp(places, axis=0)
    x, y = np.where(span > 0, (places - low) / np.where(span > 0, span, 1), 0.5).T
    left = np.round(x * (width - broad)).astype(int)
    top = np.round((1 - y) * (height - tall)).astype(int)
    canvas = np.ones((height, width, 3))
    for thumb, i, j in zip(thumbs, top, left, strict=True):
        part = canvas[i : i + tall, j : j + broad]
        part += thumb[..., 3:] * (thumb[..., :3] - part)
    return canvas


def overlay(
    x: np.ndarray,
    maps: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    columns: int = 8,
    height: float | None = None,
) -> Figure:
    """Heat maps over images: grey, turning orange and yellow where a map is high.

    Args:
        x: images (n, height, width, 1 or 3): uint8, or float from 0 to 1.
        maps: (n, height, width) at least 0, each drawn up to its own largest value.
        titles: one per image.
        alt: what the picture shows.
        columns: images in a row.
        height: of the figure, in inches.

    Raises:
        ValueError: the maps are not as many or not as large as the images, a map has
            values below 0, or an image has values outside of its range.
    """
    grey, maps = _unit(x).mean(axis=-1), np.asarray(maps, dtype=float)
    if grey.ndim != 3 or grey.shape != maps.shape or not len(maps) or maps.min() < 0:
        raise ValueError(
            "overlay takes a map (n, height, width) of values from 0 for images "
            f"(n, height, width, channels); given {maps.shape} for {np.shape(x)}"
        )
    heat = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)
    colors = matplotlib.colormaps["inferno"](0.35 + 0.6 * heat)[..., :3]
    strength = 0.75 * heat[..., None]
    mixed = (1 - strength) * 0.9 * grey[..., None] + strength * colors
    return images(mixed, titles, alt=alt, columns=columns, height=height)


def masked(
    x: np.ndarray,
    masks: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    clear: int | None = 0,
    ignored: int | None = None,
    columns: int = 4,
    height: float | None = None,
    strength: float = 0.45,
) -> Figure:
    """Label masks over images: a tint for every label, and its edges in full colour.

    Label k has the k-th of ten colours, and so again from the start: classes keep their
    colour from picture to picture, cells beside each other mostly differ.

    Args:
        x: images (n, height, width, 1 or 3): uint8, or float from 0 to 1.
        masks: whole numbers from 0, (n, height, width).
        titles: one per image.
        alt: what the picture shows.
        clear: the label that is not tinted; None to tint all.
        ignored: a label that is drawn in grey, or None.
        columns: images in a row.
        height: of the figure, in inches.
        strength: of the tint, from 0 to 1.

    Raises:
        ValueError: the masks are not as many or not as large as the images, are no
            whole numbers from 0, or an image has values outside of its range.
    """
    x, masks = _unit(x), np.asarray(masks)
    if x.ndim != 4 or masks.shape != x.shape[:3] or masks.dtype.kind not in "iu":
        raise ValueError(
            "masked takes whole numbers (n, height, width) for images (n, height, "
            f"width, channels); given {masks.dtype} of {masks.shape} for {x.shape}"
        )
    if (masks[masks != ignored] < 0).any():
        raise ValueError(f"masked takes labels from 0; given {masks.min()}")
    tinted = masks != clear
    tints = np.array([matplotlib.colors.to_rgb(tint) for tint in TINTS])
    colors = tints[masks % len(TINTS)]
    colors[masks == ignored] = 0.5
    edges = np.zeros(masks.shape, bool)
    for axis in (1, 2):
        step = np.diff(masks, axis=axis) != 0
        edges |= np.pad(step, [(0, int(a == axis)) for a in range(3)])
    amount = np.where(edges, 1, strength) * tinted
    mixed = x + amount[..., None] * (colors - x)
    return images(mixed, titles, alt=alt, columns=columns, height=height)


def mistakes(
    x: np.ndarray,
    masks: np.ndarray,
    found: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    label: int,
    name: str,
    alt: str,
    columns: int = 4,
    height: float | None = None,
) -> Figure:
    """What a segmentation got wrong about one label, over the images, with a legend.

    Green are pixels of the label that were found, orange those that were missed (false
    negatives), blue those that were made up (false positives).

    Args:
        x: images (n, height, width, 1 or 3): uint8, or float from 0 to 1.
        masks: the truth, whole numbers (n, height, width).
        found: what was predicted, likewise.
        titles: one per image.
        label: the one to look at.
        name: of the label, for the legend.
        alt: what the picture shows.
        columns: images in a row.
        height: of the figure, in inches, legend included.

    Raises:
        ValueError: masks or predictions are not as many or not as large as the images,
            or are no whole numbers; or an image has values outside of its range.
    """
    x, masks, found = _unit(x), np.asarray(masks), np.asarray(found)
    for given in (masks, found):
        if x.ndim != 4 or given.shape != x.shape[:3] or given.dtype.kind not in "iu":
            raise ValueError(
                "mistakes takes whole numbers (n, height, width) for images (n, "
                f"height, width, channels); given {given.dtype} of {given.shape} for "
                f"{x.shape}"
            )
    true, given = masks == label, found == label
    kinds = {"found": (true & given, COLORS[2], 0.4)}
    kinds["missed"] = (true & ~given, COLORS[1], 0.9)
    kinds["made up"] = (given & ~true, COLORS[0], 0.9)
    mixed = x * np.ones(3)
    for chosen, color, strength in kinds.values():
        tint = np.array(matplotlib.colors.to_rgb(color))
        mixed[chosen] += strength * (tint - mixed[chosen])
    figure = images(mixed, titles, alt=alt, columns=columns)
    figure.set_figheight(height or figure.get_figheight() + 0.5)
    with rc_context(STYLE):
        handles = [
            patches.Patch(color=color, alpha=strength, label=f"{name} {kind}")
            for kind, (_, color, strength) in kinds.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def augmented(
    layer,
    image: np.ndarray,
    *,
    alt: str,
    count: int = 15,
    mask: np.ndarray | None = None,
    columns: int = 8,
    height: float | None = None,
) -> Figure:
    """An image, and what a layer of ``augment`` makes of it, again and again.

    Args:
        layer: of ``augment``, or one of Keras's that take images; it is left where it
            was, and its seed gives the same picture each time.
        image: (height, width, 1 or 3), uint8, or float from 0 to 1.
        alt: what the picture shows.
        count: how many examples beside the image.
        mask: (height, width) labels, moved along and drawn over the images.
        columns: images in a row.
        height: of the figure, in inches.

    Raises:
        ValueError: the image or the mask has another shape, or ``count`` is below 1.
    """
    image = np.asarray(image)
    made = augment.examples(layer, image, count, mask)
    made, masks = (made, None) if mask is None else made
    if made.dtype != np.uint8:
        made = made.clip(0, 1)
    # A crop is shown beside the middle of the image, as large as itself.
    cut = tuple(
        slice((n - m) // 2, (n - m) // 2 + m)
        for n, m in zip(image.shape[:2], made.shape[1:3], strict=True)
    )
    x = np.concatenate([image[cut][None], made])
    titles = ["original"] + [""] * count
    how = {"alt": alt, "columns": columns, "height": height}
    if mask is None:
        limits = None if x.shape[-1] == 3 else (0, 255 if x.dtype == np.uint8 else 1)
        return images(x, titles, limits=limits, **how)
    masks = np.concatenate([np.asarray(mask)[cut][None], masks])
    return masked(x, masks, titles, **how)


def diagram(
    model: keras.Model, *, alt: str, columns: int = 5, height: float | None = None
) -> Figure:
    """The layers of a model as boxes: name, output shape, parameters if it has any.

    Blue are convolutions, orange is pooling, green is dense. A nested model is one box
    with a double edge. Where a row is full, the next one goes on below.

    Args:
        model: Sequential or functional, of at most 60 layers.
        alt: what the picture shows.
        columns: steps of the computation in a row.
        height: of the figure, in inches.

    Raises:
        ValueError: the model is not built, of another kind, or too large to draw.
    """
    boxes = explain.outline(model)
    if len(boxes) > 60:
        raise ValueError(
            f"diagram draws at most 60 layers; {model.name!r} has {len(boxes)}: nest "
            "some of them in a model of their own"
        )
    depth = {}
    for box in boxes:
        depth[box.name] = max((depth[name] + 1 for name in box.inputs), default=0)
    steps = [
        [box for box in boxes if depth[box.name] == i]
        for i in range(max(depth.values()) + 1)
    ]
    rows = [steps[i : i + columns] for i in range(0, len(steps), columns)]
    stacks = [max(map(len, row)) for row in rows]
    tall, gap, pitch = 1.15, 0.3, WIDTH / columns
    wide = pitch - 0.44
    tops = gap / 2 + 0.05 + np.cumsum([0, *stacks]) * (tall + gap)
    with rc_context(STYLE):
        total = tops[-1] - gap / 2 + 0.05
        figure = Figure(height or total, alt)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(total, 0))
        axes.set_axis_off()
        corners = {}
        for row, stack, top in zip(rows, stacks, tops[:-1], strict=True):
            for i, step in enumerate(row):
                first = top + (stack - len(step)) * (tall + gap) / 2
                for j, box in enumerate(step):
                    corners[box.name] = (i * pitch + 0.22, first + j * (tall + gap))
        for box in boxes:
            x, y = corners[box.name]
            _box(axes, box, (x, y), wide, tall)
            row = depth[box.name] // columns
            for name in box.inputs:
                left, upper = corners[name]
                near = (
                    depth[name] + 1 == depth[box.name] and depth[name] // columns == row
                )
                lane = None if near else tops[row] - gap / 2
                start, end = (left + wide, upper + tall / 2), (x, y + tall / 2)
                _arrow(axes, start, end, lane)
    return figure


def _box(axes, box: explain.Box, corner, wide: float, tall: float) -> None:
    nested = box.kind in ("Functional", "Sequential")
    kinds = {"Conv": 0, "Pool": 1, "Dense": 2}
    found = [COLORS[i] for word, i in kinds.items() if word in box.kind]
    color = matplotlib.colors.to_rgb(found[0] if found else "0.45")
    fill = tuple(1 - 0.2 * (1 - c) for c in color)
    style = patches.BoxStyle("round", pad=0, rounding_size=0.08)
    for inset in (0, 0.06) if nested else (0,):
        x, y = corner[0] + inset, corner[1] + inset
        sides = (wide - 2 * inset, tall - 2 * inset)
        axes.add_patch(
            patches.FancyBboxPatch(
                (x, y), *sides, boxstyle=style, facecolor=fill, edgecolor=color, lw=2
            )
        )
    unnamed = box.kind == "Input" and box.name.startswith("keras_tensor")
    name = "input" if unnamed else box.name
    if len(name) > 14:  # in two lines, broken where it is nearest to the middle
        breaks = [i for i, letter in enumerate(name) if letter == "_"]
        middle = min(breaks, key=lambda i: abs(i - len(name) / 2), default=-1)
        name = f"{name[: middle + 1]}\n{name[middle + 1 :]}".strip()
    texts = [name, "×".join(str(n or "any") for n in box.shape)]
    if box.parameters:
        number = f"{box.parameters:,}"
        texts.append(f"{number}{' ' if len(number) < 4 else chr(10)}parameters")
    sizes = []
    for i, text in enumerate(texts):
        longest = max(map(len, text.split("\n")))
        whole = 15 if i == 0 and "\n" not in text else 13
        sizes.append(min(whole, 72 * (wide - 0.1) / (0.62 * longest)))
    heights = [
        (text.count("\n") + 1) * size * 1.2 / 72
        for text, size in zip(texts, sizes, strict=True)
    ]
    top = corner[1] + (tall - sum(heights)) / 2
    for i, (text, size, own) in enumerate(zip(texts, sizes, heights, strict=True)):
        axes.text(
            corner[0] + wide / 2,
            top + own / 2,
            text,
            ha="center",
            va="center",
            fontsize=size,
            linespacing=1,
            weight="bold" if i == 0 else "normal",
        )
        top += own


def _arrow(axes, start, end, lane: float | None) -> None:
    """From one point to another, straight or, past other boxes, along a lane."""
    points = [start, end]
    if lane is not None:
        out, back = start[0] + 0.12, end[0] - 0.15
        around = [(out, start[1]), (out, lane), (back, lane), (back, end[1])]
        points = [start, *around, end]
    arrow = {"arrowstyle": "-|>", "mutation_scale": 14, "color": "0.25", "lw": 2}
    axes.add_patch(
        patches.FancyArrowPatch(path=Path(points), shrinkA=0, shrinkB=0, **arrow)
    )


def windows(
    side: int,
    size: int,
    *,
    alt: str,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    frames: int = 4,
    height: float = 3.9,
) -> Figure:
    """A window moving over a square input, frame by frame, and the output it fills.

    Above, the input in white, padding in grey, what the window reads in orange; below,
    the output: done in blue, being written in orange, still to come in white.

    Args:
        side: of the input, in pixels.
        size: of the filter, in weights.
        alt: what the picture shows.
        stride: steps of the window, in pixels.
        padding: rows and columns added before and after the input.
        dilation: distance of the pixels that neighbouring weights read.
        frames: how many; the first, the last and places evenly between them.
        height: of the figure, in inches.

    Raises:
        ValueError: a number out of its range, or the window is larger than the input.
    """
    if min(side, size, stride, dilation, frames) < 1 or min(padding) < 0:
        raise ValueError(
            "windows takes side, size, stride, dilation and frames of at least 1 and "
            f"padding of at least 0; given {side=}, {size=}, {stride=}, {dilation=}, "
            f"{frames=}, {padding=}"
        )
    whole, reach = side + sum(padding), dilation * (size - 1) + 1
    if reach > whole:
        raise ValueError(f"a window of {reach} does not fit into {whole} pixels")
    outputs = (whole - reach) // stride + 1
    places = np.linspace(0, outputs**2 - 1, min(frames, outputs**2)).round()
    colors = matplotlib.colors.ListedColormap(
        ["white", "#CCCCCC", COLORS[5], COLORS[4], "#A86F00"]
    )
    inside = slice(padding[0], padding[0] + side)
    with rc_context(STYLE):
        figure = Figure(height, alt)
        grid = figure.subplots(
            2, frames, squeeze=False, height_ratios=[whole, max(outputs, whole / 3)]
        )
        for axes in grid.flat:
            axes.set_axis_off()
        for place, (above, below) in zip(places.astype(int), grid.T, strict=False):
            row, column = (stride * i for i in divmod(place, outputs))
            cells = np.ones((whole, whole), int)
            cells[inside, inside] = 0
            read = cells[
                row : row + reach : dilation, column : column + reach : dilation
            ]
            read += 3
            done = np.where(np.arange(outputs**2) < place, 2, 0)
            done[place] = 3
            for axes, codes in (
                (above, cells),
                (below, done.reshape(outputs, outputs)),
            ):
                axes.pcolormesh(
                    codes, cmap=colors, vmin=0, vmax=4, edgecolors="#555555", lw=1
                )
                middle = len(codes) / 2
                axes.set(aspect="equal", ylim=(len(codes), 0))
                axes.set_xlim(middle - whole / 2, middle + whole / 2)
            above.set_title(f"place {place + 1} of {outputs**2}")
    return figure
