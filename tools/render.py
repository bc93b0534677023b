"""Turns notebooks into pages and decks that ask no network for anything."""

import base64
import io
import itertools
import os
import re
from functools import cache, lru_cache
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import jinja2
import nbformat
from latex2mathml.converter import convert
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import (
    InvalidNotebook,
    IPythonRenderer,
    MarkdownWithMath,
)
from nbconvert.preprocessors.coalescestreams import CR_PAT
from PIL import Image
from pygments.formatters import HtmlFormatter

from cnnlib import claims
from tools import launch, slides
from tools.course import TITLE, Course, CourseError, Lesson, lessons
from tools.execute import WIDGET

TEMPLATES = Path(__file__).with_name("templates")
TALK = 60  # minutes
RULINGS = {
    "holds": "✓ Holds",
    "corrected": "≠ Corrected",
    "open here": "? Open here",
    "cited": "§ Cited",
}
# What a page can show of an output; the first that it has is shown.
DRAWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg")
# Pages beside the notebooks', which need no kernel, and the notebook that each is of.
BESIDE = {
    "catalogue": ("09_imagenet_race", "Every network, counted stage by stage"),
    "kernel": ("02_convolution", "Nine numbers, and what they see"),
    "receptive": ("04_hyperparameters", "Sizes and receptive fields of a stack"),
    "epsilon": ("13_fooling", "How much makes a cat an ostrich"),
}


def mathml(latex: str, display: str = "inline") -> str:
    """Draw a formula at build time: browsers show MathML without any script.

    Raises:
        CourseError: the formula holds something that cannot be drawn.
    """
    source = re.sub(r"(begin|end)\{aligned\}", r"\1{split}", latex.strip())
    try:
        drawn = convert(source, display=display)
    except Exception as error:  # latex2mathml has a dozen of its own
        raise CourseError(f"cannot draw ${latex}$: {error!r}") from None
    if lost := re.search(r">(\\[a-zA-Z]+|&)<", drawn):
        raise CourseError(f"cannot draw {lost[1]} in ${latex}$")
    return drawn


class _Markdown(IPythonRenderer):
    """Markdown as nbconvert reads it, with drawn mathematics and links that lead."""

    def __init__(self, course: Course, stems: list[str], anchors, **options):
        super().__init__(escape=False, embed_images=True, **options)
        self.course, self.stems, self.anchors = course, stems, anchors

    def heading(self, text: str, level: int, **attrs) -> str:
        if self.anchors is None:
            return super().heading(text, level, **attrs)
        return f'<h{level} id="{self.anchors.new(text)}">{text}</h{level}>\n'

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")

    # Unlike nbconvert's own, these leave the writer's HTML as it is, but for pictures.
    def block_html(self, html: str) -> str:
        return self._embedded(html) + "\n"

    def inline_html(self, html: str) -> str:
        return self._embedded(html)

    def _embedded(self, html: str) -> str:
        def embed(found: re.Match) -> str:
            return found[1] + self._embed_image_or_attachment(found[3]) + found[2]

        return re.sub(r"""(<img\b[^>]*?\bsrc\s*=\s*(["']))(.*?)\2""", embed, html)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        target, mark, anchor = url.partition("#")
        folder = r"(?:\./)?((?:\.\./|solutions/)?)"
        notebook = re.fullmatch(folder + r"(\d\d_\w+)\.ipynb", target)
        solved = [path.stem for path in self.course.solutions()]
        there = solved if notebook and notebook[1] == "solutions/" else self.stems
        if notebook and notebook[2] not in there:
            return text  # not written yet
        if notebook:
            target = f"{notebook[1]}{notebook[2]}.html"
        elif target and not re.match(r"[a-z]+:", target):
            there = self.course.root / "notebooks" / target
            target = os.path.relpath(there, self.course.build / "pages")
        return super().link(text, target + mark + anchor, title)


def there(stems: list[str]) -> set[str]:
    """The pages beside the notebooks' own that a course with these notebooks has."""
    found = {name for name, (stem, _) in BESIDE.items() if stem in stems}
    return found | {"claims", "decks/talk"}


