"""The pages that are no notebook: map, claims, networks, explorers, search."""

import base64
import io
import json
import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image, ImageChops
from sphinx.search import SearchEnglish

from cnnlib import claims
from tools import experiments, render, slides
from tools.computed import computed
from tools.course import Course, Lesson, lessons, read, write

WIDTH = 520  # pixels of a picture on the map
NEEDS = {"catalogue": "networks", "epsilon": "ostrich", "kernel": "photograph"}


def site(course: Course, paths: list[Path], ruled: dict, say: Callable) -> None:
    """Write every page that is no notebook, and remove those that belong to none.

    Args:
        course: has the notebooks' pages already.
        paths: the notebooks with their outputs.
        ruled: each claim's verdict and the notebook that settles it.
        say: told of what takes long.
    """
    values = told(course, paths, ruled)
    wanted = ["index", "claims", *values["beside"]]
    needed = [NEEDS[name] for name in wanted if name in NEEDS]
    values |= computed(course, needed, say)
    for name in wanted:
        made = render.plain(f"{name}.html.j2", **values)
        write(course.build / f"{name}.html", made)
    named = {
        f"pages/{one.stem}.html": f"{one.stem[:2]} {one.title}"
        for one in values["lessons"]
    }
    named |= {f"{name}.html": title for name, (_, title) in values["beside"].items()}
    found = index(course, named | {"claims.html": "Claims"})
    code = {"stemmer": _stemmer(), "tools": _tools()}
    made = render.plain("search.html.j2", **values, **code, index=found)
    write(course.build / "search.html", made)
    for path in course.build.glob("*.html"):
        if path.stem not in (*wanted, "search"):
            path.unlink()


def told(course: Course, paths: list[Path], ruled: dict) -> dict:
    """What the templates tell of: lessons, verdicts, pictures; as ``site`` takes it."""
    every = lessons(course)
    there = render.there([lesson.stem for lesson in every])
    return {
        "lessons": every,
        "titles": {lesson.stem: lesson.title for lesson in every},
        "verdicts": ruled,
        "recorded": experiments.records(course),
        "sections": claims.SECTIONS,
        "there": there,
        "beside": {n: page for n, page in render.BESIDE.items() if n in there},
        "covers": {path.stem: cover(path) for path in paths},
        "able": able,
        "drawn": drawn,
        "high": HIGH,
    }


def able(lesson: Lesson) -> str:
    """What one can do after a lesson, without "After this page you can"."""
    said = lesson.sentence.removeprefix("After this page you can ")
    return said[:1].upper() + said[1:]


def cover(path: Path) -> dict | None:
    """The picture that stands on a deck's first slide, small, with its words."""
    made = slides.stacks(read(path), path.stem)
    for cell in made[0][0].cells if made else ():
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", output.metadata).get("alt", "")
                return {"src": small(output.data["image/png"]), "alt": alt}
    return None


