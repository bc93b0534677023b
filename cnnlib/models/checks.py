"""What every builder refuses, in one sentence, before it builds anything."""


def check(name: str, input_shape, classes: int, *, smallest: int = 1) -> None:
    """Refuse an input shape or a number of classes that ``name`` cannot have.

    Raises:
        ValueError: ``input_shape`` is not three positive integers with both sides at
            least ``smallest``, or ``classes`` is not a positive integer.
    """
    sides = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    whole = all(isinstance(n, int) and n > 0 for n in sides)
    if len(sides) != 3 or not whole or min(sides[:2]) < smallest:
        raise ValueError(
            f"{name} takes input_shape=(height, width, channels) with height and width "
            f"at least {smallest}; given {input_shape!r}"
        )
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
        raise ValueError(f"{name} takes classes=1 or more; given {classes!r}")
