"""`make record CLAIM=…`: resumed to the bit, refused in one line, and the records."""

import json
import math
import os
import random
import re
import shutil
import signal
import statistics
import time
from typing import ClassVar

import numpy as np
import pytest
from small_course import ROOT

from cnnlib import datasets
from tools import arms, experiments
from tools.course import Course
from tools.progress import Progress

TINY = """
question = "Is it so?"
claim = "dropout"
data = "digits28"
held_out = 200
rates = [1e-4, 1e-2]
rate_seed = 9
seeds = [0, 1]
figure = "val_loss"

[all]
network = "dense"
width = 16
epochs = 3
batch_size = 256

[arms]
nothing = { dropout = 0.0 }
"dropout, a half" = { dropout = 0.5 }
"""
TOP = "experiment date command machine versions arms".split()
COLUMNS = "epoch accuracy loss val_accuracy val_loss".split()


@pytest.fixture
def asked(course):
    """A course with a small experiment; a function that changes its text."""
    file = course.root / "experiments/tiny.toml"
    file.parent.mkdir()
    file.write_text(TINY)

    def change(old, new):
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return change


def result(course):
    return json.loads((course.root / "results/tiny.json").read_text())


def record(course):
    return course.run("record", "--claim", "tiny")


def refused(course, capsys):
    """The one line with which a record is refused."""
    assert record(course) > 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_killed_record_ends_like_one_that_was_not(course, asked, capsys):
    # Both arms have random layers, one draws its attacks.
    asked("nothing = { dropout = 0.0 }", "hit = { dropout = 0.5, attack_steps = 1 }")
    asked("[arms]", "epsilon = 0.1\n\n[arms]")
    asked("rates = [1e-4, 1e-2]", "rates = [1e-2]")
    asked("seeds = [0, 1]", "seeds = [0]")
    assert record(course) == 0
    whole = result(course)
    shutil.rmtree(course.root / "results")

    running = course.start("record", "--claim", "tiny")
    last = random.randrange(1, 6)
    for line in running.stdout:
        last -= ", epoch " in line
        if not last:
            break
    time.sleep(random.random() / 10)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert not (course.root / "results").exists()

    capsys.readouterr()
    assert record(course) == 0
    done = re.search(r" 6 epochs, (\d+) of them done", capsys.readouterr().out)
    assert int(done[1]) > 0
    assert result(course)["arms"] == whole["arms"]


def test_a_record_holds_every_epoch_says_how_long_and_is_not_run_again(
    course, asked, capsys
):
    assert record(course) == 0
    out = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(out) if ", epoch " in line)
    assert out[first - 1] == (
        "tiny: 2 arms of 4 runs, 24 epochs, 0 of them done: about 1 min here; killed "
        "at any time, make record CLAIM=tiny goes on"
    )
    assert sum(line.endswith(" left") for line in out) == 24
    found = result(course)
    assert list(found) == TOP
    assert found["command"] == "make record CLAIM=tiny"
    assert set(found["versions"]) == {"python", "backend", "keras", "numpy"}
    assert set(found["machine"]) == {"cpu", "cores", "memory_gib", "os", "accelerator"}
    assert found["experiment"]["seeds"] == [0, 1]
    for arm in found["arms"].values():
        assert [run["rate"] for run in arm["tried"]] == [1e-4, 1e-2]
        assert [run["seed"] for run in arm["tried"]] == [9, 9]
        assert [run["seed"] for run in arm["runs"]] == [0, 1]
        ends = [run["epochs"]["val_accuracy"][-1] for run in arm["tried"]]
        assert arm["rate"] == [1e-4, 1e-2][int(ends[1] > ends[0])]
        assert {run["rate"] for run in arm["runs"]} == {arm["rate"]}
        # The test images choose nothing.
        assert not any("test_accuracy" in run for run in arm["tried"])
        for run in arm["runs"]:
            assert 0 <= run["train_accuracy"] <= 1
            assert 0 <= run["test_accuracy"] <= 1
        for run in [*arm["tried"], *arm["runs"]]:
            assert list(run["epochs"]) == COLUMNS
            assert {len(column) for column in run["epochs"].values()} == {3}
    assert (course.root / "results/tiny.png").read_bytes().startswith(b"\x89PNG")
    assert not list((course.root / "build/records").iterdir())

    # What is recorded already is not run again, what differs is.
    asked("Is it so?", "Is it really so?")  # no other number comes of that
    assert "is this experiment's record, of 20" in refused(course, capsys)
    asked("rates = [1e-4, 1e-2]", "rates = [1e-2]")
    asked("seeds = [0, 1]", "seeds = [1]")
    asked("epochs = 3", "epochs = 2")
    assert record(course) == 0
    assert (
        "tiny.json is the record of another experiment, which differs in arms, rates, "
        "seeds: begun anew, it is replaced at the end\n"
    ) in capsys.readouterr().out
    found = result(course)
    assert not any(arm["tried"] for arm in found["arms"].values())
    runs = found["arms"]["nothing"]["runs"]
    assert [run["epochs"]["epoch"] for run in runs] == [[1, 2]]


