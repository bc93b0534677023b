"""What the tests of the pictures share: numbers to draw, and looking at figures."""

import io

import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
START = rng.bit_generator.state


def show(figure):
    data, metadata = figure._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == data["text/plain"] == figure.alt
    return np.asarray(Image.open(io.BytesIO(data["image/png"])).convert("RGB"))


def drawn(figure):
    """The images and their titles, in reading order."""
    shown = [axes for axes in figure.axes if axes.axison and axes.images]
    return [axes.images[0] for axes in shown], [axes.get_title() for axes in shown]
