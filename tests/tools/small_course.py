"""A small course of one's own: notebooks without TensorFlow, in a folder of a test."""

import base64
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from matplotlib.figure import Figure
from nbformat import v4

from tools.__main__ import main

ROOT = Path(__file__).parents[2]


def markdown(source, slide="-", tags=()):
    metadata = {"slideshow": {"slide_type": slide}, "tags": list(tags)}
    return v4.new_markdown_cell(source, metadata=metadata)


def code(source, slide="-", tags=(), outputs=()):
    metadata = {"slideshow": {"slide_type": slide}, "tags": list(tags)}
    return v4.new_code_cell(
        source, metadata=metadata, outputs=list(outputs), execution_count=1
    )


def printed(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def picture(width=6, height=4, kind="display_data", alt="A rising line"):
    figure, stream = Figure(figsize=(width, height)), io.BytesIO()
    figure.subplots().plot([0, 1], [0, 1])
    figure.savefig(stream, format="png")
    data = {"image/png": base64.b64encode(stream.getvalue()).decode()}
    words = {"image/png": {"alt": alt}}
    return v4.new_output(kind, data=data, metadata=words)


class SmallCourse:
    """Notebooks under ``root``, and the commands run on them."""

    def __init__(self, root):
        self.root = root
        (root / "notebooks").mkdir()
        (root / "requirements.txt").write_text("numpy==2\n")

    def add(self, stem, *cells, title="A lesson", section="outline"):
        told = "You will see 3 minutes of sun."
        told += f"\n\n**Talk section:** {section} · **12 minutes**"
        first = markdown(f"# {title}\n\n{told}", "slide")
        nb = v4.new_notebook(cells=[first, *cells])
        for number, cell in enumerate(nb.cells):
            cell.id = f"cell-{number}"
        nbformat.write(nb, self.notebook(stem))

    def solve(self, stem, *cells):
        """Add a notebook of solutions for the notebook ``stem``."""
        (self.root / "notebooks/solutions").mkdir(exist_ok=True)
        back = f"# Solved\n\nSee [the lesson](../{stem}.ipynb)."
        nb = v4.new_notebook(cells=[markdown(back, "skip"), *cells])
        for number, cell in enumerate(nb.cells):
            cell.id = f"cell-{number}"
        nbformat.write(nb, self.notebook(f"solutions/{stem}"))

    def notebook(self, stem):
        return self.root / "notebooks" / f"{stem}.ipynb"

    def read(self, stem):
        return nbformat.read(self.notebook(stem), as_version=4)

    def built(self, name):
        return (self.root / "build" / name).read_text(encoding="utf-8")

    def run(self, *argv):
        return main(list(argv), self.root)

    def start(self, *argv):
        """Run a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tools", *argv],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def wait_until(true, meanwhile=lambda: None):
    """Wait for a condition; only a hang ends it."""
    end = time.monotonic() + 3600
    while not true():
        meanwhile()
        assert time.monotonic() < end
        time.sleep(0.05)
