"""The commands behind the Makefile: ``python -m tools talk`` and so on."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import (
    bands,
    build,
    check,
    execute,
    experiments,
    lab,
    launch,
    lines,
    numbers,
    pdf,
    record,
    sync,
)
from tools.course import Course, CourseError
from tools.kernel import Limits
from tools.lock import alone
from tools.progress import Progress
from tools.runner import Runner, jobs_of


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools")
    parser.add_argument(
        "--jobs",
        default=os.environ.get("JOBS"),
        help="notebooks that run side by side; one for each core",
    )
    parser.add_argument(
        "--still",
        type=float,
        default=Limits.still,
        help="seconds without processor time after which a kernel is ended",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("talk", help="execute what is stale and write build/")
    stored = commands.add_parser("notebooks", help="make the stored outputs anew")
    stored.add_argument("names", nargs="*", metavar="NOTEBOOK")
    checked = commands.add_parser("check", help="run notebooks, compare their outputs")
    checked.add_argument("names", nargs="*", metavar="NOTEBOOK")
    checked.add_argument(
        "--changed", action="store_true", help="leave out what passed as it is now"
    )
    commands.add_parser("jobs", help="print how many notebooks run side by side")
    commands.add_parser("slides", help="make decks from the stored notebooks")
    commands.add_parser("pages", help="make site and decks from the stored notebooks")
    paper = commands.add_parser("pdf", help="print decks, by Chromium")
    paper.add_argument("names", nargs="*", metavar="NOTEBOOK")
    commands.add_parser("sync", help="write the README's table, the map, the links")
    commands.add_parser("alone", help="copy notebooks, to be opened alone on Colab")
    commands.add_parser("lines", help="count the library's lines")
    commands.add_parser("numbers", help="count bands, and lines of True or False")
    spread = commands.add_parser("bands", help="measure how far banded values spread")
    spread.add_argument("names", nargs="*", metavar="NOTEBOOK")
    opened = commands.add_parser("lab", help="open JupyterLab")
    opened.add_argument("--port", type=int, default=8888)
    recorded = commands.add_parser("record", help="record a full-size run")
    recorded.add_argument("name", metavar="NOTEBOOK", nargs="?")
    recorded.add_argument("--claim", help="the experiment to run, not a notebook")
    return parser


def _do(args: argparse.Namespace, course: Course, progress: Progress) -> int:
    jobs = jobs_of(args.jobs)
    runner = Runner(course, progress, jobs, Limits(args.still))
    match args.command:
        case "jobs":
            print(jobs)
        case "talk":
            with alone(course, "talk", progress):
                build.talk(runner)
        case "notebooks":
            with alone(course, "notebooks", progress):
                execute.notebooks(runner, args.names)
        case "check":
            with alone(course, "test", progress):
                return check.check(runner, args.names, args.changed)
        case "slides":
            with alone(course, "talk", progress):
                build.slides(course, progress)
        case "pages":
            with alone(course, "talk", progress):
                build.pages(course, progress)
        case "pdf":
            pdf.pdf(course, args.names, progress)
        case "sync":
            for path in sync.sync(course):
                progress.say(f"{path.relative_to(course.root)}  brought up to date")
        case "alone":
            progress.say(f"{launch.alone(course)} notebooks are in build/alone")
        case "lines":
            print(lines.table(course.root / "cnnlib"))
        case "numbers":
            print(numbers.table(course.notebooks()))
        case "bands":
            with alone(course, "bands", progress):
                return bands.bands(runner, args.names)
        case "lab":
            lab.lab(course, args.port)
        case "record" if args.claim:
            experiments.record(course, args.claim, progress)
        case "record" if not args.name:
            raise CourseError("name one: make record NOTEBOOK=06", 2)
        case "record":
            one = Runner(course, progress, 1, Limits(args.still))
            record.record(one, args.name)
    return 0


@contextlib.contextmanager
def _interruptible(progress: Progress) -> Iterator[None]:
    """Being told to end is like Ctrl-C: no kernel is left behind. Neither is lost.

    Where a signal comes in a weak reference's callback, Python drops what is raised. So
    it is noted as well, and looked at where notebooks run.
    """

    def interrupt(*_):
        progress.interrupted = True
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)  # a shell may have started a job deaf to it
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    """Run one command and return its exit status."""
    args = _parser().parse_args(argv)
    course, progress = Course((root or Path.cwd()).resolve()), Progress()
    try:
        with _interruptible(progress):
            return _do(args, course, progress)
    except CourseError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except OSError as error:  # a disk that is full, a folder that cannot be written
        print(f"error: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
