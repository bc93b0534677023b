"""`train --processes`: the losses of one process, and an end that says why."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cnnlib import runs
from cnnlib.__main__ import main
from cnnlib.runs import processes, training

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="real processes train on JAX"
)
on_jax = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="several processes train on JAX"
)


@pytest.fixture
def album(tmp_path):
    """Forty noisy pictures of two classes, 32 to train and 8 to test."""
    rng = np.random.default_rng(0)
    for name, light in (("dark", 115), ("light", 125)):
        (tmp_path / "album" / name).mkdir(parents=True)
        for i in range(20):
            pixels = light + rng.integers(-50, 50, (16, 16, 3))
            Image.fromarray(pixels.astype("uint8")).save(
                tmp_path / "album" / name / f"{i}.png"
            )
    return tmp_path / "album"


def asked(album, network="mlp", **others):
    """A run with batches and held-out images that two can share."""
    options = {"size": 16, "epochs": 2, "batch_size": 8, "validation": 0.25}
    return runs.Settings(network, str(album), **options | others)


def command(album, out, *more, **variables):
    """The command in two processes, 500 epochs of it unless told otherwise."""
    arguments = ["mlp", album, "--out", out, "--size", "16", "--batch-size", "8"]
    arguments += ["--validation", "0.25", "--epochs", "500", "--processes", "2", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "cnnlib", "train", *map(str, arguments)],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(process):
    """The processes that a running command started."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(number) for number in listed.split()]


def trains(process, out):
    """Wait for the run's first checkpoint."""
    while not (out / "checkpoint.npz").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def ended(number):
    """Wait until a process is no more."""
    while Path(f"/proc/{number}/status").exists():
        if "State:\tZ" in Path(f"/proc/{number}/status").read_text():
            return
        time.sleep(0.1)


@pytest.fixture
def in_doubles(monkeypatch):
    """Training in float64, which ``train`` does not offer, here and in processes.

    In float32 one rounding may open a ReLU that another sum leaves closed; from there
    on two runs drift apart, however alike their mathematics.
    """
    import jax

    choices = {"precision": (*runs.CHOICES["precision"], "float64")}
    more = f"from cnnlib import runs; runs.CHOICES.update({choices}); "
    monkeypatch.setattr(processes, "PROCESS", more + processes.PROCESS)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setitem(runs.CHOICES, "precision", choices["precision"])
    jax.config.update("jax_enable_x64", True)
    yield {"precision": "float64"}
    jax.config.update("jax_enable_x64", False)


@on_jax
@pytest.mark.parametrize("network", ["lenet5", "mnist_cnn", "resnet20"])
def test_two_processes_have_the_losses_of_one(album, tmp_path, in_doubles, network):
    settings = asked(album, network, size=None if network == "lenet5" else 16)
    options = {"augmentation": "flip"} if network == "mnist_cnn" else {}
    settings = runs.Settings(**vars(settings) | options | in_doubles)
    one = runs.train(settings, tmp_path / "one")
    assert processes.train(settings, str(tmp_path / "two"), 2) == pytest.approx(one)
    alone, shared = (runs.kept(tmp_path / name) for name in ("one", "two"))
    assert len(alone) == len(shared) == 2
    for before, now in zip(alone, shared, strict=True):
        assert now == pytest.approx(before, abs=1e-6)
    told = json.loads((tmp_path / "two/run.json").read_text())
    assert told["test_accuracy"] == pytest.approx(one)


