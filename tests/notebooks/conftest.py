import re

import pytest

from exercises import verdict


@pytest.fixture
def match():
    """Assert that a check calls an answer wrong, in words that match."""

    def match(words, line):
        assert re.search(f"^exercise \\S+ — wrong: .*{words}", line), line

    return match


@pytest.fixture
def assert_named():
    """Assert that a mistake is told in its words: {words: (exercise, answer)}."""

    def assert_named(mistakes, words):
        number, answer = mistakes[words]
        line = verdict(number, answer)
        assert line.startswith(f"exercise {number} — wrong: ")
        assert words in line

    return assert_named
