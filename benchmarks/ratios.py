"""Times beside a peer's, and the table that all of them stand in."""

import argparse
import importlib
from dataclasses import dataclass
from pathlib import Path

HEAD = "| what | ours | peer | its time | ratio |\n| --- | --- | --- | --- | --- |"


@dataclass(frozen=True)
class Ratio:
    """What ours and a peer's did, and the seconds that each took, in one run."""

    what: str
    peer: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Below 1 ours is faster."""
        return self.ours / self.theirs


def measured(topic: str) -> list[Ratio]:
    """Run a benchmark, which prints tables of its own, too."""
    return importlib.import_module(f"benchmarks.{topic}").main([])


def place(text: str) -> Path:
    """A file that a record may go to, seen to before anything is measured."""
    file = Path(text)
    if file.is_dir() or not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder, or lies in none")
    return file


def span(seconds: float) -> str:
    """A time to three digits: 71.2 s, 4.50 ms, 7.66 µs."""
    if seconds >= 1:
        number, unit = seconds, "s"
    elif seconds >= 1e-3:
        number, unit = 1e3 * seconds, "ms"
    else:
        number, unit = 1e6 * seconds, "µs"
    return f"{number:#.3g}".removesuffix(".") + f" {unit}"


def table(rows: list[Ratio]) -> str:
    """All rows in Markdown."""
    lines = [HEAD]
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio >= 0.1 else f"{row.ratio:.2g}"
        cells = (row.what, span(row.ours), row.peer, span(row.theirs), ratio)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
