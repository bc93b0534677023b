"""Every picture of the course, and nothing else.

Each function returns a ``Figure``: a notebook shows it as the last expression of a
cell, ``savefig`` writes it. Colours are those of Okabe and Ito, which colour-blind
readers tell apart; sizes are fixed, so that the same numbers give the same pixels.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib.figure
import numpy as np
from matplotlib import rc_context

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
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


def bars(
    values: Mapping[str, float],
    *,
    xlabel: str,
    alt: str,
    height: float = 3,
    digits: int = 0,
) -> Figure:
    """Horizontal bars with their values written at the end.

    Args:
        values: label: length, drawn from the top.
        xlabel: with its unit.
        alt: what the picture shows.
        height: of the figure, in inches.
        digits: after the decimal point.
    """
    with rc_context(STYLE):
        figure = Figure(height, alt)
        axes = figure.subplots()
        drawn = axes.barh(list(values), list(values.values()), color=COLORS[0])
        axes.bar_label(drawn, fmt=f"{{:,.{digits}f}}", padding=6)
        axes.invert_yaxis()
        axes.set_xlabel(xlabel)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.margins(x=0.15)
    return figure
