"""A window that slides over an input."""

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import ListedColormap

from cnnlib import checks
from cnnlib.plots.style import COLORS, STYLE, Figure


@rc_context(STYLE)
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
    sizes = {"side": side, "size": size, "stride": stride}
    for name, value in (sizes | {"dilation": dilation, "frames": frames}).items():
        checks.integer("windows", name, value)
    for amount in padding:
        checks.integer("windows", "padding", amount, least=0)
    whole, reach = side + sum(padding), dilation * (size - 1) + 1
    if reach > whole:
        raise ValueError(f"a window of {reach} does not fit into {whole} pixels")
    outputs = (whole - reach) // stride + 1
    places = np.linspace(0, outputs**2 - 1, min(frames, outputs**2)).round()
    colors = ListedColormap(["white", "#CCCCCC", COLORS[5], COLORS[4], "#A86F00"])
    inside = slice(padding[0], padding[0] + side)
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
        read = cells[row : row + reach : dilation, column : column + reach : dilation]
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
