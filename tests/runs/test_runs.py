"""`python -m cnnlib train`: the run's folder, resuming it to the bit, refusals."""

import csv
import json
import os
import platform
import subprocess
import sys

import keras
import numpy as np
import pytest
import scipy.special
from PIL import Image

from cnnlib import datasets, runs
from cnnlib.__main__ import main
from cnnlib.runs import folder, report, training
from cnnlib.training import SGD

BASE = {"network": "lenet5", "data": "digits28", "epochs": 3, "batch_size": 128}


class Killed(BaseException):
    """As a kill: nothing in the library catches it."""


def small(monkeypatch, images=300):
    """The digits, but fewer of them."""
    whole = datasets.load("digits28")
    part = datasets.Dataset(
        whole.x_train[:images],
        whole.y_train[:images],
        whole.x_test[:50],
        whole.y_test[:50],
        whole.class_names,
    )
    monkeypatch.setattr(training.datasets, "load", lambda name: part)


def settings(**others):
    return runs.Settings(**BASE | {"network": "mnist_cnn"} | others)


FILES = {
    *("run.json", "checkpoint.npz", "history.csv", "model.keras"),
    *("curves.png", "confusion.png", "errors.png"),
}


def leave_half(folder, name):
    """What a process that was killed leaves of a file."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    mark = f".part-{process.pid}@{platform.node()}-0-{name}"
    (folder / mark).write_bytes(b"half")


def stop_after(monkeypatch, epochs):
    """Kill the run when it has kept that many epochs."""
    keep = folder.Keeper.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        keep(self, epoch, logs)
        if epoch + 1 == epochs:
            raise Killed

    monkeypatch.setattr(folder.Keeper, "on_epoch_end", on_epoch_end)


@pytest.mark.parametrize(("augmentation", "epochs"), [("none", 1), ("digits", 2)])
def test_a_killed_run_ends_like_one_that_was_not(
    monkeypatch, tmp_path, augmentation, epochs
):
    small(monkeypatch)
    asked = settings(augmentation=augmentation)
    whole = runs.train(asked, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, epochs)
        with pytest.raises(Killed):
            runs.train(asked, tmp_path / "killed")
    assert not (tmp_path / "killed" / "model.keras").exists()
    assert runs.train(asked, tmp_path / "killed", resume=True) == whole
    text = [
        (tmp_path / name / "history.csv").read_text() for name in ("whole", "killed")
    ]
    assert text[0] == text[1]
    rows = list(csv.DictReader(text[0].splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    first, second = (
        keras.models.load_model(tmp_path / name / "model.keras").get_weights()
        for name in ("whole", "killed")
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("writes", [1, 2, 3, 5])
def test_a_run_that_is_killed_between_two_files_goes_on(monkeypatch, tmp_path, writes):
    small(monkeypatch)
    asked, replace, left = settings(epochs=1), os.replace, writes

    def last(source, target):
        nonlocal left
        replace(source, target)
        left -= 1
        if not left:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", last)
        with pytest.raises(Killed):
            runs.train(asked, tmp_path)
    leave_half(tmp_path, "checkpoint.npz")
    runs.train(asked, tmp_path, resume=True)
    (row,) = csv.DictReader((tmp_path / "history.csv").open())
    assert row["epoch"] == "1"
    assert b"\r" not in (tmp_path / "history.csv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_what_a_killed_process_left_is_no_other_run(monkeypatch, tmp_path):
    small(monkeypatch)
    leave_half(tmp_path, "run.json")
    runs.train(settings(epochs=1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_a_run_leaves_what_it_says(monkeypatch, tmp_path):
    small(monkeypatch)
    drawn, images = {}, report.plots.images

    def drawing(x, titles, **options):
        drawn.update(x=x, titles=titles)
        return images(x, titles, **options)

    monkeypatch.setattr(report.plots, "images", drawing)
    accuracy = runs.train(settings(epochs=2), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["test_accuracy"] == accuracy
    assert told["classes"] == list("0123456789")
    assert told["seconds"] > 0
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    data = training.datasets.load("digits28")
    answer = np.asarray(model(data.x_test)).argmax(axis=1)
    assert np.mean(answer == data.y_test) == pytest.approx(accuracy)

    # The mistakes of which it is surest, sixteen of them.
    odds = scipy.special.softmax(np.asarray(model(data.x_test)), axis=1).max(axis=1)
    wrong = [i for i in np.argsort(-odds) if answer[i] != data.y_test[i]]
    assert len(wrong) > 16
    np.testing.assert_array_equal(drawn["x"], data.x_test[wrong[:16]])
    assert drawn["titles"] == [f"{data.y_test[i]}:\n{answer[i]}" for i in wrong[:16]]


def test_a_run_flips_by_its_seed_and_scales_each_channel_by_the_training_images():
    rng = np.random.default_rng(0)
    spread = np.array([10, 20, 40])
    x = rng.normal(100, spread, (50, 9, 9, 3)).astype("float32")
    data = datasets.Dataset(x, np.arange(50) % 2, x[:1], np.zeros(1, int), ["a", "b"])
    asked = settings(network="mnist_cnn", augmentation="flip", seed=7)
    model, _ = training.build(asked, data)
    (flip,) = (w for w in model.layers if isinstance(w, keras.layers.RandomFlip))
    assert flip.get_config()["mode"] == "horizontal"
    assert flip.get_config()["seed"] == 7
    scale = model.get_layer("scale")
    scaled = np.asarray(scale(x)).reshape(-1, 3)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-3)


def test_seeds_differ_and_repeat(monkeypatch, tmp_path):
    small(monkeypatch)
    lines = []
    for i, seed in enumerate((0, 0, 1)):
        runs.train(settings(epochs=1, seed=seed), tmp_path / str(i))
        lines.append((tmp_path / str(i) / "history.csv").read_text())
    assert lines[0] == lines[1] != lines[2]


def test_every_epoch_has_every_image_in_an_order_of_its_own():
    x, y = np.arange(10)[:, None], np.arange(10)
    batches = training.Batches(x, y, 4, seed=0, epoch=0)
    assert len(batches) == 3
    orders = []
    for _ in range(3):
        rows = [batches[i] for i in range(3)]
        orders.append(np.concatenate([labels for _, labels in rows]))
        for images, labels in rows:
            np.testing.assert_array_equal(images[:, 0], labels)
        batches.on_epoch_end()
    for order in orders:
        assert sorted(order) == list(range(10))
    assert (orders[0] != orders[1]).any()
    later = training.Batches(x, y, 4, seed=0, epoch=2)
    np.testing.assert_array_equal(later.order, orders[2])


@pytest.mark.parametrize(
    ("schedule", "places", "rates"),
    [
        ("constant", (0, 50, 99), (1, 1, 1)),
        ("steps", (0, 49, 60, 74, 80, 99), (1, 1, 0.1, 0.1, 0.01, 0.01)),
        ("onecycle", (0, 30, 100), (1 / 25, 1, 1e-4)),
    ],
)
def test_schedules(schedule, places, rates):
    found = training.rate(settings(schedule=schedule, rate=1.0), 100)
    if callable(found):
        found = [float(found(place)) for place in places]
    np.testing.assert_allclose(found, rates, rtol=1e-4)


def test_optimizers_are_the_papers():
    for name, recipe in runs.RECIPES.items():
        runs.Settings(**recipe).check()
        assert recipe["rate"] == 0.1, name
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    runs.ready(model, runs.Settings(**runs.RECIPES["cifar-resnet"]), 100)
    assert isinstance(model.optimizer, SGD)
    assert (model.optimizer.momentum, model.optimizer.l2) == (0.9, 1e-4)


@pytest.fixture
def album(tmp_path):
    rng = np.random.default_rng(0)
    for label, color in (("dark", 40), ("light", 200)):
        folder = tmp_path / "album" / label
        folder.mkdir(parents=True)
        for i in range(10):
            pixels = rng.normal(color, 10, (40, 50, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path / "album"


def test_transfer_begins_with_the_head_and_classify_takes_the_model(
    album, tmp_path, monkeypatch, capsys
):
    out = str(tmp_path / "run")
    argv = ["train", "efficientnet_lite0", str(album), "--transfer", "--size", "48"]
    # At a higher rate so few pictures may be unlearned again, from seed to seed.
    argv += ["--epochs", "6", "--batch-size", "2", "--out", out]
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Killed):
            main(argv)
    asked = runs.Settings("efficientnet_lite0", str(album), size=48, transfer=True)
    fresh, _ = training.build(asked, training.load(asked))
    assert len(fresh.trainable_variables) > 100
    with np.load(tmp_path / "run" / "checkpoint.npz") as saved:
        moved = [
            variable.path
            for i, variable in enumerate(folder.states(fresh))
            if (saved[str(i)] != np.asarray(variable)).any()
        ]
    assert {path.split("/")[0] for path in moved if "seed" not in path} == {"logits"}
    assert main([*argv, "--resume"]) == 0
    assert "test accuracy: 100.0%" in capsys.readouterr().out
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(rows) == 7

    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model.output_shape == (None, 2)
    moved = [
        one.path
        for one, other in zip(model.weights, fresh.weights, strict=True)
        if (np.asarray(one) != np.asarray(other)).any()
    ]
    assert len(moved) > 40
    assert not any("_bn/" in path for path in moved)  # ImageNet's, in fine-tuning too
    picture = str(album / "light" / "3.png")
    assert main(["classify", picture, "--model", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == picture
    assert [line.split()[-1] for line in lines[1:]] == ["light", "dark"]
    assert main(["classify", picture, "--model", str(album)]) == 2
    assert "holds no training run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"network": "lenet"}, "no network is called 'lenet'; the nearest is 'lenet5'"),
        ({"network": "unet"}, "unet is one for segmentation"),
        ({"data": "gone"}, "a folder of pictures; given 'gone'"),
        ({"epochs": 0}, "takes epochs=1 or more; given 0"),
        ({"batch_size": 0}, "takes batch_size=1 or more"),
        ({"batch_size": 5000}, "a batch of 5000 is larger than the 1273 images"),
        ({"rate": 0}, "takes rate above 0; given 0"),
        ({"validation": 1}, "takes validation above 0 to below 1; given 1"),
        ({"validation": 1e-5}, "1415 images are too few to hold some out"),
        ({"schedule": "cosine"}, "takes schedule='onecycle', 'steps' or 'constant'"),
        ({"optimizer": "rms"}, "takes optimizer='adam' or 'sgd'"),
        ({"augmentation": "mixup"}, "takes augmentation="),
        ({"precision": "int8"}, "takes precision="),
        ({"transfer": True}, "efficientnet_lite0; given mnist_cnn"),
        ({"seed": -1}, "takes seed=0 or more"),
        ({"size": 0}, "takes size=1 or more"),
    ],
)
def test_settings_are_refused_before_anything_is_written(tmp_path, others, message):
    with pytest.raises(ValueError, match=message):
        runs.train(settings(**others), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_may_be_all_images_that_are_not_held_out(monkeypatch, tmp_path):
    small(monkeypatch)
    others = {"resume": False, "tensorboard": False}
    training.begun(settings(batch_size=270), tmp_path / "run", **others)
    with pytest.raises(ValueError, match="a batch of 271 is larger than the 270"):
        training.begun(settings(batch_size=271), tmp_path / "more", **others)


def test_folders_that_cannot_be_trained_on(tmp_path):
    one = tmp_path / "one" / "only"
    one.mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (4, 4)).save(one / f"{i}.png")
    asked = runs.Settings("mnist_cnn", str(tmp_path / "one"), size=28)
    with pytest.raises(ValueError, match="has one class; train takes two or more"):
        runs.train(asked, tmp_path / "run")
    (tmp_path / "one" / "empty").mkdir()
    with pytest.raises(ValueError, match="class 'empty' has no images"):
        runs.train(asked, tmp_path / "run")


def test_a_folder_holds_one_run(monkeypatch, tmp_path):
    small(monkeypatch)
    out = tmp_path / "run"
    runs.train(settings(epochs=1), out)
    before = (out / "run.json").read_text()
    with pytest.raises(ValueError, match="holds a run already: --resume goes on"):
        runs.train(settings(epochs=1), out)
    with pytest.raises(ValueError, match="another run, which differs in rate, seed"):
        runs.train(settings(epochs=1, rate=0.5, seed=3), out, resume=True)
    assert (out / "run.json").read_text() == before
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is not empty, it holds letter\.txt"):
        runs.train(settings(epochs=1), full)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        runs.train(settings(epochs=1), tmp_path / "file")


def test_a_full_disk_leaves_the_last_checkpoint_whole(monkeypatch, tmp_path):
    small(monkeypatch)
    asked, out = settings(epochs=3), tmp_path / "run"
    save, saved = np.savez, []

    def savez(file, **arrays):
        saved.append(1)
        if len(saved) == 2:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(OSError, match="No space left"):
        runs.train(asked, out)
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []
    assert len(runs.kept(out)) == 1
    runs.train(asked, out, resume=True)
    assert len(runs.kept(out)) == 3


def test_a_checkpoint_of_another_model_is_refused(monkeypatch, tmp_path):
    small(monkeypatch)
    asked, out = settings(epochs=2), tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Killed):
            runs.train(asked, out)
    with np.load(out / "checkpoint.npz") as saved:
        arrays = {key: saved[key] for key in saved.files}
    arrays["2"] = arrays["2"][..., :-1]
    np.savez(out / "checkpoint.npz", **arrays)
    with pytest.raises(ValueError, match=r"checkpoint\.npz is of another model"):
        runs.train(asked, out, resume=True)


def test_the_command_needs_a_network_and_data(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path / "run")]) == 2
    assert "train takes a network" in capsys.readouterr().err
    argv = ["train", "lenet5", "--recipe", "cifar-resnet", "--out", str(tmp_path)]
    monkeyed = []

    def train(settings, out, **options):
        monkeyed.append((settings, options))
        return 0.5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", train)
        assert main([*argv, "--epochs", "2", "--resume"]) == 0
    [(asked, options)] = monkeyed
    assert (asked.network, asked.data, asked.epochs) == ("lenet5", "cifar10", 2)
    assert (asked.optimizer, asked.batch_size) == ("sgd", 128)
    assert options == {"resume": True, "tensorboard": False}
