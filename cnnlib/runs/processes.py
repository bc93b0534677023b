"""``train --processes``: several processes train one network, on Keras's JAX backend.

Each holds the whole network and reads its own part of every batch; JAX adds up their
gradients, and batch normalization takes its statistics over the whole batch. Losses are
those of one process, to rounding. The first process keeps the checkpoint. The command
itself does no training: it looks after the processes, and at the end it saves the
model and looks at the test set, which is why it stays on the CPU.

On one machine the command starts them all, one for each GPU where there are any. Where
SLURM or Open MPI started the command several times, each starts one, and JAX finds the
others through what the launcher tells: ``srun -n 16 python -m cnnlib train …
--processes 16``.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import keras

from cnnlib import checks
from cnnlib.runs import report, training
from cnnlib.runs.folder import fill, kept
from cnnlib.runs.settings import Settings

# What a launcher calls the number of its processes, and the number of this one.
LAUNCHERS = {
    "SLURM": ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    "Open MPI": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
}
PROCESS = "from cnnlib.runs import processes; processes.main()"
SILENT = 50  # seconds after which a process that says nothing counts as dead


def launched(count: int) -> int | None:
    """Which of ``count`` processes this is, by a cluster's launcher; None without one.

    Raises:
        ValueError: the launcher started another number of them.
    """
    for name, (size, index) in LAUNCHERS.items():
        started = int(os.environ.get(size, 1))
        if started > 1:
            if started != count:
                raise ValueError(f"{name} started {started} processes, not {count}")
            return int(os.environ[index])
    return None


def free_port(port: int | None) -> int:
    """The port that is asked for, or any; refused where another program listens."""
    if port is not None:
        checks.integer("train", "port", port)
        checks.number("train", "port", port, most=65535)
    with socket.socket() as place:
        try:
            place.bind(("localhost", port or 0))
        except OSError as error:
            raise ValueError(f"port {port} is in use: name another") from error
        return place.getsockname()[1]


def train(
    settings: Settings,
    out: str,
    count: int,
    *,
    port: int | None = None,
    resume=False,
    tensorboard=False,
) -> float | None:
    """Train a network in ``count`` processes; return its accuracy on the test set.

    One process is this one, as in ``runs.train``, on any backend. Where a launcher
    started the command several times, all but the first return None. A run can go on
    with another number of processes. ``port`` is where those of one machine meet; by
    default any that is free.

    Raises:
        ValueError: what ``runs.train`` refuses; another backend; a batch that cannot be
            shared; a port in use; not the number of processes that a launcher started.
        ChildProcessError: one of them died; the others were ended, and the last
            checkpoint is whole.
    """
    if checks.integer("train", "processes", count) == 1:
        return training.train(settings, out, resume=resume, tensorboard=tensorboard)
    settings.check()
    if keras.backend.backend() != "jax":
        raise ValueError(
            "several processes train on Keras's JAX backend: set KERAS_BACKEND=jax; "
            f"given {keras.backend.backend()}"
        )
    if settings.batch_size % count:
        raise ValueError(
            f"a batch of {settings.batch_size} cannot be shared by {count} processes"
        )
    stay_on_the_cpu()
    mine, folder, start = launched(count), Path(out), time.perf_counter()
    task = {"settings": asdict(settings), "out": out, "tensorboard": tensorboard}
    task |= {"count": count, "address": None}
    if mine:
        watch([task | {"index": mine}])
        return None
    address = None if mine == 0 else f"localhost:{free_port(port)}"
    model, _, data = training.begun(settings, folder, resume, tensorboard)
    held, _ = training.split(settings, data)
    if len(held) < count:
        raise ValueError(
            f"{len(held)} held-out images are too few for {count} processes"
        )
    indices = [0] if mine == 0 else range(count)
    watch([task | {"index": index, "address": address} for index in indices])
    training.ready(model, settings, 1)
    fill(folder, model, optimizer=False)
    seconds = time.perf_counter() - start
    return report.finish(model, data, folder, kept(folder), seconds)


def stay_on_the_cpu() -> None:
    """Leave GPUs to the processes that train."""
    import jax

    jax.config.update("jax_platforms", "cpu")


def watch(tasks: list[dict]) -> None:
    """Run a process for each task; once one has failed, end the others.

    Raises:
        ChildProcessError: what became of the one that failed.
    """
    children = []
    with tempfile.TemporaryDirectory() as place:
        logs = [Path(place, str(task["index"])) for task in tasks]
        try:
            for task, log in zip(tasks, logs, strict=True):
                children.append(begin(task, log))
            codes = [None]
            while None in codes and not any(codes):
                time.sleep(0.1)
                codes = [child.poll() for child in children]
        finally:
            for child in children:
                child.kill()
                child.communicate()
        failed = [end for end in zip(tasks, codes, logs, strict=True) if end[1]]
        if failed:
            # Others may fail because one was killed, or because one failed before.
            first = min(failed, key=lambda end: (end[1] > 0, end[2].stat().st_mtime_ns))
            raise ChildProcessError(told(*first[:2], first[2].read_text()))


def begin(task: dict, log: Path) -> subprocess.Popen:
    """Start a process that ends with this one; only the first shows its progress."""
    with log.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-c", PROCESS, json.dumps(task)],
            stdin=subprocess.PIPE,  # closed when this process ends, however it does
            stdout=None if task["index"] == 0 else subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for this process, which ends them
        )


def told(task: dict, code: int, log: str) -> str:
    """How a process ended, with the last thing that it said."""
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else "failed"
    lines = [line for line in log.splitlines() if line.strip()] or [""]
    errors = [line for line in lines if line.startswith("error: ")] or lines
    said = "" if code < 0 else f": {errors[-1].removeprefix('error: ')}"
    return (
        f"process {task['index'] + 1} of {task['count']} {how}{said}; the last "
        f"checkpoint in {task['out']} is whole, and --resume goes on with it"
    )


@contextlib.contextmanager
def together(task: dict) -> Iterator[keras.callbacks.Callback]:
    """Meet the other processes; models that are built here are alike in all of them.

    Yields what waits for the others at the end of every epoch.
    """
    import jax
    from jax.experimental import multihost_utils

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    meeting, index = {}, task["index"]
    if task["address"]:
        meeting = {"num_processes": task["count"], "process_id": index}
        for name in ("coordinator_address", "coordinator_bind_address"):
            meeting[name] = task["address"]
        meeting["local_device_ids"] = [index]
    jax.distributed.initialize(**meeting, heartbeat_timeout_seconds=SILENT)
    alike = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(alike)
    yield keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: multihost_utils.sync_global_devices("checkpoint")
    )
    jax.distributed.shutdown()


def work(task: dict) -> None:
    """Train a share of every batch, as one process of several."""
    with together(task) as wait:
        training.trained(
            Settings(**task["settings"]),
            Path(task["out"]),
            resume=True,
            tensorboard=task["tensorboard"],
            share=training.Share(task["index"], task["count"]),
            callbacks=[wait],
        )


def main() -> None:
    """Do what the command asks; end at once if that fails, or the command ended."""

    def end_with_the_command():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=end_with_the_command, daemon=True).start()
    try:
        work(json.loads(sys.argv[1]))
    except Exception as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # without waiting for the others, as JAX would
