"""The site of the stored notebooks: links, phones, search, explorers, in a browser."""

import base64
import io
import json
import os
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from browser import browser, needs_browser
from PIL import Image
from scipy.signal import correlate2d
from small_course import code, printed

from cnnlib import claims
from tools import render
from tools.__main__ import main

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SIZE = 60e6  # bytes of build/, at most


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """``build/`` of the stored notebooks, made once for all of a run's processes."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    root.mkdir(exist_ok=True)
    if not (root / "notebooks").exists():
        (root / "notebooks").symlink_to(ROOT / "notebooks")
    made = ROOT / "build/computed"  # what fits is taken, what is stale is made again
    if made.exists():
        shutil.copytree(made, root / "build/computed", dirs_exist_ok=True)
    assert main(["pages"], root) == 0
    return root / "build"


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


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


def test_the_map_shows_every_notebook_with_a_picture(site):
    index = (site / "index.html").read_text("utf-8")
    cards = re.findall(r'<li class="card">.*?</li>', index, re.DOTALL)
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


# --- in a browser ---------------------------------------------------------------------

# Everything that a reader on a phone would complain of.
MEASURE = r"""(() => {
  const wrong = [], wide = document.documentElement.clientWidth;
  const colour = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255).map(
    c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const found = colour(getComputedStyle(e).backgroundColor);
      if (found.length == 3 || found[3] > .5) return found;
    }
    return [255, 255, 255];
  };
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
    const [a, b] = [colour(style.color), behind(e)].map(light);
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5 && !e.closest('.output')) at(`contrast ${contrast.toFixed(1)}`);
  }
  return wrong;
})()"""


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
    window.js("document.querySelector('form').requestSubmit()")
    window.until("document.querySelectorAll('ul.search li').length > 3")


# --- explorers ------------------------------------------------------------------------


def explorer(window, page):
    window.size(1280, 900)
    window.open(page.as_uri())
    window.until("document.body.dataset.ready")


MOVE = """((input, value) => {
  input.value = value;
  input.dispatchEvent(new Event('input', {bubbles: true}));
  input.dispatchEvent(new Event('change', {bubbles: true}));
})"""
SHOWN = """[...document.querySelectorAll('main canvas, main svg, main img')].map(
  e => e.toDataURL?.() ?? e.src ?? e.outerHTML).join() +
  document.querySelector('main').innerText"""
CONTROLS = "[...document.querySelectorAll('main input:not([type=radio]), main select')]"


def deaf(window):
    """The controls of a page that can be moved with nothing to be seen of it."""
    found = []
    for number in range(window.js(f"{CONTROLS}.length")):
        control = f"{CONTROLS}[{number}]"
        before = window.js(SHOWN)
        window.js(
            f"(e => e.type == 'checkbox' ? e.click() : {MOVE}(e, e.options ?"
            " 'same' : Number(e.value) + (Number(e.value) > e.min ? -1 : 1)))"
            + f"({control})"
        )
        window.js("new Promise(done => setTimeout(done, 50))")
        if window.js(SHOWN) == before:
            found.append(window.js(f"{control}.outerHTML"))
    return found


EXPLORERS = ("kernel", "receptive", "epsilon")


@needs_browser
@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_of_an_explorer_answers(name, site, window):
    explorer(window, site / f"{name}.html")
    assert deaf(window) == []
    assert window.js(f"{CONTROLS}.length") == {"kernel": 19, "epsilon": 1}.get(name, 14)
    assert window.asked() == window.complaints() == []


@needs_browser
@pytest.mark.parametrize("name", EXPLORERS)
def test_a_control_that_does_not_answer_is_seen(name, site, window):
    html = (site / f"{name}.html").read_text("utf-8")
    page = site.parent / f"deaf-{os.getpid()}.html"
    page.write_text(html.replace("oninput", "onnothing"), encoding="utf-8")
    explorer(window, page)
    assert deaf(window)


def decoded(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@needs_browser
def test_the_kernels_sums_are_scipys(site, window):
    explorer(window, site / "kernel.html")
    photo = decoded(window.js("PHOTOGRAPH")).astype(float)
    rng = np.random.default_rng(0)
    for kernel in [*rng.normal(size=(3, 3, 3)).round(1), np.arange(9).reshape(3, 3)]:
        for number, weight in enumerate(kernel.ravel()):
            field = f"document.querySelectorAll('#kernel [type=number]')[{number}]"
            window.js(f"{MOVE}({field}, {weight})")
        theirs = correlate2d(photo, kernel, "valid")
        found = np.reshape(window.js("[...result]"), theirs.shape)
        assert abs(found - theirs).max() < 1e-3
        edges = window.js("document.getElementById('range').textContent")
        assert f"from {theirs.min():.0f} to {theirs.max():.0f}" in edges
    window.js("document.getElementById('relu').click()")
    assert np.allclose(window.js("[...result]"), theirs.clip(0).ravel(), atol=1e-3)


STACKS = [
    (15, [(3, 1, "valid", 1)] * 3),
    (31, [(3, 2, "valid", 1), (3, 2, "valid", 1), (3, 1, "valid", 1)]),
    (32, [(5, 1, "same", 1), (2, 2, "valid", 1), (4, 3, "same", 1)]),
    (31, [(3, 1, "same", 1), (3, 1, "valid", 2), (3, 1, "same", 4)]),
    (
        64,
        [(11, 4, "same", 1), (3, 2, "same", 1), (1, 1, "valid", 1), (5, 1, "same", 1)],
    ),
]


@needs_browser
@pytest.mark.parametrize(("pixels", "stack"), STACKS)
def test_sizes_and_receptive_fields_are_cnnlibs(pixels, stack, site, window):
    import keras

    from cnnlib.explain import receptive_field

    layers = [keras.Input((pixels, pixels, 1))]
    for n, (kernel, stride, padding, dilation) in enumerate(stack):
        window_of = {"strides": stride, "padding": padding, "dilation_rate": dilation}
        layers.append(keras.layers.Conv2D(1, kernel, **window_of, name=f"layer{n}"))
    model = keras.Sequential(layers)
    explorer(window, site / "receptive.html")
    settings = [f"layer({k}, {s}, '{p}', {d})" for k, s, p, d in stack]
    window.js(f"[n, layers] = [{pixels}, [{', '.join(settings)}]]; rows()")
    cells = "[...document.querySelectorAll('#table tr')].map(row => [...row.cells]"
    table = window.js(f"{cells}.slice(1).map(cell => Number(cell.textContent)))")
    assert table[0] == [pixels, 1, 1, 0]
    for layer, row in zip(model.layers, table[1:], strict=True):
        seen = receptive_field(model, layer.name)
        units = layer.output.shape[1]
        assert row == [units, seen.size[0], seen.stride[0], seen.start[0]]
    # Which pixels: those that move a unit of the last layer when each weight is 1.
    weights = [np.ones_like(w) if w.ndim > 1 else w for w in model.get_weights()]
    model.set_weights(weights)
    rows = np.eye(pixels, dtype="float32")[:, :, None, None] * np.ones((pixels, 1))
    moved = np.asarray(model(rows))[:, :, units // 2, 0] > 0
    for unit in {0, units // 2, units - 1}:
        window.js(f"{MOVE}(document.getElementById('unit'), {unit})")
        marked = window.js(f"[...seen(stack(n, layers), layers, {unit})[0]]")
        assert sorted(marked) == np.flatnonzero(moved[:, unit]).tolist()
        drawn = window.js("document.querySelectorAll('#picture rect.on').length")
        assert drawn >= len(marked) + 1


@needs_browser
def test_a_window_that_is_larger_than_its_layer_is_named(site, window):
    explorer(window, site / "receptive.html")
    window.js("[n, layers] = [5, [layer(3), layer(4)]]; rows()")
    said = window.js("document.getElementById('said').textContent")
    assert said.startswith("Layer 2 has no place to stand: its window reaches 4, and")
    assert window.complaints() == []


@needs_browser
def test_epsilons_pictures_are_what_the_network_saw(site, window):
    from scipy.special import softmax

    from cnnlib import models

    explorer(window, site / "epsilon.html")
    told = window.js("TOLD")
    names = models.imagenet_names()
    network = models.efficientnet_lite0(weights="imagenet")
    photo = decoded(told["attack"][0]["picture"]).astype(int)
    for way in ("attack", "random"):
        window.js(f"document.querySelector('[value={way}]').click()")
        pictures = np.stack([decoded(one["picture"]) for one in told[way]])
        inputs = models.preprocess("efficientnet_lite0", pictures)
        odds = softmax(network.predict(inputs, verbose=0), axis=1)
        for at, epsilon in enumerate(told["epsilons"]):
            window.js(f"{MOVE}(document.getElementById('epsilon'), {at})")
            shown = window.js("document.getElementById('picture').src")
            assert shown == told[way][at]["picture"]
            assert abs(pictures[at] - photo).max() == epsilon
            (name, share), *_ = told[way][at]["top"]
            assert name == names[odds[at].argmax()]
            assert share == pytest.approx(odds[at].max(), abs=0.01)
            said = window.js("document.getElementById('said').textContent")
            assert said == f"The network sees: {name}, {100 * share:.1f} %."
    assert told["attack"][-1]["top"][0][0] == "ostrich"
    assert "ostrich" not in dict(told["random"][-1]["top"])


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
