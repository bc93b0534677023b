"""Points on the plane, with their names."""

import itertools
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context

from cnnlib import checks
from cnnlib.plots.style import COLORS, LINES, STYLE, Figure

MARKERS = "osD^vP*"
# Where a label may stand, in its own widths and heights from its point.
PLACES = ((0.1, 0), (-1.1, 0), (-0.5, 1), (-0.5, -1), (0.1, 0.8), (0.1, -0.8))


@rc_context(STYLE)
def points(
    families: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    height: float = 5.4,
    log: bool = False,
) -> Figure:
    """Named points on the plane, ``families`` being label: {name: (x, y)}.

    Those of a family are joined in their order; seven families are the most. Each name
    stands beside its point, where it covers the fewest other things. ``log`` is for the
    horizontal axis.
    """
    checks.labelled("points", families)
    checks.flag("points", "log", log)
    if not 0 < len(families) <= len(MARKERS) or not all(families.values()):
        raise ValueError(
            f"points takes 1 to {len(MARKERS)} families with a point or more each; "
            f"given { ({label: len(family) for label, family in families.items()}) }"
        )
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
