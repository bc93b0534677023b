"""Makes ``build/``: executed notebooks, pages, decks, and the map of the talk."""

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

from cnnlib import claims
from tools import launch, render, site
from tools.course import (
    Course,
    CourseError,
    Lesson,
    digest,
    kernel_env,
    lessons,
    read,
    write,
)
from tools.execute import executed, normalized
from tools.progress import Progress, Run
from tools.runner import Runner, report
from tools.stale import Keys

TOOLS = Path(__file__).parent


def _rendering_key(course: Course, nb) -> str:
    """A digest of everything that a page or a deck is made from."""
    cells = [dict(cell) for cell in nb.cells]
    makers = sorted([*TOOLS.glob("*.py"), *TOOLS.glob("templates/*")])
    stems = [str(path.relative_to(course.root)) for path in course.solutions()]
    told = [[lesson.stem, lesson.title] for lesson in lessons(course)]
    requirements = [p for p in [course.root / "requirements.txt"] if p.exists()]
    made_of = [cells, stems, told, launch.repository(course)]
    return digest(*made_of, *makers, *requirements, Path(claims.__file__))


def _made_from(path: Path) -> str | None:
    """The key that a built file carries, None where there is no such file."""
    if not path.exists():
        return None
    if path.suffix == ".ipynb":
        return read(path).metadata.cnnlib.get("made_from")
    found = re.search(r"<!-- made-from (\w+) -->", path.read_text("utf-8")[:200])
    return found and found[1]


def _execute(course: Course, path: Path, key: str, env, run: Run) -> str:
    """Execute a notebook into build/executed; say how long it took."""
    with executed(path, env, run) as (nb, _):
        normalized(nb)
        nb.metadata.cnnlib["made_from"] = key
        write(course.build / "executed" / path.name, nbformat.writes(nb))
    return f"ran in {run.wall:.0f} s"


def _draw(course: Course, path: Path, kind: str, make: Callable) -> bool:
    """Make a page or a deck if it is stale; say whether it was."""
    nb = read(path)
    target = course.build / kind / f"{path.stem}.html"
    key = _rendering_key(course, nb)
    if _made_from(target) == key:
        return False
    write(target, make(course, nb, Lesson.of(path, nb), key))
    return True


def _draw_talk(course: Course, folder: Path, say: Callable) -> None:
    """Make the deck of the whole talk from a folder's notebooks if it is stale."""
    paths = [folder / path.name for path in course.notebooks()]
    told = [(read(path), path) for path in paths]
    target = course.build / "decks/talk.html"
    key = digest(*(_rendering_key(course, nb) for nb, _ in told))
    if _made_from(target) == key:
        return
    told = [(nb, Lesson.of(path, nb)) for nb, path in told]
    write(target, render.talk(course, told, key))
    say("the whole talk  deck")


def verdicts(nb) -> list[claims.Verdict]:
    """The verdicts that a notebook's code cells printed."""
    outputs = (o for cell in nb.cells for o in cell.get("outputs", ()))
    return [
        v for o in outputs if o.get("name") == "stdout" for v in claims.parse(o.text)
    ]


def gather(executed_notebooks: list[Path]) -> dict[str, tuple[claims.Verdict, str]]:
    """Collect each claim's verdict and the notebook that settles it.

    Raises:
        CourseError: a claim is unknown, or settled twice.
    """
    found: dict[str, tuple[claims.Verdict, str]] = {}
    for path in executed_notebooks:
        for verdict in verdicts(read(path)):
            if verdict.id not in claims.LEDGER:
                raise CourseError(f"{path.stem} settles {verdict.id!r}: no such claim")
            if verdict.id in found:
                first = found[verdict.id][1]
                raise CourseError(
                    f"claim {verdict.id!r} is settled in {first} and in {path.stem}"
                )
            found[verdict.id] = verdict, path.stem
    return found


def _sweep(course: Course) -> None:
    """Remove what earlier notebooks left, and half-written files."""
    told, solved = (
        [path.stem for path in paths]
        for paths in (course.notebooks(), course.solutions())
    )
    kinds = dict.fromkeys(("executed", "pages"), told)
    kinds["decks"] = [*told, "talk"]
    for kind, stems in (kinds | {"pages/solutions": solved}).items():
        for path in (course.build / kind).glob("*.*"):
            if path.stem not in stems:
                path.unlink()


def _show(course: Course, path: Path) -> str:
    """Draw a page and a deck of a notebook with its outputs, where they are stale.

    Returns:
        Which were.
    """
    page = _draw(course, path, "pages", render.page)
    deck = _draw(course, path, "decks", render.deck)
    return ", ".join(["page"] * page + ["deck"] * deck)


def _finish(course: Course, folder: Path, progress: Progress) -> None:
    """Make what is made of all notebooks together, with the outputs in a folder."""
    for path in course.solutions():
        _draw(course, path, "pages/solutions", render.solution)
    _draw_talk(course, folder, progress.say)
    paths = [folder / path.name for path in course.notebooks()]
    site.site(course, paths, gather(paths), progress.say)


def talk(runner: Runner) -> None:
    """Build everything that is stale.

    Every notebook is run whose outputs are stale, and drawn as soon as it is done; one
    that fails does not stop the others.

    Raises:
        CourseError: a knob is set wrongly, cells fail, or claims clash.
    """
    start = time.monotonic()
    course, progress, env = runner.course, runner.progress, kernel_env()
    paths = course.notebooks()
    _sweep(course)
    lessons(course)  # one without a title is refused before any is run
    made_from = Keys(course, env)
    keys = {path: made_from.of(path) for path in paths}
    done = {path: course.build / "executed" / path.name for path in paths}
    outdated = [path for path in paths if _made_from(done[path]) != keys[path]]
    for path in paths:
        if path not in outdated:
            progress.say(f"{path.stem}  {_show(course, done[path]) or 'up to date'}")
    errors = []

    def work(path: Path, env: dict[str, str], run: Run) -> str:
        return _execute(course, path, keys[path], env, run)

    with contextlib.closing(runner.run(outdated, work, env)) as finished:
        for path, outcome in finished:
            if isinstance(outcome, CourseError):
                errors.append(outcome)
            else:
                _show(course, done[path])
                progress.say(f"{path.stem}  {outcome}")
    report(errors)
    _finish(course, course.build / "executed", progress)
    seconds = time.monotonic() - start
    progress.say(
        f"{os.path.relpath(course.build)}/index.html is ready, {seconds:.0f} s"
    )


def slides(course: Course, progress: Progress) -> None:
    """Build the decks alone, from the stored notebooks; nothing is executed."""
    for path in course.notebooks():
        stale = _draw(course, path, "decks", render.deck)
        progress.say(f"{path.stem}  {'deck' if stale else 'up to date'}")
    _draw_talk(course, course.root / "notebooks", progress.say)


def pages(course: Course, progress: Progress) -> None:
    """Build the site and the decks from the stored notebooks; nothing is executed."""
    for path in course.notebooks():
        progress.say(f"{path.stem}  {_show(course, path) or 'up to date'}")
    _finish(course, course.root / "notebooks", progress)
