"""The site of the stored notebooks: links, phones, search, explorers, in a browser."""

import json
import os
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from browser import CONTRAST, needs_browser
from small_course import code, printed

from cnnlib import claims
from tools import render
from tools.course import Course
from tools.site import drawn, index

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SIZE = 60e6  # bytes of build/, at most


# --- links ----------------------------------------------------------------------------


class _Page(HTMLParser):
    """A page's names, and the addresses that it leads to or asks for."""

    def __init__(self, html):
        super().__init__()
        self.names, self.led = Counter(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.names.update([told["id"]] if "id" in told else [])
        for key in ("href", "src", "action"):
            self.led += [told[key]] if told.get(key) else []


def broken(folder):
    """The links of every page in a folder that lead nowhere, and names given twice."""
    pages = {
        path: _Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")
    }
    for path, page in pages.items():
        here = path.relative_to(folder)
        yield from (f"{here}: two are {n}" for n, k in page.names.items() if k > 1)
        for address in page.led:
            parts = urlsplit(address)
            if parts.scheme:  # https: is not looked at, data: leads nowhere
                continue
            target = path
            if parts.path:
                target = Path(os.path.normpath(path.parent / unquote(parts.path)))
            name = unquote(parts.fragment).removeprefix("/")
            if not (target.is_file() and target.is_relative_to(folder)):
                yield f"{here}: {address} is not there"
            elif name and target.suffix == ".html" and name not in pages[target].names:
                yield f"{here}: {address} has no such name"


def test_every_link_of_the_site_leads_to_what_is_there(site):
    assert list(broken(site)) == []
    assert len(list(site.rglob("*.html"))) >= 3 * len(STORED)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("gone.html", "a.html: gone.html is not there"),
        ("../a.html", "a.html: ../a.html is not there"),
        ("b.html#two", "a.html: b.html#two has no such name"),
        ("#/nowhere", "a.html: #/nowhere has no such name"),
        ("b.html#one", None),
        ("https://example.org", None),
    ],
)
def test_a_link_that_leads_nowhere_is_seen(link, said, tmp_path):
    (tmp_path / "a.html").write_text(f"<a href='{link}'>there</a>")
    (tmp_path / "b.html").write_text("<p id='one'>1</p>")
    assert list(broken(tmp_path)) == ([said] if said else [])


def test_a_name_that_two_headings_have_is_seen(tmp_path):
    (tmp_path / "a.html").write_text("<h2 id='x'>1</h2><h2 id='x'>2</h2>")
    assert list(broken(tmp_path)) == ["a.html: two are x"]


def test_every_page_has_a_table_of_its_contents(site):
    for path in STORED:
        page = (site / f"pages/{path.stem}.html").read_text("utf-8")
        contents, main = page.split("<main>")
        names = re.findall(r'<li><a href="#([^"]+)">', contents)
        sources = [c.source for c in nbformat.read(path, 4).cells]
        headings = sum(len(re.findall(r"(?m)^## ", source)) for source in sources)
        assert len(names) == headings > 3
        assert names == re.findall(r'<h2 id="([^"]+)">', main)


def test_the_map_shows_every_notebook_with_a_picture(site):
    page = (site / "index.html").read_text("utf-8")
    cards = re.findall(r'<li class="card">.*?</li>', page, re.DOTALL)
    assert len(cards) == len(STORED)
    for card, path in zip(cards, STORED, strict=True):
        assert f'href="pages/{path.stem}.html"' in card
        assert f'href="decks/{path.stem}.html"' in card
        assert re.search(r'src="data:image/webp[^"]+" alt="[^"]{20,}"', card)
    assert (site / "index.html").stat().st_size < 1e6


def test_each_page_beside_a_notebook_and_its_notebook_lead_to_each_other(site):
    for name, (stem, title) in render.BESIDE.items():
        there = f'href="{name}.html">{title}</a>'
        assert there in (site / "index.html").read_text("utf-8")
        assert f"../{name}.html" in (site / f"pages/{stem}.html").read_text("utf-8")
        back = f'href="pages/{stem}.html"'
        assert back in (site / f"{name}.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("claim", "run", "told"),
    [
        ("dropout", "dropout", "recorded by"),
        ("degradation", "degradation", "recorded by"),
        ("multiple-paths", "stochastic-depth", "not run yet:"),
        ("densenet-efficiency", "densenet", "not run yet:"),
    ],
)
def test_a_claim_tells_of_its_recorded_run_or_that_it_was_not_run(
    site, claim, run, told
):
    page = (site / "claims.html").read_text("utf-8")
    line = page[page.index(f'<p class="soft"><code>{claim}</code>') :]
    assert f"{told} <code>make record CLAIM={run}</code></p>" in line[:400]


