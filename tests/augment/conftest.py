import moved
import pytest


@pytest.fixture(autouse=True)
def _same_numbers():
    """Every test draws the same numbers, alone and among the others."""
    moved.rng.bit_generator.state = moved.START
