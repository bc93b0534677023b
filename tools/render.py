"""Turns notebooks into pages and decks that ask no network for anything."""

import ast
import base64
import math
import os
import re
import struct
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
import nbformat
from latex2mathml.converter import convert
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from cnnlib import claims
from tools.course import TITLE, Course, CourseError, Lesson

TEMPLATES = Path(__file__).with_name("templates")
RULINGS = {"holds": "✓ Holds", "corrected": "≠ Corrected", "cited": "§ Cited"}


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

    def __init__(self, course: Course, stems: list[str], **options):
        super().__init__(escape=False, embed_images=True, **options)
        self.course, self.stems = course, stems

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")

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


@dataclass
class Slide:
    """What stands on one slide; ``side`` are figures in a column of their own."""

    kind: str
    heading: str = ""
    cells: list = field(default_factory=list)
    side: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    style: str = ""


# The body of a slide and its type, in pixels of the 1280×720 that deck.css lays out;
# a figure lower than LARGE is worth smaller type. Letters are so many times as wide as
# they are high: ADVANCE in code, LETTER in the widest of the usual system fonts.
WIDTH, HEIGHT, GAP, LARGE = 1160, 540, 36, 340
TIGHT, TIGHT_CODE, ADVANCE, LETTER = 26, 20, 0.605, 0.55


def slides(nb: nbformat.NotebookNode) -> list[list[Slide]]:
    """Arrange a notebook's cells in slides, and slides in stacks, by their types."""
    stacks: list[list[Slide]] = []
    fragments = 0
    for cell in nb.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        tags = cell.metadata.get("tags", [])
        if kind == "skip" or "remove-deck" in tags:
            continue
        if kind == "notes":
            if stacks:
                stacks[-1][-1].notes.append(cell)
            continue
        if kind == "slide" or not stacks:
            stacks.append([Slide("slide" if stacks else "title")])
            fragments = 0
        elif kind == "subslide":
            stacks[-1].append(Slide("slide"))
            fragments = 0
        fragments += kind == "fragment"
        cell.metadata.transient = {
            "remove_source": cell.cell_type == "code"
            and ("remove-input" in tags or _only_settles(cell.source)),
            "fragment": fragments - 1 if fragments else None,
            "figure": any(map(_png, cell.get("outputs", ()))),
        }
        stacks[-1][-1].cells.append(cell)
    for slide in (slide for stack in stacks for slide in stack):
        first = slide.cells[0]
        if first.cell_type == "markdown" and first.source.startswith("#"):
            slide.heading, _, first.source = first.source.partition("\n")
        _arrange(slide)
    return stacks


def _only_settles(source: str) -> bool:
    """Whether code is one claims line, which its verdict says better on a slide."""
    try:
        return source.startswith("claims.") and len(ast.parse(source).body) == 1
    except SyntaxError:  # a line of IPython's own
        return False


def _png(output) -> bool:
    return "image/png" in output.get("data", {})


def _shape(output) -> tuple[int, int]:
    start = base64.b64decode(output.data["image/png"][:64])
    return struct.unpack(">II", start[16:24])


def _texts(cells: list) -> tuple[list[str], list[str]]:
    """The lines of prose and of code (and printed text) on a slide."""
    prose, code = [], []
    for cell in cells:
        if cell.cell_type == "markdown":
            prose += [x for x in cell.source.splitlines() if x.strip()]
            continue
        if not cell.metadata.transient["remove_source"]:
            code += ["", *cell.source.splitlines()]
        for output in cell.outputs:
            if not _png(output):
                text = output.get("text") or output.get("data", {}).get("text/plain")
                for piece in pieces(text or output.get("evalue", "")):
                    if isinstance(piece, str):
                        code += ["", *piece.splitlines()]
                    else:
                        claim = claims.LEDGER.get(piece.id)
                        prose += [claim.statement if claim else "", str(piece), ""]
    return prose, code