def test_each_verdict_leads_to_the_cell_that_settles_its_claim(site):
    page = (site / "claims.html").read_text("utf-8")
    links = re.findall(r'href="(pages/\w+\.html)#claim-([\w-]+)"', page)
    assert {claim for _, claim in links} == set(claims.LEDGER)
    for name, claim in links:
        callout = re.search(
            f'<div class="verdict [^>]*id="claim-{claim}"',
            (site / name).read_text("utf-8"),
        )
        assert f'data-claim="{claim}"' in callout[0]


def test_the_site_is_small_enough_to_carry(site):
    files = [path for path in site.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < SIZE


def test_the_catalogues_numbers_are_those_of_the_networks(site):
    rows = json.loads((site / "computed/networks.json").read_text("utf-8"))["value"]
    page = (site / "catalogue.html").read_text("utf-8")
    for row in rows:
        assert sum(stage["parameters"] for stage in row["stages"]) == row["total"]
        assert f'<h2 id="{row["name"]}">' in page
        assert f"{row['trainable']:,} trained parameters" in page
    assert page.count("<svg") == page.count("<details>") == len(rows)


def test_a_diagrams_blocks_are_as_high_as_maps_and_as_wide_as_channels():
    outputs = {"conv1": [64, 64, 16], "conv2": [16, 16, 64], "logits": [10]}
    adds = dict(zip(outputs, (300, 700, 0), strict=True))
    stages = [
        {"name": name, "output": output, "multiply_adds": adds[name]}
        for name, output in outputs.items()
    ]
    first, second, last = drawn(stages)
    assert first["height"] == 2 * second["height"] == 110
    assert second["width"] == 2 * first["width"]
    assert [block["share"] for block in (first, second, last)] == [0.3, 0.7, 0]
    assert second["words"] == "conv2: 16 × 16 × 64, 70% of the multiply-adds"
    assert second["labels"] == {"name": "conv2", "places": "16×16", "maps": "64"}
    assert last["labels"] == {"name": "logits", "places": "", "maps": "10"}
    left = 0
    for block in (first, second, last):
        assert block["middle"] == block["x"] + block["width"] / 2
        assert block["middle"] == left + block["column"] / 2
        assert block["y"] + block["height"] / 2 == 55
        left += block["column"]


def test_a_side_of_less_than_sixteen_is_drawn_against_sixteen():
    stages = [{"name": "a", "output": [4, 4, 1], "multiply_adds": 1}] * 2
    assert [block["height"] for block in drawn(stages)] == [55, 55]


# --- in a browser ---------------------------------------------------------------------

# Everything that a reader on a phone would complain of.
MEASURE = r"""(() => {
  CONTRAST
  document.querySelectorAll('details').forEach(e => { e.open = true; });
  const wrong = [], wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) wrong.push('scrolls sideways');
  const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX)
    ? e != document.documentElement : scrolls(e.parentElement));
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
    const box = e.getBoundingClientRect();
    if (!box.width || e.closest('script, style, svg') || !e.checkVisibility()) continue;
    const at = what => wrong.push(`${e.localName}: ${what}: ` +
      (e.alt || e.textContent).trim().slice(0, 40));
    if (box.right > wide + 1 && !scrolls(e)) at(`ends at ${Math.round(box.right)}`);
    if (e.localName == 'img' && !e.alt) at('no words');
    if (!own || e.closest('math')) continue;
    const style = getComputedStyle(e);
    if (parseFloat(style.fontSize) < 14) at(`text of ${style.fontSize}`);
    if (contrast(e) < 4.5) at(`contrast ${contrast(e).toFixed(1)}`);
  }
  return wrong;
})()""".replace("CONTRAST", CONTRAST)


def look(window, page):
    """What is wrong with a page, on a phone and a desk, by day and by night."""
    found = []
    for name, width, scheme in [
        ("phone", 390, "light"),
        ("dark phone", 390, "dark"),
        ("desk", 1440, "light"),
    ]:
        window.size(width, 844)
        window.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        window.open(page.as_uri())
        told = [*window.js(MEASURE), *window.complaints(), *window.asked()]
        found += [f"{page.stem}, {name}: {line}" for line in told]
    return found


def own_pages(site):
    return sorted([*site.glob("*.html"), *site.glob("pages/**/*.html")])


@needs_browser
def test_every_page_fits_a_phone_and_asks_nobody_for_anything(site, window):
    wrong = [line for page in own_pages(site) for line in look(window, page)]
    assert not wrong, "\n" + "\n".join(wrong)


# Labels of diagrams that touch the one before, or end outside of the picture.
LABELS = """[...document.querySelectorAll('.diagram svg')].flatMap(svg => {
  const {x, y, width, height} = svg.viewBox.baseVal, ends = {};
  return [...svg.querySelectorAll('text')].filter(label => {
    const box = label.getBBox(), line = label.getAttribute('y');
    if (!box.width) return false;
    const before = ends[line] ?? x - 4, end = ends[line] = box.x + box.width;
    const inside = end <= x + width && box.y >= y && box.y + box.height <= y + height;
    return box.x < before + 4 || !inside;
  }).map(label => label.textContent);
})"""
LARGER = """document.querySelectorAll('.diagram text').forEach(
  label => { label.style.fontSize = '24px'; })"""


@needs_browser
def test_no_label_of_a_diagram_touches_another(site, window):
    window.size(1440, 844)
    window.open((site / "catalogue.html").as_uri())
    assert window.js("document.querySelectorAll('.diagram text').length") > 500
    assert window.js(LABELS) == []
    window.js(LARGER)
    assert len(window.js(LABELS)) > 100


@needs_browser
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("<div style='width: 600px'>wide</div>", "phone: scrolls sideways"),
        ("<p style='font-size: 12px'>small</p>", "phone: p: text of 12px"),
        ("<p style='color: #999; background: #fff'>pale</p>", "p: contrast 2.8"),
        ("<p style='color: #222'>by night</p>", "dark phone: p: contrast"),
        ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' width=9>", "no words"),
        ("<script src='http://localhost:9/a.js'></script>", "http://localhost:9/a.js"),
        ("<script>console.error('spilt')</script>", "spilt"),
        ("", None),
    ],
)
def test_the_browser_sees_what_is_wrong_with_a_page(fault, said, site, window):
    page = site.parent / f"{os.getpid()}.html"
    html = (site / "claims.html").read_text("utf-8")
    page.write_text(html.replace("<h1", f"{fault}<h1", 1), encoding="utf-8")
    found = look(window, page)
    assert any(said in line for line in found) if said else not found, found


