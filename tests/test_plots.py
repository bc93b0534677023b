import io
import itertools

import keras
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

from cnnlib import augment, models, plots

rng = np.random.default_rng(0)


def show(figure):
    data, metadata = figure._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == data["text/plain"] == figure.alt
    return np.asarray(Image.open(io.BytesIO(data["image/png"])).convert("RGB"))


def drawn(figure):
    """The images and their titles, in reading order."""
    shown = [axes for axes in figure.axes if axes.axison and axes.images]
    return [axes.images[0] for axes in shown], [axes.get_title() for axes in shown]


def test_a_figure_shows_itself_whole_with_its_alt_text():
    figure = plots.lines([0, 1], {"a": [1, 2]}, xlabel="x", ylabel="y", alt="A rise.")
    pixels = show(figure)
    assert pixels.shape == (540, 1200, 3)  # 10 × 4.5 inches at 120 dots, never cropped
    assert pixels.std() > 1
    assert figure.alt == "A rise."


def test_the_same_numbers_give_the_same_bytes():
    pictures = [
        plots.bars({"a": 1, "b": 2}, xlabel="x", alt="Bars.")._repr_mimebundle_()
        for _ in range(2)
    ]
    assert pictures[0] == pictures[1]


def test_images_are_drawn_in_order_under_their_titles():
    x = rng.random((5, 4, 6, 1))
    figure = plots.images(x, list("abcde"), alt="Five.", columns=3)
    pictures, titles = drawn(figure)
    assert titles == list("abcde")
    for picture, image in zip(pictures, x, strict=True):
        np.testing.assert_array_equal(picture.get_array(), image[..., 0])
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]
    show(figure)


def test_colour_images_are_drawn_as_they_are():
    x = rng.integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    pictures, _ = drawn(plots.images(x, alt="Two."))
    np.testing.assert_array_equal(pictures[1].get_array(), x[1])


def test_images_share_limits_only_when_given_them():
    x = np.stack([np.full((2, 2, 1), 0.2), np.full((2, 2, 1), 0.8)])
    x[:, 0, 0] = 0.1
    own, _ = drawn(plots.images(x, alt="Two."))
    assert own[0].get_clim() != own[1].get_clim()
    common, _ = drawn(plots.images(x, alt="Two.", limits=(0, 1)))
    assert [picture.get_clim() for picture in common] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("shape", [(4, 6, 1), (2, 4, 6, 2), (2, 4, 6), (0, 4, 6, 1)])
def test_images_refuses_what_is_no_stack_of_images(shape):
    with pytest.raises(ValueError, match="images takes"):
        plots.images(np.zeros(shape), alt="Nothing.")


def test_images_refuses_too_few_titles():
    with pytest.raises(ValueError, match="2 images, but 1 titles"):
        plots.images(np.zeros((2, 4, 4, 1)), ["a"], alt="Two.")


def test_filters_share_one_scale_centred_on_zero():
    kernel = rng.normal(size=(3, 3, 1, 10))
    pictures, _ = drawn(plots.filters(kernel, alt="Ten.", columns=8))
    most = np.abs(kernel).max()
    for i, picture in enumerate(pictures[:10]):
        np.testing.assert_array_equal(picture.get_array(), kernel[:, :, 0, i])
        assert picture.get_clim() == (-most, most)
    show(plots.filters(kernel, alt="Ten."))


def test_filters_are_orange_where_positive_and_purple_where_negative():
    picture = drawn(plots.filters(np.ones((1, 1, 1, 1)), alt="One."))[0][0]
    red, _, blue, _ = picture.cmap(picture.norm(picture.norm.vmax * 0.7))
    assert red > blue
    red, _, blue, _ = picture.cmap(picture.norm(picture.norm.vmin * 0.7))
    assert blue > red


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (3, 3, 4)])
def test_filters_refuses_more_than_one_channel(shape):
    with pytest.raises(ValueError, match="filters takes"):
        plots.filters(np.zeros(shape), alt="None.")


def test_grids_write_every_number_into_its_cell():
    table = np.array([[1.25, -2], [0, 3]])
    figure = plots.grids({"table": table}, alt="Four numbers.", digits=1)
    texts = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert texts == {(0, 0): "1.2", (1, 0): "-2.0", (0, 1): "0.0", (1, 1): "3.0"}
    assert figure.axes[0].get_title() == "table"
    # No cell so dark that black on it is hard to read.
    assert figure.axes[0].images[0].get_clim() == pytest.approx((-4.8, 4.8))
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), table)
    show(figure)


