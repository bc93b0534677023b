"""Arranges a notebook's cells in slides: a picture leads, what made it stands below.

The notebook says where a slide begins (``slide``, ``subslide``) and what a deck leaves
out (``skip``); a heading's tag says the rest: ``message`` keeps a short listing or a
formula in the front row, ``talk`` takes the slide into the deck of the whole talk.
Everything else follows from the outputs. In the front row, which arrow right walks,
stand slides with a picture, its first sentences and its ruling; messages; rulings; the
first and the last slide. All code and numbers behind them stand below, one arrow down.
"""

import ast
import base64
import copy
import itertools
import re
import struct
from dataclasses import dataclass, field

import nbformat

from cnnlib import claims
from tools.course import CourseError

TYPES = {"-", "slide", "subslide", "fragment", "skip", "notes"}
WORDS = 40  # beside a picture
FEW = 10  # words: a ruling leaves a sentence at least so many
LINES = 10  # of code in the front row
LETTERS = 90  # in a heading, two lines from the back row
HALF = 0.45  # a picture's height over its width, above which it fills a slide
LAST = "## What we saw"


@dataclass
class Slide:
    """What stands on one slide; how it is laid out is seen in the browser.

    ``kind`` is title, picture, message, ruling, last or below.
    """

    kind: str
    heading: str = ""
    cells: list = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rulings: list[claims.Verdict] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    name: str = ""  # in its address
    number: str = ""
    minutes: float = 0
    spent: float = 0  # minutes, when the slide ends
    deck: str = ""  # in the whole talk: the long deck that it is from


@dataclass
class _Unit:
    """The cells from one heading to the next, in the parts that subslides make."""

    heading: str
    tags: set[str]
    front: bool
    parts: list[list] = field(default_factory=lambda: [[]])
    notes: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list:
        return [cell for part in self.parts for cell in part]


def words(source: str) -> int:
    """How many words a listener would read; a formula is one."""
    text = re.sub(r"\$\$?[^$]+\$\$?|`[^`]+`", " x ", source)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return len(re.findall(r"\w[\w'’.,·×%/-]*", text))


def _ends(paragraph: str) -> list[int]:
    """Where the sentences of a paragraph end."""
    whole = r"\$[^$]+\$|`[^`]+`|\[[^\]]*\]\([^)]*\)|\*\*?[^*]+\*\*?"
    inside = [m.span() for m in re.finditer(whole, paragraph)]
    end = r"(?<!\bal)(?<!\bcf)[.!?]['\")]*(?=\s+[A-Z0-9`*$\"\[(]|\s*$)"
    stops = re.finditer(end, paragraph)
    return [s.end() for s in stops if not any(a < s.start() < b for a, b in inside)]


def lead(source: str, most: int) -> str:
    """The first sentences of a text that have at most so many words together."""
    paragraph = source.strip().partition("\n\n")[0]
    if re.match(r"[-*|>#<]|\d+\.|\$\$|\\begin|```", paragraph):
        return paragraph if words(paragraph) <= most and paragraph[0] in "-$" else ""
    kept = ""
    for end in _ends(paragraph):
        if words(paragraph[:end]) > most:
            return kept
        kept = paragraph[:end]
    return paragraph if words(paragraph) <= most else kept


def _after(heading: str, source: str) -> str:
    """A text without a first sentence that only says its heading again."""
    first = source[: next(iter(_ends(source.partition("\n\n")[0])), 0)]
    said, again = (set(re.findall(r"\w+", t.lower())) for t in (heading, first))
    return source[len(first) :].strip() if again <= said | {"so"} else source.strip()


def _pictured(output) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _said(cells: list) -> list[claims.Verdict]:
    """The verdicts that code cells printed."""
    outputs = (o for cell in cells for o in cell.get("outputs", ()))
    return [
        v for o in outputs if o.get("name") == "stdout" for v in claims.parse(o.text)
    ]


def _units(nb: nbformat.NotebookNode, stem: str) -> list[_Unit]:
    """Cut a notebook where slides begin."""
    units: list[_Unit] = []
    fragments = 0
    for number, cell in enumerate(copy.deepcopy(nb.cells)):
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        tags = cell.metadata.get("tags", [])
        if kind not in TYPES:
            raise CourseError(
                f"{stem}: cell {number} has the slide type {kind!r}; there are "
                f"{', '.join(sorted(TYPES))}"
            )
        for output in filter(_pictured, cell.get("outputs", ())):
            if not any(said.get("alt") for said in output.metadata.values()):
                raise CourseError(
                    f"{stem}: cell {number} shows a figure without alternative text"
                )
        if kind == "skip" or "remove-deck" in tags:
            continue
        if kind == "notes":
            if units:
                units[-1].notes.append(cell.source)
            continue
        headed = cell.cell_type == "markdown" and cell.source.startswith("#")
        if kind == "slide" or not units or (kind == "subslide" and headed):
            units.append(_Unit("", set(tags), kind != "subslide"))
            fragments = 0
            if headed:
                units[-1].heading, _, cell.source = cell.source.partition("\n")
        elif kind == "subslide":
            units[-1].parts.append([])
            fragments = 0
        fragments += kind == "fragment"
        _seen(cell, fragments - 1 if fragments else None)
        if cell.source.strip() or cell.cell_type == "code":
            units[-1].parts[-1].append(cell)
    for unit in units:
        if len(unit.heading.lstrip("# ")) > LETTERS:
            raise CourseError(
                f"{stem}: a heading has {len(unit.heading.lstrip('# '))} letters, at "
                f"most {LETTERS} can be read from the back row: {unit.heading}"
            )
    return units


