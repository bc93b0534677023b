"""Finds what nbval would pass without checking, and what a notebook owes its reader."""

import ast
import re
import statistics
from pathlib import Path

import nbformat

from cnnlib import claims
from tools import numbers, sync
from tools.course import Lesson, read
from tools.execute import normalized, outputs_digest

SLIDES = {"slide", "subslide", "fragment", "-", "skip", "notes"}
TRAINED_TAGS = {"trained-figure", "trained-images"}
CHECKED_TAGS = {"remove-input", "remove-deck", "raises-exception", *TRAINED_TAGS}
UNCHECKED = "nbval-ignore-output"
LOG = re.compile(
    r"[IWEF]0000 00:00|absl::Init|cpu_feature_guard|oneDNN|cudart_stub|cuda_platform"
    r"|computation_placer|TF_ENABLE_ONEDNN"
)
LARGEST = 3_500_000  # bytes of a stored notebook; noise over photographs is large


def complaints(path: Path) -> list[str]:
    """Everything that is wrong with a stored notebook, a line each."""
    nb = read(path)
    found = [*_frame(path, nb), *_execution(nb), *_claims(path, nb)]
    found += numbers.complaints(path, nb)
    found += [*_exercises(path, nb), *_stored(path, nb, found)]
    for number, cell in enumerate(nb.cells):
        if cell.metadata.get("slideshow", {}).get("slide_type") not in SLIDES:
            found.append(f"cell {number} has no slide type")
    if not any(
        c.metadata.get("slideshow", {}).get("slide_type") == "notes" for c in nb.cells
    ):
        found.append("there are no speaker notes")
    return found + _cells(nb)


def solution_complaints(path: Path) -> list[str]:
    """Everything that is wrong with a stored notebook of solutions, a line each."""
    nb = read(path)
    notebook = path.parents[1] / path.name
    if not notebook.exists():
        return [f"there is no notebook {notebook.stem} whose exercises these are"]
    found = _execution(nb) + _cells(nb)
    asked = read(notebook)
    if [n for n, _ in _rulings(nb)] != [n for n, _ in _rulings(asked)]:
        found.append("its checks are not those of its notebook, in their order")
    found += [f"exercise {n} is {r}" for n, r in _rulings(nb) if r != "solved"]
    if _statements(nb) != _statements(asked):
        found.append("it does not state the exercises in its notebook's words")
    if not re.match(r"# .+", nb.cells[0].source):
        found.append("the first cell has no title")
    if f"](../{path.name})" not in nb.cells[0].source:
        found.append("the first cell does not link to its notebook")
    return found + _stored(path, nb, found)


def _printed(nb) -> str:
    """What a notebook's cells printed."""
    outputs = (output for cell in nb.cells for output in cell.get("outputs", ()))
    return "\n".join(o.text for o in outputs if o.output_type == "stream")


def _rulings(nb) -> list[tuple[str, str]]:
    """Each exercise that a notebook checks, and what its check said."""
    ruled = r"(?m)^exercise (\S+) — (not solved|solved|wrong):"
    return re.findall(ruled, _printed(nb))


def _statements(nb) -> list[str]:
    return [c.source for c in nb.cells if re.match(r"\*\*Exercise \d", c.source)]


def _exercises(path: Path, nb) -> list[str]:
    """That two or three exercises are stated, open here, and solved elsewhere."""
    section = "\n".join(c.source for c in nb.cells).partition("### Exercises")[2]
    if path.name[:2] == "00":  # things to try, with nothing to check
        count = len(re.findall(r"(?m)^\d+\. ", section))
        return [] if 2 <= count <= 3 else ["it does not state two or three exercises"]
    found, rulings = [], _rulings(nb)
    if not 2 <= len(_statements(nb)) == len(rulings) <= 3:
        found.append("it does not state and check two or three exercises")
    expected = [f"{path.name[:2]}.{n}" for n in range(1, len(rulings) + 1)]
    if [number for number, _ in rulings] != expected:
        found.append(f"its exercises are not numbered {', '.join(expected)}")
    found += [f"exercise {n} is {r} here" for n, r in rulings if r != "not solved"]
    if f"](solutions/{path.name})" not in section:
        found.append("the exercises do not link to their solutions")
    return found


def _stored(path: Path, nb, found: list[str]) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if not found and text != normalized(nbformat.reads(text, as_version=4)):
        return ["it is not stored as `make notebooks` stores it"]
    return []


def _cells(nb) -> list[str]:
    return [
        f"cell {number} {what}"
        for number, cell in enumerate(nb.cells)
        if cell.cell_type == "code"
        for what in _cell(nb, number, cell)
    ]


def _frame(path: Path, nb) -> list[str]:
    """The first and the last words, the links, and the stored form."""
    found = []
    text = path.read_text(encoding="utf-8")
    if len(text) > LARGEST:
        found.append(f"{len(text):,} bytes are stored; {LARGEST:,} may be")
    first, last = nb.cells[0].source, nb.cells[-1].source
    if not re.match(r"# .+\n\nAfter this page you can .+\.\n", first):
        found.append(
            "the first cell has no title with a sentence below it, "
            "'After this page you can ….'"
        )
    if not 3 <= len(re.findall(r"(?m)^- ", first)) <= 5:
        found.append("the first cell does not list 3 to 5 objectives")
    if not re.search(
        r"\*\*Talk section:\*\* (outline|\d+(, \d+)*) · \*\*\d+ minutes", first
    ):
        found.append("the first cell does not state the talk's section and the minutes")
    if not re.search(
        r"### Further reading(?s:.*)(arXiv:\d{4}\.\d{4,5}|doi:10\.)", last
    ):
        found.append("the last cell has no further reading with its arXiv id or DOI")
    everything = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
    if "## What we saw" not in everything:
        found.append("there is no 'What we saw'")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", everything):
        if not (path.parent / target).exists():
            found.append(f"a link leads nowhere: {target}")
    if (line := sync.ways(path)) not in everything:
        found.append(f"its links are not {line!r}: {sync.COMMAND}")
    return found


