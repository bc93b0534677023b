"""The benchmarks can still be run; what they measure, `make bench` says."""

import importlib
from pathlib import Path

import keras
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.py")))
def test_a_benchmark_finds_all_that_it_imports(name):
    if name == "augment" and keras.backend.backend() != "tensorflow":
        pytest.skip("images go through tf.data there")
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_a_thousand_layers_are_measured_scanned_and_unrolled(monkeypatch, capsys):
    measured = []

    def train_on_batch(model, x, y):
        measured.append([layer.name for layer in model.layers if "_2" in layer.name])

    monkeypatch.setattr(keras.Model, "train_on_batch", train_on_batch)
    monkeypatch.setattr("sys.argv", ["resnet1001", "--depth", "29", "--batch", "1"])
    importlib.import_module("benchmarks.resnet1001").main()
    scanned, unrolled = measured[0], measured[-1]
    assert scanned == [f"conv{stage}_2to3" for stage in (2, 3, 4)]
    assert unrolled == [f"conv{stage}_2_unit" for stage in (2, 3, 4)]
    *_, build, first, later = capsys.readouterr().out.splitlines()
    assert build.startswith("| build |")
    assert first.startswith("| take the first")
    assert later.startswith("| take a later")


def test_how_many_images_hide_what_processes_send():
    shared = importlib.import_module("benchmarks.processes")
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, keras.layers.Conv2D(5, 3, padding="same")(image))
    assert shared.gradients(network) == 4 * (3 * 3 * 3 + 1) * 5
    assert shared.flops(network) == 6 * 8 * 8 * 3 * 3 * 3 * 5
    # Two send 1 MB in 1 ms; of images, 3 ms each, 3.3 take ten times as long.
    assert shared.least(10**6, 3 * 10**9, 1e9, 1e12, 2) == 4
    assert shared.least(10**6, 3 * 10**9, 1e9, 1e12, 4) == 5
