"""The one knob of the course: quick on embedded data, or full on the real sets."""

import difflib
import os
from typing import TypeVar

SCALES = ("quick", "full")
T = TypeVar("T")


def scale() -> str:
    """The scale of this run: ``$CNNLIB_SCALE``, ``"quick"`` where it is not set.

    Raises:
        ValueError: the variable holds anything but ``quick`` or ``full``.
    """
    name = os.environ.get("CNNLIB_SCALE") or "quick"
    if name not in SCALES:
        near = difflib.get_close_matches(name, SCALES)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"CNNLIB_SCALE={name!r} is not a scale: use 'quick' or 'full'{hint}"
        )
    return name


def pick(*, quick: T, full: T) -> T:
    """Return ``quick`` or ``full``, as ``$CNNLIB_SCALE`` says (default: quick).

    >>> epochs = pick(quick=2, full=12)
    """
    return {"quick": quick, "full": full}[scale()]
