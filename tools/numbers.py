"""The numbers that notebooks print: their bands, how far they were seen to spread.

``results/bands/NN_topic.csv`` holds, for each value that is printed with a band, what
came out in every run of ``python -m tools bands``: with other seeds, with one and two
threads, with and without oneDNN. A band must hold what was seen with a margin, and may
not be wider than that asks for.
"""

import ast
import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnlib import bands, claims
from tools.course import read

# The margin at each end, in spreads: at least, as proposed before rounding, at most.
LEAST, PROPOSED, MOST = 0.45, 0.5, 0.8
RATIO = 3  # values that differ by more than this factor are compared by their logarithm
ROUNDING = 0.01  # "differ by" with a bound below this is about rounding, not spread
TRUTH = re.compile(r"(?m)^.*\b(?:True|False)\W*$")


@dataclass(frozen=True)
class Printed:
    """One value with its band: where it is printed, and the line without the values."""

    cell: str
    index: int
    line: str
    text: str
    unit: str
    measured: bands.Measured


def texts(nb) -> Iterator[tuple[str, str]]:
    """Each code cell's id, and what it printed or showed as text."""
    for cell in nb.cells:
        outputs = cell.get("outputs", ())
        streams = [o.text for o in outputs if o.output_type == "stream"]
        shown = [o.data.get("text/plain", "") for o in outputs if "data" in o]
        yield cell.id, "\n".join(streams + shown)


def said(nb) -> str:
    """All that a notebook's code printed or showed as text."""
    return "\n".join(text for _, text in texts(nb))


def printed(nb) -> list[Printed]:
    """Every value that a notebook states with a band, in order."""
    found = []
    for cell, text in texts(nb):
        index = 0
        for line in text.splitlines():
            short = unbanded(re.sub(bands.PATTERN, " #", line))
            for match in bands.READ.finditer(line):
                (measured,) = bands.parse(match[0])
                text, unit = match[1], match[2].strip()
                found.append(Printed(cell, index, short, text, unit, measured))
                index += 1
    return found


def unbanded(line: str) -> str:
    """A line without its bands: other bounds do not make it another line."""
    return " ".join(re.sub(bands.BAND, "", line).split())


def truths(nb) -> list[str]:
    """The lines that end in True or False."""
    return [line for _, text in texts(nb) for line in TRUTH.findall(text)]


# --- how wide a band may be -----------------------------------------------------------


def step(texts: list[str]) -> float:
    """The last digit of numbers as printed: 0.1 of ``90.8``, 1 of ``90``."""
    decimals = []
    for text in texts:
        mantissa, _, exponent = text.replace(",", "").partition("e")
        decimals.append(len(mantissa.partition(".")[2]) - int(exponent or 0))
    return 10.0 ** -max(decimals)


def total(unit: str) -> float:
    """What a unit counts up to: 90 for "of 90 digits", infinity where nothing."""
    count = re.match(r"of ([\d,]+)", unit)
    return float(count[1].replace(",", "")) if count else math.inf


def by_ratio(unit: str, values: list[float]) -> bool:
    """Whether values are so far apart that only their ratio means something."""
    shares = unit.startswith("%") or math.isfinite(total(unit))
    return not shares and min(values) > 0 and max(values) > RATIO * min(values)


def spread(unit: str, values: list[float], last: float) -> float:
    """How far values lie apart, at least as far as another machine may lead.

    A few runs, whose seeds overlap, may agree by chance: so it is never below 3 points
    of per cent, 4 % of what is counted, else 5 % of the value; nor below two of the
    ``last`` digit that is printed.
    """
    floor = 0.05 * max(map(abs, values))
    if unit.startswith("%"):
        floor = 3
    elif math.isfinite(total(unit)):
        floor = 0.04 * total(unit)
    return max(max(values) - min(values), floor, 2 * last)


def limits(
    unit: str, values: list[float], last: float, margin: float
) -> tuple[float, float]:
    """The band around values with a margin, given in spreads, at each end."""
    low, high = min(values), max(values)
    if by_ratio(unit, values):
        factor = (high / low) ** margin
        return low / factor, high * factor
    wider = margin * spread(unit, values, last)
    return low - wider, high + wider


def natural(unit: str, values: list[float]) -> tuple[float, float]:
    """What no value can exceed: nothing below 0 where all are above; 100 per cent."""
    low = 0.0 if min(values) >= 0 else -math.inf
    share = unit.startswith("%") and max(values) <= 100
    return low, 100.0 if share else total(unit)


def proposal(unit: str, values: list[float], last: float) -> tuple[float, float]:
    """A band for values, of round numbers."""
    low, high = limits(unit, values, last, PROPOSED)
    least, most = natural(unit, values)
    if by_ratio(unit, values):
        grids = [10.0 ** (math.floor(math.log10(bound)) - 1) for bound in (low, high)]
    else:
        quarter = spread(unit, values, last) / 4
        grids = [10.0 ** math.floor(math.log10(quarter) + 1e-9)] * 2
    low = math.floor(low / grids[0] + 1e-9) * grids[0]
    high = math.ceil(high / grids[1] - 1e-9) * grids[1]
    return float(f"{max(low, least):.6g}"), float(f"{min(high, most):.6g}")


