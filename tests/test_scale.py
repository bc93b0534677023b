import pytest

from cnnlib import pick
from cnnlib.scale import scale


@pytest.mark.parametrize("given", [None, ""])
def test_quick_is_what_an_unset_variable_means(given, monkeypatch):
    if given is not None:
        monkeypatch.setenv("CNNLIB_SCALE", given)
    assert scale() == "quick"
    assert pick(quick=1, full=2) == 1


def test_full_is_picked_when_asked_for(monkeypatch):
    monkeypatch.setenv("CNNLIB_SCALE", "full")
    assert pick(quick=1, full=2) == 2


def test_a_misspelt_scale_is_named_with_the_nearest_one(monkeypatch):
    monkeypatch.setenv("CNNLIB_SCALE", "fulll")
    with pytest.raises(ValueError, match=r"'fulll'.*'quick' or 'full'.*mean 'full'"):
        pick(quick=1, full=2)
