"""Every declared exercise, and what the checks of all of them stand on."""

import ast
import time
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

import exercises
from exercises import Wrong, answers, ask, check, compare, numbers, verdict
from exercises.answers import NotSolved
from exercises.chapter02 import convolve, one

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
BOOK = {n: e for chapter in exercises.chapters() for n, e in exercises.declared(chapter).items()}


def cells_of(path):
    return nbformat.read(path, as_version=4).cells


def checked(path):
    """The exercises of a notebook: {number: (sources before its check, arguments)}."""
    found, sources = {}, []
    for cell in cells_of(path):
        if cell.cell_type == "markdown" and cell.source.startswith("**Exercise "):
            sources = []