def test_grids_draw_a_table_of_zeros():
    show(plots.grids({"nothing": np.zeros((2, 2))}, alt="Zeros."))


def test_lines_are_told_apart_by_colour_and_by_dashes():
    series = {"a": [0, 1, 2], "b": [2, 1, 0], "c": [1, 1, 1]}
    figure = plots.lines(
        [1, 2, 3], series, xlabel="epoch", ylabel="loss", alt="Three.", ylim=(-1, 3)
    )
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines] == list(series)
    for line, values in zip(axes.lines, series.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    assert len({line.get_color() for line in axes.lines}) == 3
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    assert axes.get_ylim() == (-1, 3)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == list(series)
    show(figure)
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_one_line_needs_no_legend():
    figure = plots.lines([1, 2], {"a": [0, 1]}, xlabel="x", ylabel="y", alt="One.")
    assert figure.axes[0].get_legend() is None


def test_lines_refuses_a_series_of_another_length():
    with pytest.raises(ValueError, match=r"'a' has 3 values for 2 places"):
        plots.lines([1, 2], {"a": [0, 1, 2]}, xlabel="x", ylabel="y", alt="None.")


def test_series_stand_in_panels_that_share_their_axes():
    x = rng.normal(size=(4, 30))
    figure = plots.series(x, list("abcd"), alt="Four.", columns=3)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in panels] == list("abcd")
    for axes, values in zip(panels, x, strict=True):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), values)
        assert axes.get_ylim() == panels[0].get_ylim()
        assert not axes.collections
    show(figure)


def test_a_series_is_thick_where_its_map_is_high():
    x, maps = rng.normal(size=(2, 5)), np.array([[0, 0, 4, 4, 0], [0] * 5])
    hot, cold = (
        axes.collections[0] for axes in plots.series(x, alt="Two.", maps=maps).axes
    )
    np.testing.assert_allclose(hot.get_linewidths(), [0, 2.5, 5, 2.5])
    np.testing.assert_allclose(hot.get_segments()[2], [[2, x[0, 2]], [3, x[0, 3]]])
    assert to_hex(hot.get_color()[0]) == plots.COLORS[1].lower()
    np.testing.assert_allclose(cold.get_linewidths(), 0)


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((3,), {}, "given \\(3,\\)"),
        ((0, 4), {}, "given \\(0, 4\\)"),
        ((2, 1), {}, "given \\(2, 1\\)"),
        ((2, 4), {"titles": ["a"]}, "2 series, but 1 titles"),
        ((2, 4), {"maps": np.ones((1, 4))}, "given \\(1, 4\\) from 1"),
        ((2, 4), {"maps": -np.ones((2, 4))}, "given \\(2, 4\\) from -1"),
    ],
)
def test_series_refuses_what_it_cannot_draw(shape, options, words):
    with pytest.raises(ValueError, match=words):
        plots.series(np.zeros(shape), alt="None.", **options)


