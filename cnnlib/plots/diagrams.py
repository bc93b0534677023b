"""Models as boxes and arrows."""

import keras
import numpy as np
from matplotlib import patches, rc_context
from matplotlib.colors import to_rgb
from matplotlib.path import Path

from cnnlib.explain import Box, outline
from cnnlib.plots.style import COLORS, STYLE, WIDTH, Figure


@rc_context(STYLE)
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
            near = depth[name] + 1 == depth[box.name] and depth[name] // columns == row
            lane = None if near else tops[row] - gap / 2
            start, end = (left + wide, upper + tall / 2), (x, y + tall / 2)
            _arrow(axes, start, end, lane)
    return figure


def _box(axes, box: Box, corner, wide: float, tall: float) -> None:
    nested = box.kind in ("Functional", "Sequential")
    kinds = {"Conv": 0, "Pool": 1, "Dense": 2}
    found = [COLORS[i] for word, i in kinds.items() if word in box.kind]
    color = to_rgb(found[0] if found else "0.45")
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