def test_the_index_has_the_stems_of_words_under_their_headings(tmp_path):
    (tmp_path / "build").mkdir()
    html = "<main><h1 id='a'>Studies</h1>Of 12 and the accuracy <h2 id='b'>B</h2>c"
    (tmp_path / "build/one.html").write_text(html)
    found = index(Course(tmp_path), {"one.html": "One"})
    assert found["docnames"] == ["one.html#a", "one.html#b"]
    assert found["titles"] == ["Studies · One", "B · One"]
    assert found["titleterms"] == {"studi": [0], "b": [1]}
    assert found["terms"] == {"studi": [0], "accuraci": [0], "b": [1], "c": [1]}


@needs_browser
def test_search_finds_words_in_all_their_forms(site, window):
    def found(words):
        window.open(f"{(site / 'search.html').as_uri()}?q={words}")
        window.until("document.querySelector('.search-summary')?.textContent")
        return window.js(
            "[...document.querySelectorAll('ul.search a')].map(a => a.href)"
        )

    some, one, several = found("ostrich"), found("ostriches"), found("ostrich+pixel")
    assert some == one
    assert 0 < len(several) < len(one)
    assert any("/13_fooling.html#" in link for link in one)
    assert any(link.endswith("claims.html#ostrich") for link in one)
    assert found("xyzzy") == []
    assert window.asked() == window.complaints() == []
    for link in one:
        address, _, name = link.partition("#")
        html = Path(unquote(urlsplit(address).path)).read_text("utf-8")
        assert f'id="{name}"' in html


@needs_browser
def test_every_page_leads_to_search(site, window):
    window.open((site / "pages/13_fooling.html").as_uri())
    window.js("document.querySelector('[name=q]').value = 'ostrich'")
    asked = "new URLSearchParams(new FormData(form))"
    target = window.js(f"(form => `${{form.action}}?${{{asked}}}`)(document.forms[0])")
    window.open(target)
    window.until("document.querySelectorAll('ul.search li').length > 3")


# --- the pages of a course of one's own -----------------------------------------------


def test_a_course_without_these_notebooks_has_no_explorers(course):
    course.add("00_a", code("1", outputs=[printed("1\n")]))
    assert course.run("pages") == 0
    made = sorted(path.name for path in (course.root / "build").glob("*.html"))
    assert made == ["claims.html", "index.html", "search.html"]
    assert list(broken(course.root / "build")) == []


def test_headings_that_come_again_have_names_of_their_own():
    anchors = render.Anchors()
    titles = ["What <em>W</em> buys", "What W buys", "$", "What w buys?", "Ω"]
    names = [anchors.new(title) for title in titles]
    assert names == [
        "what-w-buys",
        "what-w-buys-2",
        "heading",
        "what-w-buys-3",
        "heading-2",
    ]
