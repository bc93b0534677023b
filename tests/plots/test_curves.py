import numpy as np
import pytest
from drawing import rng, show
from matplotlib.colors import to_hex, to_rgb

from cnnlib import plots


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


def test_dots_are_one_for_each_seed_beside_their_mean():
    values = {"plain": [1, 2, 6], "augmented": [4]}
    figure = plots.dots(values, ylabel="error [%]", alt="Dots.")
    (axes,) = figure.axes
    scattered, means = axes.collections[::2], axes.collections[1::2]
    for i, (runs, dots, mean) in enumerate(
        zip(values.values(), scattered, means, strict=True)
    ):
        places = np.asarray(dots.get_offsets())
        np.testing.assert_allclose(places[:, 1], runs)
        assert places[:, 0].mean() == pytest.approx(i)
        assert len(set(places[:, 0])) == len(runs)
        np.testing.assert_allclose(mean.get_segments()[0][:, 1], np.mean(runs))
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(values)
    assert axes.get_ylabel() == "error [%]"
    show(figure)


def test_dots_refuses_a_label_without_values():
    with pytest.raises(ValueError, match=r"a value or more per label; 'b' has none"):
        plots.dots({"a": [1], "b": []}, ylabel="y", alt="None.")


def test_series_stand_in_panels_that_share_their_axes():
    x = rng.normal(size=(4, 30))
    figure = plots.series(x, list("abcd"), alt="Four.", columns=3)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in panels] == list("abcd")
    for axes, values in zip(panels, x, strict=True):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), values)
        assert axes.get_ylim() == panels[0].get_ylim()
        assert not axes.collections
    assert figure.get_size_inches()[1] == pytest.approx(2 * 2.6 + 0.6)
    show(figure)
    one = plots.series(x, list("abcd"), alt="Four.", columns=4)
    assert one.get_size_inches()[1] == pytest.approx(2.6 + 0.6)
    assert plots.series(x, alt="Four.", height=2).get_size_inches()[1] == 2


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
    assert {bar.get_height() for bar in axes.patches} == {0.8}  # of what there is
    one = plots.bars({"a": 1.25}, xlabel="x", alt="One.", digits=1)
    assert [text.get_text() for text in one.axes[0].texts] == ["1.2"]
    show(figure)


def test_bars_on_a_logarithmic_axis_all_show_their_ends():
    values = {"a": 90.0, "b": 9.0, "c": 3.0}
    figure = plots.bars(values, xlabel="seconds", alt="Three.", digits=1, log=True)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert axes.get_xscale() == "log"
    assert low == 1.5
    assert high == pytest.approx(1.5 * 60**1.15)
    assert [text.get_text() for text in axes.texts] == ["90.0", "9.0", "3.0"]
    show(figure)
    with pytest.raises(ValueError, match="a logarithmic axis has no place for 0"):
        plots.bars({"a": 1, "b": 0}, xlabel="x", alt="Two.", log=True)


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


def test_only_few_places_are_marked_one_by_one():
    for count, marker in ((20, "o"), (21, "None")):
        values = {"a": np.arange(count), "b": -np.arange(count)}
        figure = plots.lines(range(count), values, xlabel="x", ylabel="y", alt="Two.")
        assert [line.get_marker() for line in figure.axes[0].lines] == [marker] * 2


def test_places_that_are_not_whole_have_ticks_between_whole_numbers():
    figure = plots.lines([1, 1.5, 2], {"a": [0, 1, 2]}, xlabel="x", ylabel="y", alt="A")
    show(figure)
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low < tick < high]
    assert any(not float(tick).is_integer() for tick in ticks)


def test_a_band_lets_what_lies_behind_it_be_seen():
    runs = {"a": np.array([[0, 1], [1, 2]]), "b": np.array([[0, 2], [1, 1]])}
    figure = plots.bands([1, 2], runs, xlabel="x", ylabel="y", alt="Two.")
    for band in figure.axes[0].collections:
        assert band.get_alpha() == 0.25
        assert not band.get_linewidths().any()


def test_dots_have_a_colour_for_each_label_and_lie_on_their_means():
    values = {"a": [1, 2, 6], "b": [4], "c": [2, 3]}
    (axes,) = plots.dots(values, ylabel="y", alt="Dots.").axes
    scattered, means = axes.collections[::2], axes.collections[1::2]
    found = [to_hex(dots.get_facecolor()[0]).upper() for dots in scattered]
    assert found == list(plots.COLORS[:3])
    for i, (dots, mean) in enumerate(zip(scattered, means, strict=True)):
        np.testing.assert_allclose(mean.get_segments()[0][:, 0], [i - 0.3, i + 0.3])
        assert dots.get_zorder() > mean.get_zorder()


def test_series_are_blue_or_grey_under_heat_and_tell_the_time_below():
    x = rng.normal(size=(5, 6))
    for maps, color in ((None, plots.COLORS[0]), (np.ones((5, 6)), "0.6")):
        figure = plots.series(x, alt="Five.", maps=maps, columns=3)
        panels = [axes for axes in figure.axes if axes.lines]
        assert {to_rgb(axes.lines[0].get_color()) for axes in panels} == {to_rgb(color)}
        labels = [axes.get_xlabel() for axes in figure.axes]
        assert labels == [""] * 3 + ["time"] * 3
        assert all(c.get_capstyle() == "round" for a in panels for c in a.collections)
