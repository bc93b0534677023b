"""Every deck, walked through in a real browser: what fits, what shows, what it fetches.

The decks are those of the stored notebooks, the whole talk, and one with everything.
"""

import re
import statistics
from pathlib import Path

import nbformat
import pytest
from browser import CONTRAST, needs_browser
from small_course import code, markdown, picture, printed

from tools import build, render
from tools.course import Course, CourseError, Lesson
from tools.slides import LINES, WORDS

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SIZES = {
    "1280": (1280, 720),
    "dark": (1280, 720),
    "1920": (1920, 1080),
    "phone": (390, 844),
}
DECK, TALK = 5e6, 12e6  # bytes, at most
pytestmark = needs_browser

# Everything is measured in the slide's own 1280×720 pixels, all fragments shown.
MEASURE = r"""(async dark => {
  CONTRAST
  document.documentElement.classList.toggle('dark', dark);
  const wrong = [], front = [], size = e => parseFloat(getComputedStyle(e).fontSize);
  for (const slide of Reveal.getSlides()) {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v || 0, 99);
    const at = (what, e) => wrong.push(`${slide.id}: ${what}: ` +
      (e.alt || e.textContent).trim().slice(0, 50));
    const zero = slide.getBoundingClientRect(), scale = Reveal.getScale();
    const floor = zero.top + 686 * scale, right = zero.left + 1274 * scale;
    const all = s => [...slide.querySelectorAll(s)].filter(e => !e.closest('aside'));
    if (Math.round(zero.width / scale) != 1280) at('is not 1280 wide', slide);
    if (Math.round(zero.height / scale) != 720) at('is not 720 high', slide);
    if (zero.left < -1 || zero.right > innerWidth + 1 || zero.bottom > innerHeight + 1)
      at('is larger than the window', slide);
    for (const e of all('.heading > *, .body *')) {
      const box = e.getBoundingClientRect();
      if (!box.width || box.bottom <= floor + 1 && box.right <= right + 1) continue;
      at(`runs ${Math.round((box.bottom - floor) / scale)} px over the bottom, ` +
         `${Math.round((box.right - right) / scale)} px over the side`, e);
      break;
    }
    const boxes = all('.heading, .cell .text, .cell pre, .figure, .verdict, .ruled')
      .map(e => [e, e.getBoundingClientRect()]).filter(([, box]) => box.height);
    boxes.forEach(([e, a], n) => boxes.slice(n + 1).forEach(([other, b]) => {
      if (e.contains(other)) return;
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 * scale && high > 2 * scale) at('overlaps', other);
    }));
    for (const e of all('pre, pre code, pre span'))
      if (size(e) < 20) { at('code under 20 px', e); break; }
    for (const e of all('.heading *, .body *, footer, footer *')) {
      const own = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
      if (!own || !e.getClientRects().length || e.closest('mfrac, msup, msub, msubsup'))
        continue;
      if (size(e) < 17.9) at('text under 18 px', e);
      if (contrast(e) < 4.5) at(`contrast ${contrast(e).toFixed(1)}`, e);
    }
    for (const e of all('img')) if (!e.alt) at('figure without words', e);
    for (const e of all('math')) {
      const box = e.getBoundingClientRect();
      if (!box.width || !box.height) at('mathematics not drawn', e);
    }
    for (const e of all('.text'))
      if (/\$[^$]+\$|\\begin/.test(e.innerText)) at('raw mathematics', e);
    for (const e of slide.querySelectorAll('aside.notes'))
      if (e.getClientRects().length) at('notes are visible', e);
    if (v) continue;
    const text = ['.heading', '.body'].map(s => slide.querySelector(s).innerText)
      .join(' ').replace(/\s+/g, ' ').trim();
    const prose = all('.text, .ruled, .verdict').map(e => e.innerText).join(' ');
    front.push({name: slide.id, kind: slide.className.split(' ')[0],
      characters: text.length,
      words: (prose.match(/[\p{L}\p{N}][\p{L}\p{N}'’.,·×%/-]*/gu) || []).length,
      lines: all('.input pre').map(e => e.innerText.trimEnd().split('\n').length)
        .reduce((sum, n) => sum + n, 0),
      area: all('.figure img').map(drawn).reduce((sum, a) => sum + a, 0) / 921600,
      height: Math.max(0, ...all('.figure img').map(
        e => drawn(e) / Math.min(e.clientWidth, Math.sqrt(
          drawn(e) * e.naturalWidth / e.naturalHeight)))) / 720,
      ratio: Math.max(0, ...all('.figure img').map(
        e => e.naturalWidth / e.naturalHeight))});
  }
  return {wrong, front, slides: Reveal.getSlides().length,
    minutes: front.length && Reveal.getSlides().reduce(
      (sum, s) => sum + Number(s.dataset.timing || 0), 0) / 60};
})""".replace("CONTRAST", CONTRAST)