def small(png: str) -> str:
    """A PNG, in base64, scaled down to the width of a card: its address as WebP."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        picture = image.convert("RGBA")
    sheet = Image.new("RGBA", picture.size, "white")
    sheet.alpha_composite(picture)
    blank = Image.new("RGBA", picture.size, "white")
    if ink := ImageChops.difference(sheet, blank).getbbox(alpha_only=False):
        sheet = sheet.crop(ink)
    sheet.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    sheet.convert("RGB").save(written, "webp", quality=82)
    return "data:image/webp;base64," + base64.b64encode(written.getvalue()).decode()


# --- the networks' diagrams -----------------------------------------------------------

HIGH, WIDE, GAP = 110, 1.6, 9  # of a diagram, in pixels
LETTERS = {"name": 8.4, "places": 10, "maps": 9}  # how wide they are in its labels


def drawn(stages: list[dict]) -> list[dict]:
    """A network's stages as blocks: as high as the map's side, as wide as its channels.

    Both as square roots, the side as a share of the largest; an image's is its height,
    a video's, too, and a flat output's is 1. ``share`` is of all multiply-adds. Each
    block has a ``column`` that its labels fit into, around ``middle``: the stage, and
    what comes out of it, sides and channels.
    """
    shapes = [stage["output"] for stage in stages]
    sides = [s[-3] if len(s) > 2 else s[0] if len(s) > 1 else 1 for s in shapes]
    most = max(*sides, 16)
    total = sum(stage["multiply_adds"] for stage in stages) or 1
    blocks, left = [], 0.0
    for stage, side in zip(stages, sides, strict=True):
        high = max(4.0, HIGH * math.sqrt(side / most))
        wide = max(4.0, WIDE * math.sqrt(stage["output"][-1]))
        *places, channels = map(str, stage["output"])
        labels = {"name": stage["name"], "places": "×".join(places), "maps": channels}
        column = max(wide, *(LETTERS[k] * len(v) for k, v in labels.items())) + GAP
        share, middle = stage["multiply_adds"] / total, left + column / 2
        words = f"{stage['name']}: {' × '.join([*places, channels])}"
        words += f", {share:.0%} of the multiply-adds"
        block = dict(x=middle - wide / 2, y=(HIGH - high) / 2, width=wide, height=high)
        block |= {"share": share, "words": words, "labels": labels}
        blocks.append(block | {"column": column, "middle": middle})
        left += column
    return blocks


# --- search ---------------------------------------------------------------------------


def _sections(html: str):
    """A page's headings, each with its anchor and the words below it."""
    main = BeautifulSoup(html, "html.parser").main
    for unseen in main.select("script, style, annotation"):
        unseen.decompose()
    heads = main.select("h1[id], h2[id], h3[id], .verdict[id]")
    found = {id(head): [head, []] for head in heads}
    words = found.get(id(heads[0]))[1] if heads else []
    for element in main.descendants:
        if id(element) in found:
            words = found[id(element)][1]
        elif isinstance(element, str):
            words.append(element)
    for head, said in found.values():
        title = head.p or head if head.name == "div" else head
        yield head["id"], title.get_text(" ", strip=True), " ".join(said)


def index(course: Course, titles: dict[str, str]) -> dict:
    """What Sphinx's search looks words up in; every heading is a document of its own.

    ``titles`` has the pages to be found, by their place in ``build/``.
    """
    language, pages = SearchEnglish({}), {}
    for name, title in titles.items():
        html = (course.build / name).read_text("utf-8")
        for anchor, heading, text in _sections(html):
            pages[f"{name}#{anchor}"] = f"{heading} · {title}", heading, text
    found: dict[str, dict] = {"titleterms": {}, "terms": {}}
    for number, (_, *said) in enumerate(pages.values()):
        for kind, text in zip(found, said, strict=True):
            stems = {language.stem(word) for word in language.split(text.lower())}
            for stem in filter(language.word_filter, stems):
                found[kind].setdefault(stem, []).append(number)
    names = {
        "docnames": list(pages),
        "filenames": list(pages),
        "titles": [title for title, _, _ in pages.values()],
    }
    unused = ("alltitles", "indexentries", "objects", "objnames", "objtypes")
    return found | names | {key: {} for key in unused}


@cache
def _tools() -> str:
    """Sphinx's search, as it stands on every site that Sphinx makes."""
    folder = files("sphinx") / "themes/basic/static"
    names = "doctools.js", "searchtools.js"
    return "\n".join((folder / name).read_text("utf-8") for name in names)


@cache
def _stemmer() -> str:
    folder = files("sphinx.search") / "minified-js"
    names = "base-stemmer.js", SearchEnglish.js_stemmer_rawcode
    code = "\n".join((folder / name).read_text("utf-8") for name in names)
    stopwords = json.dumps(sorted(SearchEnglish.stopwords))
    names = f"var Stemmer = EnglishStemmer, stopwords = new Set({stopwords});"
    return f"{code}\n{names}"