def _arrange(slide: Slide) -> None:
    """Put figures below or beside the text, wherever they come out larger."""
    figures = [o for c in slide.cells for o in c.get("outputs", ()) if _png(o)]
    prose, code = _texts(slide.cells)
    longest = max(map(len, code), default=1)
    fitting = int((WIDTH - 36) / (ADVANCE * longest))
    tight = f"--text: {TIGHT}px; --code: {TIGHT_CODE}px"
    for text, size in (28, min(24, max(TIGHT_CODE, fitting))), (TIGHT, TIGHT_CODE):

        def height(width: float, text=text, size=size) -> float:
            lines = sum(math.ceil(len(x) * text * LETTER / (width - 46)) for x in prose)
            return lines * text * 1.36 + len(prose) * 6 + len(code) * size * 1.4

        style = f"--text: {text}px; --code: {size}px"
        if not figures:
            slide.style = style if height(WIDTH) <= HEIGHT else tight
            return
        aspect = max(w / h for w, h in map(_shape, figures)) / len(figures)
        options = [(min(HEIGHT - height(WIDTH), WIDTH / aspect), style, False)]
        for width in range(max(360, int(longest * ADVANCE * size) + 40), 840, 40):
            if height(width) <= HEIGHT:
                beside = min(HEIGHT, (WIDTH - GAP - width) / aspect)
                options.append((beside, f"{style}; --column: {width}px", True))
        drawn, slide.style, columns = max(options)
        if drawn >= LARGE:
            break
    if columns:
        slide.side = [
            _figures(c) for c in slide.cells if c.metadata.transient["figure"]
        ]
        slide.cells = [_without_figures(cell) for cell in slide.cells]


def _figures(cell):
    transient = cell.metadata.transient | {"remove_source": True}
    found = [output for output in cell.get("outputs", ()) if _png(output)]
    metadata = cell.metadata | {"transient": transient}
    return nbformat.from_dict(cell | {"outputs": found, "metadata": metadata})


def _without_figures(cell):
    if cell.cell_type != "code":
        return cell
    kept = [output for output in cell.outputs if not _png(output)]
    metadata = cell.metadata | {
        "transient": cell.metadata.transient | {"figure": False}
    }
    return nbformat.from_dict(cell | {"outputs": kept, "metadata": metadata})


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
    "ledger": claims.LEDGER,
    "rulings": RULINGS,
}


class _Exporter(HTMLExporter):
    """nbconvert with this folder's templates and markdown."""

    def __init__(self, course: Course, stems: list[str], template: str):
        self.course, self.stems = course, stems
        super().__init__(
            template_name="basic",
            template_file=template,
            extra_template_basedirs=[str(TEMPLATES)],
            extra_template_paths=[str(TEMPLATES)],
            exclude_anchor_links=True,
        )
        self.register_filter("pieces", pieces)

    @property
    def default_config(self):
        config = super().default_config
        config.NbConvertBase.display_data_priority = [
            *("text/html", "text/markdown", "image/svg+xml", "image/png"),
            *("image/jpeg", "text/plain"),
        ]
        return config

    @jinja2.pass_context
    def markdown2html(self, context, source: str) -> str:
        cell = context.get("cell", {})
        renderer = _Markdown(
            self.course,
            self.stems,
            path=str(self.course.root / "notebooks"),
            attachments=cell.get("attachments", {}),
            exclude_anchor_links=self.exclude_anchor_links,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def _render(
    template: str, course: Course, nb, lesson: Lesson, made_from: str, **resources
) -> str:
    stems = [path.stem for path in course.notebooks()]
    here = stems.index(lesson.stem)
    resources |= GLOBALS | {
        "lesson": lesson,
        "made_from": made_from,
        "previous": stems[here - 1] if here else None,
        "next": stems[here + 1] if here + 1 < len(stems) else None,
    }
    exporter = _Exporter(course, stems, template)
    return exporter.from_notebook_node(nb, resources)[0]


def page(course: Course, nb, lesson: Lesson, made_from: str) -> str:
    """The notebook as a page of the course."""
    return _render("page.html.j2", course, nb, lesson, made_from)


def solution(course: Course, nb, lesson: Lesson, made_from: str) -> str:
    """The solved exercises as a page one folder below the notebooks' pages."""
    return _render("page.html.j2", course, nb, lesson, made_from, solution=True)


def deck(course: Course, nb, lesson: Lesson, made_from: str) -> str:
    """The notebook as one self-contained deck of slides."""
    stacks = slides(nb)
    return _render("deck.html.j2", course, nb, lesson, made_from, stacks=stacks)


def plain(template: str, **values) -> str:
    """A page that is no notebook: the index, the claims."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    env = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    values |= {"own": lambda name: Markup(_own(name)), "escape": escape}
    return env.get_template(template).render(GLOBALS | values)