def _seen(cell, fragment: int | None) -> None:
    """Note how a slide shows a cell: with its source or not, and when."""
    hidden = cell.cell_type == "code" and (
        "remove-input" in cell.metadata.get("tags", []) or _only_settles(cell.source)
    )
    cell.metadata.transient = {"remove_source": hidden, "fragment": fragment}


def _only_settles(source: str) -> bool:
    """Whether code is one claims line, which its verdict says better on a slide."""
    try:
        return source.startswith("claims.") and len(ast.parse(source).body) == 1
    except SyntaxError:  # a line of IPython's own
        return False


def _text(source: str, whole):
    attached = whole.get("attachments", {})  # the pictures of the cell it is part of
    cell = nbformat.v4.new_markdown_cell(source, attachments=attached)
    _seen(cell, None)
    return cell


def _only(cell, outputs: list):
    """A code cell of which only these outputs are shown."""
    shown = copy.deepcopy(cell)
    shown.outputs = outputs
    shown.metadata.transient = {"remove_source": True, "fragment": None}
    return shown


def _leading(unit: _Unit, most: int) -> tuple[str, object, bool]:
    """The sentences to stand in front, their cell, and whether they are all of it.

    What comes after the picture, or the ruling, tells what is seen; before it, why.
    """
    cells = unit.cells
    at = [i for i, c in enumerate(cells) if any(map(_pictured, c.get("outputs", ())))]
    at = at or [i for i, cell in enumerate(cells) if _said([cell])]
    after = cells[at[0] :] if at else []
    for cell in [*after, *cells]:
        source = _after(unit.heading, cell.source)
        if cell.cell_type == "markdown" and (said := lead(source, most)):
            return said, cell, said == source
    return "", None, False


def _behind(unit: _Unit, told) -> list[Slide]:
    """What of a unit stands below its front slide, a slide for each part.

    Text alone is not worth a slide: the speaker says it.
    """
    found = []
    for part in unit.parts:
        shown = []
        for cell in part:
            if cell.cell_type == "code":
                cell.outputs = [o for o in cell.outputs if not _pictured(o)]
                if cell.metadata.transient["remove_source"] and not cell.outputs:
                    continue
            if cell is not told:
                shown.append(cell)
        if any(cell.cell_type == "code" for cell in shown):
            found.append(Slide("below", unit.heading, shown))
        else:
            unit.notes[:0] = [cell.source for cell in shown]
    return found


def _front(unit: _Unit) -> list[Slide]:
    """A unit's front slide and those below it."""
    said = _said(unit.cells)
    pictures = [
        _only(cell, [output])
        for cell in unit.cells
        for output in cell.get("outputs", ())
        if _pictured(output)
    ]
    # The rulings are said in a line each; their evidence stands below.
    statements = [
        words(claims.LEDGER[v.id].statement) for v in said if v.id in claims.LEDGER
    ]
    room = WORDS - sum(statements) - len(statements)
    shown = said if room >= FEW else []
    source, told, whole = _leading(unit, room if shown else WORDS)
    text = [_text(source, told)] if source else []
    below = _behind(unit, told if whole else None)
    if pictures:
        # Strips, which would leave a slide empty, stand on one together.
        tall = itertools.accumulate(_height(picture) for picture in pictures)
        count = max(1, sum(height < 1.2 * HALF for height in tall))
        cells = [*pictures[:count], *text]
        front = Slide("picture", unit.heading, cells, rulings=shown)
        more = [Slide("picture", unit.heading, [other]) for other in pictures[count:]]
        below = more + below
    else:
        brief = all(words(verdict.evidence) <= WORDS / 2 for verdict in said)
        cells = [*_verdicts(unit), *text] if brief else text
        front = Slide("ruling", unit.heading, cells, rulings=[] if brief else said)
        for slide in below if brief else []:
            slide.cells = [cell for cell in slide.cells if not _rules_only(cell)]
        below = [s for s in below if any(c.cell_type == "code" for c in s.cells)]
    return [front, *below]


def _height(cell) -> float:
    """A picture's height over its width."""
    png = cell.outputs[0].data.get("image/png")
    if png is None:
        return HALF
    width, height = struct.unpack(">II", base64.b64decode(png[:64])[16:24])
    return height / width


def _verdicts(unit: _Unit) -> list:
    """The cells that rule, with nothing but their ruling."""
    found = []
    for cell in unit.cells:
        ruled = [o for o in cell.get("outputs", ()) if claims.parse(o.get("text", ""))]
        if ruled:
            found.append(_only(cell, ruled))
    return found


