"""A measured value beside the band in which it must lie.

A trained number differs a little from machine to machine. It is printed with its band,
and raises outside::

    print("accuracy:", percent(0.908, 85, 97))     # 90.8 % (between 85 and 97)
    print("steps:", band(41, high=60))             # 41 (at most 60)
    print("the two sums:", differ(ours, theirs))   # differ by 3e-08 (at most 1e-06)

Bounds are always those of the printed unit. ``parse`` reads such values back, and
``PATTERN`` finds the numbers before "(between …)", which a comparison of two runs
leaves out.
"""

import math
import re
from typing import NamedTuple

import numpy as np


class BandError(ValueError):
    """A measured value lies outside its band."""


class Measured(NamedTuple):
    """A value that was printed with its band; ``low`` or ``high`` may be infinite."""

    value: float
    low: float
    high: float


def band(value: float, low=None, high=None, unit: str = "", digits: int = 3) -> str:
    """A measured value and its band, in words: ``0.42 (between 0.3 and 0.5)``.

    Args:
        value: one number.
        low: the smallest value accepted; None where there is no such bound.
        high: the largest value accepted, likewise.
        unit: what follows the number: ``"s"``, ``"of 90 digits"``.
        digits: how many digits of the value that matter are shown.

    Raises:
        BandError: the value lies outside the band, or is not a number.
        TypeError: a value or bound is not one number.
        ValueError: there is no bound, a bound is not finite, or low is above high.
    """
    value = _number("the value", value)
    bounds = [_number("a bound", bound) for bound in (low, high) if bound is not None]
    if not bounds or not all(map(math.isfinite, bounds)):
        raise ValueError(f"a band has one or two finite bounds; got {low} and {high}")
    if bounds != sorted(bounds):
        raise ValueError(f"low must not exceed high; got {low} and {high}")
    told = f"{_text(value, digits)} {unit}".rstrip()
    if low is None:
        words = f"(at most {_text(high)})"
    elif high is None:
        words = f"(at least {_text(low)})"
    else:
        words = f"(between {_text(low)} and {_text(high)})"
    least = -math.inf if low is None else low
    most = math.inf if high is None else high
    if not least <= value <= most:  # not a number is in no band
        outside(f"{told} is outside its band {words}")
    return f"{told} {words}"


def percent(fraction: float, low=None, high=None) -> str:
    """A fraction as per cent, with its band in per cent: ``percent(0.908, 85, 97)``.

    One decimal is shown. Errors are those of ``band``.
    """
    value = _number("the value", fraction)
    return band(round(100 * value, 1), low, high, "%", digits=4)


def differ(first, second, most: float = 1e-6) -> str:
    """By how much two computations differ at most, which must agree up to rounding.

    They are numbers of one shape, else it is a ``ValueError``; more than ``most`` is a
    ``BandError``.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} are not of one shape")
    largest = float(np.max(np.abs(first - second), initial=0.0))
    return "differ by " + band(largest, high=most, digits=1)


def outside(sentence: str) -> None:
    """What happens where a value lies outside its band."""
    raise BandError(sentence)


def _number(what: str, value) -> float:
    wrong = isinstance(value, (str, bytes, bool, np.bool_)) or np.ndim(value)
    if wrong or not hasattr(value, "__float__"):
        raise TypeError(f"{what} is one number; got {type(value).__name__}: {value!r}")
    return float(value)


def _text(number: float, digits: int = 6) -> str:
    """A number for a reader: 12,345 and 0.0312 and 3e-08."""
    if 1000 <= abs(number) < 1e9:
        return f"{number:,.0f}"
    return f"{number:.{digits}g}"


_NUMBER = r"-?\d[\d,]*\.?\d*(?:e[-+]?\d+)?"
BAND = rf"\((?:between {_NUMBER} and {_NUMBER}|at least {_NUMBER}|at most {_NUMBER})\)"
_UNIT = r"(?: of [\d,]+)?(?: %)?(?: [^\W\d]+){0,3}"
PATTERN = rf" *(?<![\w.,-])(?<!of ){_NUMBER}(?={_UNIT} {BAND})"
READ = re.compile(rf"(?<![\w.,-])({_NUMBER})({_UNIT}) ({BAND})")  # value, unit, band


def parse(text: str) -> list[Measured]:
    """The values that ``text`` states with their bands, in order."""
    found = []
    for value, _, words in READ.findall(text):
        bounds = [float(n.replace(",", "")) for n in re.findall(_NUMBER, words)]
        if "least" in words:
            bounds.append(math.inf)
        elif "most" in words:
            bounds.insert(0, -math.inf)
        found.append(Measured(float(value.replace(",", "")), *bounds))
    return found