def look(window, page, sizes=("1280",)):
    """Walk through a deck at each size; return what is wrong, and what is in front."""
    window.size(*SIZES["1280"])
    window.open(page.as_uri())
    window.until("window.Reveal && Reveal.isReady()")
    found, wrong = None, []
    for name in sizes:
        window.size(*SIZES[name])
        window.js("new Promise(done => setTimeout(() => done(1), 30))")
        window.js("Reveal.layout()")
        now = window.js(f"{MEASURE}({str(name == 'dark').lower()})")
        wrong += [f"{name}: {line}" for line in now["wrong"]]
        found = found or now
    return found | {
        "wrong": wrong,
        "asked": window.asked(),
        "console": window.complaints(),
    }


def drawn(root, stem):
    course = Course(root)
    path = course.notebook(stem)
    build._draw(course, path, "decks", render.deck)
    return course.build / "decks" / f"{stem}.html"


def sound(found):
    assert not found["wrong"], "\n" + "\n".join(found["wrong"])
    assert found["asked"] == found["console"] == []


def test_stored_notebooks_decks_fit_and_are_led_by_pictures(site, window):
    fronts, wrong = [], []
    for path in STORED:
        deck = site / f"decks/{path.stem}.html"
        found = look(window, deck, SIZES)
        wrong += [f"{path.stem}, {line}" for line in found["wrong"]]
        assert found["asked"] == found["console"] == [], path.stem
        assert found["front"][0]["kind"] == "title"
        assert deck.stat().st_size < DECK
        told = Lesson.of(path, nbformat.read(path, as_version=4)).minutes
        assert found["minutes"] == int(re.findall(r"\d+", told)[-1])
        fronts += found["front"]
    assert not wrong, "\n" + "\n".join(wrong)
    assert not list(outside(fronts))
    half = [slide for slide in fronts if slide["area"] >= 0.5]
    assert len(half) >= 0.6 * len(fronts)
    assert sum(slide["lines"] > 0 for slide in fronts) <= 0.2 * len(fronts)
    assert statistics.median(slide["characters"] for slide in fronts) <= 200


# A picture wider than this is a strip: the whole width of a slide makes it no higher.
STRIP = 2.8


def outside(fronts):
    """The front slides that are outside the limits, with the reason."""
    for slide in fronts:
        if slide["lines"] > LINES:
            yield slide["name"], f"{slide['lines']} lines of code"
        if slide["kind"] == "picture" and slide["words"] > WORDS + 5:
            # A formula is one word to us, and several to the browser.
            yield slide["name"], f"{slide['words']} words beside a picture"
        if slide["kind"] == "picture" and slide["ratio"] < STRIP:
            if slide["height"] < 0.6:
                yield slide["name"], f"a picture of {slide['height']:.0%} of the height"
            if slide["area"] < 0.5:
                yield slide["name"], f"a picture of {slide['area']:.0%} of the slide"


def test_the_whole_talk_is_one_deck_of_an_hour(site, window):
    talk = site / "decks/talk.html"
    found = look(window, talk, SIZES)
    sound(found)
    assert found["minutes"] == 60
    assert talk.stat().st_size < TALK
    links = window.js("[...document.querySelectorAll('.slides a')].map(a => a.href)")
    for link in links:
        target, _, anchor = link.partition("#/")
        if target == talk.as_uri():
            assert window.js(f"!!document.getElementById({anchor!r})"), link
        elif target.startswith("file:"):
            assert Path(target.removeprefix("file://")).exists(), link
    parts = {path.stem for path in STORED if f"/{path.stem}.html" in " ".join(links)}
    assert parts == {path.stem for path in STORED}


def test_a_deck_with_everything_fits_shows_and_fetches_nothing(full_course, window):
    deck = drawn(full_course.root, "02_everything")
    found = look(window, deck, SIZES)
    sound(found)
    kinds = [slide["kind"] for slide in found["front"]]
    assert kinds == ["title", "picture", "ruling"]


def test_a_slides_address_is_made_of_its_heading(full_course, window):
    deck = drawn(full_course.root, "02_everything")
    window.open(f"{deck.as_uri()}#/verdicts")
    window.until("window.Reveal && Reveal.isReady()")
    assert window.js("Reveal.getCurrentSlide().id") == "verdicts"
    window.js("Reveal.toggleOverview(true)")
    assert window.js("Reveal.isOverview()")


def test_type_shrinks_only_as_far_as_the_slide_asks(course, window):
    line = "x" * 88
    course.add(
        "00_crowded",
        markdown("## Prose\n\n" + "- a point\n" * 16, "slide"),
        markdown("## Code", "slide"),
        code("x = 1", outputs=[printed(f"{line}\n")]),
        markdown("## A line too long for any slide", "slide"),
        code("x = 1", outputs=[printed(f"{line}{line}\n")]),
    )
    sound(look(window, drawn(course.root, "00_crowded")))
    types = window.js(
        "[...document.querySelectorAll('section.below .body')].map(e =>"
        "['--text', '--code'].map(n => parseInt(e.style.getPropertyValue(n))))"
    )
    _, prose, listing, broken = types
    assert prose[0] < 28
    assert broken == [28, 24]
    assert listing[0] == 28
    assert 20 <= listing[1] < 24


