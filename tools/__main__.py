"""The commands behind the Makefile: ``python -m tools talk`` and so on."""

import argparse
import sys
from pathlib import Path

from tools import build, execute, lab, lines, record, sync
from tools.course import Course, CourseError
from tools.execute import Progress


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("talk", help="execute what is stale and write build/")
    stored = commands.add_parser("notebooks", help="make the stored outputs anew")
    stored.add_argument("names", nargs="*", metavar="NOTEBOOK")
    commands.add_parser("slides", help="make decks from the stored notebooks")
    commands.add_parser("sync", help="write the README's table, the map, the links")
    commands.add_parser("lines", help="count the library's lines")
    opened = commands.add_parser("lab", help="open JupyterLab")
    opened.add_argument("--port", type=int, default=8888)
    recorded = commands.add_parser("record", help="record a full-size run")
    recorded.add_argument("name", metavar="NOTEBOOK")
    args = parser.parse_args(argv)
    course, progress = Course((root or Path.cwd()).resolve()), Progress()
    try:
        match args.command:
            case "talk":
                build.talk(course, progress)
            case "notebooks":
                execute.notebooks(course, args.names, progress)
            case "slides":
                build.slides(course, progress)
            case "sync":
                for path in sync.sync(course):
                    progress.say(f"{path.relative_to(course.root)}  brought up to date")
            case "lines":
                print(lines.table(course.root / "cnnlib"))
            case "lab":
                lab.lab(course, args.port)
            case "record":
                record.record(course, args.name, progress)
    except CourseError as error:
        print(
            f"\nerror: {error}" if progress.tty else f"error: {error}", file=sys.stderr
        )
        return error.status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
