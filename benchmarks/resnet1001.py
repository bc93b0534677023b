"""ResNet-1001 v2: seconds to build and to train, its units scanned over or unrolled.

    python benchmarks/resnet1001.py [--batch 2] [--depth 1001]

Unrolled means one nested model for each unit, the plain way that Keras can still build
(a flat graph of 1001 layers passes Python's recursion limit).
"""

import argparse
import importlib
import os
import platform
import time
from unittest import mock

import keras
import numpy as np

from benchmarks.ratios import Ratio
from cnnlib import models

# The file, whose ``repeat`` makes the units: ``cnnlib.models.resnet`` is a builder.
resnet = importlib.import_module("cnnlib.models.resnet")


def nested(unit, x, count, *, stage, scan):
    """In place of ``blocks.repeat``: each unit a model of its own, traced by itself."""
    for i in range(2, count + 1):
        inner = keras.Input(x.shape[1:])
        name = f"{stage}_{i}"
        x = keras.Model(inner, unit(inner, name=name), name=f"{name}_unit")(x)
    return x


def measure(repeat, depth: int, batch: int) -> tuple[float, float, float]:
    """Seconds to build, of the first train step, and the median of five later ones."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    start = time.perf_counter()
    with mock.patch.object(resnet, "repeat", repeat):
        model = models.cifar_resnet_v2(depth=depth, scan=True)
    built = time.perf_counter() - start
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), entropy)
    x = np.random.default_rng(0).normal(size=(batch, 32, 32, 3)).astype("float32")
    steps = []
    for _ in range(6):
        start = time.perf_counter()
        model.train_on_batch(x, np.arange(batch) % 10)
        steps.append(time.perf_counter() - start)
    return built, steps[0], float(np.median(steps[1:]))


def main(given: list[str] | None = None) -> list[Ratio]:
    """Print the table, and the ratios of this one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--depth", type=int, default=1001, help="9n+2")
    args = parser.parse_args(given)
    scanned = measure(resnet.repeat, args.depth, args.batch)
    unrolled = measure(nested, args.depth, args.batch)
    backend = f"Keras {keras.version()} on {keras.backend.backend()}"
    machine = f"{os.cpu_count()} cores at load {os.getloadavg()[0]:.1f}"
    python = f"Python {platform.python_version()}"
    print(f"{python}, {backend}, {machine}, depth {args.depth}, batch {args.batch}")
    print("| seconds to | scanned | unrolled | ratio |\n| --- | --- | --- | --- |")
    rows = ("build", "take the first train step", "take a later one")
    for row, ours, plain in zip(rows, scanned, unrolled, strict=True):
        print(f"| {row} | {ours:.1f} | {plain:.1f} | {ours / plain:.2f} |")
    deeds = ("building", "the first train step of", "a later train step of")
    network, peer = f"ResNet-{args.depth}, units scanned", "a model for each unit"
    times = zip(deeds, scanned, unrolled, strict=True)
    return [Ratio(f"{deed} {network}", peer, *both) for deed, *both in times]


if __name__ == "__main__":
    main()
