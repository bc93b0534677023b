from drawing import show

from cnnlib import plots


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