class Anchors:
    """Names for the headings of a page, each its own."""

    def __init__(self):
        self.names: set[str] = set()

    def new(self, html: str) -> str:
        """The name of a heading: its words, and a number where they come again."""
        text = re.sub(r"<annotation.*?</annotation>|<[^>]+>|&\w+;", " ", html).lower()
        slug = re.sub(r"[^a-z0-9]+", "-", text).strip("-") or "heading"
        again = itertools.count(2)
        name = slug
        while name in self.names:
            name = f"{slug}-{next(again)}"
        self.names.add(name)
        return name


def pieces(text: str) -> list[str | claims.Verdict]:
    """Split printed text into verdicts and what stands between them."""
    found: list[str | claims.Verdict] = []
    for line in text.splitlines(keepends=True):
        if verdict := claims.parse(line):
            found += verdict
        elif found and isinstance(found[-1], str):
            found[-1] += line
        elif line.strip():
            found.append(line)
    return found


@lru_cache(maxsize=256)
def compact(png: str) -> str:
    """The address of a PNG, given in base64: as lossless WebP where that is smaller."""
    written = io.BytesIO()
    try:
        with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
            picture.save(written, "webp", lossless=True, quality=50)
    except (ValueError, OSError, SyntaxError):  # base64's, and Pillow's
        raise CourseError("the PNG of an output is damaged") from None
    webp, given = base64.b64encode(written.getvalue()).decode(), png.replace("\n", "")
    kind, least = ("webp", webp) if len(webp) < len(given) else ("png", given)
    return f"data:image/{kind};base64,{least}"


@cache
def _asset(name: str) -> str:
    """A file of reveal.js, fit to stand inside a script or style element."""
    text = (files("sphinx_revealjs") / "_static/revealjs" / name).read_text("utf-8")
    # Inside a script element these two would end it, or hide its end.
    return text.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


GLOBALS = {
    "talk": TITLE,
    "asset": _asset,
    "own": _own,
    "pygments_css": HtmlFormatter(style="xcode").get_style_defs(".highlight"),
    "pygments_dark": HtmlFormatter(style="github-dark").get_style_defs,
    "ledger": claims.LEDGER,
    "rulings": RULINGS,
}


def as_terminal(text: str) -> str:
    """What a terminal shows: in colours, without what a carriage return wrote over."""
    return ansi2html(CR_PAT.sub("", text))


