"""Every deck, walked through in a real browser: what fits, what shows, what it fetches.

The decks are those of the stored notebooks, and one with everything a deck may hold.
"""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from small_course import code, markdown, picture

from tools import build, render
from tools.course import Course

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"decks are looked at in Chromium; none of {NAMES} is here"
)

# Everything is measured in the slide's own 1280×720 pixels, all fragments shown.
MEASURE = r"""<script>
window.addEventListener('load', () => setTimeout(() => {
  const wrong = [], size = e => parseFloat(getComputedStyle(e).fontSize);
  const slides = Reveal.getSlides();
  slides.forEach((slide, index) => {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v, 99);
    const at = (what, e) => wrong.push(`slide ${index + 1}: ${what}: ` +
      (e.alt || e.textContent).trim().slice(0, 50));
    const zero = slide.getBoundingClientRect(), scale = Reveal.getScale();
    const floor = zero.top + 672 * scale, right = zero.left + 1230 * scale;
    const all = s => [...slide.querySelectorAll(s)].filter(e => !e.closest('aside'));
    if (Math.round(zero.width / scale) != 1280) at('is not 1280 wide', slide);
    if (Math.round(zero.height / scale) != 720) at('is not 720 high', slide);
    for (const e of all('.heading > *, .body *')) {
      const box = e.getBoundingClientRect();
      if (!box.width || box.bottom < floor && box.right < right) continue;
      at(`runs ${Math.round(box.bottom - floor)} px over the bottom, ` +
         `${Math.round(box.right - right)} px over the side`, e);
      break;
    }
    for (const e of all('pre, pre code')) if (size(e) < 20) at('code under 20 px', e);
    for (const e of all('.text > p, li, td'))
      if (size(e) < 26) at('text under 26 px', e);
    for (const e of all('img')) {
      const drawn =
        Math.min(e.clientWidth / e.naturalWidth, e.clientHeight / e.naturalHeight);
      if (drawn * e.naturalHeight < 300 && drawn * e.naturalWidth < 1100)
        at(`figure only ${Math.round(drawn * e.naturalHeight)} px high`, e);
      if (!e.alt) at('figure without words', e);
    }
    for (const e of all('math')) {
      const box = e.getBoundingClientRect();
      if (!box.width || !box.height) at('mathematics not drawn', e);
    }
    for (const e of all('.text'))
      if (/\$[^$]+\$|\\begin/.test(e.innerText)) at('raw mathematics', e);
    for (const e of slide.querySelectorAll('aside.notes'))
      if (e.getClientRects().length) at('notes are visible', e);
  });
  const fetched = performance.getEntriesByType('resource').map(e => e.name);
  const found = {slides: slides.length, wrong, fetched: fetched.filter(
    name => !name.startsWith('data:'))};
  document.body.textContent = JSON.stringify(found);
}, 300));
</script></body>"""


def look(deck, folder):
    """Walk through a deck; return what is wrong, and what was asked of a network."""
    page, log = folder / "deck.html", folder / "network.json"
    before, _, after = deck.rpartition("</body>")
    page.write_text(before + MEASURE + after, encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars"
    quiet = "--disable-background-networking --disable-component-update --disable-sync"
    command = [
        *(BROWSER, *options.split(), *quiet.split(), "--window-size=1280,720"),
        *(f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"),
        *("--virtual-time-budget=20000", "--dump-dom", page.as_uri()),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=3600).stdout
    found = re.search(r"<body[^>]*>({.*})</body>", dom, re.S)
    assert found, f"the deck did not start in {BROWSER}: {dom[-500:]}"
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = (event.get("params", {}) for event in events)
    # What the browser asks for itself has no page as its origin.
    asked = (p for p in asked if p.get("initiator", "not an origin") != "not an origin")
    urls = [p["url"] for p in asked if not p["url"].startswith(("file:", "data:"))]
    return json.loads(html.unescape(found[1])) | {"asked": urls}


def drawn(root, stem):
    course = Course(root)
    path = course.notebook(stem)
    build._draw(course, path, "decks", render.deck)
    return (course.build / "decks" / f"{stem}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", STORED, ids=[path.stem for path in STORED])
def test_a_stored_notebooks_deck_fits_shows_and_fetches_nothing(path, tmp_path):
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    found = look(drawn(tmp_path, path.stem), tmp_path)
    assert not found["wrong"], "\n" + "\n".join(found["wrong"])
    assert found["fetched"] == found["asked"] == []
    assert found["slides"] > 1


def test_a_deck_with_everything_fits_shows_and_fetches_nothing(full_course, tmp_path):
    found = look(drawn(full_course.root, "02_everything"), tmp_path)
    assert found == {"slides": 5, "wrong": [], "fetched": [], "asked": []}


def test_the_browser_sees_what_is_wrong(course, tmp_path):
    course.add(
        "00_bad",
        markdown("## Too long\n\n" + "- another point\n" * 20, "slide"),
        markdown("## Raw\n\nIt costs \\$5 or \\$6.", "slide"),
        markdown("## Small\n\n" + "- a point\n" * 13, "slide"),
        code("1", outputs=[picture(6, 4)]),
        markdown("seen", "notes"),
    )
    deck = drawn(course.root, "00_bad")
    style = (
        "aside.notes { display: block !important } pre { font-size: 12px !important }"
    )
    deck = deck.replace("</head>", f"<style>{style}</style></head>", 1)
    image = '<img src="http://localhost:9/a.png">'
    deck = deck.replace("</section>", f"{image}</section>", 1)
    found = look(deck, tmp_path)
    wrong = "\n".join(found["wrong"])
    for what in (
        "slide 2: runs",
        "slide 3: raw mathematics",
        "slide 4: figure only",
        "slide 4: code under 20 px",
        "slide 4: notes are visible: seen",
        "slide 1: figure without words",
    ):
        assert what in wrong
    assert found["asked"] == ["http://localhost:9/a.png"]
