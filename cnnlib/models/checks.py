"""What every builder refuses, in one sentence, before it builds anything."""

AXES = {
    1: "(length, channels)",
    2: "(height, width, channels)",
    3: "(frames, height, width, channels)",
}
SIDES = {1: "a length of", 2: "height and width", 3: "frames, height and width"}


def check(
    name: str,
    input_shape,
    classes: int,
    *,
    smallest=1,
    dimensions: int = 2,
    any_size: bool = False,
) -> None:
    """Refuse an input shape or a number of classes that ``name`` cannot have.

    Args:
        name: the network's, for the message.
        input_shape: what the user gave; the channels come last.
        classes: what the user gave.
        smallest: the least that each side can be, one number or one for each side.
        dimensions: 1 for series, 2 for images, 3 for video.
        any_size: whether a side may be None, which stands for any.

    Raises:
        ValueError: ``input_shape`` is not that many positive integers and the channels,
            a side is below ``smallest``, or ``classes`` is not a positive integer.
    """
    least = (smallest,) * dimensions if isinstance(smallest, int) else tuple(smallest)
    given = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if any_size and len(given) == dimensions + 1:  # the least of sizes will do
        sides = zip(given[:-1], least, strict=False)
        given = (*(m if n is None else n for n, m in sides), *given[-1:])
    whole = len(given) == dimensions + 1 and all(positive(n) for n in given)
    if not whole or any(n < m for n, m in zip(given, least, strict=False)):
        bound = least[0] if len(set(least)) == 1 else " × ".join(map(str, least))
        raise ValueError(
            f"{name} takes input_shape={AXES[dimensions]} with {SIDES[dimensions]} "
            f"at least {bound}; given {input_shape!r}"
        )
    if not positive(classes):
        raise ValueError(f"{name} takes classes=1 or more; given {classes!r}")


def positive(n) -> bool:
    """Whether ``n`` is an integer above zero (True is none)."""
    return isinstance(n, int) and not isinstance(n, bool) and n > 0


def units(name: str, depth: int, *, step: int, first: int) -> int:
    """How many units of ``step`` layers a network of ``depth`` layers has per stage.

    ``depth`` is ``step``·n + ``first``, with n at least 1; n is returned.

    Raises:
        ValueError: there is no such n; the message lists the nearest depths.
    """
    if positive(depth) and depth > first and (depth - first) % step == 0:
        return (depth - first) // step
    n = max(1, (depth - first) // step) if positive(depth) else 1
    near = f"{step * n + first} and {step * (n + 1) + first}"
    raise ValueError(
        f"{name} has {step}n+{first} layers; given {depth!r}, the nearest are {near}"
    )


def one_of(name: str, option: str, given, known) -> None:
    """Refuse a value of ``option`` that is none of the ``known`` ones.

    Raises:
        ValueError: the message lists them.
    """
    if given not in known:
        names = ", ".join(map(repr, known))
        raise ValueError(f"{name} takes {option}= one of {names}; given {given!r}")
