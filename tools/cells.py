"""Runs the cells of a notebook in this process, each whatever became of the last.

    python -m coverage run -m tools.cells notebooks/05_layers.ipynb

A kernel is ended with its last cell, before it can write which lines it ran.
"""

import os
import sys
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell


def run(path: Path) -> None:
    """Run the code of a notebook, in its folder."""
    cells = nbformat.read(path, as_version=4).cells
    os.chdir(path.parent)
    shell = InteractiveShell.instance()
    for cell in cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source)


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