def test_bars_stand_in_order_with_their_values_written():
    figure = plots.bars({"dense": 615_440, "conv": 10}, xlabel="weights", alt="Two.")
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [615_440, 10]
    assert [text.get_text() for text in axes.texts] == ["615,440", "10"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["dense", "conv"]
    assert axes.get_xlabel() == "weights"
    assert axes.yaxis_inverted()  # the first on top
    one = plots.bars({"a": 1.25}, xlabel="x", alt="One.", digits=1)
    assert [text.get_text() for text in one.axes[0].texts] == ["1.2"]
    show(figure)


# --- bands ----------------------------------------------------------------------------


def outline(axes):
    """Lower and upper edge of each band, by place."""
    edges = []
    for band in axes.collections:
        points = band.get_paths()[0].vertices
        places = np.unique(points[:, 0])
        at = [points[points[:, 0] == place, 1] for place in places]
        edges.append(([a.min() for a in at], [a.max() for a in at]))
    return edges


def test_bands_show_the_median_and_all_runs():
    runs = {"a": rng.random((5, 4)), "b": 1 + rng.random((3, 4))}
    figure = plots.bands([1, 2, 3, 4], runs, xlabel="epoch", ylabel="loss", alt="Two.")
    (axes,) = figure.axes
    assert len(axes.collections) == len(axes.lines) == 2
    for line, edges, values in zip(
        axes.lines, outline(axes), runs.values(), strict=True
    ):
        np.testing.assert_array_equal(line.get_ydata(), np.median(values, axis=0))
        np.testing.assert_array_equal(edges, (values.min(0), values.max(0)))
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_legend().get_title().get_text() == "line: median, band: all seeds"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    assert axes.get_yscale() == "linear"
    show(figure)


def test_a_band_has_the_colour_of_its_line():
    runs = {"a": np.zeros((2, 3)), "b": np.ones((2, 3))}
    figure = plots.bands([1, 2, 3], runs, xlabel="x", ylabel="y", alt="Two.")
    axes = figure.axes[0]
    for line, band in zip(axes.lines, axes.collections, strict=True):
        assert to_rgb(line.get_color()) == tuple(band.get_facecolor()[0, :3])


def test_bands_take_limits_and_a_logarithmic_axis():
    figure = plots.bands(
        [1, 2],
        {"a": [[1, 10], [2, 30]]},
        xlabel="x",
        ylabel="y",
        alt="One.",
        ylim=(0.1, 100),
        log=True,
    )
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_ylim() == (0.1, 100)
    assert figure.axes[0].get_legend() is not None  # which says what the band is
    show(figure)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (0, 3), (2, 3, 1)])
def test_bands_refuses_what_is_not_seeds_by_places(shape):
    with pytest.raises(ValueError, match=r"takes \(seeds, 3\) values.*'a' has \("):
        plots.bands([1, 2, 3], {"a": np.zeros(shape)}, xlabel="x", ylabel="y", alt="No")


# --- confusion ------------------------------------------------------------------------

MATRIX = np.array([[8, 0, 2], [1, 9, 0], [0, 0, 0]])


def test_highlighted_bars_are_orange():
    values = {"a": 1, "b": 2, "c": 3}
    figure = plots.bars(values, xlabel="x", alt="Bars.", highlight=["b"])
    colors = [plots.COLORS.index(_hex(bar)) for bar in figure.axes[0].patches]
    assert colors == [0, 1, 0]
    with pytest.raises(ValueError, match=r"no bar is called \['d'\]"):
        plots.bars(values, xlabel="x", alt="Bars.", highlight=["d"])


@pytest.mark.parametrize(("longest", "tick"), [(1.5, "0.2"), (6000, "2,000")])
def test_ticks_of_bars_are_told_apart(longest, tick):
    figure = plots.bars({"a": longest, "b": 0.1}, xlabel="x", alt="Bars.")
    show(figure)
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert tick in ticks
    assert len(set(ticks)) == len(ticks)


def _hex(bar):
    return to_hex(bar.get_facecolor()).upper()


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


def test_a_confusion_writes_every_count_but_zeros():
    figure = plots.confusion(MATRIX, ["cat", "dog", "eel"], alt="Three.")
    axes = figure.axes[0]
    written = {t.get_position(): t.get_text() for t in axes.texts if t.get_text()}
    assert written == {(0, 0): "8", (2, 0): "2", (0, 1): "1", (1, 1): "9"}
    names = ["cat", "dog", "eel"]
    assert [t.get_text() for t in axes.get_xticklabels()] == names
    assert [t.get_text() for t in axes.get_yticklabels()] == names
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")
    show(figure)


def test_hits_are_blue_and_mistakes_orange_the_more_the_darker():
    figure = plots.confusion(MATRIX, "abc", alt="Three.")
    cells = figure.axes[0].images[0].get_array()
    blue, orange = (np.array(to_rgb(c)) for c in plots.COLORS[:2])
    np.testing.assert_allclose(cells[0, 2], orange)  # the largest mistake
    assert (cells[1, 0] > orange).any()
    assert (cells[1, 0] >= orange).all()
    np.testing.assert_allclose(cells[0, 0], 1 - (0.2 + 0.8 * 0.8) * (1 - blue))
    assert (cells[1, 1] <= cells[0, 0]).all()
    for zero in (cells[0, 1], cells[2, 2]):
        np.testing.assert_array_equal(zero, 1)


def test_a_confusion_without_a_mistake_is_drawn():
    show(plots.confusion(5 * np.eye(2, dtype=int), "ab", alt="Two."))


