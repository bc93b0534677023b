"""Numbers as curves and bars."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.collections import LineCollection

from cnnlib import checks
from cnnlib.plots.style import COLORS, LINES, STYLE, Figure, check_titles, panels


@rc_context(STYLE)
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
    """Curves over a common axis, ``series`` being label: one value for each ``x``."""
    checks.labelled("lines", series)
    figure = Figure(height, alt)
    axes = figure.subplots()
    for i, (label, values) in enumerate(series.items()):
        if len(values) != len(x):
            raise ValueError(f"{label!r} has {len(values)} values for {len(x)} places")
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


@rc_context(STYLE)
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

    ``series`` is label: (seeds, len(x)) values; ``log`` is for the vertical axis.
    """
    checks.labelled("bands", series)
    checks.flag("bands", "log", log)
    middle = {}
    for label, runs in series.items():
        runs = np.asarray(runs, dtype=float)
        if runs.ndim != 2 or runs.shape[1] != len(x) or not len(runs):
            raise ValueError(
                f"bands takes (seeds, {len(x)}) values per label; {label!r} has "
                f"{runs.shape}"
            )
        middle[label] = np.median(runs, axis=0)
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


@rc_context(STYLE)
def bars(
    values: Mapping[str, float],
    *,
    xlabel: str,
    alt: str,
    height: float = 3,
    digits: int = 0,
    highlight: Collection[str] = (),
    log: bool = False,
) -> Figure:
    """Horizontal bars from the top, their values, to ``digits``, written at the end.

    Those to ``highlight``, by their labels, are orange. ``log`` is for the horizontal
    axis, which then begins below the shortest bar; a value of 0 or less is refused.
    """
    checks.labelled("bars", values)
    checks.flag("bars", "log", log)
    checks.integer("bars", "digits", digits, least=0)
    if log and min(values.values()) <= 0:
        raise ValueError(f"a logarithmic axis has no place for {min(values.values())}")
    if unknown := set(highlight) - set(values):
        raise ValueError(f"no bar is called {sorted(unknown)}; {list(values)} are")
    figure = Figure(height, alt)
    axes = figure.subplots()
    colors = [COLORS[label in highlight] for label in values]
    drawn = axes.barh(list(values), list(values.values()), color=colors)
    axes.bar_label(drawn, fmt=f"{{:,.{digits}f}}", padding=6)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    axes.margins(x=0.15)
    shortest, longest = min(values.values()), max(values.values())
    if log:
        axes.set_xscale("log")
        axes.set_xlim(shortest / 2, shortest / 2 * (2 * longest / shortest) ** 1.15)
    axes.xaxis.set_major_formatter("{x:,.0f}" if longest >= 5 else "{x:g}")
    return figure


@rc_context(STYLE)
def dots(
    values: Mapping[str, Sequence[float]], *, ylabel: str, alt: str, height: float = 4.5
) -> Figure:
    """Runs over several seeds, side by side: a dot for each, and a line at their mean.

    ``values`` is label: one value for each seed.
    """
    checks.labelled("dots", values)
    if empty := [label for label, runs in values.items() if not len(runs)]:
        raise ValueError(f"dots takes a value or more per label; {empty[0]!r} has none")
    figure = Figure(height, alt)
    axes = figure.subplots()
    for i, runs in enumerate(values.values()):
        x = i + 0.06 * (np.arange(len(runs)) - (len(runs) - 1) / 2)
        axes.scatter(x, runs, 80, color=COLORS[i % len(COLORS)], zorder=2)
        axes.hlines(np.mean(runs), i - 0.3, i + 0.3, color="0.6", lw=2, zorder=1)
    axes.set_xticks(range(len(values)), list(values))
    axes.set_ylabel(ylabel)
    return figure


@rc_context(STYLE)
def series(
    x: np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    maps: np.ndarray | None = None,
    columns: int = 3,
    height: float | None = None,
) -> Figure:
    """Time series (n, length) in panels of their own that share their axes.

    Where ``maps`` (n, length), from 0, each taken up to its own largest value, are
    high, a curve is thick and orange, else thin and grey.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or not len(x) or x.shape[1] < 2:
        raise ValueError(f"series takes (n, length of 2 or more); given {x.shape}")
    check_titles(titles, x, "series")
    if maps is not None and (np.shape(maps) != x.shape or np.min(maps) < 0):
        raise ValueError(
            f"series takes maps of values from 0, {x.shape} as the series; given "
            f"{np.shape(maps)} from {np.min(maps):.3g}"
        )
    columns = min(checks.integer("series", "columns", columns), len(x))
    figure = Figure(height, alt, needed=2.6 * -(-len(x) // columns) + 0.6)
    grid = panels(figure, len(x), columns, sharex=True, sharey=True)
    for i, axes in enumerate(grid.flat[: len(x)]):
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
