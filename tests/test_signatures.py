"""What can be called, with which arguments and defaults: others rely on it.

After a change on purpose: python tests/test_signatures.py > tests/signatures.txt
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import cnnlib

STORED = Path(__file__).with_name("signatures.txt")


def signatures():
    """A line for every public function and class of every room."""
    for name in sorted(m.name for m in pkgutil.iter_modules(cnnlib.__path__)):
        package = importlib.import_module(f"cnnlib.{name}")
        inner = getattr(package, "__path__", [])
        rooms = [f".{m.name}" for m in pkgutil.iter_modules(inner)]
        for room in ["", *rooms]:
            yield from of_room(importlib.import_module(f"cnnlib.{name}{room}"))


def of_room(room):
    for name, thing in sorted(vars(room).items()):
        here = getattr(thing, "__module__", None) == room.__name__
        if name.startswith("_") or not here or not callable(thing):
            continue
        try:
            found = inspect.signature(thing)
        except ValueError:  # some exceptions have none
            continue
        plain = [p.replace(annotation=p.empty) for p in found.parameters.values()]
        found = inspect.Signature(plain)
        yield f"{room.__name__}.{name}{re.sub(' at 0x[0-9a-f]+', '', str(found))}"


def test_no_argument_and_no_default_changes_unnoticed():
    stored = STORED.read_text().splitlines()
    found = list(signatures())
    new, gone = set(found) - set(stored), set(stored) - set(found)
    assert not new | gone, f"new: {sorted(new)}; gone: {sorted(gone)}"
    assert found == stored


if __name__ == "__main__":
    print(*signatures(), sep="\n")
