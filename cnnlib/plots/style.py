"""What all pictures share: colours, sizes, the figure that shows itself, panels."""

import io

import matplotlib.figure
import numpy as np
from matplotlib import rc_context

from cnnlib import checks

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
    """A figure that shows itself in a notebook, at its own size, never cropped.

    It carries ``alt`` in the picture's metadata and as its plain-text form. ``needed``
    is the height where None is asked for.
    """

    def __init__(self, height: float | None, alt: str, needed: float | None = None):
        height = needed if height is None else height
        height = checks.number("a figure", "height", height, above=0)
        super().__init__(figsize=(WIDTH, height), layout="constrained")
        self.alt = checks.text("a figure", "alt", alt)

    def _repr_mimebundle_(self, include=None, exclude=None):
        png = io.BytesIO()
        with rc_context(STYLE):
            self.savefig(png, format="png", metadata={"Software": None})
        data = {"image/png": png.getvalue(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


def bare(axes) -> None:
    """Take ticks and frame away."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def panels(figure: Figure, count: int, columns: int, **options) -> np.ndarray:
    """(rows, columns) axes of which the first ``count`` show, row by row."""
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.flat[count:]:
        axes.set_axis_off()
    return grid


def check_titles(titles, x, kind: str) -> None:
    """Refuse titles, if there are any, that are not one for each of ``x``."""
    if titles is not None and len(titles) != len(x):
        raise ValueError(f"{len(x)} {kind}, but {len(titles)} titles")


def unit(x: np.ndarray) -> np.ndarray:
    """Images as floats from 0 to 1."""
    x = np.asarray(x)
    x = x / 255 if x.dtype == np.uint8 else x.astype(float)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            "images are uint8, or float from 0 to 1; given values from "
            f"{x.min():g} to {x.max():g}"
        )
    return x
