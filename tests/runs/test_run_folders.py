"""A run's folder, as users have it: within the data, damaged, of other pictures."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cnnlib import datasets, photographs, runs
from cnnlib.__main__ import main
from cnnlib.runs import training


def some(images=30):
    """A data set of noise."""
    x = np.random.default_rng(0).integers(0, 256, (36, 8, 8, 1)).astype("uint8")
    y = np.arange(36) % 3
    return datasets.Dataset(x[:images], y[:images], x[30:], y[30:], tuple("abc"))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(training.datasets, "load", lambda name: some())


def asked(**others):
    return runs.Settings("mlp", "digits", **{"epochs": 1, "batch_size": 9} | others)


@pytest.fixture
def album(tmp_path):
    for k, name in enumerate((b"M\xfcll", b"Papier")):
        folder = tmp_path / "album" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (8, 8), (200 * k, 9 * i, 0)).save(folder / f"{i}.png")
    return str(tmp_path / "album")


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_no_model(small, tmp_path):
    settings = asked(epochs=9, rate=1e30, optimizer="sgd", schedule="constant")
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"history\.csv is NaN: lower the rate"):
            runs.train(settings, tmp_path, resume=resume)
    assert len(runs.kept(tmp_path)) < 9
    assert not (tmp_path / "model.keras").exists()


def test_a_run_goes_on_with_the_images_that_it_had(small, tmp_path, monkeypatch):
    runs.train(asked(), tmp_path)
    monkeypatch.setattr(training.datasets, "load", lambda name: some(29))
    with pytest.raises(ValueError, match="another run, which differs in images"):
        runs.train(asked(), tmp_path, resume=True)
    # A run of an older version, which did not tell them, goes on.
    told = json.loads((tmp_path / "run.json").read_text())
    del told["images"]
    (tmp_path / "run.json").write_text(json.dumps(told))
    runs.train(asked(), tmp_path, resume=True)


@pytest.mark.parametrize("left", [0, 4, 3000])
def test_a_damaged_checkpoint_is_named(small, tmp_path, left):
    runs.train(asked(), tmp_path)
    file = tmp_path / "checkpoint.npz"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ValueError, match=r"checkpoint\.npz is damaged: name another"):
        runs.train(asked(), tmp_path, resume=True)


@pytest.mark.parametrize("content", ["", '{"model": "mlp",', "3"])
def test_a_run_whose_settings_are_damaged_does_not_go_on(small, tmp_path, content):
    runs.train(asked(), tmp_path)
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run\.json is damaged: name another folder"):
        runs.train(asked(), tmp_path, resume=True)
    assert (tmp_path / "run.json").read_text() == content


@pytest.mark.parametrize(
    ("name", "content"),
    [("run.json", ""), ("run.json", "{}"), ("run.json", "[]"), ("model.keras", "PK")],
)
def test_a_damaged_run_is_named_in_one_line(tmp_path, album, name, content, capsys):
    image = keras.Input((4, 4, 3))
    flat = keras.layers.Flatten()(image)
    keras.Model(image, keras.layers.Dense(2)(flat)).save(tmp_path / "model.keras")
    (tmp_path / "run.json").write_text('{"classes": ["a", "b"]}')
    picture = f"{album}/Papier/0.png"
    assert main(["classify", picture, "--model", str(tmp_path)]) == 0
    (tmp_path / name).write_text(content)
    capsys.readouterr()
    assert main(["classify", picture, "--model", str(tmp_path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: the run in {tmp_path} can't be read: ")


def test_a_run_does_not_lie_in_its_pictures(album, capsys):
    argv = ["train", "mlp", album, "--size", "8", "--batch-size", "4", "--epochs", "1"]
    assert main([*argv, "--out", f"{album}/run"]) == 2
    assert "run lies in the data, and would be a class" in capsys.readouterr().err
    assert not os.path.exists(f"{album}/run")


def test_a_class_whose_name_is_no_text_is_trained_on_and_drawn(album, tmp_path):
    argv = ["train", "mlp", album, "--size", "8", "--batch-size", "4", "--epochs", "1"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["classes"] == ["M\ufffdll", "Papier"]
    assert (tmp_path / "run" / "confusion.png").exists()
    # The same folder, named as a shell completes it.
    argv[2] += "/"
    assert main([*argv, "--out", str(tmp_path / "run"), "--resume"]) == 0


def test_a_dollar_in_a_name_is_no_mathematics(album, tmp_path):
    for name in ("Ba$$in", "$x^$"):
        os.renames(f"{album}/{min(os.listdir(album))}", f"{album}/z{name}")
    argv = ["train", "mlp", album, "--size", "8", "--batch-size", "4", "--epochs", "1"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    picture = Path(f"{album}/zBa$$in/0.png").rename(tmp_path / "a $$.png")
    argv = ["classify", str(picture), "--model", str(tmp_path / "run")]
    assert main([*argv, "--explain", str(tmp_path / "seen.png")]) == 0


def test_images_that_no_memory_holds_are_refused_in_one_line(album, tmp_path, capsys):
    argv = ["train", "mlp", album, "--size", "20000000", "--out", str(tmp_path / "run")]
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith("error: Unable to allocate ")


class Told:
    """In place of a run's network."""

    names = ("a", "b")

    def __init__(self, run):
        pass

    def crop(self, picture):
        return picture[:4, :4]

    def ranking(self, crop, top):
        return [("a", 0.9), ("b", 0.1)]


def test_a_drawing_takes_no_pictures_place_and_is_whole_or_not_there(
    album, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(photographs, "Reader", Told)
    picture = f"{album}/Papier/0.png"
    before = datasets.picture(picture)
    assert main(["classify", picture, "--explain", picture]) == 2
    assert "0.png is a picture itself: name another file" in capsys.readouterr().err
    np.testing.assert_array_equal(datasets.picture(picture), before)

    class Drawn:
        def savefig(self, file):
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(photographs.explain, "grad_cam", lambda *given: None)
    monkeypatch.setattr(photographs.plots, "overlay", lambda *args, **options: Drawn())
    monkeypatch.setattr(Told, "model", None, raising=False)
    monkeypatch.setattr(Told, "inputs", lambda self, x: x, raising=False)
    drawing = tmp_path / "drawn" / "SEEN.PNG"
    assert main(["classify", picture, "--explain", str(drawing)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(drawing.parent.iterdir()) == []


def test_what_systems_leave_in_a_folder_is_no_picture(album, monkeypatch, capsys):
    monkeypatch.setattr(photographs, "Reader", Told)
    for name in ("Thumbs.db", "desktop.ini"):
        Path(album, "Papier", name).write_text("no picture")
    os.makedirs(f"{album}/__MACOSX/Papier")
    assert main(["classify", f"{album}/Papier"]) == 0
    assert capsys.readouterr().err == ""
    assert len(datasets.image_folder(album, size=8).class_names) == 2


@pytest.mark.parametrize("command", ["classify", "fool"])
def test_a_command_that_is_stopped_says_so(command, album, monkeypatch, capsys):
    def stopped(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(photographs, command, stopped)
    assert main([command, album]) == 130
    assert capsys.readouterr().err == "stopped\n"