def _execution(nb) -> list[str]:
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    found = []
    if (counts := [c.execution_count for c in code]) != list(range(1, len(code) + 1)):
        found.append(f"its cells were not executed once, in order: {counts}")
    if nb.metadata.get("cnnlib", {}).get("outputs") != outputs_digest(nb):
        found.append("its outputs are not those that `make notebooks` stored")
    lines = [len(cell.source.splitlines()) for cell in code]
    if lines and statistics.median(lines) > 5:
        found.append(
            f"half of its cells have more than {statistics.median(lines)} lines"
        )
    loose = sum(UNCHECKED in c.metadata.get("tags", ()) for c in code)
    if loose > len(code) / 4:
        found.append(f"{loose} of {len(code)} cells are not checked")
    return found


def _claims(path: Path, nb) -> list[str]:
    """That what is settled here is of the sections that the first cell states."""
    if not nb.cells[0].source.startswith("# "):
        return []  # and that is complained of already
    stated = Lesson.of(path, nb).sections
    found = [f"the talk has no section {n}" for n in stated if n not in claims.SECTIONS]
    for verdict in claims.parse(_printed(nb)):
        claim = claims.LEDGER.get(verdict.id)
        if claim is None:
            found.append(f"the talk has no claim {verdict.id}")
        elif claim.section not in stated:
            found.append(
                f"claim {claim.id} is settled here, and is of section {claim.section}"
            )
    return found


def claim_complaints(paths: list[Path]) -> list[str]:
    """Every claim that not exactly one of all notebooks settles, a line each."""
    where: dict[str, list[str]] = {claim: [] for claim in claims.LEDGER}
    for path in paths:
        for verdict in claims.parse(_printed(read(path))):
            where.setdefault(verdict.id, []).append(path.stem)
    return [
        f"claim {claim} is settled twice: in {', '.join(stems)}"
        if stems
        else f"claim {claim} is not settled"
        for claim, stems in where.items()
        if len(stems) != 1
    ]


def _cell(nb, number: int, cell) -> list[str]:
    found = []
    tags = set(cell.metadata.get("tags", ()))
    if unknown := tags - CHECKED_TAGS - {UNCHECKED}:
        found.append(f"has unknown tags: {', '.join(sorted(unknown))}")
    above = nb.cells[number - 1].source if number else ""
    if UNCHECKED in tags and "not checked" not in above:
        found.append(
            "is not checked, and the cell above does not say why ('not checked')"
        )
    if re.search(r"(?i)#\s*(nbval|pytest_validate)_", cell.source):
        found.append("steers nbval by a comment; use a tag")
    if (lines := len(cell.source.splitlines())) > 20:
        found.append(f"has {lines} lines; 20 may be")
    if cell.source.rstrip().endswith(";"):
        found.append("ends in a semicolon, which nbval does not understand")
    if not cell.outputs and _speaks(cell.source):
        found.append("prints or shows something, but no output is stored")
    errors = [o for o in cell.outputs if o.output_type == "error"]
    if bool(errors) != ("raises-exception" in tags):
        found.append("stores an error without the tag raises-exception, or the reverse")
    pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    if any(not o.metadata.get("image/png", {}).get("alt") for o in pictures):
        found.append("shows a figure without alt text")
    if tags & TRAINED_TAGS and not pictures:
        found.append("is tagged for a trained figure and shows none")
    words = "\n".join(_words(output) for output in cell.outputs)
    if any(o.get("name") == "stderr" for o in cell.outputs) or LOG.search(words):
        found.append("stores a line of log or of stderr")
    if re.search(r"(?:^|[\s'\"(])/(?:home|root|tmp|Users)/", words):
        found.append("stores a path of the machine that ran it")
    if re.search(r" at 0x[0-9a-f]{6,}", words):
        found.append("stores an address, which differs from run to run")
    return found


def _speaks(source: str) -> bool:
    """Whether the cell prints, settles a claim, or ends in a picture."""
    tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "pass", source))
    calls = [
        ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)
    ]
    last = tree.body[-1] if tree.body else None
    ends = ast.unparse(last) if isinstance(last, ast.Expr) else ""
    return (
        {"print", "check"} & set(calls)
        or any(call.startswith("claims.") and call[7:] in RULINGS for call in calls)
        or ends.startswith("plots.")
    )


# The functions of ``claims`` that rule: one for each ruling, by its name.
RULINGS = [ruling.replace(" ", "_") for ruling in claims.RULINGS["measured"]]


def _words(output) -> str:
    data = output.get("data", {})
    texts = [text for kind, text in data.items() if kind.startswith("text/")]
    return "\n".join([output.get("text", ""), *texts, output.get("evalue", "")])
