import itertools

import numpy as np
import pytest
from drawing import show

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
    assert {t.get_fontsize() for t in axes.texts} == {14}
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


@pytest.mark.parametrize("families", [{"a": {}}, {str(i): RACE["a"] for i in range(8)}])
def test_points_refuses_no_point_and_too_many_families(families):
    with pytest.raises(ValueError, match="1 to 7 families"):
        plots.points(families, xlabel="x", ylabel="y", alt="None.")


def test_one_family_needs_no_legend():
    figure = plots.points({"a": RACE["a"]}, xlabel="x", ylabel="y", alt="Three.")
    assert figure.axes[0].get_legend() is None
    assert figure.axes[0].get_xscale() == "linear"


def test_families_differ_in_their_dashes():
    (axes,) = plots.points(RACE, xlabel="x", ylabel="y", alt="Four.").axes
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
