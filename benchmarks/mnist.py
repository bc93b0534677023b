"""MNIST to 99.0 %: seconds of fit, beside keras.io's example and a twin in PyTorch.

    python -m benchmarks.mnist [--seeds 5] [--example 1] [--record results/FILE.json]

In every round each takes its turn: keras.io's "simple MNIST convnet" as published, to
the first epoch after which it reads 99.0 % of the test images (in the first
``--example`` rounds only, as it takes longest), the twin where torch can be imported,
and ours, one pass over the training images. Seconds are those of fit, tracing included,
tests between the epochs not. The peak is that of a product of two square matrices, in
the precision of the row, in the same run.

Nothing was chosen on the test images, but on the last 10,000 training images, learning
from the first 50,000. So the second table is measured, three seeds each, in turns too:
our recipe with one thing changed. ``--record`` keeps both for notebook 06.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from benchmarks.ratios import Ratio, place
from cnnlib import datasets
from cnnlib.models.summary import multiply_adds
from cnnlib.training import OneCycle, TimeToAccuracy

TARGET, BATCH, PEAK = 0.99, 128, 0.4


def half_is_native() -> bool:
    """Whether the processor multiplies bfloat16 itself, as far as Linux tells."""
    flags = Path("/proc/cpuinfo")
    text = flags.read_text() if flags.exists() else ""
    return "avx512_bf16" in text or "amx_bf16" in text


def matrix_peak(dtype: str, side: int = 2048) -> float:
    """FLOP/s of a product of two square matrices, the best of ten."""
    a = keras.ops.cast(keras.random.normal((side, side)), dtype)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        float(keras.ops.matmul(a, a)[0, 0])
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def flops(model: keras.Model, images: int) -> int:
    """Of training: an image passes forwards, the error to inputs and to weights.

    No error is passed to the images, so the first layer has two passes of the three.
    """
    first, *others = [n for n in map(multiply_adds, model.layers) if n]
    return 2 * images * (2 * first + 3 * sum(others))


def example(data, seed: int) -> tuple[float, float, float]:
    """https://keras.io/examples/vision/mnist_convnet/: seconds, accuracy, FLOPs.

    Its ``validation_split=0.1`` holds the last tenth back, which it trains without;
    here as there. It is tested on the test images instead, outside the clock.
    """
    x, y, x_test, y_test = data
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    learned = int(len(x) * 0.9)
    targets = keras.utils.to_categorical(y, 10)[:learned]
    tests = x_test, keras.utils.to_categorical(y_test, 10)
    clock = TimeToAccuracy(TARGET, stop=True)
    model.fit(
        x[:learned],
        targets,
        batch_size=128,
        epochs=15,
        validation_data=tests,
        callbacks=[clock],
        verbose=0,
    )
    seconds, accuracy = clock.history[-1]
    return seconds, accuracy, flops(model, learned * len(clock.history))


def network(kernel=3, stride=1, padding="valid", norm=False, early=False, dense=0):
    """The example's network, and with other settings what became of it."""

    def block(layer, pool=True):
        rest = [layers.BatchNormalization(momentum=0.9)] * norm + [layers.ReLU()]
        pools = [layers.MaxPooling2D()] * pool
        return [layer, *pools, *rest] if early else [layer, *rest, *pools]

    first = layers.Conv2D(32, kernel, stride, use_bias=not norm)
    second = layers.Conv2D(64, 3, padding=padding, use_bias=not norm)
    parts = [*block(first), *block(second), layers.Flatten()]
    if dense:
        parts += block(layers.Dense(dense, use_bias=not norm), pool=False)
    if not norm:
        parts.append(layers.Dropout(0.5))
    top = layers.Dense(10, dtype="float32")
    return keras.Sequential([keras.Input((28, 28, 1)), *parts, top])


OURS = {"kernel": 5, "stride": 2, "padding": "same", "norm": True, "early": True}
OURS |= {"dense": 128}


def ours(
    data,
    seed: int,
    *,
    half: bool | None = None,
    batch: int = BATCH,
    rate: float | None = None,
    adam: bool = False,
    jit: bool = False,
    built: bool = True,
    **form,
) -> tuple[float, float, float]:
    """One pass over the training images: seconds, accuracy, FLOPs.

    By default in bfloat16 where that is native, with one cycle of SGD.
    """
    x, y, x_test, y_test = data
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    half = half_is_native() if half is None else half
    keras.config.set_dtype_policy("mixed_bfloat16" if half else "float32")
    try:
        model = network(**OURS | form)
    finally:
        keras.config.set_dtype_policy(before)
    rate = rate or OneCycle(0.01 if adam else PEAK, steps=-(-len(x) // batch))
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    if adam:
        optimizer = keras.optimizers.Adam(rate)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=jit)
    start = time.perf_counter()
    if built:  # else the first step makes its variables, and is traced once more
        optimizer.build(model.trainable_variables)
    model.fit(x, y, batch_size=batch, verbose=0)
    seconds = time.perf_counter() - start
    guess = model.predict(x_test, batch_size=1000, verbose=0).argmax(axis=1)
    return seconds, np.mean(guess == y_test), flops(model, len(x))


CHANGES = {
    "our recipe": {},
    "the first layer at every pixel, not every second": {"stride": 1},
    "batches of 32": {"batch": 32},
    "pooled after normalization and ReLU": {"early": False},
    "float32": {"half": False},
    "compiled by XLA, Keras's default": {"jit": True},
    "the optimizer's variables made in the first step": {"built": False},
    "Adam": {"adam": True},
    "one learning rate throughout": {"rate": 0.1},
    "no batch normalization": {"norm": False, "rate": 0.1},
    "batches of 512": {"batch": 512},
}


def twin(data, seed: int) -> tuple[float, float, float]:
    """The same network, schedule and precision in PyTorch.

    Raises:
        ImportError: torch is not there.
    """
    # The LLVM of torch's compiler, unused here, and TensorFlow's end a common process.
    sys.modules.setdefault("triton", None)
    import torch
    from torch import nn

    half = torch.bfloat16 if half_is_native() else torch.float32
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 5, 2, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 3 * 3, 128, bias=False),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 10),
    ).to(memory_format=torch.channels_last)
    for layer in model:  # as Keras starts, and counts the momentum of statistics
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
    images, x_test = (
        torch.from_numpy(np.moveaxis(part, -1, 1).copy()) for part in data[::2]
    )
    labels = torch.from_numpy(data[1].astype("int64"))
    start = time.perf_counter()
    steps = -(-len(images) // BATCH)
    optimizer = torch.optim.SGD(model.parameters(), PEAK, momentum=0.9, nesterov=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        *(optimizer, PEAK, steps),
        pct_start=0.3,
        div_factor=25,
        final_div_factor=400,
        cycle_momentum=False,
    )
    for chosen in torch.randperm(len(images)).split(BATCH):
        x = images[chosen].contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", half, enabled=half != torch.float32):
            logits = model(x)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits.float(), labels[chosen]).backward()
        optimizer.step()
        rate.step()
    seconds = time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        guess = torch.cat([model(part) for part in x_test.split(1000)]).argmax(1)
    accuracy = np.mean(guess.numpy() == data[3])
    return seconds, accuracy, flops(network(**OURS), len(images))


