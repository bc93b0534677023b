"""`python -m cnnlib classify` and `fool`, on pictures as users have them."""

import json
import os

import keras
import numpy as np
import pytest
from PIL import Image

from cnnlib import datasets, models, photographs, plots
from cnnlib.__main__ import main


def said(capsys):
    return capsys.readouterr()


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("coffee", "cameraman"):
        Image.fromarray(datasets.photograph(name)).save(folder / f"{name}.png")
    (folder / ".hidden").write_text("passed over")
    (folder / "text.jpg").write_text("no picture")
    (folder / "inner").mkdir()
    return folder


def test_each_picture_is_classified_and_each_other_file_named(album, capsys):
    assert main(["classify", str(album), "--top", "2"]) == 1
    out, err = said(capsys)
    first, second = out.split(str(album / "coffee.png"))
    assert first.splitlines()[0] == str(album / "cameraman.png")
    assert [len(first.splitlines()), len(second.strip().splitlines())] == [3, 2]
    line = second.strip().splitlines()[0]
    assert line.split()[-1] == "espresso"
    assert float(line.split("%")[0]) > 90
    assert line.count("█") == round(0.2 * float(line.split("%")[0]))
    [error] = err.splitlines()
    assert "text.jpg can't be read as an image" in error
    assert "hidden" not in out + err


@pytest.mark.parametrize("alone", ["run.json", "model.keras"])
def test_a_run_that_did_not_come_to_its_end_is_refused(album, alone, capsys):
    (album / "inner" / alone).write_text("{}")
    argv = ["classify", str(album / "coffee.png"), "--model", str(album / "inner")]
    assert main(argv) == 2
    assert "holds no training run that has come to its end" in said(capsys)[1]


def test_what_is_seen_where_is_drawn(album, tmp_path, capsys):
    drawing = tmp_path / "drawn" / "seen.png"
    picture = str(album / "coffee.png")
    assert main(["classify", picture, "--explain", str(drawing)]) == 0
    assert len(said(capsys).out.splitlines()) == 6
    drawn = np.asarray(Image.open(drawing).convert("RGB")).astype(int)
    warm = drawn[..., 0] - drawn[..., 2] > 100
    assert 0.02 < warm.mean() < 0.6


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (6, 4)])
def test_what_is_seen_is_drawn_in_rows_of_four(
    tmp_path, monkeypatch, capsys, count, columns
):
    drawn = []
    draw = plots.overlay

    def overlay(*given, **options):
        drawn.append(draw(*given, **options))
        return drawn[-1]

    monkeypatch.setattr(plots, "overlay", overlay)
    paths = [str(tmp_path / f"{i}.png") for i in range(count)]
    for path in paths:
        Image.new("RGB", (8, 8), "navy").save(path)
    assert main(["classify", *paths, "--explain", str(tmp_path / "seen.png")]) == 0
    lefts = {round(axes.get_position().x0, 3) for axes in drawn[0].axes if axes.images}
    assert len(lefts) == columns


def test_a_picture_becomes_an_ostrich_and_stays_one_in_8_bits(album, capsys):
    out = album / "not/there/yet"
    assert main(["fool", str(album / "coffee.png"), "--out", str(out)]) == 0
    told = said(capsys).out
    assert told.splitlines()[0].startswith("before: espresso, 9")
    assert "after:  ostrich, " in told
    names = ["coffee_change_x10.png", "coffee_picture.png", "coffee_sum.png"]
    assert sorted(p.name for p in out.iterdir()) == names
    change, picture, both = (datasets.picture(out / name) for name in names)
    crop = datasets.centre_crop(datasets.photograph("coffee"))
    np.testing.assert_array_equal(picture, crop)
    difference = both.astype(int) - picture
    assert 0 < abs(difference).max() < 40
    magnified = (128 + 10 * difference).clip(0, 255)
    np.testing.assert_array_equal(change, magnified)
    network = models.efficientnet_lite0(weights="imagenet")
    logits = network(models.preprocess("efficientnet_lite0", both[None]))
    [[(name, odds)]] = models.decode(logits, 1)
    assert name == "ostrich"
    assert odds > 0.9


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["fool", "coffee.png", "--to", "ostrch"], "the nearest are ostrich, "),
        (["fool", "coffee.png", "--to", "espresso"], "taken for espresso already"),
        (["fool", "text.jpg"], "text.jpg can't be read as an image"),
        (["fool", "gone.jpg"], "there is no file"),
        (["fool", "coffee.png", "--out", "text.jpg"], "text.jpg"),
        (["classify", "inner"], "there are no pictures in inner"),
        (["classify", "coffee.png", "--top", "0"], "takes top=1 or more; given 0"),
        (["classify", "coffee.png", "--top", "1001"], "top to 1000; given 1001"),
        (["classify", "coffee.png", "--explain", "text.jpg/a.png"], "text.jpg"),
        (["classify", "coffee.png", "--explain", "a.xyz"], "xyz"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    album, argv, message, capsys, monkeypatch
):
    monkeypatch.chdir(album)
    before = sorted(os.listdir(album))
    assert main(argv) == 2
    out, err = said(capsys)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err
    assert sorted(os.listdir(album)) == before


class Told:
    """In place of a network: what it answers, one after the other; what it is given."""

    def __init__(self, *answers):
        self.answers, self.given = list(answers), []

    def predict(self, x, verbose):
        self.given.append(np.array(x))
        return 9 * np.eye(1000, dtype="float32")[[self.answers.pop(0)]]


