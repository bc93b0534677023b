"""``python -m cnnlib``: the catalogue, summaries, one's own pictures."""

import argparse
import ast
import sys
from dataclasses import asdict, fields

from cnnlib import models, photographs, runs
from cnnlib.datasets import NAMES
from cnnlib.models.summary import summary, table
from cnnlib.runs import processes


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
    seen.add_argument("--top", type=int, help="how many classes to tell; 5")
    seen.add_argument("--explain", metavar="FILE", help="draw where they are seen")
    seen.add_argument("--model", metavar="RUN", help="the folder of a training run")
    turned = commands.add_parser("fool", help="turn a picture into an ostrich")
    turned.add_argument("picture")
    turned.add_argument("--to", default="ostrich", help="a class of ImageNet")
    turned.add_argument("--out", default=".", help="a folder for three pictures")
    trained = commands.add_parser("train", help="train a network on data or a folder")
    trained.add_argument("network", nargs="?", help="a network of the catalogue")
    trained.add_argument("data", nargs="?", help=f"{', '.join(NAMES)}, or a folder")
    trained.add_argument("--recipe", choices=runs.RECIPES, help="a paper's settings")
    trained.add_argument("--out", required=True, help="a folder for the run")
    for key, default in asdict(runs.Settings("", "")).items():
        if key in ("network", "data", "transfer"):
            continue
        kind = int if default is None else type(default)
        flag = f"--{key.replace('_', '-')}"
        trained.add_argument(flag, type=kind, help=HELP.get(key, "{}").format(default))
    trained.add_argument("--transfer", action="store_true", default=None, help=HEAD)
    trained.add_argument("--resume", action="store_true", help="go on with the run")
    trained.add_argument("--processes", type=int, default=1, help=PROCESSES)
    trained.add_argument("--port", type=int, help="where they meet; any that is free")
    trained.add_argument("--tensorboard", action="store_true", help="log for it, too")
    args = parser.parse_args(argv)
    try:
        if args.command == "train":
            return train(args)
        if args.command == "classify":
            return photographs.classify(
                args.picture, args.top, args.explain, args.model
            )
        if args.command == "fool":
            return photographs.fool(args.picture, args.to, args.out)
        print(catalogue() if args.command == "models" else described(args))
    except (MemoryError, OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        more = f"; --resume goes on with {args.out}" if args.command == "train" else ""
        print(f"stopped{more}", file=sys.stderr)
        return 130
    return 0


HELP = {name: f"{', '.join(known)}; {{}}" for name, known in runs.CHOICES.items()} | {
    "size": "side of a folder's pictures; the network's own",
    "rate": "the highest learning rate; {}",
    "weight_decay": "with sgd a part of the gradient, with adam apart from it; {}",
    "validation": "the part of the training images that is held out; {}",
}
PROCESSES = "how many share each batch, on Keras's JAX backend; 1"
HEAD = "begin with ImageNet's weights: a new last layer, then all but normalization"


def train(args: argparse.Namespace) -> int:
    """Train as the command line asks."""
    known = {field.name for field in fields(runs.Settings)}
    asked = {k: v for k, v in vars(args).items() if k in known and v is not None}
    settings = runs.RECIPES.get(args.recipe, {}) | asked
    for key in ("network", "data"):
        if key not in settings:
            raise ValueError(f"train takes a {key}, or a recipe that names one")
    options = {"resume": args.resume, "tensorboard": args.tensorboard}
    accuracy = processes.train(
        runs.Settings(**settings), args.out, args.processes, port=args.port, **options
    )
    if accuracy is not None:  # the first of a cluster's processes tells
        print(f"test accuracy: {accuracy:.1%}; the rest is in {args.out}")
    return 0


def described(args: argparse.Namespace) -> str:
    """A network, built with the options of the command line, as a table."""
    asked = {"input_shape": args.input_shape, "classes": args.classes}
    asked = {name: value for name, value in asked.items() if value is not None}
    return summary(models.build(args.name, **dict(args.option) | asked))


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # names and bars that it can't show
    sys.exit(main())
