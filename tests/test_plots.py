import io

import numpy as np
import pytest
from PIL import Image

from cnnlib import plots

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


def test_one_line_needs_no_legend():
    figure = plots.lines([1, 2], {"a": [0, 1]}, xlabel="x", ylabel="y", alt="One.")
    assert figure.axes[0].get_legend() is None


def test_lines_refuses_a_series_of_another_length():
    with pytest.raises(ValueError, match=r"'a' has 3 values for 2 places"):
        plots.lines([1, 2], {"a": [0, 1, 2]}, xlabel="x", ylabel="y", alt="None.")


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
