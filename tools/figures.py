"""Compares two figures, which nbval does not."""

import base64
import io

import numpy as np
from PIL import Image

EXACT = 2.0  # RMS of 0 to 255 that font rendering may cost; another figure costs tens
TRAINED = 12.0  # the same for what is left of a trained figure when seen from afar
BLANK = 1.0  # a figure whose pixels deviate less than this shows nothing
AFAR = (32, 18)


def pixels(png: str) -> Image.Image:
    """Decode the base64 of a notebook's PNG, transparency laid on white."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def distance(stored: str, fresh: str, *, afar: bool = False) -> float:
    """RMS difference of two PNGs of one size, in grey levels from 0 to 255.

    ``afar`` compares what is left of them at 32×18 pixels.
    """
    a, b = (
        np.asarray(p.resize(AFAR, Image.Resampling.BOX) if afar else p, float)
        for p in (pixels(stored), pixels(fresh))
    )
    return float(np.sqrt(np.mean((a - b) ** 2)))


def complaint(stored: list[str], fresh: list[str], tags: list[str]) -> str | None:
    """What is wrong with a cell's fresh figures, None where nothing is.

    Every figure must have its size and show something. Exact figures may differ by
    ``EXACT``. Those of a cell tagged ``trained-figure``, which no two machines draw
    alike, must look alike from afar; ``trained-images`` are whatever images training
    has chosen, and are not compared.
    """
    afar = "trained-figure" in tags
    if len(stored) != len(fresh):
        return f"{len(stored)} figures are stored, {len(fresh)} were drawn"
    for number, pair in enumerate(zip(stored, fresh, strict=True), start=1):
        sizes = [pixels(png).size for png in pair]
        if sizes[0] != sizes[1]:
            return f"figure {number} was {sizes[0]} pixels, it is {sizes[1]}"
        if np.asarray(pixels(pair[1]), float).std() < BLANK:
            return f"figure {number} is blank"
        if "trained-images" in tags:
            continue
        off, limit = distance(*pair, afar=afar), TRAINED if afar else EXACT
        if off > limit:
            kind = "trained" if afar else "exact"
            return f"figure {number} ({kind}) is off by {off:.1f} RMS, {limit} may be"
    return None