def test_a_deck_prints_one_page_for_each_slide(full_course):
    deck = drawn(full_course.root, "02_everything").read_text("utf-8")
    assert full_course.run("pdf", "02") == 0
    made = full_course.root / "build/pdf/02_everything.pdf"
    assert len(re.findall(rb"/Type\s*/Page\b", made.read_bytes())) == deck.count(
        '<section class="'
    )


def test_on_paper_too_a_figure_leaves_its_text_the_room(course, window):
    """There, boxes do not shrink: a style that forbids it stands in for paper."""
    course.add(
        "00_tall",
        markdown("## A tall picture", "slide"),
        code("x = 1", outputs=[picture(12, 6)]),
        markdown("What it shows is said below it."),
    )
    window.open(f"{drawn(course.root, '00_tall').as_uri()}?print-pdf")
    window.until("document.documentElement.classList.contains('laid-out')")
    bottoms = window.js(
        "document.styleSheets[0].insertRule('* {flex-shrink: 0 !important}'),"
        "[...document.querySelectorAll('section.picture')].map(slide => ["
        "slide.querySelector('.figure').getBoundingClientRect().height,"
        "slide.querySelector('.text').getBoundingClientRect().bottom"
        " - slide.querySelector('footer').getBoundingClientRect().top])"
    )
    assert bottoms
    for figure, beyond in bottoms:
        assert figure > 300
        assert beyond <= 0


def planted(course, window, *cells, change=lambda deck: deck):
    """What is found in a deck with these cells, changed afterwards."""
    course.add("00_bad", *cells)
    deck = drawn(course.root, "00_bad")
    deck.write_text(change(deck.read_text("utf-8")), encoding="utf-8")
    return look(window, deck)


BELOW = "small: text under 18 px", "small: code under 20 px"
FAULTS = {
    "a cell of forty lines": (
        [markdown("## Long", "slide"), code("x = 1\n" * 40)],
        "long: runs",
    ),
    "text that fits no slide": (
        [markdown("## Long\n\n" + "- another point\n" * 30, "slide")],
        "long: runs",
    ),
    "raw mathematics": (
        [markdown("## Raw\n\nIt costs \\$5 or \\$6.", "slide")],
        "raw: raw mathematics",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_browser_sees_a_slide_that_does_not_fit(fault, course, window):
    cells, what = FAULTS[fault]
    assert any(what in line for line in planted(course, window, *cells)["wrong"])


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('alt="A rising line"', 'alt=""', "figure without words"),
        ("</style>", "pre { font-size: 12px !important }</style>", "code under 20 px"),
        ("</style>", ".text { font-size: 12px }</style>", "text under 18 px"),
        ("</style>", ".text { color: #999 }</style>", "contrast 2.8"),
        (
            "</style>",
            ".text { position: absolute; top: 0; left: 300px }</style>",
            "overlaps",
        ),
        ("</style>", "aside.notes { display: block !important }</style>", "visible"),
    ],
)
def test_the_browser_sees_what_is_wrong_with_a_slide(old, new, what, course, window):
    cells = [
        markdown("## Seen", "slide"),
        code("draw()", outputs=[picture(6, 4), printed("1\n")]),
        markdown("It rises."),
        markdown("told", "notes"),
    ]
    found = planted(course, window, *cells)
    assert found["wrong"] == []
    change = dict(change=lambda deck: deck.replace(old, new, 1))
    found = planted(course, window, *cells, **change)
    assert any(what in line for line in found["wrong"]), found["wrong"]


def test_the_browser_sees_what_is_asked_of_a_network(course, window):
    script = "<script src='http://localhost:9/a.js'></script></footer>"
    found = planted(course, window, change=lambda d: d.replace("</footer>", script, 1))
    assert found["asked"] == ["http://localhost:9/a.js"]
    assert found["console"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([markdown("## A", "slyde")], "cell 1 has the slide type 'slyde'; there are"),
        ([markdown(f"## {'a' * 120}", "slide")], "a heading has 120 letters, at most"),
        (
            [markdown("## A", "slide", ["message"]), code("x = 1\n" * 11)],
            "'## A' is tagged as a message and shows 11 lines of code, at most 10",
        ),
        (
            [code("x", "slide", outputs=[picture(alt="")])],
            "cell 1 shows a figure without alternative text",
        ),
        ([markdown("$\\nosuchthing{x}$", "slide")], "cannot draw"),
    ],
)
def test_a_deck_that_nobody_could_read_is_refused(cells, said, course):
    course.add("00_bad", *cells)
    with pytest.raises(CourseError, match=re.escape(said)):
        drawn(course.root, "00_bad")


def test_without_a_browser_one_line_says_how_to_get_it(course, capsys, monkeypatch):
    course.add("00_a")
    monkeypatch.setenv("PATH", str(course.root))
    assert course.run("pdf") == 1
    assert "needs Chromium: apt-get install chromium" in capsys.readouterr().err
    assert course.run("slides") == 0
