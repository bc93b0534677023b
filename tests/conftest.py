import keras
import pytest

from cnnlib import claims


def pytest_addoption(parser):
    parser.addoption(
        "--every-depth",
        action="store_true",
        help="train and save the networks, too, that differ in their depth alone",
    )


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Every test starts seeded, at the default scale, with no claim settled."""
    monkeypatch.delenv("CNNLIB_SCALE", raising=False)
    keras.utils.set_random_seed(0)
    settled = dict(claims.settled)
    claims.settled.clear()
    yield
    claims.settled.clear()
    claims.settled.update(settled)
