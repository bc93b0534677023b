"""Figures are told apart when they differ, and only then."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cnnlib import plots
from tools.figures import AFAR, complaint, distance

rng = np.random.default_rng(0)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(array, "uint8")).save(stream, "png")
    return base64.b64encode(stream.getvalue()).decode()


def drawn(figure):
    return base64.b64encode(figure._repr_mimebundle_()[0]["image/png"]).decode()


def line(values):
    series = {"a": values}
    return drawn(plots.lines([1, 2, 3], series, xlabel="x", ylabel="y", alt="A."))


NOISE = rng.integers(0, 256, (360, 640, 3))


@pytest.mark.parametrize("tags", [[], ["trained-figure"], ["trained-images"]])
def test_a_figure_agrees_with_itself(tags):
    assert complaint([png(NOISE)], [png(NOISE)], tags) is None
    assert complaint([], [], tags) is None


def test_distance_is_the_rms_in_grey_levels():
    one, two = np.zeros((4, 4, 3)), np.zeros((4, 4, 3))
    two[:2] = 30
    assert distance(png(one), png(two)) == pytest.approx(np.sqrt(30**2 / 2))


def test_transparency_is_white():
    clear = np.zeros((4, 4, 4))
    assert distance(png(clear), png(np.full((4, 4, 3), 255))) == 0


def test_exact_figures_may_differ_by_rendering_only():
    slightly = np.clip(NOISE + rng.choice([-1, 1], NOISE.shape), 0, 255)
    assert complaint([png(NOISE)], [png(slightly)], []) is None
    wrong = complaint([line([1, 2, 3])], [line([1, 2.2, 3])], [])
    assert "figure 1 (exact) is off by" in wrong


def test_trained_figures_are_compared_from_afar():
    height, width = AFAR[1] * 20, AFAR[0] * 20
    grey = np.full((height, width, 3), 128)
    speckled = grey + rng.choice([-60, 60], grey.shape)
    assert (
        complaint(
            [png(speckled)],
            [png(np.clip(2 * grey - speckled, 0, 255))],
            ["trained-figure"],
        )
        is None
    )
    wrong = complaint(
        [line([1, 2, 3])],
        [
            drawn(
                plots.images(rng.random((2, 9, 9, 1)), alt="B.", columns=2, height=4.5)
            )
        ],
        ["trained-figure"],
    )
    assert "figure 1 (trained) is off by" in wrong


@pytest.mark.parametrize("tags", [[], ["trained-figure"], ["trained-images"]])
def test_size_number_and_blankness_are_always_checked(tags):
    shown, other = png(NOISE), png(NOISE[:, :-1])
    assert "2 were drawn" in complaint([shown], [shown, shown], tags)
    assert "(640, 360) pixels, it is (639, 360)" in complaint([shown], [other], tags)
    blank = png(np.full(NOISE.shape, 255))
    assert "figure 2 is blank" in complaint([shown, blank], [shown, blank], tags)


def test_images_that_training_chose_are_not_compared():
    other = rng.integers(0, 256, NOISE.shape)
    assert complaint([png(NOISE)], [png(other)], ["trained-images"]) is None
    assert "exact" in complaint([png(NOISE)], [png(other)], ["remove-input"])


def shifted(levels):
    return png(NOISE.clip(20, 200) + levels)


@pytest.mark.parametrize(
    ("tags", "most", "kind"), [([], 2, "exact"), (["trained-figure"], 12, "trained")]
)
def test_how_far_a_figure_may_be_off(tags, most, kind):
    """In grey levels; a shift of all pixels looks the same from afar."""
    assert complaint([shifted(0)], [shifted(most)], tags) is None
    wrong = complaint([shifted(0)], [shifted(most + 1)], tags)
    assert f"figure 1 ({kind}) is off by {most + 1}" in wrong


def test_from_afar_a_figure_is_32_by_18():
    rows, columns = np.indices((360, 640)) // 10
    checks = np.repeat(((rows + columns) % 2)[..., None], 3, axis=-1)
    pair = [png(68 + 120 * checks)], [png(188 - 120 * checks)]
    assert complaint(*pair, ["trained-figure"]) is None  # four squares in a place
    assert "exact" in complaint(*pair, [])


@pytest.mark.parametrize(("levels", "blank"), [(1, True), (3, False)])
def test_a_figure_is_blank_whose_pixels_hardly_differ(levels, blank):
    faint = np.full((36, 64, 3), 200)
    faint[::2] += levels  # they deviate by half of it
    told = complaint([png(faint)], [png(faint)], [])
    assert (told is not None) == blank
