"""What each room says is public is there, and says what it is."""

import importlib
import inspect
import pkgutil

import pytest

import cnnlib

ROOMS = [f"cnnlib.{m.name}" for m in pkgutil.iter_modules(cnnlib.__path__) if m.ispkg]


@pytest.mark.parametrize("name", ["cnnlib", *ROOMS])
def test_every_public_name_exists_and_is_documented(name):
    room = importlib.import_module(name)
    assert len(set(room.__all__)) == len(room.__all__) > 0
    for public in room.__all__:
        value = getattr(room, public)
        if inspect.isroutine(value) or inspect.isclass(value):
            assert inspect.getdoc(value), f"{name}.{public} has no docstring"
        assert not inspect.ismodule(value) or name == "cnnlib", f"{name}.{public}"