class _Exporter(HTMLExporter):
    """nbconvert with this folder's templates and markdown."""

    def __init__(self, course: Course, stems: list[str], template: str, anchors):
        self.course, self.stems, self.anchors = course, stems, anchors
        super().__init__(
            template_name="basic",
            template_file=template,
            extra_template_basedirs=[str(TEMPLATES)],
            extra_template_paths=[str(TEMPLATES)],
            exclude_anchor_links=True,
        )
        self.register_filter("pieces", pieces)
        self.register_filter("compact", compact)
        self.register_filter("ansi2html", as_terminal)

    @property
    def default_config(self):
        config = super().default_config
        config.NbConvertBase.display_data_priority = [*DRAWN, "text/plain"]
        return config

    @jinja2.pass_context
    def markdown2html(self, context, source: str) -> str:
        cell = context.get("cell", {})
        renderer = _Markdown(
            self.course,
            self.stems,
            self.anchors,
            path=str(self.course.root / "notebooks"),
            attachments=cell.get("attachments", {}),
            exclude_anchor_links=self.exclude_anchor_links,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def _shown(nb, stem: str) -> None:
    """Refuse an output that a page could tell by its Python name alone."""
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            kinds = set(output.get("data", ()))
            others = sorted(kinds - {*DRAWN, "text/plain", WIDGET})
            if others and not kinds & {*DRAWN, WIDGET}:
                raise CourseError(
                    f"{stem}: a page cannot show an output of {', '.join(others)}; it "
                    f"shows {', '.join(DRAWN)}, and plain text"
                )


def _render(
    template: str,
    course: Course,
    nb,
    lesson: Lesson,
    made_from: str,
    anchors: Anchors | None = None,
    **resources,
) -> str:
    stems = [path.stem for path in course.notebooks()]
    resources |= GLOBALS | {
        "lesson": lesson,
        "made_from": made_from,
        "anchored": anchors is not None,
        "there": there(stems),
    }
    _shown(nb, lesson.stem)
    exporter = _Exporter(course, stems, template, anchors)
    try:
        made = exporter.from_notebook_node(nb, resources)[0]
    except (CourseError, InvalidNotebook) as error:  # no such attachment
        raise CourseError(f"{lesson.stem}: {error}") from None
    if asked := fetched(made):
        raise CourseError(
            f"{lesson.stem}: a page asks for nothing from elsewhere, but this would "
            f"fetch {', '.join(asked)}: attach the picture to its cell"
        )
    return made


class _Fetched(HTMLParser):
    """Collects what a browser would fetch for a page."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self.style = False

    def handle_starttag(self, tag, attrs):
        self.style = tag == "style"
        names = {"src", "srcset", "poster", "data", "background"}
        names |= {"href", "xlink:href"} if tag in ("link", "image", "use") else set()
        values = [value or "" for name, value in attrs if name in names]
        self.found += [v for v in values if not re.match(r"data:|#|$", v)]
        self._in_style("".join(value or "" for name, value in attrs if name == "style"))

    def handle_endtag(self, tag):
        self.style = False

    def handle_data(self, data):
        if self.style:
            self._in_style(data)

    def _in_style(self, text: str) -> None:
        urls = re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", text)
        asked = [one or other for one, other in urls]
        self.found += [url for url in asked if not re.match(r"data:|#", url)]


def fetched(html: str) -> list[str]:
    """The addresses that a browser would fetch to show a page; links are none."""
    parser = _Fetched()
    parser.feed(html)
    return parser.found


def page(course: Course, nb, lesson: Lesson, made_from: str) -> str:
    """The notebook as a page of the course, with its contents."""
    told = lessons(course)
    here = [other.stem for other in told].index(lesson.stem)
    ways = {
        "previous": told[here - 1] if here else None,
        "next": told[here + 1] if here + 1 < len(told) else None,
        "beside": {n: t for n, (stem, t) in BESIDE.items() if stem == lesson.stem},
        "elsewhere": launch.places(launch.repository(course), lesson.stem),
    }
    made = _render("page.html.j2", course, nb, lesson, made_from, Anchors(), **ways)
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', made, re.DOTALL)
    lines = [f'<li><a href="#{name}">{text}</a></li>' for name, text in headings]
    return made.replace("<!-- contents -->", "\n".join(lines), 1)


def solution(course: Course, nb, lesson: Lesson, made_from: str) -> str:
    """The solved exercises as a page one folder below the notebooks' pages."""
    return _render(
        "page.html.j2", course, nb, lesson, made_from, Anchors(), solution=True
    )


def deck(course: Course, nb, lesson: Lesson, made_from: str) -> str:
    """The notebook as one self-contained deck of slides."""
    stacks = slides.stacks(nb, lesson.stem)
    slides.timed(stacks, _minutes(lesson))
    return _render("deck.html.j2", course, nb, lesson, made_from, stacks=stacks)


def talk(course: Course, told: list[tuple], made_from: str) -> str:
    """The whole talk as one deck; ``told`` has notebooks with their lessons."""
    decks = {lesson.stem: slides.stacks(nb, lesson.stem) for nb, lesson in told}
    stacks = slides.whole_talk(decks)
    opening = slides.Slide("entry", f"# {TITLE}", name="talk", number="1")
    stacks.insert(0, [opening])
    slides.timed(stacks, TALK)
    lesson = Lesson("talk", TITLE, "", "", str(TALK))
    first = {stack[0].deck: stack[0] for stack in reversed(stacks)}
    parts = [(lesson, first[lesson.stem]) for _, lesson in told if lesson.stem in first]
    nb = nbformat.v4.new_notebook()
    return _render(
        "deck.html.j2", course, nb, lesson, made_from, stacks=stacks, parts=parts
    )


def _minutes(lesson: Lesson) -> int:
    """The most minutes that a lesson says it takes."""
    return int(re.findall(r"\d+", lesson.minutes or "20")[-1])


def plain(template: str, **values) -> str:
    """A page that is no notebook: the index, the claims."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    env = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    values |= {"own": lambda name: Markup(_own(name)), "escape": escape}
    return env.get_template(template).render(GLOBALS | values)