def verdict(one: Printed, values: list[float], last: float) -> str:
    """What is wrong with a band, in view of the values seen; empty where nothing is."""
    low, high = one.measured.low, one.measured.high
    if "differ by #" in one.line and high <= ROUNDING:
        return ""
    least, most = natural(one.unit, values)
    inner = limits(one.unit, values, last, LEAST)
    outer = limits(one.unit, values, last, MOST)
    slack = 1e-9 * max(abs(v) for v in (*values, 1e-300))
    if high == 1 and max(values) <= 1:  # correlations, R² and parts end there
        inner = inner[0], 1
    narrow = low > max(inner[0], least) + slack or high < min(inner[1], most) - slack
    wide = (math.isfinite(low) and low < max(outer[0], least) - slack) or (
        math.isfinite(high) and high > min(outer[1], most) + slack
    )
    if not (narrow or wide):
        return ""
    proposed = "{:g} to {:g}".format(*proposal(one.unit, values, last))
    return (
        f"its band is too {'narrow' if narrow else 'wide'}: "
        f"{min(values):g} to {max(values):g} was seen, {proposed} is proposed"
    )


# --- the record -----------------------------------------------------------------------


def record(root: Path, stem: str) -> Path:
    """The file of the values that were seen in a notebook."""
    return root / "results/bands" / f"{stem}.csv"


def seen(path: Path) -> dict[tuple[str, int], tuple[str, list[str]]]:
    """For each value by its cell and its place there: its line, and what was seen.

    Empty where there is no record.
    """
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = csv.reader(line for line in lines if not line.startswith("# "))
    next(rows)
    return {
        (row[0], int(row[1])): (unbanded(row[2]), [v for v in row[3:] if v])
        for row in rows
    }


def complaints(path: Path, nb) -> list[str]:
    """What is wrong with the numbers that a stored notebook prints, a line each."""
    found = [f"prints {line.strip()!r}: print the number" for line in truths(nb)]
    known = seen(record(path.parents[1], path.stem))
    for one in printed(nb):
        where = f"{one.line!r}: {one.text}"
        if not one.measured.low <= one.measured.value <= one.measured.high:
            found.append(f"{where} is outside its band")
            continue
        line, values = known.get((one.cell, one.index), ("", []))
        if line != one.line:
            found.append(f"{where} has no record: make bands NOTEBOOK={path.stem[:2]}")
            continue
        values = [*values, one.text]
        numbers = [float(value.replace(",", "")) for value in values]
        if wrong := verdict(one, numbers, step(values)):
            found.append(f"{where}: {wrong}")
    for one in claims.parse(said(nb)):
        kind = getattr(claims.LEDGER.get(one.id), "kind", "exact")
        rests = kind == "measured" and one.ruling != "cited"
        if rests and not claims.SETTING.search(one.evidence):
            found.append(f"claim {one.id} names no data set, size and seeds")
    return found


def table(paths: list[Path]) -> str:
    """For every notebook: lines printed, values with bands, lines of True or False."""
    rows = [f"{'notebook':26} {'lines':>6} {'bands':>6} {'True or False':>14}"]
    total = [0, 0, 0]
    for path in paths:
        nb = read(path)
        lines = sum(len(text.strip().splitlines()) for _, text in texts(nb))
        counts = [lines, len(printed(nb)), len(truths(nb))]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        rows.append("{:26} {:6} {:6} {:14}".format(path.stem, *counts))
    return "\n".join([*rows, "{:26} {:6} {:6} {:14}".format("all", *total)])


# --- other seeds ----------------------------------------------------------------------

SEEDED = {"set_random_seed", "default_rng", "RandomState", "SeedGenerator"}


class _Shift(ast.NodeTransformer):
    """Adds a number to every seed that reaches the library, Keras, NumPy, scikit-learn.

    Functions that the notebook itself defines pass their seed on, and are left alone.
    """

    def __init__(self, by: int, own: set[str]):
        self.by, self.own = by, own

    def visit_Call(self, node):
        self.generic_visit(node)
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in SEEDED and node.args:
            node.args[0] = self._later(node.args[0])
        if name == "restart" and len(node.args) == 3:
            node.args[2] = self._later(node.args[2])
        if name not in self.own:
            for keyword in node.keywords:
                if keyword.arg in {"seed", "random_state"}:
                    keyword.value = self._later(keyword.value)
        return node

    def _later(self, seed):
        if isinstance(seed, ast.Constant) and seed.value is None:
            return seed
        return ast.BinOp(seed, ast.Add(), ast.Constant(self.by))


def shift_seeds(nb, by: int) -> None:
    """Add ``by`` to the seeds in a notebook's code."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    trees = {}
    for cell in code:
        try:
            trees[cell.id] = ast.parse(cell.source)
        except SyntaxError:  # a line of IPython's own
            continue
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    for cell in code:
        if by and cell.id in trees:
            tree = ast.fix_missing_locations(_Shift(by, own).visit(trees[cell.id]))
            cell.source = ast.unparse(tree)
