"""What is refused, in one sentence: sizes, ranges, choices, names, shapes, labels.

Every check takes ``who`` asks (the function that a user called) and the argument's
``name`` for the sentence, raises ``ValueError``, and returns the value in its plain
form: integers as ``int`` (NumPy's count as integers, ``True`` does not), numbers as
``float``, sizes as tuples.
"""

import difflib
import math
import numbers
import operator
from collections.abc import Mapping

import numpy as np


def is_integer(value) -> bool:
    """Whether ``value`` is a whole number, Python's or NumPy's; a boolean is none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value) -> bool:
    """Whether ``value`` is a finite number, Python's or NumPy's; a boolean is none."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)


def integer(who: str, name: str, value, least: int = 1) -> int:
    """``value`` as an ``int`` of at least ``least``."""
    if not is_integer(value) or value < least:
        raise ValueError(f"{who} takes {name}={least} or more; given {value!r}")
    return int(value)


def as_many(who: str, **rows) -> None:
    """Refuse rows of settings of which one is longer than another."""
    if len({len(row) for row in rows.values()}) > 1:
        given = ", ".join(f"{name}={row!r}" for name, row in rows.items())
        raise ValueError(f"{who} takes as many {' as '.join(rows)}; given {given}")


def seed(who: str, value) -> int | None:
    """A ``seed`` of random numbers, from 0; None stands for other ones each time."""
    return None if value is None else integer(who, "seed", value, least=0)


def rng(who: str, seed) -> np.random.Generator:
    """NumPy's random numbers from a ``seed``, from 0."""
    return np.random.default_rng(integer(who, "seed", seed, least=0))


def number(
    who: str,
    name: str,
    value,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> float:
    """``value`` as a finite ``float``, if it keeps to every bound that is given.

    ``least`` and ``most`` are accepted themselves, ``above`` and ``below`` are not.
    """
    bounds = [
        ("from", least, operator.ge),
        ("above", above, operator.gt),
        ("to", most, operator.le),
        ("to below", below, operator.lt),
    ]
    bounds = [each for each in bounds if each[1] is not None]
    kept = is_number(value) and all(keeps(value, edge) for _, edge, keeps in bounds)
    if not kept:
        said = " ".join(f"{word} {edge:g}" for word, edge, _ in bounds)
        said = said or "a finite number"
        raise ValueError(f"{who} takes {name} {said}; given {value!r}")
    return float(value)


def choice(who: str, name: str, value, known) -> None:
    """Refuse a value of ``name`` that is none of the ``known`` ones."""
    known = list(known)
    plain = value.item() if isinstance(value, np.generic) else value
    if not any(type(plain) is type(one) and plain == one for one in known):
        *most, last = map(repr, known)
        listed = f"{', '.join(most)} or {last}" if most else last
        raise ValueError(f"{who} takes {name}={listed}; given {value!r}")


def flag(who: str, name: str, value) -> bool:
    """True or False, Python's or NumPy's: any other word would count as True."""
    choice(who, name, value, (False, True))
    return bool(value)


def text(who: str, name: str, value) -> str:
    """``value``, if it is text."""
    if not isinstance(value, str):
        raise ValueError(f"{who} takes {name}= as text; given {value!r}")
    return value


def labelled(who: str, values) -> None:
    """Refuse anything but a dict of one or more labels."""
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"{who} takes a dict, label: values; given {values!r:.50}")


def named(kind: str, name, known) -> None:
    """Refuse a ``name`` of a "network" or other ``kind`` that is not ``known``."""
    known = list(known)
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0)
        raise ValueError(
            f"no {kind} is called {name!r}; the nearest is {near[0]!r}. "
            f"Known: {', '.join(known)}"
        )


def model_name(who: str, name) -> None:
    """Refuse a ``name`` that Keras does not take for a model."""
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"{who} takes name= as text without '/'; given {name!r}")


def pair(who: str, name: str, value, least: int = 1) -> tuple[int, int]:
    """(height, width) in whole pixels, from one side or both."""
    sides = (value, value) if is_integer(value) else value
    whole = isinstance(sides, (tuple, list)) and len(sides) == 2
    if not whole or not all(is_integer(side) and side >= least for side in sides):
        raise ValueError(
            f"{who} takes {name} in whole pixels from {least}, one side or (height, "
            f"width); given {value!r}"
        )
    return int(sides[0]), int(sides[1])


