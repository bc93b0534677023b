import io

import keras
import matplotlib as mpl
import numpy as np
import pytest
from drawing import show
from PIL import Image

from cnnlib import augment, plots

X = np.linspace(0, 1, 16).reshape(1, 4, 4, 1)
MASK = np.zeros((1, 4, 4), int)
AXES = {"xlabel": "x", "ylabel": "y"}
NET = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.ReLU()])
DRAW = {
    "augmented": lambda **o: plots.augmented(augment.Crop(3, seed=0), X[0], **o),
    "masks": lambda **o: plots.augmented(augment.Crop(3), X[0], mask=MASK[0], **o),
    "bands": lambda **o: plots.bands([1, 2], {"a": [[1, 2]]}, **AXES, **o),
    "bars": lambda **o: plots.bars({"a": 1}, xlabel="x", **o),
    "confusion": lambda **o: plots.confusion(np.eye(2, dtype=int), "ab", **o),
    "diagram": lambda **o: plots.diagram(NET, **o),
    "dots": lambda **o: plots.dots({"a": [1]}, ylabel="y", **o),
    "grids": lambda **o: plots.grids({"a": np.ones((2, 2))}, **o),
    "images": lambda **o: plots.images(X, **o),
    "lines": lambda **o: plots.lines([1, 2], {"a": [1, 2]}, **AXES, **o),
    "masked": lambda **o: plots.masked(X, MASK, **o),
    "mistakes": lambda **o: plots.mistakes(X, MASK, MASK, label=0, name="a", **o),
    "overlay": lambda **o: plots.overlay(X, X[..., 0], **o),
    "points": lambda **o: plots.points({"a": {"b": (1, 2)}}, **AXES, **o),
    "series": lambda **o: plots.series(np.ones((1, 3)), **o),
    "windows": lambda **o: plots.windows(3, 2, **o),
}


@pytest.mark.parametrize("kind", DRAW)
def test_every_picture_is_as_high_as_asked_and_leaves_the_process_alone(kind):
    before = dict(mpl.rcParams)
    figure = DRAW[kind](alt="So high.", height=2.25)
    np.testing.assert_allclose(figure.get_size_inches(), (10, 2.25))
    assert figure.alt == "So high."
    assert dict(mpl.rcParams) == before


def test_a_figure_shows_itself_whole_with_its_alt_text():
    figure = plots.lines([0, 1], {"a": [1, 2]}, xlabel="x", ylabel="y", alt="A rise.")
    pixels = show(figure)
    assert pixels.shape == (540, 1200, 3)  # 10 × 4.5 inches at 120 dots, never cropped
    assert pixels.std() > 1
    assert figure.alt == "A rise."


def test_a_figure_is_shown_alike_whatever_the_process_has_set():
    figure = plots.lines([0, 1], {"a": [1, 2]}, xlabel="x", ylabel="y", alt="A rise.")
    with mpl.rc_context({"savefig.dpi": 50, "savefig.bbox": "tight"}):
        data, _ = figure._repr_mimebundle_()
    picture = Image.open(io.BytesIO(data["image/png"]))
    assert picture.size == (1200, 540)
    assert "Software" not in picture.info  # its version would be another picture


def test_letters_are_large_and_frames_open():
    figure = plots.lines([0, 1], {"a": [1, 2]}, xlabel="x", ylabel="y", alt="A rise.")
    (axes,) = figure.axes
    texts = [axes.xaxis.label, axes.title, *axes.get_xticklabels()]
    assert {text.get_fontsize() for text in texts} == {16}
    shown = {side for side, spine in axes.spines.items() if spine.get_visible()}
    assert shown == {"left", "bottom"}


def test_colours_are_those_of_okabe_and_ito_and_three_of_tol():
    assert (
        tuple("#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #000000".split())
        == plots.COLORS
    )
    assert (*plots.COLORS, "#882255", "#117733", "#999933") == plots.TINTS


def test_the_same_numbers_give_the_same_bytes():
    pictures = [
        plots.bars({"a": 1, "b": 2}, xlabel="x", alt="Bars.")._repr_mimebundle_()
        for _ in range(2)
    ]
    assert pictures[0] == pictures[1]
