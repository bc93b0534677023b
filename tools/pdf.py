"""Prints decks: one page for each slide, by a browser without a window."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.course import Course, CourseError
from tools.progress import Progress

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def pdf(course: Course, names: list[str], progress: Progress) -> None:
    """Write ``build/pdf/``, a file for each deck in ``build/decks/``.

    Args:
        course: has the decks.
        names: notebooks by stem or number, or ``talk``; all of them where empty.
        progress: told what was printed.

    Raises:
        CourseError: a name is unknown, a deck is not made, or no Chromium is here.
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
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
        made.parent.mkdir(parents=True, exist_ok=True)
        slides = deck.read_text("utf-8").count('<section class="')
        # A browser on a busy machine may print before the slides are laid out.
        tries = (_pages(browser, deck, made) == slides for _ in range(5))
        if not any(tries):
            made.unlink()
            raise CourseError(f"{Path(browser).name} did not print all of {deck.name}")
        progress.say(f"{stem}  {made.stat().st_size / 1e6:.1f} MB")


def _pages(browser: str, deck: Path, made: Path) -> int:
    """Print a deck; the number of its pages."""
    made.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        command = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update"),
            *(f"--user-data-dir={profile}", "--virtual-time-budget=20000"),
            *("--no-pdf-header-footer", f"--print-to-pdf={made}"),
        ]
        done = subprocess.run(
            [*command, f"{deck.as_uri()}?print-pdf"], capture_output=True, text=True
        )
    if not made.exists():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CourseError(f"{Path(browser).name} did not print {deck.name}: {last}")
    return len(re.findall(rb"/Type\s*/Page\b", made.read_bytes()))
