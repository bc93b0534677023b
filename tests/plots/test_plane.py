import itertools

import numpy as np
import pytest
from drawing import rng, show
from matplotlib.colors import to_rgb

from cnnlib import plots

RACE = {
    "a": {"first": (1, 10), "second": (10, 9), "third": (100, 3)},
    "b": {"other": (20, 9)},
}


def test_points_stand_where_they_are_and_families_are_joined():
    figure = plots.points(RACE, xlabel="x [M]", ylabel="y [%]", alt="Four.", log=True)
    (axes,) = figure.axes
    first, second = axes.lines
    np.testing.assert_array_equal(first.get_xydata(), [[1, 10], [10, 9], [100, 3]])
    np.testing.assert_array_equal(second.get_xydata(), [[20, 9]])
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x [M]", "y [%]")
    show(figure)
    ticks = [tick.get_text() for tick in axes.get_xticklabels(which="both")]
    assert {"1", "2", "5", "10"} <= set(ticks)
    assert not any("^" in text for text in ticks)  # no powers of ten between them
    show(figure)


def test_names_of_points_stand_near_them_and_cover_nothing():
    figure = plots.points(RACE, xlabel="x", ylabel="y", alt="Four.", log=True)
    show(figure)
    (axes,) = figure.axes
    boxes = {t.get_text(): t.get_window_extent() for t in axes.texts}
    assert list(boxes) == ["first", "second", "third", "other"]
    for one, other in itertools.combinations(boxes.values(), 2):
        assert not one.overlaps(other)
    inside = axes.get_window_extent()
    named = {name: xy for family in RACE.values() for name, xy in family.items()}
    for name, box in boxes.items():
        at = axes.transData.transform(named[name])
        assert not box.contains(*at)
        nearest = np.clip(at, box.min, box.max)
        assert np.hypot(*(nearest - at)) < 45
        assert (box.min > inside.min).all()
        assert (box.max < inside.max).all()
        for line in axes.lines:
            path = axes.transData.transform(line.get_xydata())
            for start, end in itertools.pairwise(path):
                crossed = [box.contains(*p) for p in np.linspace(start, end, 200)]
                assert not any(crossed), name


@pytest.mark.parametrize(
    "families", [{}, {"a": {}}, {str(i): RACE["a"] for i in range(8)}]
)
def test_points_refuses_no_point_and_too_many_families(families):
    with pytest.raises(ValueError, match="1 to 7 families"):
        plots.points(families, xlabel="x", ylabel="y", alt="None.")


def test_one_family_needs_no_legend():
    figure = plots.points({"a": RACE["a"]}, xlabel="x", ylabel="y", alt="Three.")
    assert figure.axes[0].get_legend() is None
    assert figure.axes[0].get_xscale() == "linear"


