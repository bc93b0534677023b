import re

import pytest


@pytest.fixture
def match():
    """Assert that a check calls an answer wrong, in words that match."""

    def match(words, line):
        assert re.search(f"^exercise \\S+ — wrong: .*{words}", line), line

    return match
