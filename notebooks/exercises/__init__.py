"""The course's exercises: what is asked, what is right, and which mistakes are known.

A notebook states an exercise, leaves a stub, and asks::

    check("02.1", same_padding)

which prints "not solved" for the empty stub, "solved" for a right answer, and for a
wrong one what is wrong with it. ``solutions/`` holds answers that are solved, and
``chapter02.py`` declares the exercises of notebook 02.
"""

import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exercises.answers import NotSolved, Wrong, ask, compare, empty, numbers

__all__ = [
    "Exercise",
    "Wrong",
    "ask",
    "check",
    "compare",
    "exercise",
    "judged",
    "numbers",
    "verdict",
]


@dataclass
class Exercise:
    """How answers are looked at, and answers of which the verdict is known.

    Where several answers are asked for, each of the known ones is a tuple of them.
    """

    look: Callable[..., None]  # takes the answers; raises ``Wrong`` where one is
    proves: str  # what is true of an answer that passes
    mistakes: Mapping[str, Any]  # the words that must be told: the wrong answer
    also_right: Sequence[Any] = ()  # beside the answer in ``solutions/``
    also_wrong: Mapping[str, Any] = field(default_factory=dict)  # told in other words
    answers: int = 1


BOOK: dict[str, Exercise] = {}


def rng_of(number: str) -> np.random.Generator:
    """The random numbers of an exercise, always the same."""
    return np.random.default_rng(int(number.replace(".", "")))


def exercise(
    number: str,
    proves: str,
    *,
    reference: Callable,
    mistakes: Mapping[str, Callable],
    tolerance: float = 1e-5,
    parts: Sequence[str] = (),
    nearly: str | None = None,
    memory: int | None = None,
    also_right: Sequence[Callable] = (),
    also_wrong: Mapping[str, Any] | None = None,
):
    """Declare an exercise that asks for a function, by a generator of its inputs.

    The generator takes a random generator, and yields what the answer is, in words,
    and then the arguments. The learner's function and the reference must make the same
    of them. If they don't, and a known mistake makes the same as the learner's
    function, its words are told.

    Args:
        number: of the notebook and the exercise, such as "02.1".
        proves: what is true of an answer that passes.
        reference: a right function.
        mistakes: wrong functions, each by the words that follow what the answer is.
            Where one fails, it is not compared.
        tolerance: how far numbers may differ, relative to the largest expected.
        parts: names of the arrays, if the function is to return several; what the
            answer is follows the name.
        nearly: the words for numbers that are off by less than a third.
        memory: bytes that the learner's function may take, on Linux.
        also_right: other right functions.
        also_wrong: other wrong answers, by words in what is told of them.
    """

    def declare(inputs):
        @functools.cache
        def cases():
            asked = inputs(rng_of(number))
            return [(what, given, reference(*given)) for what, *given in asked]

        def look(function):
            for what, given, expected in cases():
                answer = ask(function, *given, memory=memory)
                known = (tolerance, mistakes, tuple(given))
                if not parts:
                    compare(answer, expected, what, *known)
                    continue
                if not isinstance(answer, tuple | list) or len(answer) != len(parts):
                    raise Wrong(f"several arrays are asked for: {', '.join(parts)}")
                for i, (part, name) in enumerate(zip(answer, parts, strict=True)):
                    compare(part, expected[i], name + what, *known, i, nearly)

        BOOK[number] = Exercise(look, proves, mistakes, also_right, also_wrong or {})
        return inputs

    return declare


def judged(
    number: str,
    proves: str,
    *,
    mistakes: Mapping[str, Any],
    also_right: Sequence[Any] = (),
    answers: int = 1,
):
    """Declare an exercise by a function that judges the answers.

    The function takes the answers and then a random generator, raises ``Wrong`` where
    an answer is, and returns nothing. ``mistakes`` holds wrong answers by words in what
    is told of them; where several answers are asked for, each entry of ``mistakes`` and
    ``also_right`` is a tuple.
    """

    def declare(judge):
        def look(*given):
            judge(*given, rng_of(number))

        BOOK[number] = Exercise(look, proves, mistakes, also_right, answers=answers)
        return judge

    return declare


def chapters() -> list[str]:
    """The numbers of the notebooks that have exercises, such as "02"."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [name[7:] for name in names if re.fullmatch(r"chapter\d\d", name)]


def declared(chapter: str) -> dict[str, Exercise]:
    """The exercises of a notebook, by number; none for one that is not there."""
    if chapter in chapters():
        importlib.import_module(f"{__name__}.chapter{chapter}")
    return {n: entry for n, entry in BOOK.items() if n.startswith(f"{chapter}.")}


def verdict(number: str, *answers: Any) -> str:
    """The line that ``check`` prints.

    Raises:
        ValueError: there is no such exercise, or it asks for more or fewer answers.
    """
    chapter = number.partition(".")[0]
    entries = declared(chapter)
    if number not in entries:
        known = ", ".join(entries) or "none"
        raise ValueError(f"there is no exercise {number!r}; of {chapter}: {known}")
    entry = entries[number]
    if len(answers) != entry.answers:
        raise ValueError(
            f"exercise {number} asks for {entry.answers} answers, not {len(answers)}"
        )
    try:
        if any(map(empty, answers)):
            raise NotSolved
        entry.look(*answers)
    except NotSolved:
        return f"exercise {number} — not solved: the answer is still empty"
    except Wrong as wrong:
        return f"exercise {number} — wrong: {wrong}"
    return f"exercise {number} — solved: {entry.proves}"


def check(number: str, *answers: Any) -> None:
    """Print whether ``answers`` solve exercise ``number``, such as "02.1"."""
    print(verdict(number, *answers))
