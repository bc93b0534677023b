"""Every picture of the course, and nothing else.

Each function returns a ``Figure``: a notebook shows it as the last expression of a
cell, ``savefig`` writes it. Colours are those of Okabe and Ito, which colour-blind
readers tell apart; sizes are fixed, so that the same numbers give the same pixels.

What all pictures share is described here: ``alt`` says what there is to see, for those
who can't; ``height`` is the figure's, in inches, its width always 10; ``titles`` are
one per panel, ``columns`` the panels in a row; labels of axes name their unit. Unless
more is said, images are arrays (n, height, width, 1 or 3), uint8 or float from 0 to 1.
Arrays of other shapes or types, values out of their range and a wrong number of titles
are a ``ValueError``.
"""

from cnnlib.plots.augmentation import augmented
from cnnlib.plots.curves import bands, bars, dots, lines, series
from cnnlib.plots.diagrams import diagram, windows
from cnnlib.plots.matrices import confusion, filters, grids
from cnnlib.plots.overlays import masked, mistakes, overlay
from cnnlib.plots.pictures import images
from cnnlib.plots.plane import points
from cnnlib.plots.style import COLORS, TINTS, Figure

__all__ = [
    "COLORS",
    "TINTS",
    "Figure",
    "augmented",
    "bands",
    "bars",
    "confusion",
    "diagram",
    "dots",
    "filters",
    "grids",
    "images",
    "lines",
    "masked",
    "mistakes",
    "overlay",
    "points",
    "series",
    "windows",
]