@on_jax
def test_a_process_that_dies_ends_the_run_and_another_number_goes_on(album, tmp_path):
    out = tmp_path / "run"
    process = command(album, out)
    trains(process, out)
    first, second = children(process)
    os.kill(second, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 2
    assert said == (
        "error: process 2 of 2 was ended by SIGKILL; the last checkpoint in "
        f"{out} is whole, and --resume goes on with it\n"
    )
    ended(first)
    done = runs.kept(out)
    again = command(album, out, "--resume", "--processes", "4")
    while len(runs.kept(out)) == len(done):
        assert again.poll() is None, again.communicate()
        time.sleep(0.1)
    again.kill()
    again.communicate()
    assert runs.kept(out)[: len(done)] == done


@on_jax
def test_processes_end_with_their_command(album, tmp_path):
    process = command(album, tmp_path / "run")
    trains(process, tmp_path / "run")
    both = children(process)
    assert len(both) == 2
    process.kill()
    process.communicate()
    for number in both:
        ended(number)


@on_jax
def test_a_command_that_is_stopped_ends_its_processes(album, tmp_path):
    process = command(album, tmp_path / "run")
    trains(process, tmp_path / "run")
    both = children(process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == f"stopped; --resume goes on with {tmp_path}/run\n"
    for number in both:
        ended(number)


def tasks(album, out, *more):
    """The command as SLURM starts it for two tasks, each of which trains."""
    job = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost"}
    job |= dict.fromkeys(("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"), "2")
    job |= {"SLURM_STEP_NUM_NODES": "1"}
    ranks = [{"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)} for i in range(2)]
    return [command(album, out, *more, **job, **rank) for rank in ranks]


@on_jax
def test_a_launcher_of_a_cluster_starts_the_command_for_each_process(album, tmp_path):
    both = tasks(album, tmp_path / "run", "--epochs", "2")
    (first, one), (second, two) = (task.communicate() for task in both)
    assert [task.returncode for task in both] == [0, 0], (one, two)
    assert "test accuracy: " in first
    assert second == ""
    assert len(runs.kept(tmp_path / "run")) == 2


@on_jax
@pytest.mark.parametrize("dead", [0, 1])
def test_the_tasks_of_a_cluster_end_when_one_dies(album, tmp_path, dead):
    both = tasks(album, tmp_path / "run")
    for task in both:
        trains(task, tmp_path / "run")
    both[dead].kill()
    both[dead].communicate()
    _, said = both[1 - dead].communicate()
    assert both[1 - dead].returncode == 2
    assert f"error: process {2 - dead} of 2 " in said
    assert len(runs.kept(tmp_path / "run")) >= 1


@on_jax
def test_what_a_process_refuses_is_told(album, tmp_path):
    with pytest.raises(
        ChildProcessError, match=r"process [12] of 2 failed: the loss in "
    ):
        processes.train(
            asked(album, rate=1e30, optimizer="sgd"), str(tmp_path / "run"), 2
        )


@on_jax
@pytest.mark.parametrize(
    ("count", "others", "said"),
    [
        (3, {}, "a batch of 8 cannot be shared by 3 processes"),
        (16, {"batch_size": 16}, "8 held-out images are too few for 16 processes"),
        (0, {}, "train takes processes=1 or more; given 0"),
        (2, {"batch_size": 64}, "a batch of 64 is larger than the 24 images"),
        (2, {"epochs": 0}, "train takes epochs=1 or more; given 0"),
    ],
)
def test_what_cannot_be_shared_is_refused(album, tmp_path, count, others, said):
    with pytest.raises(ValueError, match=said):
        processes.train(asked(album, **others), str(tmp_path / "run"), count)


@pytest.fixture
def anywhere(monkeypatch):
    """``train`` on any backend, its tasks kept; each trains the whole network."""
    given = []

    def watch(tasks):
        given.append(tasks)
        task = tasks[0]
        settings, out = runs.Settings(**task["settings"]), Path(task["out"])
        if task["index"] == 0:
            training.trained(settings, out, resume=True)

    monkeypatch.setattr(processes, "watch", watch)
    monkeypatch.setattr(processes, "stay_on_the_cpu", lambda: None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    return given


@on_tensorflow
def test_the_command_saves_what_its_processes_trained(album, tmp_path, anywhere):
    settings = asked(album, epochs=1)
    out = tmp_path / "run"
    accuracy = processes.train(settings, str(out), 2, port=None, tensorboard=False)
    (both,) = anywhere
    assert [task["index"] for task in both] == [0, 1]
    assert {task["count"] for task in both} == {2}
    (address,) = {task["address"] for task in both}
    assert re.fullmatch(r"localhost:\d+", address)
    assert both[0] == json.loads(json.dumps(both[0]))
    told = json.loads((out / "run.json").read_text())
    assert told["test_accuracy"] == accuracy
    assert told["seconds"] > 0
    model = keras.models.load_model(out / "model.keras")
    data = training.load(settings)
    answers = np.asarray(model(data.x_test)).argmax(axis=1)
    assert np.mean(answers == data.y_test) == accuracy

    with pytest.raises(ValueError, match="holds a run already: --resume"):
        processes.train(settings, str(out), 2)
    assert processes.train(settings, str(out), 2, resume=True) == accuracy


@on_tensorflow
@pytest.mark.parametrize("index", [0, 1])
def test_each_task_of_a_cluster_has_one_process(
    album, tmp_path, anywhere, monkeypatch, index
):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(index))
    accuracy = processes.train(asked(album, epochs=1), str(tmp_path / "run"), 2)
    ((task,),) = anywhere
    assert task["index"] == index
    assert task["address"] is None
    assert (accuracy is None) == (index == 1)
    assert (tmp_path / "run").exists() == (index == 0)


@on_tensorflow
@pytest.mark.parametrize("index", [0, 1])
def test_a_process_reads_its_share_and_the_first_one_writes(
    album, tmp_path, monkeypatch, index
):
    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    wait, read, fit = Seen(), [], keras.Model.fit

    def watched(model, batches, validation_data, verbose, **options):
        read.append([len(batches[i][0]) for i in range(len(batches))])
        read.append(len(validation_data[0]))
        read.append(verbose)
        return fit(model, batches, validation_data=validation_data, **options)

    monkeypatch.setattr(keras.Model, "fit", watched)
    monkeypatch.setattr(processes, "together", lambda task: nullcontext(wait))
    settings, out = asked(album, batch_size=10), tmp_path / "run"
    training.begun(settings, out, resume=False, tensorboard=False)
    task = {"settings": vars(settings), "out": str(out), "tensorboard": False}
    processes.work(task | {"index": index, "count": 2, "address": None})
    assert read == [[5, 5, 2], 4, "auto" if index == 0 else 0]
    assert wait.epochs == 2
    assert len(runs.kept(out)) == (2 if index == 0 else 0)


def script(text):
    """In place of a process that trains."""

    def begin(task, log):
        with log.open("w") as file:
            return subprocess.Popen(
                [sys.executable, "-c", text, str(task["index"])],
                stdin=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )

    return begin


TASKS = [{"index": i, "count": 3, "out": "run"} for i in range(3)]


def test_processes_that_end_well_are_waited_for(monkeypatch, tmp_path):
    text = "import sys, time; time.sleep(int(sys.argv[1]) / 4); "
    text += f"open(f'{tmp_path}/{{sys.argv[1]}}', 'w')"
    monkeypatch.setattr(processes, "begin", script(text))
    processes.watch(TASKS)
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2"}


def test_one_that_fails_ends_the_others_and_is_told(monkeypatch):
    started = []
    begin = script(
        "import sys, time; sys.argv[1] == '1' and sys.exit('no'); time.sleep(9e4)"
    )
    monkeypatch.setattr(
        processes, "begin", lambda *given: started.append(begin(*given)) or started[-1]
    )
    with pytest.raises(ChildProcessError, match="process 2 of 3 failed: no; "):
        processes.watch(TASKS)
    assert [process.returncode for process in started] == [-9, 1, -9]


KILLED = "os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (KILLED, "process 2 of 3 was ended by SIGKILL; "),
        ("sys.exit('no')", "process 2 of 3 failed: no; "),
    ],
)
def test_of_several_that_failed_the_first_is_told(how, told, monkeypatch):
    """The others fail when they miss it, before anybody looks."""
    started, text = [], f"import os, sys, time; sys.argv[1] == '1' and {how}; "
    begin = script(text + "time.sleep(0.5); sys.exit('reset by peer')")

    def all_have_ended(*given):
        started.append(begin(*given))
        if len(started) == 3:
            for process in started:
                process.wait()
        return started[-1]

    monkeypatch.setattr(processes, "begin", all_have_ended)
    with pytest.raises(ChildProcessError, match=told):
        processes.watch(TASKS)


def test_an_interrupt_ends_all(monkeypatch):
    started, begin = [], script("import time; time.sleep(9e4)")

    def third_is_interrupted(*given):
        if len(started) == 2:
            raise KeyboardInterrupt
        started.append(begin(*given))
        return started[-1]

    monkeypatch.setattr(processes, "begin", third_is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        processes.watch(TASKS)
    assert [process.returncode for process in started] == [-9, -9]


def test_a_process_is_begun_with_its_task_and_ends_with_the_command(tmp_path):
    # This one cannot train: what it is asked for is no task.
    for index, log in ((0, tmp_path / "a"), (1, tmp_path / "b")):
        process = processes.begin({"index": index}, log)
        process.wait()
        assert process.returncode == 1
        assert log.read_text().splitlines()[-1].startswith("error: ")


def test_only_the_first_process_shows_its_progress(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(processes, "PROCESS", "import sys; print(sys.argv[1])")
    for index in (0, 1):
        processes.begin({"index": index}, tmp_path / "log").wait()
    assert capfd.readouterr().out == '{"index": 0}\n'


@on_tensorflow
def test_another_backend_is_refused(album, tmp_path, capsys):
    arguments = ["train", "mlp", str(album), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--processes", "2"]) == 2
    assert "JAX backend: set KERAS_BACKEND=jax" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_port_is_free_or_refused():
    with socket.socket() as other:
        other.bind(("localhost", 0))
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} is in use: name another"):
            processes.free_port(port)
    assert processes.free_port(port) == port
    assert 1024 <= processes.free_port(None) <= 65535
    with pytest.raises(ValueError, match=r"train takes port=1 or more; given 0\.5"):
        processes.free_port(0.5)
    with pytest.raises(ValueError, match=r"train takes port .*65535; given 70000"):
        processes.free_port(70_000)


@pytest.mark.parametrize(
    ("variables", "index"),
    [
        ({}, None),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, None),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}, 3),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}, 0),
    ],
)
def test_which_process_a_launcher_started(monkeypatch, variables, index):
    for names in processes.LAUNCHERS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes.launched(4) == index


