"""The house: which room of cnnlib imports which, and what none of them imports."""

import ast
from pathlib import Path

import pytest

import cnnlib

ROOT = Path(cnnlib.__file__).parent
ORDER = (
    "scale claims bands files checks graph datasets gradients augment layers models "
    "training fooling segmentation explain plots runs photographs __main__"
).split()
ALLOWED = {"keras", "numpy", "scipy", "matplotlib", "sklearn", "PIL", "cnnlib"}
BACKENDS = {"tensorflow", "jax", "torch"}
# Who may know one: what Keras leaves to its backends.
AWARE = [ROOT / "gradients.py", ROOT / "runs/processes.py"]
FILES = sorted(ROOT.rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            if node.module == "cnnlib":
                yield from (f"cnnlib.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_rooms_before_it(path):
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "cnnlib" and room(path) != "__init__":
            assert parts[1] in ORDER[: ORDER.index(room(path)) + 1], name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_knows_keras_and_no_backend_and_no_notebook(path):
    import sys

    allowed = ALLOWED | (BACKENDS if path in AWARE else set())
    for name in imported(path):
        top = name.split(".")[0]
        assert top in allowed or top in sys.stdlib_module_names, name


@pytest.mark.parametrize("path", AWARE, ids=lambda p: p.stem)
def test_no_backend_is_imported_before_it_is_known_which(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {a.name for a in node.names} | {getattr(node, "module", None)}
            assert not names & BACKENDS


def test_every_room_is_in_the_order():
    assert {room(path) for path in FILES} - {"__init__"} == set(ORDER)
