import drawing
import pytest


@pytest.fixture(autouse=True)
def _same_numbers():
    """Every test draws the same numbers, alone and among the others."""
    drawing.rng.bit_generator.state = drawing.START
