"""Runs notebooks from top to bottom, and stores their outputs."""

import contextlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbconvert.filters import strip_ansi
from nbstripout import strip_output

from tools.course import Course, CourseError, digest, kernel_env, write

QUICK_TIMEOUT = 120  # seconds a cell may take; quick mode promises 30
SLOW = 10  # seconds after which a cell gets a line of its own in a log
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"file_extension": ".py", "name": "python"},
}


class _ThisPython(KernelSpecManager):
    """Every notebook runs on this interpreter, whatever kernels a user installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class Progress:
    """Says which cell of which notebook is running."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.tty = self.stream.isatty()

    def say(self, line: str) -> None:
        """Write a line that stays."""
        print("\r\033[K" * self.tty + line, file=self.stream, flush=True)

    @contextlib.contextmanager
    def step(self, line: str, slow: float = SLOW) -> Iterator[None]:
        """Show ``line`` while a step runs; leave it in a log only if it was slow."""
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + line[:width], end="", file=self.stream, flush=True)
        start = time.monotonic()
        yield
        seconds = time.monotonic() - start
        if not self.tty and seconds >= slow:
            self.say(f"{line}  {seconds:.0f} s")


def headings(nb: nbformat.NotebookNode) -> list[str]:
    """For each cell, the nearest heading at or above it."""
    found, heading = [], ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            heading = ([heading, *re.findall(r"(?m)^#+ +(.+?) *$", cell.source)])[-1]
        found.append(heading)
    return found


@contextlib.contextmanager
def executed(
    path: Path, env: dict[str, str], progress: Progress
) -> Iterator[tuple[nbformat.NotebookNode, NotebookClient]]:
    """Run a notebook in a fresh kernel, and keep that alive for the with block.

    Yields:
        the notebook with its outputs, and the client that can ask its kernel more.

    Raises:
        CourseError: a cell failed, ran too long, or its kernel died.
    """
    nb = nbformat.read(path, as_version=4)
    # Sockets in a folder of their own: TCP ports may be snatched before they are bound.
    # What TensorFlow logs past ipykernel lands there too, not in the progress display.
    folder = tempfile.TemporaryDirectory()
    log = Path(folder.name, "log")
    km = AsyncKernelManager(
        kernel_spec_manager=_ThisPython(),
        transport="ipc",
        connection_file=f"{folder.name}/kernel.json",
    )
    client = NotebookClient(
        nb,
        km=km,
        timeout=None if env.get("CNNLIB_SCALE") == "full" else QUICK_TIMEOUT,
        startup_timeout=120,
        record_timing=False,
        store_widget_state=True,  # nbclient needs it to run them; it is stripped below
        coalesce_streams=True,
    )
    cells = [i for i, c in enumerate(nb.cells) if c.cell_type == "code" and c.source]
    above = headings(nb)
    start = time.monotonic()
    if not progress.tty:
        progress.say(f"{path.stem}  runs")
    where = path.stem
    with contextlib.ExitStack() as stack:
        stack.enter_context(folder)
        stderr = stack.enter_context(log.open("w"))
        try:
            stack.enter_context(
                client.setup_kernel(
                    cleanup_kc=True, env=env, cwd=str(path.parent), stderr=stderr
                )
            )
            for count, index in enumerate(cells, 1):
                where = f"{path.stem}  cell {count}/{len(cells)}  {above[index]}"
                with progress.step(where):
                    client.execute_cell(nb.cells[index], index, execution_count=count)
        except CellExecutionError as error:
            value = strip_ansi(error.evalue).strip().partition("\n")[0]
            tail = strip_ansi(error.traceback).rstrip().splitlines()[-12:]
            lines = [f"{where}: {error.ename}: {value}", *tail]
        except CellTimeoutError:
            lines = [f"{where}: took longer than {QUICK_TIMEOUT} s"]
        except RuntimeError:  # its kernel died, or never came to life
            lines = [f"{where}: the kernel died", *log.read_text().splitlines()[-6:]]
        else:
            progress.say(f"{path.stem}  ran in {time.monotonic() - start:.0f} s")
            yield nb, client
            return
    raise CourseError("\n    ".join(lines))


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


def notebooks(course: Course, names: list[str], progress: Progress) -> None:
    """Store fresh outputs in notebooks and in their solutions.

    All that are named are stored, or none if one fails.

    Args:
        course: the folders.
        names: notebooks by stem or number; all of them where empty.
        progress: where to show it.

    Raises:
        CourseError: the scale is not quick, a name is unknown or a cell failed.
    """
    env = kernel_env()
    if env.get("CNNLIB_SCALE") == "full":
        raise CourseError("stored outputs are those of the quick scale: unset it", 2)
    paths = [course.notebook(name) for name in names] or course.notebooks()
    stems = {path.stem for path in paths}
    paths += [path for path in course.solutions() if path.stem in stems]
    texts = {}
    for path in paths:
        with executed(path, env, progress) as (nb, _):
            texts[path] = normalized(nb)
            for folder in (str(course.root), sys.prefix):
                if folder in texts[path]:
                    raise CourseError(f"{path.stem}: an output names {folder}")
    for path, text in texts.items():
        write(path, text)