def test_thumbnails_stand_where_their_points_are():
    ink = np.ones((3, 6, 8, 1))
    places = np.array(
        [[0, 0], [10, 0], [10, 5]]
    )  # bottom left, bottom right, top right
    figure = plots.image_map({"here": places}, ink, [7, 7, 8], alt="Three.")
    (axes,) = figure.axes
    assert axes.get_title() == "here"
    canvas = axes.images[0].get_array()
    first, second = (np.array(to_rgb(c)) for c in plots.TINTS[:2])
    np.testing.assert_allclose(canvas[-1, 0], first)
    np.testing.assert_allclose(canvas[-1, -1], first)
    np.testing.assert_allclose(canvas[0, -1], second)
    np.testing.assert_array_equal(canvas[0, 0], 1)
    np.testing.assert_array_equal(canvas[canvas.shape[0] // 2, 0], 1)
    # Images of 6 × 8 keep their shape: 48 rows, 64 columns of the canvas.
    assert (canvas[:, 0] != 1).any(axis=1).sum() == 48
    assert (canvas[-1, : canvas.shape[1] // 2] != 1).any(axis=1).sum() == 64
    show(figure)


def central(figure, side):
    """The square in the middle, where a thumbnail without neighbours stands."""
    canvas = figure.axes[0].images[0].get_array()
    top, left = ((n - side) // 2 for n in canvas.shape[:2])
    return canvas[top : top + side, left : left + side]


def test_ink_is_as_strong_as_the_image_is_bright():
    x = np.array([0, 0.5, 1, 1]).reshape(1, 2, 2, 1)
    figure = plots.image_map({"": [[3, 3]]}, x, ["a"], alt="One.")
    middle = central(figure, 48)
    tint = np.array(to_rgb(plots.TINTS[0]))
    np.testing.assert_array_equal(middle[0, 0], 1)
    np.testing.assert_allclose(middle[0, -1], (1 + tint) / 2)
    np.testing.assert_allclose(middle[-1, 0], tint)


def test_bytes_and_floats_give_the_same_map():
    x = rng.integers(0, 256, (4, 5, 5, 1)).astype("uint8")
    places = rng.random((4, 2))
    maps = [
        plots.image_map({"": places}, images, range(4), alt="Four.")
        for images in (x, x / 255)
    ]
    np.testing.assert_allclose(*(m.axes[0].images[0].get_array() for m in maps))


def test_colour_images_are_framed_in_the_colour_of_their_class():
    x = np.full((1, 48, 48, 3), (0.2, 0.9, 0.4))
    figure = plots.image_map({"": [[0, 0]]}, x, ["a"], alt="One.")
    middle = central(figure, 48)
    np.testing.assert_allclose(middle[24, 24], (0.2, 0.9, 0.4))
    for corner in (middle[0, 0], middle[-1, -1]):
        np.testing.assert_allclose(corner, to_rgb(plots.TINTS[0]))


def test_panels_stand_side_by_side_and_share_colours():
    x = np.ones((12, 4, 4, 1))
    points = {"pixels": rng.random((12, 2)), "features": rng.random((12, 2))}
    labels = np.arange(12) % 10
    figure = plots.image_map(points, x, labels, alt="Two.")
    show(figure)
    assert [axes.get_title() for axes in figure.axes] == ["pixels", "features"]
    left, right = (axes.get_position().x0 for axes in figure.axes)
    assert left < right
    for axes in figure.axes:
        canvas = np.round(255 * axes.images[0].get_array()).astype(int)
        assert len(np.unique(canvas @ (1, 256, 65536))) == 11  # ten classes, the paper


@pytest.mark.parametrize(
    ("places", "images", "labels"),
    [
        (np.zeros((3, 2)), np.zeros((2, 4, 4, 1)), [0, 1]),
        (np.zeros((2, 3)), np.zeros((2, 4, 4, 1)), [0, 1]),
        (np.zeros((2, 2)), np.zeros((2, 4, 4, 1)), [0]),
        (np.zeros((2, 2)), np.zeros((2, 4, 4)), [0, 1]),
        (np.zeros((2, 2)), np.zeros((2, 4, 4, 2)), [0, 1]),
        (np.zeros((0, 2)), np.zeros((0, 4, 4, 1)), []),
    ],
)
def test_image_map_refuses_what_does_not_match(places, images, labels):
    with pytest.raises(ValueError, match="image_map takes"):
        plots.image_map({"a": places}, images, labels, alt="None.")


@pytest.mark.parametrize("wrong", [-0.5, 1.5, np.nan])
def test_images_that_were_standardized_are_refused(wrong):
    x = np.full((1, 4, 4, 1), wrong)
    with pytest.raises(ValueError, match="float from 0 to 1; given values from"):
        plots.image_map({"a": [[0, 0]]}, x, [0], alt="None.")
    with pytest.raises(ValueError, match="float from 0 to 1; given values from"):
        plots.overlay(x, np.ones((1, 4, 4)), alt="None.")
