"""What a cell prints, in one piece between two figures."""

import itertools
from collections.abc import Iterable

from nbconvert.preprocessors.coalescestreams import CR_PAT
from nbformat import NotebookNode, v4


def joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The outputs in their order, each stream's text between two others in one piece.

    In how many pieces it comes, and which of the two streams first, is chance. What
    nbclient and nbval join is all that a cell prints, past its figures.
    """
    found = []
    for text, some in itertools.groupby(outputs, lambda o: o.output_type == "stream"):
        pieces = list(some)
        if not text:
            found += pieces
            continue
        for name in ("stdout", "stderr"):
            whole = "".join(piece.text for piece in pieces if piece.name == name)
            if whole:  # what a carriage return wrote over is gone
                whole = CR_PAT.sub("", whole)
                found.append(v4.new_output("stream", name=name, text=whole))
    return found
