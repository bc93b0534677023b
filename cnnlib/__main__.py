"""``python -m cnnlib models`` and ``python -m cnnlib summary NAME``."""

import argparse
import sys

from cnnlib import models
from cnnlib.models.summary import summary, table


def catalogue() -> str:
    """The catalogue as a table: what is built, how large, and what was published."""
    head = ("name", "year", "paper", "task", "input", "trainable", "all", "published")
    rows = [head]
    for name, entry in models.CATALOG.items():
        rows.append(
            (
                *(name, str(entry.year), entry.paper, entry.task),
                " × ".join(map(str, entry.input_shape)),
                *(f"{entry.trainable:,}", f"{entry.total:,}", entry.published or "–"),
            )
        )
    return table(rows, left=(0, 1, 2, 3, 4))


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m cnnlib")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("models", help="list the networks that can be built")
    one = commands.add_parser("summary", help="one network, stage by stage")
    one.add_argument("name")
    one.add_argument(*("--input-shape", "-i"), type=int, nargs="+", help="e.g. 64 64 3")
    one.add_argument("--classes", "-c", type=int)
    args = parser.parse_args(argv)
    if args.command == "models":
        print(catalogue())
        return 0
    options = {"input_shape": args.input_shape, "classes": args.classes}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        model = models.build(args.name, **given)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(summary(model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
