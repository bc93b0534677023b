import numpy as np
import pytest
from drawing import drawn, rng, show

from cnnlib import plots


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


def test_images_are_as_high_as_they_and_their_titles_need():
    x = rng.random((5, 4, 6, 3))
    rows = 2 * 10 / 3 * 4 / 6
    for titles, lines in ((None, 0), (["a"] * 5, 1), (["a", "b\nc", *"def"], 2)):
        figure = plots.images(x, titles, alt="Five.", columns=3)
        assert figure.get_figheight() == pytest.approx(rows + 2 * 0.3 * lines)
    few = plots.images(x[:2], alt="Two.", columns=8)
    assert len(few.axes) == 2
    assert few.get_figheight() == pytest.approx(10 / 2 * 4 / 6)


def test_grey_runs_from_black_to_white_and_pixels_stay_sharp():
    (picture,), _ = drawn(plots.images(rng.random((1, 4, 4, 1)), alt="One."))
    assert picture.get_interpolation() == "nearest"
    shades = picture.get_cmap()([0.0, 1.0])[:, :3]
    np.testing.assert_allclose(shades, [[0] * 3, [1] * 3])