class Reading:
    """In place of the reader of photographs."""

    def __init__(self, *answers):
        self.model = Told(*answers)
        self.names = list("abcdefg")

    def inputs(self, crops):
        return models.preprocess("efficientnet_lite0", crops)

    def crop(self, picture):
        return picture[:4, :4]

    def ranking(self, crop, top):
        odds = np.array([0.55, 0.25, 0.1, 0.06, 0.03, 0.01])
        return list(zip(self.names, odds, strict=False))[:top]


def changing(before, after):
    """An attack that finds ``after``, and what it was called with."""
    leads = []

    def lbfgs(model, x, y, targets, *, lead, bounds, **options):
        np.testing.assert_array_equal(bounds, models.input_bounds("efficientnet_lite0"))
        np.testing.assert_allclose(x, models.preprocess("efficientnet_lite0", before))
        leads.append((y, targets, lead))
        return models.preprocess("efficientnet_lite0", after)

    return lbfgs, leads


@pytest.fixture
def grey(tmp_path):
    Image.new("RGB", (300, 260), (100, 100, 100)).save(tmp_path / "grey.png")
    return tmp_path / "grey.png"


def test_the_change_is_told_as_a_root_mean_square_and_by_its_largest(
    grey, tmp_path, monkeypatch, capsys
):
    before = np.full((1, 224, 224, 3), 100, "uint8")
    after = before.copy()
    after[:, :112] -= 20
    after[:, 112:] += 10
    attack, leads = changing(before, after)
    reader = Reading(3, 3, 9)  # the first lead is lost in rounding
    monkeypatch.setattr(photographs, "Reader", lambda: reader)
    monkeypatch.setattr(photographs.fooling, "lbfgs", attack)
    assert main(["fool", str(grey), "--out", str(tmp_path / "out")]) == 0
    assert leads == [(3, 9, 5), (3, 9, 10)]
    names = [f"grey_{name}.png" for name in ("change_x10", "picture", "sum")]
    told = said(capsys).out.splitlines()
    assert told[1:4] == [str(tmp_path / "out" / name) for name in names]
    # √((20² + 10²) / 2) of 255
    assert told[5] == "change: 6.20% of the range, at most 20 of 255"
    change = datasets.picture(tmp_path / "out" / names[0])
    assert (change[0, 0, 0], change[-1, 0, 0]) == (0, 228)  # 128 − 200 is cut off


def test_a_picture_that_stays_what_it_is_leaves_nothing(
    grey, tmp_path, monkeypatch, capsys
):
    same = np.full((1, 224, 224, 3), 100, "uint8")
    attack, leads = changing(same, same)
    monkeypatch.setattr(photographs, "Reader", lambda: Reading(3, 3, 3, 3))
    monkeypatch.setattr(photographs.fooling, "lbfgs", attack)
    assert main(["fool", str(grey), "--out", str(tmp_path / "out")]) == 1
    assert [lead for *_, lead in leads] == [5, 10, 20]
    assert said(capsys).err == f"error: {grey} could not be turned into ostrich\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_any_number_of_files_that_are_no_pictures_is_exit_code_1(
    grey, monkeypatch, capsys
):
    monkeypatch.setattr(photographs, "Reader", lambda run: Reading())
    for name in ("one.txt", "two.txt"):
        (grey.parent / name).write_text("no picture")
    drawn = []
    monkeypatch.setattr(photographs, "_draw", lambda *given: drawn.append(given))
    argv = ["classify", str(grey.parent), "--explain", str(grey.parent / "a.png")]
    assert main(argv) == 1
    out, err = said(capsys)
    assert len(err.splitlines()) == 2
    bar = "█" * 11
    assert out.splitlines()[:3] == [
        str(grey),
        f"   55.0%  {bar:20}  a",
        f"   25.0%  {'█' * 5:20}  b",
    ]
    assert len(out.splitlines()) == 6  # five classes, if nothing is said
    [(_, crops, titles, file)] = drawn
    assert crops.shape == (1, 4, 4, 3)
    assert titles == ["grey.png\na, 55%"]
    assert file == str(grey.parent / "a.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_runs_network_is_shown_the_whole_square_in_its_own_channels(
    tmp_path, channels
):
    names = list("abcdefg")
    (tmp_path / "run.json").write_text(json.dumps({"classes": names}))
    image = keras.Input((6, 6, channels))
    logits = keras.layers.Dense(7, name="logits")
    model = keras.Model(image, logits(keras.layers.Flatten()(image)))
    bias = np.array([3.0, 1, 4, 1.5, 5, 9, 2])
    logits.set_weights([np.zeros((36 * channels, 7)), bias])
    model.save(tmp_path / "model.keras")
    reader = photographs.Reader(str(tmp_path))
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype("uint8")
    crop = reader.crop(picture)
    if channels == 3:
        np.testing.assert_array_equal(crop, picture[:, 1:7])
    else:  # the luma of ITU-R 601
        luma = picture[:, 1:7] @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(crop[..., 0], luma, atol=1)
    ranking = reader.ranking(crop, 7)
    assert [name for name, _ in ranking] == ["f", "e", "c", "a", "g", "d", "b"]
    odds = np.exp(bias) / np.exp(bias).sum()
    np.testing.assert_allclose([x for _, x in ranking], np.sort(odds)[::-1], rtol=1e-5)
