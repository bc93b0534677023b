import numpy as np
import pytest
from drawing import drawn, rng, show
from matplotlib.colors import to_rgb

from cnnlib import plots


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


def test_grids_share_one_colour_scale():
    figure = plots.grids({"small": [[1, -2]], "large": [[8, 3]]}, alt="Two tables.")
    scales = {axes.images[0].get_clim() for axes in figure.axes}
    assert scales == {(-12.8, 12.8)}


def test_grids_draw_a_table_of_zeros():
    show(plots.grids({"nothing": np.zeros((2, 2))}, alt="Zeros."))


MATRIX = np.array([[8, 0, 2], [1, 9, 0], [0, 0, 0]])


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


def test_a_line_stands_on_either_side_of_every_cell():
    (axes,) = plots.confusion(MATRIX, "abc", alt="Three.").axes
    for axis in (axes.xaxis, axes.yaxis):
        assert axis.get_minorticklocs().tolist() == [-0.5, 0.5, 1.5, 2.5]


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


def test_a_class_of_one_image_that_is_hit_is_as_dark_as_any():
    figure = plots.confusion(np.diag([1, 9]), "ab", alt="Two.")
    cells = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(cells[0, 0], cells[1, 1])


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


@pytest.mark.parametrize(("letters", "rotation"), [(15, 0), (16, 40)])
def test_names_lean_where_all_as_long_as_the_longest_would_not_fit(letters, rotation):
    names = ["a" * letters, "b", "c", "d", "e"]
    figure = plots.confusion(np.eye(5, dtype=int), names, alt="Five.")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_rotation() for label in labels] == [rotation] * 5


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


def test_the_scale_of_filters_says_that_it_is_of_weights():
    figure = plots.filters(rng.normal(size=(3, 2, 1, 3)), alt="Three.", columns=3)
    assert figure.axes[-1].get_ylabel() == "weight"


def test_the_cells_of_all_grids_are_of_one_size():
    tables = {
        "wide": np.ones((2, 6)),
        "narrow": np.ones((2, 1)),
        "two": np.ones((2, 2)),
    }
    figure = plots.grids(tables, alt="Three.")
    show(figure)
    widths = [axes.get_window_extent().width for axes in figure.axes]
    np.testing.assert_allclose(np.divide(widths, widths[1]), [6, 1, 2], rtol=0.02)


def test_counts_are_legible_on_every_shade_and_twenty_classes_are_counted():
    matrix = np.array([[9000, 1200], [600, 100]])
    figure = plots.confusion(matrix, "ab", alt="Two.")
    written = {
        t.get_position(): (t.get_text(), t.get_color()) for t in figure.axes[0].texts
    }
    assert written == {
        (0, 0): ("9,000", "white"),
        (1, 0): ("1,200", "black"),
        (0, 1): ("600", "black"),
        (1, 1): ("100", "black"),
    }
    assert figure.axes[0].get_aspect() == "auto"  # as wide as the figure
    cells = figure.axes[0].images[0].get_array()
    blue = np.array(to_rgb(plots.COLORS[0]))
    share = 100 / 700  # of the row, which is that of the true class
    np.testing.assert_allclose(cells[1, 1], 1 - (0.2 + 0.8 * share) * (1 - blue))
    twenty = plots.confusion(
        np.eye(20, dtype=int), [str(i) for i in range(20)], alt="T"
    )
    assert sum(bool(t.get_text()) for t in twenty.axes[0].texts) == 20
