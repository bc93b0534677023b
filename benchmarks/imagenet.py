"""ImageNet's network on this processor: images a second, and how near to its peak.

    python -m benchmarks.imagenet            (KERAS_BACKEND=jax for JAX)

EfficientNet-Lite0 at 224×224: its scores, and the gradient of a loss by the image,
which an attack takes at every step. Plain is how the library runs it; XLA compiles the
same function as a whole; half is bfloat16, of which not every processor has
instructions. Every round runs all of them in turn. The peak is that of a product of two
matrices of 2048×2048 in the same precision, in the same run; a multiply-add counts as
two FLOPs, and the gradient by the image costs as much again as the scores.
"""

import argparse
import os
import platform
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from benchmarks.mnist import matrix_peak
from benchmarks.ratios import Ratio
from cnnlib import models
from cnnlib.gradients import compiled, input_gradient, slope
from cnnlib.models.summary import multiply_adds


def network(policy: str) -> keras.Model:
    """The network with its ImageNet weights, in float32 or half precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return models.efficientnet_lite0(weights="imagenet")
    finally:
        keras.config.set_dtype_policy(before)


def wrong(logits, y):
    """A cross-entropy for each example."""
    return keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)


def ways(model: keras.Model, y: np.ndarray) -> dict:
    """What is timed: name to a function of images."""
    gradient = input_gradient(model, wrong)

    def scores(x):
        return model(x, training=False)

    def slopes(x):
        return slope(lambda x: ops.sum(wrong(scores(x), y)), x)

    return {
        "scores": model.predict_on_batch,
        "scores, XLA": compiled(scores),
        "gradient": lambda x: gradient(x, y),
        "gradient, XLA": compiled(slopes),
    }


def main(arguments: list[str] | None = None) -> list[Ratio]:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(given.batch, 224, 224, 3)).astype("float32")
    y = rng.integers(0, 1000, given.batch)
    peaks, runs, costs = {}, {}, {}
    for precision, policy in (("float32", "float32"), ("half", "mixed_bfloat16")):
        model = network(policy)
        peaks[precision] = matrix_peak(policy.removeprefix("mixed_"))
        scores = 2 * multiply_adds(model)
        for name, run in ways(model, y).items():
            runs[name, precision] = run
            costs[name, precision] = scores * (2 if "gradient" in name else 1)
    times = {key: [] for key in runs}
    for i in range(given.rounds + 1):
        for key, run in runs.items():
            start = time.perf_counter()
            keras.tree.map_structure(np.asarray, run(x))
            if i:  # the first one compiles
                times[key].append(time.perf_counter() - start)
    backend = f"Keras {keras.version()} on {keras.backend.backend()}"
    machine = f"{os.cpu_count()} cores at load {os.getloadavg()[0]:.1f}"
    print(f"Python {platform.python_version()}, {backend}, {machine}")
    print(f"batches of {given.batch}, median of {given.rounds}; peaks", end=" ")
    print(", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in peaks.items()))
    print(
        "\n| what | precision | ms an image | of the peak |\n| --- | --- | --- | --- |"
    )
    for (name, precision), found in times.items():
        seconds = statistics.median(found) / given.batch
        share = costs[name, precision] / seconds / peaks[precision]
        print(f"| {name} | {precision} | {1e3 * seconds:.1f} | {share:.0%} |")
    image = {key: statistics.median(t) / given.batch for key, t in times.items()}
    rows = []
    for name in ("scores", "gradient"):
        what, own = f"`efficientnet_lite0`, {name} of an image", image[name, "float32"]
        by_xla, half = image[f"{name}, XLA", "float32"], image[name, "half"]
        rows.append(Ratio(what, "the same by XLA", own, by_xla))
        rows.append(Ratio(what, "the same in bfloat16", own, half))
    return rows


if __name__ == "__main__":
    main()
