"""Checks of the course's exercises: a line that says whether an answer is right.

A notebook states an exercise, leaves a stub, and asks::

    check("02.1", same_padding)

which prints "not solved" for the empty stub, "solved" for a right answer, and for a
wrong one what is wrong with it. ``solutions/`` holds answers that are solved.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Exercise(NamedTuple):
    """How an answer is looked at, and what is true of one that passes."""

    look: Callable[..., None]
    proves: str


class Wrong(Exception):
    """The answer is wrong; the message says in what, without giving it away."""


class NotSolved(Exception):
    """The stub is still empty."""


BOOK: dict[str, Exercise] = {}


def exercise(number: str, proves: str):
    """Enter a function in the book as the check of exercise ``number``.

    It takes the answers, raises ``Wrong`` where one is, and returns nothing.
    """

    def enter(look):
        BOOK[number] = Exercise(look, proves)
        return look

    return enter


def empty(answer: Any) -> bool:
    """Whether an answer is what the stub leaves: nothing, or three dots."""
    return answer is None or answer is ...


def ask(function: Callable, *given: Any, **options: Any) -> Any:
    """Call a learner's function, on copies of arrays: it may write into them.

    Raises:
        NotSolved: it returns nothing, or three dots.
        Wrong: it is no function, or fails; the message says how.
    """
    if not callable(function):
        raise Wrong(f"a function is asked for; this is {type(function).__name__}")
    given = [np.copy(x) if isinstance(x, np.ndarray) else x for x in given]
    try:
        answer = function(*given, **options)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise Wrong(f"your code raises {type(error).__name__}: {reason}") from error
    if empty(answer):
        raise NotSolved
    return answer


def numbers(answer: Any, what: str) -> np.ndarray:
    """An answer as an array.

    Raises:
        Wrong: it is not made of numbers, or some are infinite or NaN.
    """
    try:
        found = np.asarray(answer)
    except Exception as error:
        raise Wrong(f"{what} is no array of numbers") from error
    if found.dtype.kind not in "biuf":
        kind = found.dtype if found is answer else type(answer).__name__
        raise Wrong(f"{what} is made of {kind}, not of numbers")
    if not np.isfinite(found).all():
        raise Wrong(f"{what} has entries that are infinite or not a number")
    return found


def alike(
    answer: Any,
    expected: Any,
    what: str,
    tolerance: float = 1e-5,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Compare arrays: first with known mistakes, then their shapes and their numbers.

    Args:
        answer: the learner's.
        expected: what it ought to be.
        what: what it is, the subject of the complaint.
        tolerance: how far they may differ, relative to the largest expected.
        mistakes: what is wrong with it: the array that one gets in this way.

    Raises:
        Wrong: they differ.
    """
    answer, expected = numbers(answer, what).astype(float), np.asarray(expected)
    largest = max(np.abs(expected).max(initial=0), 1e-12)

    def off(other) -> float:
        other = np.asarray(other, dtype=float)
        if answer.shape != other.shape:
            return np.inf
        return np.abs(answer - other).max(initial=0) / largest

    if off(expected) <= tolerance:
        return
    for words, mistaken in (mistakes or {}).items():
        if off(mistaken) <= tolerance:
            raise Wrong(f"{what} {words}")
    if answer.shape != expected.shape:
        raise Wrong(f"{what} has shape {answer.shape}; {expected.shape} is expected")
    raise Wrong(f"{what} is off by up to {off(expected) * largest:.3g}")


def verdict(number: str, *answers: Any) -> str:
    """The line that ``check`` prints.

    Raises:
        ValueError: there is no such exercise.
    """
    chapter = number.partition(".")[0]
    chapters = {m.name for m in pkgutil.iter_modules(__path__)}
    if re.fullmatch(r"\d\d", chapter) and f"chapter{chapter}" in chapters:
        importlib.import_module(f"{__name__}.chapter{chapter}")
    if number not in BOOK:
        known = ", ".join(n for n in BOOK if n.startswith(f"{chapter}.")) or "none"
        raise ValueError(f"there is no exercise {number!r}; of {chapter}: {known}")
    look, proves = BOOK[number]
    try:
        if any(map(empty, answers)):
            raise NotSolved
        look(*answers)
    except NotSolved:
        return f"exercise {number} — not solved: the answer is still empty"
    except Wrong as wrong:
        return f"exercise {number} — wrong: {wrong}"
    return f"exercise {number} — solved: {proves}"


def check(number: str, *answers: Any) -> None:
    """Print whether ``answers`` solve exercise ``number``, such as "02.1"."""
    print(verdict(number, *answers))
