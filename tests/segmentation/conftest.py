import labelled
import pytest


@pytest.fixture(autouse=True)
def _same_numbers():
    """Every test draws the same numbers, alone and among the others."""
    labelled.rng.bit_generator.state = labelled.START
