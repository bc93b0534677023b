import numpy as np
import pytest
from drawing import show

from cnnlib import plots


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
