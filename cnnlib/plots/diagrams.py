"""Models as boxes and arrows, and a window that slides over an input."""

import keras
import numpy as np
from matplotlib import patches, rc_context
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.path import Path

from cnnlib import checks
from cnnlib.explain import Box, outline
from cnnlib.plots.style import COLORS, STYLE, WIDTH, Figure


@rc_context(STYLE)
def diagram(
    model: keras.Model, *, alt: str, columns: int = 5, height: float | None = None
) -> Figure:
    """The layers of a model as boxes: name, output shape, parameters if it has any.

    Blue are convolutions, orange is pooling, green is dense; a nested model is one box
    with a double edge. ``columns`` steps of the computation stand in a row. More than
    60 layers, or a model that is no graph, are refused.
    """
    checks.integer("diagram", "columns", columns)
    boxes = outline(model)
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
    total = tops[-1] - gap / 2 + 0.05
    figure = Figure(height, alt, needed=total)
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
            near = depth[name] + 1 == depth[box.name] and depth[name] // columns == row
            lane = None if near else tops[row] - gap / 2
            start, end = (left + wide, upper + tall / 2), (x, y + tall / 2)
            _arrow(axes, start, end, lane)
    return figure


def _box(axes, box: Box, corner, wide: float, tall: float) -> None:
    """A box with its texts; the name is broken at an underscore where it is long."""
    nested = box.kind in ("Functional", "Sequential")
    kinds = {"Conv": 0, "Pool": 1, "Dense": 2}
    own = [COLORS[i] for word, i in kinds.items() if word in box.kind]
    color = to_rgb(own[0] if own else "0.45")
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
    lines = []
    for i, text in enumerate(texts):
        rows = text.split("\n")
        whole = 15 if i == 0 and len(rows) == 1 else 13
        size = min(whole, 72 * (wide - 0.1) / (0.62 * max(map(len, rows))))
        look = {"fontsize": size, "weight": "bold" if i == 0 else "normal"}
        lines.append((text, look, len(rows) * size * 1.2 / 72))
    middle = corner[0] + wide / 2
    top = corner[1] + (tall - sum(height for *_, height in lines)) / 2
    for text, look, height in lines:
        place = {"x": middle, "y": top + height / 2, "ha": "center", "va": "center"}
        axes.text(s=text, linespacing=1, **place, **look)
        top += height


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
        stride: steps of the window, in pixels.
        padding: rows and columns added before and after the input.
        dilation: distance of the pixels that neighbouring weights read.
        frames: how many; the first, the last and places evenly between them.
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
        square = done.reshape(outputs, outputs)
        for axes, codes in ((above, cells), (below, square)):
            axes.pcolormesh(
                codes, cmap=colors, vmin=0, vmax=4, edgecolors="#555555", lw=1
            )
            middle = len(codes) / 2
            axes.set(aspect="equal", ylim=(len(codes), 0))
            axes.set_xlim(middle - whole / 2, middle + whole / 2)
        above.set_title(f"place {place + 1} of {outputs**2}")
    return figure
