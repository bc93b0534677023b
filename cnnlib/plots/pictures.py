"""Images in a grid."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context

from cnnlib import checks
from cnnlib.plots.style import STYLE, WIDTH, Figure, bare, check_titles, panels


@rc_context(STYLE)
def images(
    x: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    columns: int = 8,
    height: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A grid of images, one channel drawn from black to white between ``limits``.

    By default, the limits are each image's own, and the height is what the images need.
    """
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or not len(x):
        raise ValueError(
            f"images takes (n, height, width, 1 or 3), n at least 1; given {x.shape}"
        )
    check_titles(titles, x, "images")
    columns = min(checks.integer("images", "columns", columns), len(x))
    if limits is not None:
        limits = checks.span("images", "limits", limits)
    low, high = limits or (None, None)
    lines = 1 + max(t.count("\n") for t in titles) if titles else 0
    tall = WIDTH / columns * x.shape[1] / x.shape[2] + 0.3 * lines
    figure = Figure(height, alt, needed=-(-len(x) // columns) * tall)
    grid = panels(figure, len(x), columns)
    for axes, image, title in zip(grid.flat, x, titles or [""] * len(x), strict=False):
        plain = image[..., 0] if image.shape[-1] == 1 else image
        axes.imshow(plain, vmin=low, vmax=high)
        axes.set_title(title)
        bare(axes)
    return figure
