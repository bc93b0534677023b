"""Builders beside their twins in keras.applications: seconds to build, and to train.

    python benchmarks/models.py [--side 96] [--batch 4] [--steps 6]

Both are built in turns, six times each, at the default input; then both are compiled
alike and take train steps in turns at ``--side``, after two at leisure. A ratio is the
median of ours over the median of theirs, from this one run: below 1 ours is faster.
"""

import argparse
import gc
import os
import platform
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import applications

from benchmarks.ratios import Ratio
from cnnlib import models

TWINS = {
    "vgg16": applications.VGG16,
    "inception_v3": applications.InceptionV3,
    "xception": applications.Xception,
    "resnet50": applications.ResNet50,
    "resnet50_v2": applications.ResNet50V2,
    "densenet121": applications.DenseNet121,
}
PLAIN = {"weights": None, "classifier_activation": None}


def seconds(function) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(functions, rounds: int) -> list[float]:
    """The median seconds of each function, called by turns, each first in its turn."""
    times = np.zeros((rounds, len(functions)))
    for turn in range(rounds):
        for i in np.roll(range(len(functions)), turn):
            gc.collect()  # what the one before has left
            times[turn, i] = seconds(functions[i])
    return np.median(times, axis=0).tolist()


def training(model, batch: int):
    """A function that takes one train step on a fixed batch."""
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-4), entropy)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *model.input_shape[1:])).astype("float32")
    y = rng.integers(0, 10, batch)
    return lambda: model.train_on_batch(x, y)


def main(given: list[str] | None = None) -> list[Ratio]:
    """Print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("names", nargs="*", default=list(TWINS), metavar="NAME")
    args = parser.parse_args(given)
    shape = (args.side, args.side, 3)
    print(
        f"Python {platform.python_version()}, Keras {keras.version()} on "
        f"{keras.backend.backend()}, {os.cpu_count()} cores at load "
        f"{os.getloadavg()[0]:.1f}; batch {args.batch} of {shape}, seed 0\n"
    )
    print("| network | build [s] | keras | ratio | step [s] | keras | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    rows = []
    for name in args.names:
        twin = TWINS[name]
        keras.utils.set_random_seed(0)
        ours, theirs = in_turns(
            [lambda n=name: models.build(n), lambda t=twin: t(**PLAIN)], 6
        )
        keras.backend.clear_session(free_memory=True)
        steps = [
            training(models.build(name, input_shape=shape, classes=10), args.batch),
            training(twin(input_shape=shape, classes=10, **PLAIN), args.batch),
        ]
        in_turns(steps, 2)  # tracing, and a first step at leisure
        fast, slow = in_turns(steps, args.steps)
        print(
            f"| {name} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} "
            f"| {fast:.2f} | {slow:.2f} | {fast / slow:.2f} |",
            flush=True,
        )
        peer = "keras.applications"
        rows.append(Ratio(f"building `{name}`", peer, ours, theirs))
        rows.append(Ratio(f"a train step of `{name}`", peer, fast, slow))
        keras.backend.clear_session(free_memory=True)
    return rows


if __name__ == "__main__":
    main()
