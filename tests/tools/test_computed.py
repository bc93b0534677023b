"""What the site's pages show is computed once, and again where the library changed."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cnnlib import datasets, fooling, models
from cnnlib.datasets import photograph
from tools import computed as module
from tools import site
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


def test_a_cat_goes_to_an_ostrich_by_steps_of_grey_levels(monkeypatch):
    photo = np.full((4, 4, 3), 254, "uint8")
    asked = []

    class Network:
        def predict(self, x, verbose):
            return np.eye(1000, dtype="float32")[[281]] * 9

    def pgd(network, x, y, epsilon, **options):
        asked.append((y.tolist(), np.round(epsilon * 128), options["targets"]))
        assert options["steps"] == 10
        np.testing.assert_array_equal(
            options["bounds"], models.input_bounds("efficientnet_lite0")
        )
        return x - epsilon

    monkeypatch.setattr(models, "efficientnet_lite0", lambda weights: Network())
    monkeypatch.setattr(datasets, "centre_crop", lambda image: photo)
    monkeypatch.setattr(fooling, "pgd", pgd)
    found = module.ostrich()
    levels = (0, 1, 2, 3, 4, 6, 8)
    assert found["epsilons"] == levels
    assert found["steps"] == 10
    assert asked == [([281], level, 9) for level in levels[1:]]
    for level, one, other in zip(levels, found["attack"], found["random"], strict=True):
        assert (pixels(one) == 254 - level).all()
        assert set(np.unique(pixels(other))) == {254 - level, min(254 + level, 255)}
        assert one["top"][0] == [models.imagenet_names()[281], pytest.approx(0.8902)]
        assert len(one["top"]) == 5


def pixels(shown):
    data = base64.b64decode(shown["picture"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def test_the_photograph_of_the_kernels_is_grey_and_small():
    found = module.photograph()
    assert (found["width"], found["height"]) == (320, 214)
    assert pixels(found).shape == (214, 320)


def test_a_card_shows_a_figure_without_the_paper_around_it():
    sheet = Image.new("RGBA", (400, 300), (255, 255, 255, 0))
    sheet.paste("navy", (100, 50, 180, 250))
    written = io.BytesIO()
    sheet.save(written, "PNG")
    shown = site.small(base64.b64encode(written.getvalue()).decode())
    kind, _, data = shown.partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as card:
        assert card.size == (80, 200)
