"""Damaged files of every kind that is read; ``python -m tools.fuzz`` reads more."""

import collections

import pytest

from tools import fuzz


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it skips
def test_damaged_files_are_read_as_they_were_or_refused_in_one_line(tmp_path):
    told = collections.Counter()
    for kind, _, wrong in fuzz.run(375, seed=3, folder=tmp_path):
        assert wrong is None, f"{kind}: {wrong}"
        told[kind] += 1
    assert min(told.values()) == max(told.values()) == 15


def test_a_reader_that_lets_other_errors_and_numbers_through_is_noticed(tmp_path):
    def wrong(read, error=fuzz.datasets.ChecksumError):
        kind = fuzz.Kind("a.idx", {"a.idx": b"1"}, read, error)
        return fuzz.fault(kind, tmp_path, ([1], [2], [3], [4]))

    def refuse(error):
        def read(folder):
            raise error

        return read

    named = f"{tmp_path}/a.idx is damaged"
    assert wrong(lambda folder: ([1], [2], [3], [4])) is None
    assert wrong(refuse(fuzz.datasets.ChecksumError(named))) is None
    assert "other numbers" in wrong(lambda folder: ([1], [2], [3], [5]))
    assert wrong(refuse(KeyError("x"))) == "KeyError: 'x'"
    assert wrong(refuse(ValueError(named))).startswith("ValueError")
    assert "not named" in wrong(refuse(fuzz.datasets.ChecksumError("damaged")))
    lines = fuzz.datasets.ChecksumError(f"{named}:\nbroken")
    assert "more than a line" in wrong(refuse(lines))