def span(who: str, name: str, value) -> tuple[float, float]:
    """(low, high), two finite numbers, the first below the second."""
    ends = tuple(value) if isinstance(value, (tuple, list)) else ()
    real = len(ends) == 2 and all(map(is_number, ends))
    if not real or not ends[0] < ends[1]:
        raise ValueError(
            f"{who} takes {name}=(low, high), finite and low below high; given "
            f"{value!r}"
        )
    return ends


AXES = {
    1: "(length, channels)",
    2: "(height, width, channels)",
    3: "(frames, height, width, channels)",
}
SIDES = {1: "a length of", 2: "height and width", 3: "frames, height and width"}


def network(
    who: str,
    input_shape,
    classes,
    *,
    smallest: int | tuple[int, ...] = 1,
    dimensions: int = 2,
    any_size: bool = True,
) -> tuple[tuple[int | None, ...], int]:
    """The input shape, channels last, and the number of classes, as plain integers.

    There are 1, 2 or 3 ``dimensions`` (series, images, video), each of at least
    ``smallest``, one number or one each; with ``any_size`` a side may be None, for any.
    """
    least = (smallest,) * dimensions if is_integer(smallest) else tuple(smallest)
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    fits = len(shape) == dimensions + 1
    for side, bound in zip(shape, (*least, 1), strict=False):
        free = any_size and side is None
        fits = fits and (free or (is_integer(side) and side >= bound))
    if not fits or shape[-1] is None:
        bound = least[0] if len(set(least)) == 1 else " × ".join(map(str, least))
        raise ValueError(
            f"{who} takes input_shape={AXES[dimensions]} with {SIDES[dimensions]} "
            f"at least {bound}; given {input_shape!r}"
        )
    plain = tuple(None if side is None else int(side) for side in shape)
    return plain, integer(who, "classes", classes)


def units(who: str, depth, *, step: int, first: int) -> int:
    """The n of a network of ``depth`` = ``step``·n + ``first`` layers, n at least 1."""
    counted = is_integer(depth) and depth > first
    if counted and (depth - first) % step == 0:
        return int(depth - first) // step
    n = max(1, int(depth - first) // step) if counted else 1
    near = f"{step * n + first} and {step * (n + 1) + first}"
    raise ValueError(
        f"{who} has {step}n+{first} layers; given {depth!r}, the nearest are {near}"
    )


def finite(who: str, name: str, values) -> np.ndarray:
    """``values`` as an array, if all of them are finite."""
    found = np.asarray(values)
    # bfloat16 is of kind V.
    if found.dtype.kind in "fcV" and not np.isfinite(found).all():
        raise ValueError(f"{who} takes finite {name}; some values are NaN or infinite")
    return found


def batch(who: str, x: np.ndarray, shape) -> np.ndarray:
    """``x``, if it is one or more of ``shape``, where None stands for any length."""
    sides = zip(shape, x.shape[1:], strict=False)
    fits = x.ndim == 1 + len(shape) and len(x) and all(n in (None, m) for n, m in sides)
    if not fits:
        raise ValueError(
            f"{who} takes a batch of shape (n, {listed(shape)}), n at least 1; given "
            f"{x.shape}"
        )
    return x


def one_shape(who: str, shapes) -> None:
    """Refuse tensors of several shapes, as far as these are known."""
    known = [
        {side for side in sides if side is not None}
        for sides in zip(*shapes, strict=False)
    ]
    if len({len(shape) for shape in shapes}) > 1 or any(len(k) > 1 for k in known):
        given = ", ".join(f"({listed(shape)})" for shape in shapes)
        raise ValueError(f"{who} takes tensors of one shape; given {given}")


def listed(shape) -> str:
    """A shape for a sentence: "any, any, 3"."""
    return ", ".join("any" if side is None else str(side) for side in shape)


def built(who: str, model) -> None:
    """Refuse a model that has no weights yet, and what is no model."""
    if not getattr(model, "built", False):
        called = getattr(model, "name", model)
        raise ValueError(
            f"{who} takes a built model; {called!r} has no weights yet: start it "
            "with a keras.Input, or call it once on a batch"
        )


def visible(x) -> np.ndarray | None:
    """The values of a tensor; None where it stands for values yet to come."""
    try:
        return np.asarray(x)
    except (TypeError, ValueError, NotImplementedError):
        return None


def labels(who: str, name: str, values: np.ndarray, classes: int) -> None:
    """Refuse whole numbers that are not from 0 to ``classes`` − 1."""
    low, high = values.min(), values.max()
    if low < 0 or high >= classes:
        raise ValueError(
            f"{who} takes {name} from 0 to {classes - 1}; given {low} to {high}"
        )
