"""Pages and decks: what they show, what they hide, and that they fetch nothing."""

import base64
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat import v4
from PIL import Image
from small_course import code, markdown, picture, printed

from tools import build, render
from tools.course import Course, CourseError, Lesson
from tools.render import mathml, pieces
from tools.slides import stacks

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.fixture
def built(full_course):
    """The two notebooks of the full course as soups: page and deck of the second."""
    full_course.add("00_plain", title="Plain")
    # Drawing does not look at whether outputs are true, so nothing need be executed.
    course = Course(full_course.root)
    for path in course.notebooks():
        build._draw(course, path, "pages", render.page)
        build._draw(course, path, "decks", render.deck)
    return {
        kind: BeautifulSoup(
            full_course.built(f"{kind}/02_everything.html"), "html.parser"
        )
        for kind in ("pages", "decks")
    }


KINDS = pytest.mark.parametrize("kind", ["pages", "decks"])
MAKE = pytest.mark.parametrize("make", [render.page, render.deck])


def assert_fetches_nothing(soup):
    for element in soup.select("[src], [srcset], link[href], object, iframe, base"):
        assert element.get("src", "").startswith("data:"), element
    for style in soup.select("style"):
        assert not re.search(r"@import|url\((?!['\"]?data:)", style.text)
    for script in soup.select("script"):
        assert not re.search(r"import\(|fetch\(['\"]http|cdn|unpkg", script.text)


@KINDS
def test_nothing_is_fetched_from_anywhere(built, kind):
    assert_fetches_nothing(built[kind])


LOGGED = r"oneDNN|cudart|cuInit|absl::|^[IWE]\d{4} |TF_ENABLE_|Could not find cuda"


@KINDS
@pytest.mark.parametrize("stem", [path.stem for path in STORED])
def test_stored_notebooks_fetch_nothing_and_show_no_log(kind, stem, site):
    made = (site / kind / f"{stem}.html").read_text("utf-8")
    soup = BeautifulSoup(made, "html.parser")
    assert_fetches_nothing(soup)
    for output in soup.select("pre.output"):
        assert not re.search(LOGGED, output.text, re.M), output.text


@KINDS
def test_mathematics_is_drawn(built, kind):
    soup = built[kind]
    formulas = soup.select(":not(.notes) > .text math")
    assert len(formulas) == 3
    assert [m["display"] for m in formulas] == ["inline", "block", "block"]
    assert "∑" in formulas[1].text
    assert len(formulas[2].select("mtr")) == 2
    for text in soup.select(".text"):
        assert "$" not in text.text
        assert "\\" not in text.text


@pytest.mark.parametrize("latex", [r"\nosuchthing{x}", r"\begin{aligned} a", "a & b"])
def test_mathematics_that_cannot_be_drawn_is_refused(latex):
    with pytest.raises(CourseError, match=r"^cannot draw"):
        mathml(latex)


@MAKE
def test_mathematics_that_cannot_be_drawn_is_told_with_its_notebook(course, make):
    with pytest.raises(CourseError, match=r"^01_a: cannot draw & in \$a & b\$$"):
        drawn(course, markdown("So $a & b$."), make=make)


@KINDS
def test_links_lead_to_what_is_built_and_to_nothing_else(built, kind, full_course):
    links = {a.text: a["href"] for a in built[kind].select(".text a")}
    assert links == {
        "before": "01_before.html",
        "data": "../../data/README.md",
        "paper": "https://arxiv.org/abs/1409.1556",
    }
    for anchor in built[kind].select("a[href]"):
        if re.match(r"\d|\.\./decks/0", anchor["href"]):
            assert (full_course.root / "build" / kind / anchor["href"]).exists(), anchor


@KINDS
def test_verdicts_stand_out_with_word_and_statement(built, kind):
    found = built[kind].select(".verdict")
    assert [v["class"][1] for v in found] == ["holds", "corrected", "cited"]
    words = [v.select("strong")[0].text for v in found]
    assert words == ["✓ Holds:", "≠ Corrected:", "§ Cited:"]
    assert "use the same weights" in found[0].text
    assert "10 < 615,440" in found[0].text
    assert "counting" in [p.text.strip() for p in built[kind].select("pre.output")]


@KINDS
def test_figures_carry_their_alternative_text(built, kind):
    images = built[kind].select(".figure img")
    # In a deck the first slide shows one of them again.
    assert [image["alt"] for image in images] == ["A rising line"] * len(images)
    assert len(images) == {"pages": 2, "decks": 3}[kind]


def test_a_page_shows_what_a_deck_leaves_out(built):
    page, deck = built["pages"].text, built["decks"].select(".slides")[0].text
    for left_out in ("interact(show)", "claims.holds()", "hidden()", "Left out of the"):
        assert left_out in page
        assert left_out not in deck
    assert "seen" in deck


