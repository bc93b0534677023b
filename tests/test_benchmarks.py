"""The benchmarks can still be run; what they measure, `make bench` says."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from benchmarks.ratios import Ratio, span, table

ROOT = Path(__file__).parents[1]
TOPICS = sorted({file.stem for file in ROOT.glob("benchmarks/*.py")} - {"ratios"})


@pytest.mark.parametrize("name", TOPICS)
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
    rows = importlib.import_module("benchmarks.resnet1001").main()
    scanned, unrolled = measured[0], measured[-1]
    assert scanned == [f"conv{stage}_2to3" for stage in (2, 3, 4)]
    assert unrolled == [f"conv{stage}_2_unit" for stage in (2, 3, 4)]
    *_, build, first, later = capsys.readouterr().out.splitlines()
    assert build.startswith("| build |")
    assert first.startswith("| take the first")
    assert later.startswith("| take a later")
    assert [row.what.partition(" ResNet-29")[0] for row in rows] == [
        "building",
        "the first train step of",
        "a later train step of",
    ]
    assert build.endswith(f"| {rows[0].ratio:.2f} |")


def test_ours_is_set_beside_each_peer_that_is_there():
    augment = pytest.importorskip("benchmarks.augment")
    best = {"Keras: four layers": 6.4, "cnnlib: one Warp": 0.64, "absent": None}
    what = "an image of 8×8 through one Warp"
    assert augment.beside(best, 8) == [Ratio(what, "Keras: four layers", 0.01, 0.1)]


def test_the_network_of_imagenet_is_set_beside_itself_otherwise_compiled(monkeypatch):
    imagenet = importlib.import_module("benchmarks.imagenet")
    named = ("scores", "scores, XLA", "gradient", "gradient, XLA")
    monkeypatch.setattr(imagenet, "network", lambda policy: policy)
    monkeypatch.setattr(imagenet, "matrix_peak", lambda dtype: 1e9)
    monkeypatch.setattr(imagenet, "multiply_adds", lambda model: 1000)

    clock = [0.0]
    took = {"scores": 1, "scores, XLA": 2, "gradient": 4, "gradient, XLA": 16}

    def way(name, policy):
        def run(x):
            clock[0] += took[name] * (8 if policy == "mixed_bfloat16" else 1)

        return run

    ways = lambda model, y: {name: way(name, model) for name in named}  # noqa: E731
    monkeypatch.setattr(imagenet, "ways", ways)
    monkeypatch.setattr(imagenet.time, "perf_counter", lambda: clock[0])
    rows = imagenet.main(["--batch", "2", "--rounds", "1"])
    assert [(row.ours, row.theirs) for row in rows] == [
        (0.5, 1.0),
        (0.5, 4.0),
        (2.0, 8.0),
        (2.0, 16.0),
    ]
    assert [row.peer.rpartition(" ")[2] for row in rows] == ["XLA", "bfloat16"] * 2


def run(*arguments, folder):
    """``python -m benchmarks`` beside topics in a folder of that name."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def topics(tmp_path):
    """Three benchmarks: one measures, one finds nothing to measure, one fails."""
    pytest.importorskip("tools.record", reason="what runs notebooks is not here")
    (tmp_path / "benchmarks").mkdir()
    head = "from benchmarks.ratios import Ratio\ndef main(given):\n    "
    for name, body in {
        "quick": "print('own table'); return [Ratio('it', 'a peer', 0.002, 0.5)]",
        "nothing": "print('no data'); return []",
        "wrong": "raise SystemExit('error: no tensor is at hand')",
    }.items():
        (tmp_path / f"benchmarks/{name}.py").write_text(head + body)
    return tmp_path


def test_all_ratios_come_in_one_table_and_are_kept(topics):
    file = topics / "ratios.json"
    done = run("quick", "nothing", "--record", file, folder=topics)
    assert done.returncode == 0, done.stderr
    assert "own table" in done.stdout
    assert "no data" in done.stdout
    row = Ratio("it", "a peer", 0.002, 0.5)
    assert f"\n{table([row])}\n" in done.stdout
    told = json.loads(file.read_text())
    assert [Ratio(**row) for row in told["rows"]] == [row]
    assert told["command"] == f"python -m benchmarks quick nothing --record {file}"
    assert told["versions"]["keras"] == keras.version()


def test_a_benchmark_that_fails_or_is_not_there_ends_the_command(topics):
    done = run("wrong", "quick", folder=topics)
    assert done.returncode
    assert "no tensor is at hand" in done.stderr
    assert "own table" not in done.stdout
    done = run("quick", "slow", folder=topics)
    assert done.returncode
    assert done.stderr.startswith("error: no benchmark 'slow'; there are mnist, ")
    assert not done.stdout


@pytest.mark.parametrize("topic", ["__main__", "mnist"])
def test_a_record_that_cannot_be_written_is_refused_first(topic, monkeypatch, capsys):
    benchmark = importlib.import_module(f"benchmarks.{topic}")
    for place in ("nowhere/ratios.json", str(ROOT)):
        monkeypatch.setattr("sys.argv", ["bench", "--record", place])
        with pytest.raises(SystemExit):
            benchmark.main()
        assert (
            f"--record: {place} is a folder, or lies in none" in capsys.readouterr().err
        )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(71.17, "71.2 s"), (1.0, "1.00 s"), (0.5634, "563 ms"), (7.66e-6, "7.66 µs")],
)
def test_a_time_is_told_in_a_unit_that_fits(seconds, said):
    assert span(seconds) == said


def test_a_ratio_is_of_ours_to_the_peers():
    rows = [Ratio("a", "b", 3.0, 2.0), Ratio("c", "d", 1.0, 171.0)]
    first, second = table(rows).splitlines()[2:]
    assert first == "| a | 3.00 s | b | 2.00 s | 1.50 |"
    assert second == "| c | 1.00 s | d | 171 s | 0.0058 |"


def test_the_readme_shows_the_ratios_on_record():
    told = json.loads((ROOT / "results/ratios.json").read_text())
    readme = (ROOT / "README.md").read_text()
    assert table([Ratio(**row) for row in told["rows"]]) in readme
    assert told["minutes"] < 15
    assert f"{told['date']}, {told['minutes']} minutes" in readme


def test_how_many_images_hide_what_processes_send():
    shared = importlib.import_module("benchmarks.processes")
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, keras.layers.Conv2D(5, 3, padding="same")(image))
    assert shared.gradients(network) == 4 * (3 * 3 * 3 + 1) * 5
    assert shared.flops(network) == 6 * 8 * 8 * 3 * 3 * 3 * 5
    # Two send 1 MB in 1 ms; of images, 3 ms each, 3.3 take ten times as long.
    assert shared.least(10**6, 3 * 10**9, 1e9, 1e12, 2) == 4
    assert shared.least(10**6, 3 * 10**9, 1e9, 1e12, 4) == 5
