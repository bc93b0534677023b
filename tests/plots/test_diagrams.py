import itertools

import keras
import numpy as np
import pytest
from drawing import show
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from cnnlib import models, plots


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


# --- windows --------------------------------------------------------------------------


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
        ({"side": 5, "size": 3, "stride": 0}, "stride=1 or more; given 0"),
        ({"side": 5, "size": 3, "padding": (0, -1)}, "padding=0 or more; given -1"),
        ({"side": 5, "size": 3, "frames": 0}, "frames=1 or more; given 0"),
    ],
)
def test_windows_refuses_what_cannot_be_drawn(options, words):
    with pytest.raises(ValueError, match=words):
        plots.windows(**options, alt="Nothing.")


def test_a_window_and_its_output_are_told_by_colour():
    figure = plots.windows(2, 2, padding=(1, 1), alt="Five colours.", frames=2)
    meshes = [axes.collections[0] for axes in figure.axes]
    assert len(meshes) == 4
    expected = ("white", "#CCCCCC", plots.COLORS[5], plots.COLORS[4], "#A86F00")
    for mesh in meshes:  # input, padding, done, read or written, padding that is read
        found = [mesh.to_rgba(code)[:3] for code in range(5)]
        np.testing.assert_allclose(found, [to_rgb(color) for color in expected])


def test_arrows_point_to_the_layer_that_reads():
    for arrow in arrows(plots.diagram(models.mnist_cnn(), alt="The net.")):
        path = arrow.get_path()
        head = np.flatnonzero(path.codes == path.MOVETO)[1]
        way, tip = path.vertices[:head], path.vertices[head : head + 3].mean(axis=0)
        start, end = (np.hypot(*(tip - place)) for place in (way[0], way[-1]))
        assert end < start


def test_what_branches_stands_around_the_middle_and_a_free_side_is_any(branched):
    found = boxes(plots.diagram(branched, alt="Branches."))
    rows = {title: frame.get_y() for title, (frame, *_) in found.items()}
    assert rows["input"] == pytest.approx(rows["conv3"])
    assert rows["joined"] == pytest.approx(rows["conv3"])
    free = keras.Sequential([keras.Input((None, 8, 2)), keras.layers.ReLU(name="relu")])
    assert boxes(plots.diagram(free, alt="Free."))["relu"][1] == ["any×8×2"]
