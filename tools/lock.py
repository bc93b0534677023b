"""Keeps two commands from writing into one folder at the same time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from tools.course import Course
from tools.progress import Progress


@contextlib.contextmanager
def alone(course: Course, command: str, progress: Progress) -> Iterator[None]:
    """Wait until no other ``command`` is at work in this folder, and say so.

    The system releases the lock when its process ends, in whatever way.
    """
    course.build.mkdir(parents=True, exist_ok=True)
    with (course.build / f".{command}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = file.read().strip() or "unknown"
            progress.say(
                f"another `make {command}` is at work in this folder (process {other}):"
                " waiting for it to end"
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
