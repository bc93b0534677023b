"""What the talk claims, and what became of each claim.

``LEDGER`` holds every claim of the talk once: its id, the section of the talk, the
kind and the statement; ``claims.csv`` is its table. A claim is settled with one line,
which prints one line::

    claims.holds("dense-params", count == 615_440, f"784 to 784: {count:,} weights")
    claims.open_here("degradation", plain > residual, f"{plain} against {residual}",
        data="1,415 digits", seeds=range(5), needs="CIFAR-10, 64,000 steps")
    claims.cited("jft", "Chollet 2017, arXiv:1610.02357, section 4.1")

A claim whose condition does not come true raises, so a page never says more than its
code found. ``parse`` reads such a line back; that is how verdicts are gathered.
"""

import csv
import difflib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np

SECTIONS = {
    1: "What are neural networks?",
    2: "Convolutional neural networks",
    3: "Going deep",
    4: "Image classification data sets",
    5: "Progress on ImageNet",
    6: "Inception and Xception",
    7: "Residual networks",
    8: "Many paths",
    9: "Interlude: fooling deep networks",
    10: "Segmentation",
    11: "Conclusions",
}

KINDS = {
    "exact": "settled by counting, or by two computations that must agree",
    "measured": "settled by an experiment, on data and with seeds that its line names",
    "cited": "not checkable here; the source is given",
}

# What each kind may be ruled. An experiment that is too small for its claim leaves it
# open here; one that nobody can repeat here is cited.
RULINGS = {
    "exact": ("holds", "corrected"),
    "measured": ("holds", "corrected", "open here", "cited"),
    "cited": ("cited",),
}


class Claim(NamedTuple):
    """One statement of the talk."""

    id: str
    section: int
    kind: str
    statement: str


class Verdict(NamedTuple):
    """What became of a claim: ``ruling`` is holds, corrected, open here or cited."""

    id: str
    ruling: str
    evidence: str

    def __str__(self) -> str:
        return f"claim {self.id} — {self.ruling}: {self.evidence}"


class ClaimError(Exception):
    """A claim is unknown, settled twice, ruled on wrongly, or not borne out."""


def _ledger() -> dict[str, Claim]:
    text = (files("cnnlib") / "claims.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["id"]: Claim(**row | {"section": int(row["section"])}) for row in rows}


LEDGER = _ledger()

settled: dict[str, Verdict] = {}  # in this process, in the order of settling


def _settle(claim_id: str, ruling: str, evidence: str) -> None:
    if not evidence.strip() or "\n" in evidence:
        raise ClaimError(f"claim {claim_id!r} needs its evidence, on one line")
    settled[claim_id] = Verdict(claim_id, ruling, evidence)
    print(settled[claim_id])


def _check(claim_id: str, ruling: str) -> None:
    """Raise ``ClaimError`` where a claim cannot be settled so."""
    if claim_id not in LEDGER:
        near = difflib.get_close_matches(str(claim_id), LEDGER)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise ClaimError(f"the talk has no claim {claim_id!r}{hint}")
    if claim_id in settled:
        raise ClaimError(f"claim {claim_id!r} is settled already: {settled[claim_id]}")
    kind = LEDGER[claim_id].kind
    if ruling not in RULINGS[kind]:
        raise ClaimError(f"claim {claim_id!r} is {kind}: {ruling!r} cannot settle it")


def _setting(claim_id: str, data: str | None, seeds: int | Sequence[int] | None) -> str:
    """What an experiment rests on, for the end of its line; empty where exact."""
    if data is None and seeds is None and LEDGER[claim_id].kind == "exact":
        return ""
    if not data or not re.search(r"\d", data) or seeds is None:
        raise ClaimError(
            f"claim {claim_id!r} is measured: its line needs data='which, how many' "
            f"and seeds=0, seeds=range(5), or seeds=() where nothing is drawn"
        )
    numbers = [seeds] if isinstance(seeds, int) else list(seeds)
    told = "seeds " + ", ".join(map(str, numbers))
    if len(numbers) < 2:
        told = f"seed {numbers[0]}" if numbers else "nothing drawn"
    elif numbers == list(range(numbers[0], numbers[-1] + 1)):
        told = f"seeds {numbers[0]} to {numbers[-1]}"
    return f" [{data}; {told}]"


def holds(claim_id, condition, evidence, *, data=None, seeds=None) -> None:
    """Settle a claim that the cell has found true, and print its one-line verdict.

    Args:
        claim_id: an id of ``LEDGER``, of kind exact or measured.
        condition: what was found, True or False, Python's or NumPy's.
        evidence: one line that says what was counted or measured.
        data: of a measured claim: which data, and how many ("1,415 digits").
        seeds: of a measured claim: the number, or the sequence of numbers, that the
            experiment was repeated with; ``()`` where nothing is drawn at random.

    Raises:
        ClaimError: the id is unknown or settled already, its kind is cited, there is no
            evidence, a measured claim names no data or seeds, or the condition is not
            true.
    """
    _found("holds", claim_id, condition, evidence, data, seeds)


def corrected(claim_id, condition, evidence, *, data=None, seeds=None) -> None:
    """Settle a claim in which the talk is off: ``condition`` is what is true instead.

    Arguments and errors are those of ``holds``.
    """
    _found("corrected", claim_id, condition, evidence, data, seeds)


def open_here(claim_id, condition, evidence, *, data, seeds, needs) -> None:
    """Leave a measured claim open: its direction was seen on a toy, not settled.

    ``condition`` is the direction, ``needs`` what a run that settles the claim would
    need; other arguments and errors are those of ``holds``.
    """
    if not needs.strip():
        raise ClaimError(f"claim {claim_id!r} is left open: needs='what would settle'")
    _found("open here", claim_id, condition, evidence, data, seeds, f"; needs {needs}")


def _found(ruling, claim_id, condition, evidence, data, seeds, needs="") -> None:
    _check(claim_id, ruling)
    setting = _setting(claim_id, data, seeds)
    if not isinstance(condition, (bool, np.bool_)):  # NaN would count as true
        raise ClaimError(
            f"claim {claim_id!r} takes a condition of True or False; given "
            f"{condition!r:.50}"
        )
    if not condition:
        raise ClaimError(f"claim {claim_id!r} is not borne out: {evidence}{setting}")
    tail = f"{setting}{needs}" if evidence.strip() else ""
    _settle(claim_id, ruling, f"{evidence}{tail}")


def cited(claim_id: str, source: str) -> None:
    """Settle a claim that no code here can check by giving its source.

    Errors are those of ``holds``; here an exact claim is one.
    """
    _check(claim_id, "cited")
    _settle(claim_id, "cited", source)


# A measured claim may be ruled in every way that there is.
_LINE = re.compile(rf"claim (\S+) — ({'|'.join(RULINGS['measured'])}): (.+)")
SETTING = re.compile(r" \[[^\[\]]*\d[^\[\]]*; (seeds? \d|nothing drawn)[^\[\]]*\]")


def parse(text: str) -> list[Verdict]:
    """The verdicts printed in ``text``, in order: the inverse of ``str(verdict)``."""
    lines = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [Verdict(*line.groups()) for line in lines if line]