def test_what_is_left_follows_from_steps_and_then_from_epochs(
    course, asked, monkeypatch, capsys
):
    class Slow:
        training: ClassVar = {"epochs": 3}
        seconds = staticmethod(lambda: 600)

    now = [0.0]
    monkeypatch.setattr(experiments.time, "monotonic", lambda: now[0])
    experiment = experiments.find(Course(course.root), "tiny")
    made = dict.fromkeys(experiment.arms, Slow)
    clock = experiments.Clock(experiment, course.root, made, Progress())
    assert "24 epochs, 0 of them done: about 4.0 h here" in capsys.readouterr().out
    tick = clock.ticker("nothing", 0.01, 1)
    for took, told in ((600, "about 3.8 h"), (1800, "about 7.3 h")):
        now[0] += took
        tick(1, {"loss": 2.0})
        out = capsys.readouterr().out
        assert out == f"nothing, rate 0.01, seed 1, epoch 1 of 3: loss 2; {told} left\n"


def test_what_is_left_of_a_removed_run_is_not_taken_for_this_one(course, asked):
    """A process was killed while it removed its folder, ``begun.json`` first."""
    left = course.root / "build/records/tiny/nothing/0.01-0"
    left.mkdir(parents=True)
    (left / "done.json").write_text('{"another": "run"}')
    experiments._begun(left.parents[1], {"asked": 1})
    assert [path.name for path in left.parents[1].iterdir()] == ["begun.json"]


def test_of_two_rates_that_read_as_many_the_lower_last_loss_is_better():
    def run(losses, accuracies):
        return {"epochs": {"val_accuracy": accuracies, "val_loss": losses}}

    better = run([2.0, 1.0, 0.3], [0.1, 0.5, 0.9])
    worse = run([2.0, 0.2, 0.4], [0.1, 0.95, 0.9])
    diverged = run([2.0, 0.2, math.nan], [0.1, 0.5, 0.9])
    fewer = run([0.1, 0.1, 0.1], [0.9, 0.9, 0.8])
    order = sorted([worse, fewer, better, diverged], key=experiments._success)
    assert order == [fewer, diverged, worse, better]


def test_what_was_begun_with_other_settings_is_refused(course, asked, capsys):
    begun = course.root / "build/records/tiny"
    begun.mkdir(parents=True)
    (begun / "begun.json").write_text(json.dumps({"seeds": [7]}))
    error = refused(course, capsys)
    assert "holds another run, which differs in arms, backend, data" in error
    assert error.endswith("delete that folder to begin anew\n")
    (begun / "begun.json").write_text("{")
    assert refused(course, capsys).endswith("is damaged; delete it to begin anew\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("held_out = 200", "", "tiny.toml lacks held_out"),
        ("held_out", "left_out = 1\nheld_out", "says left_out, which nothing reads"),
        ("seeds = [0, 1]", "seeds = 3", "seeds = 3 cannot be used"),
        ("seeds = [0, 1]", "seeds = []", "seeds = [] cannot be used"),
        ("seeds = [0, 1]", "seeds = [8, 9]", "seed 9 chooses the rates, and is among"),
        (
            "seeds = [0, 1]",
            "seeds = [-1]",
            "seeds are whole numbers from 0; given [-1]",
        ),
        ("[1e-4, 1e-2]", "[0.1, 0.0]", "rates are decimal numbers above 0; given"),
        ("{ dropout = 0.0 }", "3", "an arm is name = { setting = value }"),
        ("question", "=", "tiny.toml: Invalid"),
        ('"dropout"', '"dropuot"', "the talk has no claim 'dropuot'"),
        ('"val_loss"', '"error"', "no figure is called 'error': loss, val_loss,"),
        ('"val_loss"', '"attacked_accuracy"', "an attack takes epsilon"),
        ("= 0.5", "= 0.5, epochs = 4", "takes arms of as many epochs"),
        ("= 0.5", "= 0.5, width = 4", "differs from no other in one thing alone"),
        ("= 0.5", "= 0.0", "differs from no other in one thing alone"),
        ('"digits28"', '"digits29"', "no data set is called 'digits29'"),
        ("= 200", "= 2000", "held_out=2000 of 1415 training images"),
        ('"dense"', '"dens"', "no network is called 'dens'; the nearest is 'dense'"),
        ("width = 16", "breadth = 16", "unexpected keyword argument 'breadth'"),
        ("epochs = 3", "epochs = 0", "takes epochs=1 or more; given 0"),
        ("epochs = 3", "epochs = 3\nexamples = 1300", "1215 are not held out"),
        ("epochs = 3", 'epochs = 3\noptimizer = "adan"', "optimizer='adam' or 'sgd'"),
        ("epochs = 3", 'epochs = 3\naugmentation = "a"', "no pipeline is called 'a'"),
    ],
)
def test_an_experiment_is_refused_in_one_line(course, asked, capsys, old, new, words):
    asked(old, new)
    assert words in refused(course, capsys)
    assert not list((course.root / "build").glob("records/*/*/*"))


