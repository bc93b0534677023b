"""Files and folders that are there whole or not at all, even if a process is killed."""

import contextlib
import itertools
import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["part", "sweep", "written"]

MARK = ".part-"
DAY = 24 * 3600
_numbers = itertools.count()


@contextlib.contextmanager
def part(path: Path) -> Iterator[Path]:
    """A place beside ``path`` for a file or a folder, to be renamed when it is whole.

    What is still there afterwards is removed, and so is what killed processes left.
    """
    sweep(path.parent)
    # Whose it is stands first; the name's end tells libraries what to write.
    owner = f"{os.getpid()}@{platform.node()}"
    place = path.with_name(f"{MARK}{owner}-{next(_numbers)}-{path.name}")
    try:
        yield place
    finally:
        _remove(place)


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``path`` when it is whole."""
    with part(path) as place:
        yield place
        os.replace(place, path)


def sweep(folder: Path) -> None:
    """Remove the parts in a folder that nobody is going to finish.

    They are those of processes of this machine that ended, and any older than a day.
    """
    for place in folder.glob(f"{MARK}*"):
        with contextlib.suppress(OSError):  # another process may do the same
            old = time.time() - place.lstat().st_mtime > DAY
            if old or _ended(place.name.removeprefix(MARK)):
                _remove(place)


def _ended(name: str) -> bool:
    """Whether the process that a part is named for is known to have ended."""
    process, _, rest = name.partition("@")
    here = process.isdecimal() and rest.startswith(f"{platform.node()}-")
    if not here or os.name != "posix":
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)
