"""What the site's pages show is computed once, and again where the library changed."""

import pytest

from cnnlib.datasets import photograph
from tools import computed as module
from tools.computed import computed
from tools.course import Course, CourseError


def test_what_is_computed_is_kept_until_the_library_changes(tmp_path, monkeypatch):
    course, said = Course(tmp_path), []
    first = computed(course, ["photograph"], said.append)["photograph"]
    assert first["picture"].startswith("data:image/png;base64,")
    rows, columns, _ = photograph("china").shape
    assert first["width"] / first["height"] == pytest.approx(columns / rows, rel=0.01)
    assert computed(course, ["photograph"], said.append)["photograph"] == first
    assert said == ["computing for the site: photograph"]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/new.py").write_text("")
    monkeypatch.setattr(module, "LIBRARY", tmp_path / "lib")
    computed(course, ["photograph"], said.append)
    assert len(said) == 2


def test_what_cannot_be_computed_is_told_in_one_line(tmp_path):
    with pytest.raises(CourseError, match="nothing, computed for the site: KeyError"):
        computed(Course(tmp_path), ["nothing"], print)