def test_a_name_that_there_is_not_names_those_there_are(course, asked, capsys):
    assert course.run("record", "--claim", "nonsense") == 2
    assert capsys.readouterr().err.endswith(
        "error: no experiment is called 'nonsense'. Known: tiny\n"
    )
    assert course.run("record") == 2
    assert "make record NOTEBOOK=06" in capsys.readouterr().err


def test_each_claim_has_its_commands_and_records(course, asked):
    shutil.copy(
        course.root / "experiments/tiny.toml", course.root / "experiments/b.toml"
    )
    (course.root / "results").mkdir()
    (course.root / "results/b.json").write_text("{}")
    assert experiments.records(Course(course.root)) == {
        "dropout": [
            ("make record CLAIM=b", course.root / "results/b.json"),
            ("make record CLAIM=tiny", None),
        ]
    }


def test_each_seed_learns_from_images_of_its_own_and_none_that_are_held_out():
    images = arms.Images("digits28", 200)
    assert len(images.held[0]) == 200
    assert len(images.x) == 1215
    every = np.concatenate([images.held[0], images.x]).reshape(1415, -1)
    whole = datasets.load("digits28").x_train.reshape(1415, -1) / np.float32(255)
    np.testing.assert_array_equal(np.sort(every, axis=0), np.sort(whole, axis=0))
    (x, y), (again, _), (other, _) = (images.some(50, 2, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(x, again)
    assert np.any(x != other)
    np.testing.assert_array_equal(x[:50], x[50:])
    np.testing.assert_array_equal(y[:50], y[50:])


def test_the_small_networks_are_of_the_size_that_records_were_made_with():
    shape = {"input_shape": (28, 28, 1), "classes": 10}
    assert arms.dense(**shape).count_params() == 269_322
    assert arms.dense(**shape, dropout=0.5).count_params() == 269_322
    assert arms.convolutions(**shape).count_params() == 129_002
    assert arms.convolutions(**shape, norm=True).count_params() == 129_834
    assert arms.convolutions(**shape, repeats=1).count_params() == 105_866


FILES = sorted((ROOT / "experiments").glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_courses_experiments_can_be_run(file):
    experiment = experiments.Experiment.read(file)

    class Few:
        x = np.zeros((1, 28, 28, 1) if experiment.data == "mnist" else (1, 32, 32, 3))
        classes, mean, variance = 10, 0.0, 1.0

    for how in experiment.arms.values():
        arm = arms.Arm(how, Few)
        model, _ = arm.model(0)
        runs_settings = arm.settings(experiment.rates[0], 0)
        arms.runs.ready(model, runs_settings, 10)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_record_is_of_the_experiment_as_it_stands(file):
    stored = ROOT / f"results/{file.stem}.json"
    if not stored.exists():
        pytest.skip(f"{file.stem} has no record yet")
    found = json.loads(stored.read_text(encoding="utf-8"))
    experiment = experiments.Experiment.read(file)
    assert list(found) == TOP
    other = experiments.differences(found["experiment"], experiment.setting())
    assert set(other) <= set(experiments.WORDS)
    for arm in found["arms"].values():
        assert [run["seed"] for run in arm["runs"]] == experiment.seeds
        assert all(math.isfinite(run["test_accuracy"]) for run in arm["runs"])
    assert stored.with_suffix(".png").exists()


@pytest.mark.parametrize("name", ["dropout", "batchnorm", "augmentation"])
def test_the_readme_states_what_was_recorded(name):
    readme = (ROOT / "README.md").read_text("utf-8")
    arms = json.loads((ROOT / f"results/{name}.json").read_text("utf-8"))["arms"]
    for arm in arms.values():
        read = [run["test_accuracy"] for run in arm["runs"]]
        assert f"| {statistics.mean(read):.2%}".replace("%", " %") in readme