def test_names_of_a_confusion_never_overlap():
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    figure = plots.confusion(np.eye(10, dtype=int), names, alt="Ten.")
    show(figure)
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_rotation() for label in labels] == [40] * 10
    short = plots.confusion(np.eye(10, dtype=int), "0123456789", alt="Ten.")
    assert [t.get_rotation() for t in short.axes[0].get_xticklabels()] == [0] * 10


def test_many_classes_are_numbered_and_their_counts_not_written():
    names = [f"class {i}" for i in range(21)]
    figure = plots.confusion(np.eye(21, dtype=int), names, alt="Many.")
    show(figure)
    assert len(figure.axes[0].texts) == 0
    assert all("class" not in t.get_text() for t in figure.axes[0].get_xticklabels())


@pytest.mark.parametrize(
    "matrix",
    [np.eye(3, dtype=int), np.eye(2), -np.eye(2, dtype=int), np.ones((2, 1), int)],
)
def test_a_confusion_refuses_what_are_no_counts_of_its_classes(matrix):
    with pytest.raises(ValueError, match=r"takes counts.*\(2, 2\) for 2 names; given"):
        plots.confusion(matrix, "ab", alt="None.")


# --- image_map ------------------------------------------------------------------------


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


# --- overlay --------------------------------------------------------------------------


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


# --- diagram --------------------------------------------------------------------------


def boxes(figure):
    """{title: (frame, other texts, all as artists)}; a double edge counts once."""
    figure.canvas.draw()
    (axes,) = figure.axes
    found = {}
    frames = [p for p in axes.patches if isinstance(p, FancyBboxPatch)]
    for text in axes.texts:
        (x, y) = text.get_position()
        around = [
            f
            for f in frames
            if f.get_x() < x < f.get_x() + f.get_width()
            and f.get_y() < y < f.get_y() + f.get_height()
        ]
        assert around, text.get_text()
        frame = max(around, key=lambda f: f.get_width())
        found.setdefault(frame, []).append(text)
    return {
        texts[0].get_text(): (frame, [t.get_text() for t in texts[1:]], texts)
        for frame, texts in found.items()
    }


def arrows(figure):
    return [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]


def test_a_diagram_tells_shapes_and_parameters_of_every_layer():
    figure = plots.diagram(models.mnist_cnn(), alt="The net.")
    told = {title: lines for title, (_, lines, _) in boxes(figure).items()}
    assert told == {
        "image": ["28×28×1"],
        "conv1": ["26×26×32", "320 parameters"],
        "conv2": ["24×24×32", "9,248\nparameters"],
        "pool": ["12×12×32"],
        "dropout1": ["12×12×32"],
        "flatten": ["4608"],
        "dense": ["128", "589,952\nparameters"],
        "dropout2": ["128"],
        "logits": ["10", "1,290\nparameters"],
    }
    assert len(arrows(figure)) == 8
    pixels = show(figure)
    assert pixels.shape[1] / pixels.shape[0] >= 2


def test_a_chain_runs_from_left_to_right_and_on_in_the_next_row():
    figure = plots.diagram(models.mnist_cnn(), alt="The net.")
    frames = [frame for frame, *_ in boxes(figure).values()]
    places = [(frame.get_y(), frame.get_x()) for frame in frames]
    assert places == sorted(places)
    assert len({y for y, _ in places}) == 2
    seen = [frame.get_window_extent() for frame in frames]
    assert [box.y0 for box in seen] == sorted((box.y0 for box in seen), reverse=True)
    below, above = seen[-1].y0, figure.bbox.y1 - seen[0].y1
    assert below == pytest.approx(above)
    assert above > 0
    ways = [arrow.get_path() for arrow in arrows(figure)]
    bent = [np.flatnonzero(way.codes == way.MOVETO)[1] > 2 for way in ways]
    assert bent == [False] * 4 + [True] + [False] * 3  # to the next row, by its lane
    three = plots.diagram(models.mnist_cnn(), alt="The net.", columns=3)
    assert len({frame.get_y() for frame, *_ in boxes(three).values()}) == 3


