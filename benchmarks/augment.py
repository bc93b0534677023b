"""Augmentation: images a second, beside Keras's layers and albumentations.

    python benchmarks/augment.py [--side 32 224] [--seconds 2]

Every contender augments the same batch of 64 RGB images, again and again, mapped over
``tf.data`` one batch at a time (albumentations image by image, as it works), in turns,
so that a busy machine slows all of them alike. The best turn of each counts; ratios are
to Keras's. Needs TensorFlow; albumentations only where it is installed.
"""

import argparse
import os
import platform
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.ratios import Ratio
from cnnlib import augment

BATCH, SEED, TURNS = 64, 0, 5


def mapped(layer, x):
    """A function that augments the batch ``times`` times within tf.data."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False  # nothing made in advance
    batches = tf.data.Dataset.from_tensors(x).cache().repeat().map(layer)
    iterator = iter(batches.with_options(options))

    def run(times):
        for _ in range(times):
            next(iterator)

    return run


def keras_four(x):
    """Flip, rotation, zoom and translation, one of Keras's layers after the other."""
    layers = [
        keras.layers.RandomFlip("horizontal", seed=SEED),
        keras.layers.RandomRotation(30 / 360, seed=SEED),
        keras.layers.RandomZoom((-0.2, 0.2), seed=SEED),
        keras.layers.RandomTranslation(0.1, 0.1, seed=SEED),
    ]

    def chain(x):
        for layer in layers:
            x = layer(x, training=True)
        return x

    return mapped(chain, x)


def own_warp(x):
    """The same four in one warp."""
    settings = {"rotation": 30, "zoom": 0.2, "translation": 0.1}
    return mapped(augment.Warp(flip="horizontal", **settings, seed=SEED), x)


def keras_elastic(x):
    """Keras's elastic deformation."""
    layer = keras.layers.RandomElasticTransform(value_range=(0, 1), seed=SEED)
    return mapped(lambda x: layer(x, training=True), x)


def own_elastic(x):
    """A 3×3 grid of vectors of a fiftieth of the side."""
    return mapped(augment.Elastic(x.shape[1] / 50, seed=SEED), x)


def albumentations_warp(x):
    """Flip and one Affine of albumentations, on uint8, as it is fastest."""
    import albumentations as A  # noqa: N812

    transform = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(
                scale=(0.8, 1.2),
                translate_percent=(-0.1, 0.1),
                rotate=(-30, 30),
                p=1,
                border_mode=2,
            ),
        ]
    )
    images = (x * 255).astype("uint8")

    def run(times):
        for _ in range(times):
            np.stack([transform(image=image)["image"] for image in images])

    return run


GROUPS = {
    "warp": {
        "Keras: four layers": keras_four,
        "cnnlib: one Warp": own_warp,
        "albumentations: flip + Affine": albumentations_warp,
    },
    "elastic": {
        "Keras: RandomElasticTransform": keras_elastic,
        "cnnlib: Elastic": own_elastic,
    },
}


def measure(contenders, x, seconds):
    """Seconds a batch, the best of the turns; None for what is not installed."""
    runs, times, best = {}, {}, {}
    for name, make in contenders.items():
        try:
            runs[name] = make(x)
        except ImportError:
            best[name] = None
            continue
        runs[name](2)  # traced, compiled, warm
        start = time.perf_counter()
        runs[name](1)
        once = time.perf_counter() - start
        times[name] = max(1, round(seconds / TURNS / max(once, 1e-6)))
        best[name] = float("inf")
    for _ in range(TURNS):
        for name, run in runs.items():
            start = time.perf_counter()
            run(times[name])
            spent = (time.perf_counter() - start) / times[name]
            best[name] = min(best[name], spent)
    return best


def beside(best, side) -> list[Ratio]:
    """Ours beside each of the others that are installed, seconds an image."""
    (own,) = (name for name in best if name.startswith("cnnlib"))
    what = f"an image of {side}×{side} through {own.removeprefix('cnnlib: ')}"
    return [
        Ratio(what, name, best[own] / BATCH, spent / BATCH)
        for name, spent in best.items()
        if name != own and spent is not None
    ]


def main(given: list[str] | None = None) -> list[Ratio]:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--seconds", type=float, default=2, help="for each contender")
    options = parser.parse_args(given)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; Python "
        f"{platform.python_version()}, Keras {keras.__version__} on TensorFlow "
        f"{tf.__version__}; seed {SEED}; batch {BATCH}, RGB float32\n"
    )
    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    print(f"{'side':>4}  {'what':<32}{'images/s':>10}{'ratio':>8}")
    rows = []
    for side in options.side:
        x = rng.random((BATCH, side, side, 3), "float32")
        for contenders in GROUPS.values():
            best = measure(contenders, x, options.seconds)
            first = next(iter(best.values()))
            for name, spent in best.items():
                if spent is None:
                    print(f"{side:>4}  {name:<32}{'not installed':>18}")
                    continue
                rate, ratio = BATCH / spent, first / spent
                print(f"{side:>4}  {name:<32}{rate:>10,.0f}{ratio:>8.2f}", flush=True)
            rows += beside(best, side)
    return rows


if __name__ == "__main__":
    main()