def test_notes_are_folded_on_a_page_and_an_aside_in_a_deck(built):
    folded = built["pages"].select("details.notes")
    assert "secret" in folded[0].text
    assert not folded[0].has_attr("open")
    everywhere = built["decks"].find_all(string=re.compile("A secret"))
    assert [s.find_parent("aside")["class"] for s in everywhere] == [["notes"]]
    assert everywhere[0].find_parent("aside").find("math")


def test_a_deck_has_stacks_and_a_title_slide(built):
    stacks = built["decks"].select(".slides > section")
    assert [len(stack.select("section")) for stack in stacks] == [2, 4, 2]
    assert "title" in stacks[0].section["class"]
    numbers = [footer.b.text for footer in built["decks"].select("footer")]
    assert numbers == ["1", "1.1", "2", "2.1", "2.2", "2.3", "3", "3.1"]
    assert built["decks"].title.text == "Everything"


def test_a_deck_is_one_file_with_reveal_and_its_notes_window(built):
    scripts = [script.text for script in built["decks"].select("script")]
    assert "reveal.js 5" in scripts[0]
    assert "RevealNotes" in scripts[1]
    assert "plugins: [RevealNotes]" in scripts[2]
    assert "<!--" not in "".join(scripts)


def test_cells_after_a_fragment_appear_with_it():
    nb = v4.new_notebook(
        cells=[
            markdown("# T", "slide"),
            markdown("one", "fragment"),
            code("1", outputs=[printed("1\n"), picture()]),
            markdown("two", "fragment"),
        ]
    )
    nb.cells.insert(0, markdown("# First", "slide"))
    nb.cells[1].metadata.tags = ["message"]
    _, (slide,) = stacks(nb)
    numbers = [cell.metadata.transient.fragment for cell in slide.cells]
    assert numbers == [0, 0, 1]


def test_printed_text_is_split_at_verdicts():
    text = "a\nb\nclaim edges — holds: six\n\nc\n"
    first, verdict, last = pieces(text)
    assert (first, last) == ("a\nb\n", "c\n")
    assert verdict.evidence == "six"


def test_a_widget_is_a_hint_on_the_page(full_course):
    view = "application/vnd.jupyter.widget-view+json"
    output = v4.new_output(
        "display_data", data={view: {"model_id": "1"}, "text/plain": "interactive(...)"}
    )
    full_course.add("04_live", code("interact(show)", outputs=[output]))
    assert full_course.run("slides") == 0
    assert "interactive(...)" not in full_course.built("decks/04_live.html")


# --- cells as JupyterLab takes them, whatever the course itself uses ------------------


def drawn(course, *cells, make=render.page):
    course.add("01_a", *cells)
    path = course.notebook("01_a")
    nb = nbformat.read(path, as_version=4)
    return make(Course(course.root), nb, Lesson.of(path, nb), "")


@MAKE
def test_a_raw_cell_is_shown_as_its_text(course, make):
    first = v4.new_raw_cell("a < b & <b>c</b>")
    html = v4.new_raw_cell("<em>said</em>", metadata={"raw_mimetype": "text/html"})
    soup = BeautifulSoup(
        drawn(course, markdown("## One", "slide"), first, html, make=make),
        "html.parser",
    )
    assert [pre.text for pre in soup.select("pre.output")] == [first.source]
    assert soup.em.text == "said"


@MAKE
def test_inline_html_is_left_as_it_is(course, make):
    written = (
        "<details><summary>More</summary>\n\nhidden *text*\n\n</details>\n\n"
        "Press <kbd>A</kbd>, <span style='color:red'>red</span>, x<sub>2</sub>."
    )
    soup = BeautifulSoup(drawn(course, markdown(written), make=make), "html.parser")
    assert soup.select_one("details em").text == "text"
    found = [soup.kbd.text, soup.find("span", style=True).text, soup.sub.text]
    assert found == ["A", "red", "2"]


@MAKE
def test_pictures_of_a_cell_are_embedded(course, make):
    png = picture().data["image/png"]
    (course.root / "notebooks").mkdir(exist_ok=True)
    (course.root / "notebooks/there.png").write_bytes(base64.b64decode(png))
    cell = markdown(
        "![a](attachment:a.png) ![b](there.png)\n\n"
        "<img alt='c' src='attachment:a.png' width=\"9\"> <img src=\"there.png\">"
    )
    cell.attachments = {"a.png": {"image/png": png}}
    soup = BeautifulSoup(drawn(course, cell, make=make), "html.parser")
    assert [img["src"] for img in soup.select("img")] == [
        f"data:image/png;base64,{png}"
    ] * 4


