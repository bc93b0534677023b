"""``train --processes``: what two processes send and save, and what a cluster would.

    KERAS_BACKEND=jax .venv-jax/bin/python -m benchmarks.processes

The first table is measured on this machine: the same run in one process and in two that
meet over loopback, of two lengths, so that the difference is steps alone. What is sent
is counted by Linux for the loopback device: run it while nothing else talks there.

The second is computed. Gradients are summed in a ring (each process sends 2 (n−1) / n
times the gradients, float32), a train step of an image takes six times the network's
multiply-adds, and nothing is computed while gradients are sent. The rate is an option,
by default 40 % of what NVIDIA's data sheet gives an H100 for bfloat16.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras

from cnnlib import models
from cnnlib.models.summary import multiply_adds
from cnnlib.runs import Settings, training

MEASURED = {"resnet20": 64, "mnist_cnn": 64}  # a network, and images a step
COMPUTED = ("resnet50", "densenet121", "xception", "vgg16")
WIRES = {"NVLink": 450e9, "400 Gb/s": 50e9, "10 Gb/s": 1.25e9}  # bytes/s one way


def received() -> int:
    """Bytes that have come in over loopback."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    (loopback,) = [line for line in lines if line.strip().startswith("lo:")]
    return int(loopback.partition(":")[2].split()[0])


def run(network: str, batch: int, processes: int, epochs: int) -> tuple[float, int]:
    """Seconds that a run takes, and the bytes that its processes send."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"out": f"{folder}/run", "batch-size": batch, "epochs": epochs}
        options |= {"processes": processes}
        flags = [str(part) for k, v in options.items() for part in (f"--{k}", v)]
        start, before = time.perf_counter(), received()
        subprocess.run(
            [sys.executable, "-m", "cnnlib", "train", network, "digits28", *flags],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - start, received() - before


def step(network: str, batch: int, processes: int, epochs: int) -> tuple[float, float]:
    """Milliseconds and megabytes of one step, by runs of 1 and of ``epochs`` more."""
    short, long = (run(network, batch, processes, n) for n in (1, 1 + epochs))
    settings = Settings(network, "digits28", batch_size=batch)
    _, images = training.split(settings, training.load(settings))
    steps = epochs * math.ceil(len(images) / batch)
    seconds, sent = (more - less for more, less in zip(long, short, strict=True))
    return 1e3 * seconds / steps, sent / 1e6 / steps


def gradients(network: keras.Model) -> int:
    """Bytes of a network's gradients, in float32."""
    return 4 * sum(math.prod(v.shape) for v in network.trainable_variables)


def flops(network: keras.Model) -> int:
    """Of a train step with one image: forwards, the error to inputs and to weights."""
    return 6 * multiply_adds(network)


def least(sent: int, computed: int, wire: float, rate: float, processes: int) -> int:
    """Images a step and process at which sending takes a tenth of computing.

    ``sent`` are the gradients' bytes, ``computed`` the FLOPs of an image.
    """
    sending = 2 * (processes - 1) / processes * sent / wire
    return math.ceil(10 * sending * rate / computed)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.4 * 989e12, help="FLOP/s")
    parser.add_argument("--processes", type=int, default=8)
    given = parser.parse_args()
    if keras.backend.backend() != "jax":
        sys.exit("error: several processes train on JAX: set KERAS_BACKEND=jax")
    backend = f"Keras {keras.version()} on {keras.backend.backend()}"
    machine = f"{os.cpu_count()} cores at load {os.getloadavg()[0]:.1f}"
    print(f"Python {platform.python_version()}, {backend}, {machine}; seed 0\n")
    print(
        "| network | images a step | one process [ms] | two [ms] | ratio | sent [MB] |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for network, batch in MEASURED.items():
        alone, _ = step(network, batch, 1, given.epochs)
        both, sent = step(network, batch, 2, given.epochs)
        cells = (network, batch, f"{alone:.0f}", f"{both:.0f}", f"{both / alone:.2f}")
        print(f"| {' | '.join(map(str, cells))} | {sent:.2f} |")
    print(f"\n{given.processes} processes of {given.rate / 1e12:.0f} TFLOP/s each:\n")
    heads = ["network", "gradients [MB]", "GFLOP an image", *WIRES]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for name in COMPUTED:
        network = models.build(name)
        sent, computed = gradients(network), flops(network)
        ends = given.rate, given.processes
        images = [least(sent, computed, wire, *ends) for wire in WIRES.values()]
        cells = (name, f"{sent / 1e6:.0f}", f"{computed / 1e9:.1f}", *images)
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
