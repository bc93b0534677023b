"""How a notebook's cells are arranged in slides; how they look is seen in a browser."""

import pytest
from nbformat import v4
from small_course import code, markdown, picture, printed

from tools import slides


def stacks(*cells):
    """The slides behind the first."""
    first = markdown("# A lesson\n\nYou will see.", "slide")
    _, *others = slides.stacks(v4.new_notebook(cells=[first, *cells]))
    return others


def beside(heading, text):
    """What stands beside a picture."""
    drawn = code("draw()", outputs=[picture()])
    ((slide, *_),) = stacks(markdown(heading, "slide"), drawn, markdown(text))
    return [cell.source for cell in slide.cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Shift in, shift out. The map moved.", ["The map moved."]),
        ("So shift in, shift out.\n\nThe map moved.", ["The map moved."]),
        ("Shift in, shift out.", []),
        (
            "Shift in, shift out, twice. It moved.",
            ["Shift in, shift out, twice. It moved."],
        ),
    ],
)
def test_a_first_sentence_that_is_the_heading_is_said_once(text, said):
    assert beside("## Shift in, shift out", text) == said


def test_beside_a_picture_stand_whole_sentences_of_forty_words():
    sentence = "This has exactly six words now. "
    assert beside("## Heard", sentence * 9) == [(sentence * 6).strip()]


def test_code_and_numbers_stand_below_their_picture():
    counted = code("n = 1", outputs=[printed("1\n")])
    drawn = code("draw()", outputs=[picture()])
    (stack,) = stacks(markdown("## Seen", "slide"), counted, drawn)
    assert [slide.kind for slide in stack] == ["picture", "below"]
    assert [cell.source for cell in stack[0].cells] == ["draw()"]
    assert [cell.source for cell in stack[1].cells] == ["n = 1", "draw()"]


def test_a_message_may_have_ten_lines_of_code():
    (stack,) = stacks(markdown("## A", "slide", ["message"]), code("x = 1\n" * 10))
    assert [slide.kind for slide in stack] == ["message"]


def test_a_subslide_without_a_heading_stands_on_a_slide_of_its_own():
    drawn = code("draw()", outputs=[picture()])
    counted = code("n = 1", outputs=[printed("1\n")])
    more = code("m = 2", "subslide", outputs=[printed("2\n")])
    (stack,) = stacks(markdown("## Seen", "slide"), counted, drawn, more)
    below = [[cell.source for cell in slide.cells] for slide in stack[1:]]
    assert below == [["n = 1", "draw()"], ["m = 2"]]