def changes(data, seeds: int) -> list[dict]:
    """Our recipe with one thing changed, on training images that were held out.

    All take their turn with every seed, so that a busy machine slows all alike.
    """
    x, y = data[:2]
    held = x[:50_000], y[:50_000], x[50_000:], y[50_000:]
    runs = {name: [] for name in CHANGES}
    for seed in range(seeds):
        for name, change in CHANGES.items():
            runs[name].append(ours(held, seed, **change)[:2])
    rows = []
    for name, found in runs.items():
        seconds, accuracy = map(statistics.median, zip(*found, strict=True))
        rows.append({"change": name, "seconds": seconds, "accuracy": accuracy})
        print(f"| {name} | {seconds:.2f} | {accuracy:.2%} |")
    return rows


def main(arguments: list[str] | None = None) -> list[Ratio]:
    """Run the rounds, print the table; with ``--record`` the second, and keep both."""
    from tools.course import write  # both need what runs notebooks
    from tools.record import machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="rounds; ours from each")
    parser.add_argument("--example", type=int, default=1, help="rounds with keras.io's")
    parser.add_argument("--record", metavar="FILE", type=place, help="keep the tables")
    given = parser.parse_args(arguments)
    try:
        mnist = datasets.load("mnist")
    except OSError as error:  # without it there is nothing to measure
        print(f"MNIST is not at hand: {error}")
        return []
    x, x_test = (part / np.float32(255) for part in (mnist.x_train, mnist.x_test))
    data = x, mnist.y_train, x_test, mnist.y_test
    half = "bfloat16" if half_is_native() else "float32"
    peaks = {kind: matrix_peak(kind) for kind in ("float32", half)}
    told = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "python -m benchmarks.mnist --record results/mnist_clock.json",
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            "keras": keras.version(),
            "backend": keras.backend.backend(),
        },
        "load": round(os.getloadavg()[0], 1),
        "gflops": {kind: round(peak / 1e9) for kind, peak in peaks.items()},
    }
    print(json.dumps(told, indent=1))
    print("\n| | runs | fit [s] | ratio | accuracy, median | least | of the peak |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    told["rows"] = beside(data, given, half, peaks)
    if given.record:
        print("\n| one thing changed, held-out images | fit [s] | accuracy, median |")
        print("| --- | --- | --- |")
        told["changes"] = changes(data, seeds=3)
        write(given.record, json.dumps(told, indent=1) + "\n")
    *peers, own = told["rows"]
    what = f"MNIST to {TARGET:.1%}, seconds of `fit`".replace("%", " %")
    return [Ratio(what, row["name"], own["seconds"], row["seconds"]) for row in peers]


def beside(data, given, half: str, peaks: dict[str, float]) -> list[dict]:
    """The rounds, in which each takes its turn, as rows of the table."""
    runners = {
        "keras.io's example": (example, "float32", given.example),
        "ours in PyTorch": (twin, half, given.seeds),
        "ours": (ours, half, given.seeds),
    }
    found = {name: [] for name in runners}
    for seed in range(given.seeds):
        for name, (run, kind, rounds) in runners.items():
            if seed < rounds:
                try:
                    found[name].append(run(data, seed))
                except ImportError as error:
                    runners[name] = run, kind, 0
                    print(f"absent: {name} ({error})")
    base = statistics.median(seconds for seconds, *_ in found["keras.io's example"])
    rows = []
    for name, (_, kind, _) in runners.items():
        if found[name]:
            seconds, accuracy, work = (list(c) for c in zip(*found[name], strict=True))
            row = {
                "name": name,
                "runs": len(seconds),
                "seconds": statistics.median(seconds),
                "ratio": base / statistics.median(seconds),
                "accuracy": statistics.median(accuracy),
                "least": min(accuracy),
                "of_peak": statistics.median(np.divide(work, seconds)) / peaks[kind],
            }
            rows.append(row)
            print(
                "| {name} | {runs} | {seconds:.2f} | {ratio:.1f} | {accuracy:.2%} | "
                "{least:.2%} | {of_peak:.0%} |".format(**row)
            )
    return rows


if __name__ == "__main__":
    main()
