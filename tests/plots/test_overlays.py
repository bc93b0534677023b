import numpy as np
import pytest
from drawing import drawn, rng, show
from matplotlib.colors import to_hex, to_rgb

from cnnlib import plots


def test_an_overlay_is_grey_where_the_map_is_zero_and_glows_where_it_is_high():
    x = rng.random((2, 4, 6, 1))
    heat = np.zeros((2, 4, 6))
    heat[:, 1, 2] = (1, 20)  # each map has its own scale
    heat[:, 3, 3] = (0.5, 10)
    figure = plots.overlay(x, heat, ["a", "b"], alt="Two.")
    pictures, titles = drawn(figure)
    assert titles == ["a", "b"]
    for picture, image in zip(pictures, x, strict=True):
        shown = picture.get_array()
        np.testing.assert_allclose(shown[0], 0.9 * np.repeat(image[0], 3, axis=-1))
        red, green, blue = shown[1, 2]
        assert red > green > blue
        assert red > 0.7
    show(figure)
    first, second = (
        p.get_array()[1, 2] - 0.225 * i
        for p, i in zip(pictures, x[:, 1, 2], strict=True)
    )
    np.testing.assert_allclose(first, second)


def test_an_overlay_of_colour_images_is_drawn_on_their_grey():
    x = rng.integers(0, 256, (1, 3, 3, 3)).astype("uint8")
    pictures, _ = drawn(plots.overlay(x, np.zeros((1, 3, 3)), alt="One."))
    expected = np.repeat(0.9 * x.mean(axis=-1, keepdims=True) / 255, 3, axis=-1)
    np.testing.assert_allclose(pictures[0].get_array(), expected[0])


@pytest.mark.parametrize(
    "heat", [np.zeros((2, 3, 4)), np.zeros((1, 4, 4)), -np.ones((2, 4, 4))]
)
def test_an_overlay_refuses_other_maps_than_one_per_image(heat):
    with pytest.raises(ValueError, match="overlay takes a map"):
        plots.overlay(np.zeros((2, 4, 4, 1)), heat, alt="None.")


def test_masks_tint_their_pixels_and_draw_their_edges():
    x = np.full((1, 6, 8, 1), 0.6)
    masks = np.zeros((1, 6, 8), int)
    masks[0, 1:5, 3:] = 2
    figure = plots.masked(x, masks, ["cells"], alt="One cell.", strength=0.5)
    (picture,), titles = drawn(figure)
    pixels, color = np.asarray(picture.get_array()), np.array(to_rgb(plots.TINTS[2]))
    assert titles == ["cells"]
    np.testing.assert_allclose(pixels[0, :3], 0.6)  # label 0 stays clear
    np.testing.assert_allclose(pixels[2, 5], (0.6 + color) / 2)
    np.testing.assert_allclose(pixels[4, 5], color)  # the edge
    show(figure)


def test_masks_can_tint_all_labels_and_grey_what_is_ignored():
    x = np.zeros((1, 4, 4, 3), "uint8")
    masks = np.array([[[0, 0, 12, 12], [0, 0, 12, 12], [0] * 4, [255] * 4]])
    figure = plots.masked(
        x, masks, alt="All.", clear=None, ignored=255, strength=1, columns=1
    )
    pixels = np.asarray(drawn(figure)[0][0].get_array())
    np.testing.assert_allclose(pixels[0, 0], to_rgb(plots.TINTS[0]))
    np.testing.assert_allclose(pixels[0, 3], to_rgb(plots.TINTS[2]))  # 12 of 10 colours
    np.testing.assert_allclose(pixels[3], 0.5)


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (np.zeros((1, 4, 3), int), "masked takes whole numbers"),
        (np.zeros((1, 4, 4)), "masked takes whole numbers"),
        (np.full((1, 4, 4), -1), "labels from 0"),
    ],
)
def test_masks_that_do_not_fit_are_refused(masks, words):
    with pytest.raises(ValueError, match=words):
        plots.masked(np.zeros((1, 4, 4, 1)), masks, alt="Nothing.")


def test_mistakes_have_their_colours_and_a_legend():
    x = np.full((1, 2, 2, 1), 0.5)
    masks, found = np.array([[[0, 0], [1, 1]]]), np.array([[[0, 1], [0, 1]]])
    options = {"label": 0, "name": "membrane", "alt": "Two mistakes."}
    figure = plots.mistakes(x, masks, found, ["all"], **options)
    ((picture,), titles) = drawn(figure)
    assert titles == ["all"]
    hit, missed, made_up = (np.array(to_rgb(plots.COLORS[i])) for i in (2, 1, 0))
    expected = [
        [0.6 * 0.5 + 0.4 * hit, 0.1 * 0.5 + 0.9 * missed],
        [0.1 * 0.5 + 0.9 * made_up, [0.5] * 3],
    ]
    np.testing.assert_allclose(picture.get_array(), expected)
    (legend,) = figure.legends
    entries = zip(legend.get_patches(), legend.get_texts(), strict=True)
    assert [(to_hex(p.get_facecolor()).upper(), t.get_text()) for p, t in entries] == [
        (plots.COLORS[2], "membrane found"),
        (plots.COLORS[1], "membrane missed"),
        (plots.COLORS[0], "membrane made up"),
    ]
    without = plots.images(x, ["all"], columns=4, alt="Grey.")
    assert figure.get_figheight() == without.get_figheight() + 0.5
    assert plots.mistakes(x, masks, found, height=2, **options).get_figheight() == 2
    show(figure)
    lowest = min(axes.get_window_extent().y0 for axes in figure.axes if axes.images)
    assert legend.get_window_extent().y1 <= lowest


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("wrong", [np.zeros((1, 4, 5), int), np.zeros((1, 4, 4))])
def test_mistakes_refuses_what_does_not_fit(which, wrong):
    given = [np.zeros((1, 4, 4), int)] * 2
    given[which] = wrong
    with pytest.raises(ValueError, match="mistakes takes whole numbers"):
        plots.mistakes(np.zeros((1, 4, 4, 1)), *given, label=0, name="it", alt="It.")


@pytest.mark.parametrize("wrong", [-0.5, 1.5, np.nan])
def test_images_that_were_standardized_are_refused(wrong):
    x = np.full((1, 4, 4, 1), wrong)
    with pytest.raises(ValueError, match="float from 0 to 1; given values from"):
        plots.overlay(x, np.ones((1, 4, 4)), alt="None.")
    x[0, 0] = 0.5  # in part
    with pytest.raises(ValueError, match="float from 0 to 1; given values from"):
        plots.overlay(x, np.ones((1, 4, 4)), alt="None.")


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_pictures_stand_in_as_many_columns_as_are_asked_for(columns):
    x, masks = np.ones((3, 4, 4, 1)), np.ones((3, 4, 4), int)
    how = {"alt": "Three.", "columns": columns}
    for figure in (
        plots.overlay(x, masks, **how),
        plots.masked(x, masks, **how),
        plots.mistakes(x, masks, masks, label=1, name="cell", **how),
    ):
        assert figure.axes[0].get_gridspec().ncols == columns