@pytest.fixture
def branched():
    """A net with three branches, a way past two layers, and a nested model."""
    nested = keras.Sequential(
        [keras.Input((8, 8, 6)), keras.layers.Conv2D(6, 1)], name="nested"
    )
    image = keras.Input((8, 8, 2))
    branches = [
        keras.layers.Conv2D(2, k, padding="same", name=f"conv{k}")(image)
        for k in (1, 3, 5)
    ]
    joined = keras.layers.Concatenate(name="joined")(branches)
    x = keras.layers.BatchNormalization(name="a_rather_long_name_of_a_layer")(joined)
    x = keras.layers.Add(name="sum")([joined, nested(x)])
    x = keras.layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(image, keras.layers.Dense(3, name="logits")(x))


def test_branches_stand_above_each_other(branched):
    figure = plots.diagram(branched, alt="Branches.")
    found = {title: frame for title, (frame, *_) in boxes(figure).items()}
    columns = {title: round(frame.get_x(), 3) for title, frame in found.items()}
    assert columns["input"] < columns["conv1"] < columns["joined"]
    assert columns["conv1"] == columns["conv3"] == columns["conv5"]
    heights = [found[f"conv{k}"].get_y() for k in (1, 3, 5)]
    assert heights == sorted(set(heights))
    assert len(arrows(figure)) == 12
    show(figure)


def test_no_text_of_a_diagram_leaves_its_box(branched):
    for model in (branched, models.mnist_cnn(), models.lenet5()):
        figure = plots.diagram(model, alt="The net.")
        for frame, _, texts in boxes(figure).values():
            edge = frame.get_window_extent()
            for text in texts:
                inner = text.get_window_extent()
                assert edge.x0 <= inner.x0 < inner.x1 <= edge.x1, text.get_text()
                assert edge.y0 <= inner.y0 < inner.y1 <= edge.y1, text.get_text()
                assert text.get_fontsize() >= 10


def test_no_two_boxes_of_a_diagram_overlap(branched):
    frames = [frame for frame, *_ in boxes(plots.diagram(branched, alt="B.")).values()]
    extents = [frame.get_window_extent() for frame in frames]
    for i, one in enumerate(extents):
        assert not any(one.overlaps(other) for other in extents[i + 1 :])


@pytest.mark.parametrize("columns", [3, 4, 5, 8])
def test_no_arrow_of_a_diagram_runs_through_a_box(branched, columns):
    figure = plots.diagram(branched, alt="Branches.", columns=columns)
    frames = [frame for frame, *_ in boxes(figure).values()]
    for arrow in arrows(figure):
        path = arrow.get_path()
        head = np.flatnonzero(path.codes == path.MOVETO)[1]
        points = path.vertices[:head]
        way = np.concatenate(
            [np.linspace(a, b, 50)[1:-1] for a, b in itertools.pairwise(points)]
        )
        for frame in frames:
            x, y = frame.get_x(), frame.get_y()
            over = (way > (x, y)) & (
                way < (x + frame.get_width(), y + frame.get_height())
            )
            assert not over.all(axis=1).any()
        assert (way > 0).all()
        assert (way < (figure.get_figwidth(), figure.get_figheight())).all()


def test_kinds_of_layers_have_their_colours(branched):
    found = boxes(plots.diagram(branched, alt="Branches."))
    color = {title: frame.get_edgecolor()[:3] for title, (frame, *_) in found.items()}
    assert color["conv3"] == to_rgb(plots.COLORS[0])
    assert color["gap"] == to_rgb(plots.COLORS[1])
    assert color["logits"] == to_rgb(plots.COLORS[2])
    assert color["sum"] == color["nested"] == to_rgb("0.45")


def test_a_nested_model_has_a_double_edge(branched):
    figure = plots.diagram(branched, alt="Branches.")
    frames = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    assert len(frames) == len(boxes(figure)) + 1


def test_long_names_are_broken_at_an_underscore(branched):
    assert "a_rather_long_\nname_of_a_layer" in boxes(plots.diagram(branched, alt="B."))


def test_a_diagram_refuses_more_than_one_can_read():
    layers = [keras.layers.ReLU() for _ in range(60)]
    model = keras.Sequential([keras.Input((2, 2, 1)), *layers], name="deep")
    with pytest.raises(ValueError, match="at most 60 layers; 'deep' has 61"):
        plots.diagram(model, alt="None.")
    show(
        plots.diagram(
            keras.Sequential([keras.Input((2, 2, 1)), *layers[:-1]]), alt="Sixty."
        )
    )


def test_a_diagram_refuses_a_model_that_is_not_built():
    with pytest.raises(ValueError, match="'net' is not built"):
        plots.diagram(keras.Sequential([keras.layers.Dense(1)], name="net"), alt="No.")


