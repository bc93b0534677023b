"""Runs notebooks from top to bottom, and stores their outputs."""

import contextlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbclient.output_widget import OutputWidget
from nbconvert.filters import strip_ansi
from nbstripout import strip_output

from tools import kernel, streams
from tools.course import CourseError, digest, kernel_env, read, write
from tools.progress import Run
from tools.runner import NotebookError, Runner, name_of, report

# Never reached: what hangs is told by the processor time that it uses, in runner.py.
NEVER = 10**8
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"file_extension": ".py", "name": "python"},
}


def headings(nb: nbformat.NotebookNode) -> list[str]:
    """For each cell, the nearest heading at or above it."""
    found, heading = [], ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            heading = ([heading, *re.findall(r"(?m)^#+ +(.+?) *$", cell.source)])[-1]
        found.append(heading)
    return found


def places(nb: nbformat.NotebookNode) -> dict[int, str]:
    """For each code cell that runs, by its index: its number and its heading."""
    cells = [i for i, c in enumerate(nb.cells) if c.cell_type == "code" and c.source]
    above = headings(nb)
    return {
        index: f"cell {count}/{len(cells)}  {above[index]}"
        for count, index in enumerate(cells, 1)
    }


@contextlib.contextmanager
def executed(
    path: Path, env: dict[str, str], run: Run, prepare: Callable | None = None
) -> Iterator[tuple[nbformat.NotebookNode, NotebookClient]]:
    """Run a notebook in a fresh kernel, and keep that alive for the with block.

    Args:
        path: the notebook.
        env: the kernel's environment.
        run: told where the notebook is, and which process its kernel is.
        prepare: changes the notebook before it runs; then its errors are kept as
            outputs, and it goes on.

    Yields:
        the notebook with its outputs, and the client that can ask its kernel more.

    Raises:
        NotebookError: a cell failed, or its kernel hung or died.
        CourseError: the folder for temporary files cannot be written.
    """
    nb = read(path)
    if prepare:
        prepare(nb)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            # What TensorFlow logs past ipykernel lands here, not in the display.
            log = Path(folder, "log")
            stderr = stack.enter_context(log.open("w"))
            client = _client(nb, folder)
            client.allow_errors = prepare is not None
            client.start_new_kernel(env=env, cwd=str(path.parent), stderr=stderr)
        except OSError as error:
            place = tempfile.gettempdir()
            raise CourseError(f"cannot write in {place}: {error.strerror}") from None
        run.watch(client.km.provisioner.pid)
        try:
            stack.enter_context(client.setup_kernel(cleanup_kc=True))
            for count, (index, where) in enumerate(places(nb).items(), 1):
                run.at(where)
                client.execute_cell(nb.cells[index], index, execution_count=count)
            run.at("its kernel ends")
        except CellExecutionError as error:
            value = strip_ansi(error.evalue).strip().partition("\n")[0]
            tail = strip_ansi(error.traceback).rstrip().splitlines()[-12:]
            lines = [f"{error.ename}: {value}", *tail]
        except RuntimeError:  # its kernel was ended, died, or never came to life
            lines = [run.verdict or "the kernel died", *log.read_text().splitlines()]
            lines[1:] = lines[1:][-6:]
        else:
            for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
                cell.outputs = streams.joined(cell.outputs)
            yield nb, client
            return
    lines[0] = f"{run.name}  {run.where}: {lines[0]}"
    run.progress.say(f"{run.name}  failed after {run.wall:.0f} s")
    raise NotebookError("\n    ".join(lines))


class QuietOutput(OutputWidget):
    """Where a slider's function prints and draws; tells the kernel nothing of it.

    A message sent while a cell runs can make its reply go unnoticed, for ever
    (jupyter/nbclient, issue 312).
    """

    def send(self, data=None, metadata=None, buffers=None) -> None:
        """Nothing is sent: what it shows is not stored."""


def _client(nb: nbformat.NotebookNode, folder: str) -> NotebookClient:
    client = NotebookClient(
        nb,
        km=kernel.manager(folder),
        timeout=None,
        startup_timeout=NEVER,
        iopub_timeout=NEVER,  # outputs that come later would be left out in silence
        record_timing=False,
        shutdown_kernel="immediate",  # by itself, TensorFlow takes seconds to leave
        store_widget_state=True,  # nbclient needs it to run them; it is stripped below
    )
    client.widget_registry = {"@jupyter-widgets/output": {"OutputModel": QuietOutput}}
    return client


def outputs_digest(nb: nbformat.NotebookNode) -> str:
    """A digest of what the code cells say and show; any edit by hand changes it."""
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    return digest([[c.source, c.execution_count, c.outputs] for c in cells])


def normalized(nb: nbformat.NotebookNode) -> str:
    """The one text in which a notebook is stored, with its outputs' digest."""
    strip_output(
        nb,
        keep_output=True,
        keep_count=True,
        keep_id=True,
        extra_keys=["cell.metadata.execution", "metadata.widgets"],
    )
    nb.metadata |= METADATA
    for output in (o for c in nb.cells for o in c.get("outputs", ())):
        if WIDGET in output.get("data", {}):
            output.data[WIDGET].model_id = "not stored"  # another one in every run
        if output.output_type == "error":
            # Of a traceback only its last line is the same on every machine.
            output.traceback = [f"{output.ename}: {output.evalue}"]
    nb.metadata["cnnlib"] = {"outputs": outputs_digest(nb)}
    return nbformat.writes(nbformat.from_dict(nb), indent=1).rstrip("\n") + "\n"


def notebooks(runner: Runner, names: list[str]) -> None:
    """Store fresh outputs in notebooks and in their solutions.

    All that are named are stored, or none if one fails.

    Args:
        runner: runs them.
        names: notebooks by stem or number; all of them where empty.

    Raises:
        CourseError: the scale is not quick, a name is unknown or a cell failed.
    """
    course, env = runner.course, quick_env()
    paths = [course.notebook(name) for name in names] or course.notebooks()
    stems = {path.stem for path in paths}
    paths += [path for path in course.solutions() if path.stem in stems]
    texts: dict[Path, str] = {}
    errors: list[CourseError] = []

    def work(path: Path, env: dict[str, str], run: Run) -> str:
        with executed(path, env, run) as (nb, _):
            text = normalized(nb)
        for folder in (str(course.root), sys.prefix):
            if folder in text:
                raise NotebookError(f"{run.name}: an output names {folder}")
        return text

    with contextlib.closing(runner.run(paths, work, env)) as done:
        for path, outcome in done:
            if isinstance(outcome, CourseError):
                errors.append(outcome)
            else:
                texts[path] = outcome
                runner.progress.say(f"{name_of(path)}  ran")
    report(errors)
    for path, text in texts.items():
        write(path, text)


def quick_env() -> dict[str, str]:
    """The environment in which stored outputs are made and checked.

    Raises:
        CourseError: the scale is not quick, or a knob is set wrongly.
    """
    env = kernel_env()
    if env.get("CNNLIB_SCALE") == "full":
        raise CourseError("stored outputs are those of the quick scale: unset it", 2)
    return env