def test_another_number_than_the_launchers_is_refused(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(ValueError, match="SLURM started 4 processes, not 2"):
        processes.launched(2)


def test_how_a_process_ended_is_told_with_its_last_words():
    task = {"index": 1, "count": 4, "out": "run"}
    more = "; the last checkpoint in run is whole, and --resume goes on with it"
    assert processes.told(task, -9, "warned\n") == (
        f"process 2 of 4 was ended by SIGKILL{more}"
    )
    log = "warned\nerror: no room\nstill warned\n"
    assert processes.told(task, 1, log) == f"process 2 of 4 failed: no room{more}"
    assert processes.told(task, 1, "worse\n\n") == f"process 2 of 4 failed: worse{more}"


def test_shares_are_alike_and_together_the_batch():
    shares = [training.Share(i, 3) for i in range(3)]
    assert [list(share.of(np.arange(9))) for share in shares] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
    ]
    # Two are left out, and a batch of two is none.
    assert [len(share.of(np.arange(11))) for share in shares] == [3, 3, 3]
    lengths = [
        len(training.Batches(np.zeros(n), None, 9, 0, 0, shares[0]))
        for n in (18, 20, 21)
    ]
    assert lengths == [2, 2, 3]
    assert list(training.ALONE.of(np.arange(3))) == [0, 1, 2]