def frames(figure):
    """The colour codes of each frame: the input's cells, the output's cells."""
    drawn = [
        axes.collections[0].get_array() for axes in figure.axes if axes.collections
    ]
    half = len(drawn) // 2
    return list(zip(drawn[:half], drawn[half:], strict=True))


def test_windows_move_by_the_stride_and_fill_the_output():
    figure = plots.windows(5, 3, stride=2, alt="Four places.")
    assert len(frames(figure)) == 4  # (5 - 3) // 2 + 1 = 2, squared
    for place, (cells, outputs) in enumerate(frames(figure)):
        row, column = divmod(place, 2)
        expected = np.zeros((5, 5))
        expected[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] = 3
        np.testing.assert_array_equal(cells, expected)
        np.testing.assert_array_equal(
            outputs.ravel(), [2] * place + [3] + [0] * (3 - place)
        )
    show(figure)


def test_windows_read_padding_and_leave_holes_where_dilated():
    figure = plots.windows(3, 2, padding=(1, 2), dilation=2, alt="Holes.", frames=1)
    ((cells, outputs),) = frames(figure)
    expected = np.ones((6, 6))
    expected[1:4, 1:4] = 0
    expected[:3:2, :3:2] += 3
    np.testing.assert_array_equal(cells, expected)
    assert outputs.shape == (4, 4)  # 6 - (2 * (2 - 1) + 1) + 1


def test_windows_show_the_first_place_the_last_and_some_between():
    figure = plots.windows(6, 3, alt="Three of sixteen.", frames=3)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["place 1 of 16", "place 9 of 16", "place 16 of 16"]
    once = plots.windows(3, 3, alt="One of one.", frames=3)
    assert len(frames(once)) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"side": 3, "size": 4}, "a window of 4 does not fit into 3 pixels"),
        ({"side": 5, "size": 3, "dilation": 3}, "a window of 7 does not fit into 5"),
        ({"side": 5, "size": 3, "stride": 0}, "stride=0"),
        ({"side": 5, "size": 3, "padding": (0, -1)}, r"padding=\(0, -1\)"),
        ({"side": 5, "size": 3, "frames": 0}, "frames=0"),
    ],
)
def test_windows_refuses_what_cannot_be_drawn(options, words):
    with pytest.raises(ValueError, match=words):
        plots.windows(**options, alt="Nothing.")


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


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("wrong", [np.zeros((1, 4, 5), int), np.zeros((1, 4, 4))])
def test_mistakes_refuses_what_does_not_fit(which, wrong):
    given = [np.zeros((1, 4, 4), int)] * 2
    given[which] = wrong
    with pytest.raises(ValueError, match="mistakes takes whole numbers"):
        plots.mistakes(np.zeros((1, 4, 4, 1)), *given, label=0, name="it", alt="It.")


def test_an_augmentation_shows_itself_beside_the_original():
    image = rng.integers(0, 256, (10, 12, 3)).astype("uint8")
    layer = augment.Warp(rotation=40, seed=1)
    figure = plots.augmented(layer, image, alt="Turned.", count=3, columns=2)
    pictures, titles = drawn(figure)
    assert titles == ["original", "", "", ""]
    expected = [image, *augment.examples(layer, image, 3)]
    for picture, made in zip(pictures, expected, strict=True):
        np.testing.assert_array_equal(picture.get_array(), made)
    show(figure)


def test_an_augmentation_of_a_grey_image_shares_its_limits_and_shows_its_mask():
    image, mask = rng.random((10, 12, 1)), np.zeros((10, 12), int)
    mask[3:7, 3:9] = 1
    layer = augment.Crop(6, seed=1)
    pictures, _ = drawn(plots.augmented(layer, image, alt="Crops.", count=2))
    assert [picture.get_clim() for picture in pictures] == [(0, 1)] * 3
    np.testing.assert_array_equal(pictures[0].get_array(), image[2:8, 3:9, 0])
    figure = plots.augmented(layer, image, alt="Crops.", count=2, mask=mask)
    made, masks = augment.examples(layer, image, 2, mask)
    expected = plots.masked(made, masks, alt="")
    for picture, other in zip(drawn(figure)[0][1:], drawn(expected)[0], strict=True):
        np.testing.assert_array_equal(picture.get_array(), other.get_array())
