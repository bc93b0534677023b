"""Rows of the catalogue: a network's facts, written once, beside its builder.

A builder that is one network carries its row as a decorator, ``@entry(year=2014, …)``;
a variant of a family is a row that names the family and what it fixes::

    resnet56 = variant(
        cifar_resnet, "resnet56", {"depth": 56},
        year=2015, paper="1512.03385", trainable=853_018, total=857_082,
    )

The catalogue, the command line, docstrings and tests all read ``builder.entry``.
"""

import contextlib
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from cnnlib import checks

Builder = Callable[..., keras.Model]


@dataclass(frozen=True)
class Entry:
    """A network of the catalogue, at its builder's defaults.

    ``paper`` is an arXiv id or a DOI, ``task`` one of classification, segmentation,
    series and video. ``total`` counts all weights, moving statistics included.
    ``published`` is the parameter count as its ``source`` states it. ``top1`` and
    ``top5`` are one network's published ImageNet validation errors in percent,
    ``cifar10`` its test error there with shifted and mirrored images, and ``protocol``
    says where they stand and how they were measured. A variant has its
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
    cifar10: float | None = None
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
        errors = {"top-1": self.top1, "top-5": self.top5, "on CIFAR-10": self.cifar10}
        told = [f"{value} % {kind}" for kind, value in errors.items() if value]
        if told:
            facts += f" Published error: {' and '.join(told)} ({self.protocol})."
        paragraphs = [
            f"{self.name}: {self.trainable:,} trained parameters, {self.total:,} with "
            "moving statistics.",
            facts,
            self.note,
            f"Input, output, other arguments and errors are those of ``{family}``.",
        ]
        return "\n\n".join(textwrap.fill(text, 80) for text in paragraphs if text)


@contextlib.contextmanager
def channels_last():
    """Layers made within take their channels last, whatever Keras is configured for."""
    configured = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(configured)


def plain(value):
    """NumPy's integers, alone or in a row, as Python's, which Keras wants."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = tuple(value)
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    return int(value) if checks.is_integer(value) else value


def check(who: str, parameter: inspect.Parameter, value) -> None:
    """Refuse what is not of an argument's annotated kind.

    Sizes and counts are whole numbers from 1, rates of dropout from 0 to below 1.
    """
    key, kind = parameter.name, parameter.annotation
    limits = {"least": 0, "below": 1} if key == "dropout" else {}
    if kind is int and key != "classes":
        checks.integer(who, key, value)
    elif kind is float:
        checks.number(who, key, value, **limits)
    elif kind in (bool, bool | None):
        known = dict.fromkeys((False, True, parameter.default))
        checks.choice(who, key, value, known)
    elif kind in (Sequence[int], Sequence[float]) and key != "input_shape":
        if not isinstance(value, tuple):
            raise ValueError(f"{who} takes {key}= as a row of numbers; given {value!r}")
        for one in value:
            if kind == Sequence[int]:
                checks.integer(who, key, one)
            else:
                checks.number(who, key, one, **limits)


def builder(build: Builder) -> Builder:
    """What all builders have in common.

    Layers are made with their channels last, arguments are of their annotated kinds,
    where integers may be NumPy's and rows lists, and ``name`` is the model's: None, the
    network's own, or what tells two of one network apart. It is given at last, since
    weights are found by the network's own.
    """
    signature, kind = inspect.signature(build), inspect.Parameter.KEYWORD_ONLY

    @functools.wraps(build)
    def named(*templates, name: str | None = None, **options):
        if name is not None:
            checks.model_name(build.__name__, name)
        options = {key: plain(value) for key, value in options.items()}
        for key, value in options.items():
            if key in signature.parameters:  # else Python refuses it
                check(build.__name__, signature.parameters[key], value)
        with channels_last():
            model = build(*templates, **options)
        if name is not None:
            model.name = name
        return model

    last = inspect.Parameter("name", kind, default=None, annotation=str | None)
    parameters = [*signature.parameters.values(), last]
    named.__signature__ = signature.replace(parameters=parameters)
    return named


def entry(**row) -> Callable:
    """Give the builder below its row: the fields of ``Entry`` but ``builder``."""

    def mark(build: Builder) -> Builder:
        marked = builder(build)
        marked.entry = Entry(marked, **row)
        return marked

    return mark


def variant(
    family: Builder, name: str, fixes: dict, trainable: int, total: int, **row
) -> Builder:
    """A network of ``family`` as a builder called ``name``, with the rest of its row.

    It takes the family's arguments but those that it ``fixes``, and refuses others with
    a TypeError; its docstring is ``Entry.describe``'s.
    """
    signature = inspect.signature(family)
    free = [p for key, p in signature.parameters.items() if key not in fixes]

    def build(**options):
        check_options(build, options)
        given = options.pop("name", None)
        return family(**fixes, **options, name=name if given is None else given)

    build.__name__ = build.__qualname__ = name
    build.__module__ = family.__module__
    build.__signature__ = signature.replace(parameters=free)
    build.entry = Entry(
        build, trainable=trainable, total=total, family=family, fixes=fixes, **row
    )
    build.__doc__ = build.entry.describe()
    return build


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
