"""Rows of the catalogue: a network's facts, written once, beside its builder.

A builder that is one network carries its row as a decorator, ``@entry(year=2014, …)``;
a variant of a family is a row that names the family and what it fixes::

    resnet56 = variant(
        cifar_resnet, "resnet56", {"depth": 56},
        year=2015, paper="1512.03385", trainable=853_018, total=857_082,
    )

The catalogue, the command line, docstrings and tests all read ``builder.entry``.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import keras

Builder = Callable[..., keras.Model]


@dataclass(frozen=True)
class Entry:
    """A network of the catalogue, at its builder's defaults.

    ``paper`` is an arXiv id or a DOI, ``task`` one of classification, segmentation,
    series and video. ``total`` counts all weights, moving statistics included.
    ``published`` is the parameter count as its ``source`` states it. ``top1`` and
    ``top5`` are one network's published ImageNet validation errors in percent,
    ``protocol`` says how they were measured and where they stand. A variant has its
    ``family``, the arguments that it ``fixes``, and a ``note`` for its docstring.
    """

    builder: Builder
    year: int
    paper: str
    trainable: int
    total: int
    task: str = "classification"
    published: str | None = None
    source: str | None = None
    top1: float | None = None
    top5: float | None = None
    protocol: str | None = None
    family: Builder | None = None
    fixes: dict = field(default_factory=dict)
    note: str = ""

    @property
    def name(self) -> str:
        """The builder's name, by which ``models.build`` finds it."""
        return self.builder.__name__

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The builder's default."""
        return tuple(inspect.signature(self.builder).parameters["input_shape"].default)

    @property
    def classes(self) -> int:
        """The builder's default."""
        return inspect.signature(self.builder).parameters["classes"].default

    def describe(self) -> str:
        """A variant's docstring: its counts, what it fixes, and what was published."""
        family = self.family.__name__
        fixed = ", ".join(f"{key}={value!r}" for key, value in self.fixes.items())
        arxiv = "arXiv:" if self.paper[0].isdigit() else ""
        facts = f"``{family}({fixed})``; {arxiv}{self.paper}, {self.year}."
        if self.published:
            facts += f" Published: {self.published} parameters ({self.source})."
        if self.top1:
            error = f"{self.top1} % top-1 and {self.top5} % top-5"
            facts += f" Published ImageNet error: {error} ({self.protocol})."
        paragraphs = [
            f"{self.name}: {self.trainable:,} trained parameters, {self.total:,} with "
            "moving statistics.",
            facts,
            self.note,
            f"Input, output, other arguments and errors are those of ``{family}``.",
        ]
        return "\n\n".join(textwrap.fill(text, 80) for text in paragraphs if text)


def entry(**row) -> Callable:
    """Give the builder below its row: the fields of ``Entry`` but ``builder``."""

    def mark(builder: Builder) -> Builder:
        builder.entry = Entry(builder, **row)
        return builder

    return mark


def variant(
    family: Builder, name: str, fixes: dict, trainable: int, total: int, **row
) -> Builder:
    """A network of ``family`` as a builder called ``name``, with the rest of its row.

    It takes the family's arguments but ``name`` and those that it ``fixes``, and
    refuses others with a TypeError; its docstring is ``Entry.describe``'s.
    """
    signature = inspect.signature(family)
    free = [p for p in signature.parameters.values() if p.name not in (*fixes, "name")]

    def builder(**options):
        check_options(builder, options)
        return family(**fixes, **options, name=name)

    builder.__name__ = builder.__qualname__ = name
    builder.__module__ = family.__module__
    builder.__signature__ = signature.replace(parameters=free)
    builder.entry = Entry(
        builder, trainable=trainable, total=total, family=family, fixes=fixes, **row
    )
    builder.__doc__ = builder.entry.describe()
    return builder


def check_options(builder: Builder, options: Iterable[str]) -> None:
    """Refuse options that ``builder`` does not take with a TypeError that lists them.

    Of what a variant fixes, the message names the family that takes it.
    """
    known = inspect.signature(builder).parameters
    for option in options:
        if option not in known:
            row = getattr(builder, "entry", None)
            fixed = row is not None and option in row.fixes
            aside = f" ({row.family.__name__} takes it)" if fixed else ""
            raise TypeError(
                f"{builder.__name__} has no option {option!r}{aside}; it takes "
                f"{', '.join(known)}"
            )
