"""`python -m cnnlib classify` and `fool`, on pictures as users have them."""

import os

import numpy as np
import pytest
from PIL import Image

from cnnlib import datasets, models
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


def test_a_picture_becomes_an_ostrich_and_stays_one_in_8_bits(album, capsys):
    out = album / "out"
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
