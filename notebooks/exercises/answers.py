"""A learner's answer: run with care, and compared with what it ought to be."""

import contextlib
import copy
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

LIMIT = 30.0  # seconds of processor time that an answer may take


class Wrong(Exception):
    """The answer is wrong; the message says in what, without giving it away."""


class NotSolved(Exception):
    """The stub is still empty."""


class TooLong(BaseException):
    """The answer takes too long; no ``except Exception`` in it catches this."""


def empty(answer: Any) -> bool:
    """Whether an answer is what the stub leaves: nothing, or three dots."""
    return answer is None or answer is ...


@contextlib.contextmanager
def limited_time(seconds: float) -> Iterator[None]:
    """Raise ``TooLong`` in a block that computes for longer.

    Only the processor time of this thread counts, so that no answer is wrong because
    the machine is busy. There is no limit where Python has no such signals: on Windows,
    and in threads other than the main one.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not (in_main_thread and hasattr(signal, "setitimer")):
        yield
        return
    begun = time.thread_time()

    def look_at_the_clock(*_):
        if time.thread_time() - begun > seconds:
            raise TooLong

    before = signal.signal(signal.SIGVTALRM, look_at_the_clock)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds / 10, seconds / 10)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def limited_memory(more: int | None) -> Iterator[None]:
    """Let a block take so many bytes more than are in use; beyond is a MemoryError.

    There is no limit where ``more`` is None, nor on systems other than Linux.
    """
    statm = Path("/proc/self/statm")
    if more is None or not statm.exists():
        yield
        return
    import resource  # not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(statm.read_text().split()[0]) * resource.getpagesize()
    limits = [n for n in (soft, hard) if n != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([in_use + more, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def fresh(arguments: Any) -> Any:
    """Copies, that an answer may write into what it is given; models as they are."""
    if isinstance(arguments, list | tuple):
        return type(arguments)(fresh(argument) for argument in arguments)
    if isinstance(arguments, np.ndarray | np.random.Generator):
        return copy.deepcopy(arguments)
    return arguments


def ask(function: Callable, *arguments: Any, memory: int | None = None) -> Any:
    """Call a learner's function on copies of the arguments.

    Raises:
        NotSolved: it returns nothing, or three dots.
        Wrong: it is no function, fails, computes for more than ``LIMIT`` seconds, or
            takes more than ``memory`` bytes; the message says which.
    """
    if not callable(function):
        raise Wrong(f"a function is asked for; this is {type(function).__name__}")
    arguments = fresh(arguments)
    try:
        with (
            limited_time(LIMIT),
            limited_memory(memory),
            np.errstate(all="ignore"),
        ):
            answer = function(*arguments)
    except TooLong:
        raise Wrong(
            f"your code is not done after {LIMIT:g} s of processor time: does a loop "
            "never end, or is there a quicker way?"
        ) from None
    except MemoryError:
        raise Wrong("your code takes too much memory: is there another way?") from None
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise Wrong(f"your code raises {type(error).__name__}: {reason}") from error
    if empty(answer):
        raise NotSolved
    return answer


def numbers(answer: Any, what: str, nan: bool = False) -> np.ndarray:
    """An answer as an array.

    Args:
        answer: the learner's.
        what: what it is, the subject of the complaint.
        nan: whether entries may be not a number.

    Raises:
        Wrong: it is not made of numbers, or some are infinite or NaN.
    """
    if isinstance(answer, keras.KerasTensor):
        raise Wrong(f"{what} is symbolic; return an array")
    try:
        array = np.asarray(answer)
    except Exception as error:
        raise Wrong(f"{what} is no array of numbers") from error
    if array.dtype.kind not in "biuf":
        kind = array.dtype if array is answer else type(answer).__name__
        raise Wrong(f"{what} is made of {kind}, not of numbers")
    if np.isinf(array).any() or (np.isnan(array).any() and not nan):
        raise Wrong(f"{what} has entries that are infinite or not a number")
    return array


def distance(array: np.ndarray, other: Any) -> float:
    """How far two arrays differ at most; infinite if in their shape, or where NaN is.

    Relative to the largest number of ``other``.
    """
    other = np.asarray(other, dtype=float)
    if array.shape != other.shape or (np.isnan(array) != np.isnan(other)).any():
        return np.inf
    largest = np.nan_to_num(np.abs(other)).max(initial=0) or 1e-12
    return np.nan_to_num(np.abs(array - other)).max(initial=0) / largest


def result(mistake: Any, arguments: tuple) -> Any:
    """What a known mistake makes of the arguments; None if it fails there."""
    try:
        with np.errstate(all="ignore"):
            return mistake(*fresh(arguments)) if callable(mistake) else mistake
    except Exception:
        return None


def explain(
    answer: np.ndarray,
    mistakes: Mapping[str, Any],
    arguments: tuple,
    tolerance: float,
    part: int | None = None,
) -> str | None:
    """The words of the first known mistake that gives this answer, if one does."""
    for words, mistake in mistakes.items():
        mistaken = result(mistake, arguments)
        if mistaken is not None and part is not None:
            mistaken = mistaken[part]
        if mistaken is not None and distance(answer, mistaken) <= tolerance:
            return words
    return None


def compare(
    answer: Any,
    expected: Any,
    what: str,
    tolerance: float = 1e-5,
    mistakes: Mapping[str, Any] | None = None,
    arguments: tuple = (),
    part: int | None = None,
    nearly: str | None = None,
) -> None:
    """Compare an answer with what is expected, and then with known mistakes.

    Args:
        answer: the learner's.
        expected: what it ought to be; where it is NaN, so must the answer be.
        what: what it is, the subject of the complaint.
        tolerance: how far they may differ, relative to the largest expected.
        mistakes: what is wrong with it: the numbers that one gets in this way, or a
            function that returns them.
        arguments: what these functions get.
        part: which of the arrays that they return is compared, if they return several.
        nearly: what is said of numbers that are off by less than a third.

    Raises:
        Wrong: they differ.
    """
    expected = np.asarray(expected)
    array = numbers(answer, what, nan=bool(np.isnan(expected).any())).astype(float)
    off = distance(array, expected)
    if off <= tolerance:
        return
    if words := explain(array, mistakes or {}, arguments, tolerance, part):
        raise Wrong(f"{what} {words}")
    if array.shape != expected.shape:
        wanted = f"{expected.shape} is expected"
        wanted = wanted if expected.shape else "one number is asked for"
        raise Wrong(f"{what} has shape {array.shape}; {wanted}")
    if np.isinf(off):
        raise Wrong(f"{what} is not NaN just where it should be")
    if nearly and off < 0.3:
        raise Wrong(f"{what} {nearly}")
    largest = np.nan_to_num(np.abs(expected)).max(initial=0) or 1e-12
    raise Wrong(f"{what} is off by up to {off * largest:.3g}")