def _rules_only(cell) -> bool:
    """Whether a cell shows nothing but its ruling, and what is printed with it."""
    return bool(cell.metadata.transient["remove_source"] and _said([cell]))


def _message(unit: _Unit, stem: str) -> list[Slide]:
    """A listing or a formula in the front row, whole, with what came out."""
    code = [
        cell.source
        for cell in unit.parts[0]
        if cell.cell_type == "code" and not cell.metadata.transient["remove_source"]
    ]
    lines = sum(len(source.splitlines()) for source in code)
    if lines > LINES:
        raise CourseError(
            f"{stem}: {unit.heading!r} is tagged as a message and shows {lines} lines "
            f"of code, at most {LINES} can be read from the back row"
        )
    first, *others = unit.parts
    slides = [Slide("message", unit.heading, first)]
    return slides + [Slide("below", unit.heading, part) for part in others if part]


def stacks(nb: nbformat.NotebookNode, stem: str = "") -> list[list[Slide]]:
    """Arrange a notebook in stacks: a front slide, and below it what is behind it.

    Raises:
        CourseError: a slide type that does not exist, a heading or a listing too long.
    """
    made: list[list[Slide]] = []
    waiting: list[Slide] = []  # what leads to a picture stands below it
    for unit in _units(nb, stem):
        drawn = any(_pictured(o) for c in unit.cells for o in c.get("outputs", ()))
        if not made:
            slides = _title(unit)
        elif unit.heading == LAST:
            slides = [Slide("last", unit.heading, unit.cells)]
        elif "message" in unit.tags:
            slides = _message(unit, stem)
        elif unit.front and (drawn or _said(unit.cells)):
            slides = _front(unit)
        else:
            unit.parts[1:] = [p for p in unit.parts[1:] if p]
            slides = [Slide("below", unit.heading, part) for part in unit.parts if part]
            if not slides:  # its cells are all for the notebook
                continue
            slides[0].notes = unit.notes
            (waiting if unit.front or waiting else made[-1]).extend(slides)
            continue
        slides[0].notes, slides[0].tags = unit.notes, unit.tags
        if slides[0].kind == "last" and waiting:  # no picture came any more
            made[-1].extend(waiting)
            waiting = []
        made.append([slides[0], *waiting, *slides[1:]])
        waiting = []
    if waiting:
        made[-1].extend(waiting)
    _cover(made)
    return _numbered(made)


def _cover(made: list[list[Slide]]) -> None:
    """Show the picture that is tagged ``cover``, else the first, on the first slide."""
    drawn = [stack[0] for stack in made if stack[0].kind == "picture"]
    tagged = [slide for slide in drawn if "cover" in slide.tags]
    for slide in (tagged or drawn)[:1]:
        made[0][0].cells.append(slide.cells[0])


def _numbered(made: list[list[Slide]]) -> list[list[Slide]]:
    """Give every slide its number, and a name that no other slide has."""
    names: set[str] = set()
    for number, stack in enumerate(made, 1):
        for below, slide in enumerate(stack):
            slide.number = f"{number}.{below}" if below else str(number)
            slug = re.sub(r"[^a-z0-9]+", "-", slide.heading.lower()).strip("-")
            slide.name = slug if slug and slug not in names else f"slide-{slide.number}"
            names.add(slide.name)
    return made


WEIGHTS = {"title": 0.5, "message": 1.5}


def timed(made: list[list[Slide]], minutes: float) -> None:
    """Share the minutes out among the front slides, in quarters."""
    weights = [WEIGHTS.get(stack[0].kind, 1) + 0.2 * len(stack[1:]) for stack in made]
    ends = [
        round(4 * minutes * so_far / sum(weights)) / 4
        for so_far in itertools.accumulate(weights)
    ]
    for stack, begin, end in zip(made, [0, *ends], ends, strict=False):
        stack[0].minutes, stack[0].spent = end - begin, end


def whole_talk(decks: dict[str, list[list[Slide]]]) -> list[list[Slide]]:
    """The slides that are tagged ``talk``, part by part; decks by their stems."""
    made = []
    for stem, stacks_of in decks.items():
        for slide in (stack[0] for stack in stacks_of if "talk" in stack[0].tags):
            slide.deck = stem
            made.append([slide])
    names = [f"{stack[0].deck[:2]}-{stack[0].name}" for stack in made]
    for number, (stack, name) in enumerate(zip(made, names, strict=True), 2):
        stack[0].number, stack[0].name = str(number), name
    return made


def _title(unit: _Unit) -> list[Slide]:
    """The first slide: what one will be able to do; the aims stand below."""
    cells = unit.cells
    first = cells[0].source.strip() if cells else ""
    sentence, _, rest = first.partition("\n\n")
    front, rest = ([_text(t, cells[0])] if t else [] for t in (sentence, rest))
    slides, rest = [Slide("title", unit.heading, front)], [*rest, *cells[1:]]
    return slides + ([Slide("below", unit.heading, rest)] if rest else [])
