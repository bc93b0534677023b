"""Prints decks: one page for each slide, by a browser without a window."""

import base64
import tempfile
from pathlib import Path

from tools.browser import browser, found
from tools.course import Course, CourseError, write
from tools.progress import Progress


def pdf(course: Course, names: list[str], progress: Progress) -> None:
    """Write ``build/pdf/``, a file for each deck in ``build/decks/``.

    Args:
        course: has the decks.
        names: notebooks by stem or number, or ``talk``; all of them where empty.
        progress: told what was printed.

    Raises:
        CourseError: a name is unknown, a deck is not made, or no Chromium is here.
    """
    if found() is None:
        raise CourseError(
            "a PDF needs Chromium: apt-get install chromium; decks print from any "
            "browser, too: add ?print-pdf to the address"
        )
    stems = [n if n == "talk" else course.notebook(n).stem for n in names]
    stems = stems or ["talk", *(path.stem for path in course.notebooks())]
    for stem in stems:
        deck = course.build / "decks" / f"{stem}.html"
        if not deck.exists():
            raise CourseError(
                f"there is no {deck.relative_to(course.root)}: make slides"
            )
        made = course.build / "pdf" / f"{stem}.pdf"
        write(made, _printed(deck))
        progress.say(f"{stem}  {made.stat().st_size / 1e6:.1f} MB")


def _printed(deck: Path) -> bytes:
    """A deck as PDF, printed once its slides are laid out."""
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as window:
        window.open(f"{deck.as_uri()}?print-pdf")
        window.until("document.documentElement.classList.contains('laid-out')")
        page = window.send(
            "Page.printToPDF", printBackground=True, preferCSSPageSize=True
        )
    return base64.b64decode(page["data"])