@MAKE
def test_an_attached_picture_goes_with_the_part_of_a_cell_that_a_slide_shows(
    course, make
):
    png = picture().data["image/png"]
    attached = {"a.png": {"image/png": png}}
    said = markdown("See ![a](attachment:a.png) here. " + "More is said. " * 20)
    said.attachments = attached
    course.add("01_a", markdown("## H", "slide"), code("x", outputs=[picture()]), said)
    path = course.notebook("01_a")
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].attachments = attached
    nb.cells[0].source = nb.cells[0].source.replace("sun", "![s](attachment:a.png)", 1)
    html = make(Course(course.root), nb, Lesson.of(path, nb), "")
    found = BeautifulSoup(html, "html.parser").select("img[alt=a], img[alt=s]")
    assert {img["src"] for img in found} == {f"data:image/png;base64,{png}"}
    assert {img["alt"] for img in found} == {"a", "s"}


REMOTE = "https://example.org/cat.png"


@MAKE
@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        (markdown(f"![a cat]({REMOTE})"), REMOTE),
        (markdown(f"A <img src='{REMOTE}'> cat"), REMOTE),
        (markdown("<img src='//example.org/cat.png'>"), "//example.org/cat.png"),
        (markdown(f"<video poster='{REMOTE}'></video>"), REMOTE),
        (markdown(f"<p style='background: url({REMOTE})'>cat</p>"), REMOTE),
        (markdown(f"<style>@import '{REMOTE}'</style>"), REMOTE),
        (markdown(f"<iframe src='{REMOTE}'></iframe>"), REMOTE),
        (markdown("![a](not_there.png)"), "not_there.png"),
        (
            code(
                "x",
                outputs=[
                    v4.new_output(
                        "display_data",
                        data={"text/html": f"<script src='{REMOTE}'></script>"},
                    )
                ],
            ),
            REMOTE,
        ),
        (
            v4.new_raw_cell(
                f"<img src='{REMOTE}'>", metadata={"raw_mimetype": "text/html"}
            ),
            REMOTE,
        ),
    ],
)
def test_what_would_be_fetched_from_elsewhere_is_refused(course, cell, asked, make):
    with pytest.raises(CourseError, match=f"01_a: .* fetch {re.escape(asked)}: attach"):
        drawn(course, cell, make=make)


@MAKE
def test_a_link_is_fetched_by_nobody(course, make):
    assert REMOTE in drawn(course, markdown(f"[a cat]({REMOTE})"), make=make)


@MAKE
@pytest.mark.parametrize("cut", [101, 800])  # no base64; no whole PNG
def test_a_damaged_picture_is_told_in_one_line(course, make, cut):
    shown = picture()
    shown.data["image/png"] = shown.data["image/png"][:cut]
    with pytest.raises(CourseError, match=r"^01_a: the PNG of an output is damaged$"):
        drawn(course, code("draw()", "slide", outputs=[shown]), make=make)


def test_an_attachment_that_is_not_there_is_named(course):
    with pytest.raises(CourseError, match=r"01_a: missing attachment: a\.png"):
        drawn(course, markdown("![a](attachment:a.png)"))


@MAKE
def test_figures_are_carried_in_fewer_bytes_and_the_same_pixels(course, make):
    shown = picture()
    html = drawn(course, code("draw()", "slide", outputs=[shown]), make=make)
    [address, *_] = re.findall(r'src="(data:image[^"]+)"', html)
    kind, carried = address.split(";base64,")
    assert kind == "data:image/webp"
    png = shown.data["image/png"]
    assert len(carried) < len(png)
    first, second = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA"))
        for text in (png, carried)
    )
    assert np.array_equal(first, second)


@MAKE
@pytest.mark.parametrize("kind", ["image/gif", "text/latex", "application/javascript"])
def test_an_output_that_a_page_cannot_show_is_named(course, make, kind):
    data = {kind: "x", "text/plain": "<IPython.core.display.Thing object>"}
    shown = nbformat.v4.new_output("display_data", data, metadata={kind: {"alt": "x"}})
    told = f"01_a: a page cannot show an output of {kind}; it shows text/html"
    with pytest.raises(CourseError, match=told):
        drawn(course, code("x", outputs=[shown]), make=make)
    shown.data["text/html"] = "<b>seen instead</b>"
    html = drawn(course, code("x", outputs=[shown]), make=make)
    assert "<b>seen instead</b>" in html
    assert "Thing" not in html


@MAKE
def test_of_a_line_that_is_written_over_the_last_state_is_shown(course, make):
    printed = nbformat.v4.new_output("stream", text="1 %\r50 %\rdone\nnext\n")
    html = drawn(course, code("work()", "slide", outputs=[printed]), make=make)
    assert "done\nnext" in html
    assert "50 %" not in html
