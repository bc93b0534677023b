"""``python -m cnnlib``: the catalogue, summaries, one's own pictures."""

import argparse
import ast
import sys

from cnnlib import models, photographs
from cnnlib.models.summary import summary, table


def catalogue() -> str:
    """The catalogue as a table: what is built, how large, and what was published."""
    head = ("name", "year", "paper", "task", "input", "trainable", "all", "published")
    rows = [head]
    for name, entry in models.CATALOG.items():
        size = " × ".join(map(str, entry.input_shape))
        counts = (f"{entry.trainable:,}", f"{entry.total:,}", entry.published or "–")
        rows.append((name, str(entry.year), entry.paper, entry.task, size, *counts))
    return table(rows, left=(0, 1, 2, 3, 4))


def option(text: str) -> tuple[str, object]:
    """An option's name and value, from "depth=74" or "unit=full_preactivation"."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"takes name=value; given {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m cnnlib")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("models", help="list the networks that can be built")
    one = commands.add_parser("summary", help="one network, stage by stage")
    families = ", ".join(models.FAMILIES)
    one.add_argument("name", help=f"a network, or a family: {families}")
    one.add_argument("--input-shape", "-i", type=int, nargs="+", help="e.g. 64 64 3")
    one.add_argument("--classes", "-c", type=int)
    often = "name=value, such as depth=74; as often as needed"
    one.add_argument(
        "--option", "-o", type=option, action="append", default=[], help=often
    )
    seen = commands.add_parser("classify", help="what ImageNet's network sees")
    seen.add_argument("picture", nargs="+", help="a picture, or a folder of them")
    seen.add_argument("--top", type=int, default=5, help="how many classes to tell")
    seen.add_argument("--explain", metavar="FILE", help="draw where they are seen")
    turned = commands.add_parser("fool", help="turn a picture into an ostrich")
    turned.add_argument("picture")
    turned.add_argument("--to", default="ostrich", help="a class of ImageNet")
    turned.add_argument("--out", default=".", help="a folder for three pictures")
    args = parser.parse_args(argv)
    try:
        if args.command == "classify":
            return photographs.classify(args.picture, args.top, args.explain)
        if args.command == "fool":
            return photographs.fool(args.picture, args.to, args.out)
        print(catalogue() if args.command == "models" else described(args))
    except (OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def described(args: argparse.Namespace) -> str:
    """A network, built with the options of the command line, as a table."""
    options = dict(args.option)
    if args.input_shape is not None:
        options["input_shape"] = args.input_shape
    if args.classes is not None:
        options["classes"] = args.classes
    return summary(models.build(args.name, **options))


if __name__ == "__main__":
    sys.exit(main())
