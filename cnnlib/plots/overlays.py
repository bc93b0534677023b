"""What is said of every pixel, over the images: heat, labels, mistakes."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, patches, rc_context
from matplotlib.colors import to_rgb

from cnnlib import checks
from cnnlib.plots.pictures import images
from cnnlib.plots.style import COLORS, STYLE, TINTS, Figure, unit


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

    ``maps`` are (n, height, width), at least 0, each drawn up to its own largest value.
    """
    grey, maps = unit(x).mean(axis=-1), np.asarray(maps, dtype=float)
    if grey.ndim != 3 or grey.shape != maps.shape or not len(maps) or maps.min() < 0:
        raise ValueError(
            "overlay takes a map (n, height, width) of values from 0 for images "
            f"(n, height, width, channels); given {maps.shape} for {np.shape(x)}"
        )
    heat = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)
    colors = colormaps["inferno"](0.35 + 0.6 * heat)[..., :3]
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

    Label k has the k-th of ten colours, and so again from the start.

    Args:
        x: images.
        masks: whole numbers from 0, (n, height, width).
        clear: the label that is not tinted; None to tint all.
        ignored: a label that is drawn in grey, or None.
        strength: of the tint, from 0 to 1.
    """
    x, masks = unit(x), np.asarray(masks)
    _check_labels("masked", masks, x)
    checks.number("masked", "strength", strength, least=0, most=1)
    if (masks[masks != ignored] < 0).any():
        raise ValueError(f"masked takes labels from 0; given {masks.min()}")
    tinted = masks != clear
    tints = np.array([to_rgb(tint) for tint in TINTS])
    colors = tints[masks % len(TINTS)]
    colors[masks == ignored] = 0.5
    edges = np.zeros(masks.shape, bool)
    for axis in (1, 2):
        step = np.diff(masks, axis=axis) != 0
        edges |= np.pad(step, [(0, int(a == axis)) for a in range(3)])
    amount = np.where(edges, 1, strength) * tinted
    mixed = x + amount[..., None] * (colors - x)
    return images(mixed, titles, alt=alt, columns=columns, height=height)


@rc_context(STYLE)
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
        x: images.
        masks: the truth, whole numbers (n, height, width).
        found: what was predicted, likewise.
        label: the one to look at, called ``name`` in the legend.
    """
    x, masks, found = unit(x), np.asarray(masks), np.asarray(found)
    _check_labels("mistakes", masks, x)
    _check_labels("mistakes", found, x)
    checks.integer("mistakes", "label", label, least=0)
    true, said = masks == label, found == label
    kinds = {
        "found": (true & said, COLORS[2], 0.4),
        "missed": (true & ~said, COLORS[1], 0.9),
        "made up": (said & ~true, COLORS[0], 0.9),
    }
    mixed = x * np.ones(3)
    for chosen, color, strength in kinds.values():
        tint = np.array(to_rgb(color))
        mixed[chosen] += strength * (tint - mixed[chosen])
    figure = images(mixed, titles, alt=alt, columns=columns, height=height)
    if height is None:  # room for the legend
        figure.set_figheight(figure.get_figheight() + 0.5)
    handles = [
        patches.Patch(color=color, alpha=strength, label=f"{name} {kind}")
        for kind, (_, color, strength) in kinds.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _check_labels(who: str, masks: np.ndarray, x: np.ndarray) -> None:
    """Refuse masks that are not a whole number for every pixel of the images."""
    if x.ndim != 4 or masks.shape != x.shape[:3] or masks.dtype.kind not in "iu":
        raise ValueError(
            f"{who} takes whole numbers (n, height, width) for images (n, height, "
            f"width, channels); given {masks.dtype} of {masks.shape} for {x.shape}"
        )
