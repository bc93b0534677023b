"""Attacks side by side with their peers: python benchmarks/fooling.py.

PGD-20 on 256 images of 28×28 against foolbox, ART and cleverhans (those that are
installed), and batched L-BFGS against a loop of SciPy's L-BFGS-B over single images,
with the same search and the same compiled gradient. Every round runs all of them in
turn; the table shows the median time of each and its ratio to ours.
"""

import argparse
import os
import platform
import statistics
import time
from importlib import metadata

import keras
import numpy as np
from scipy import optimize

from benchmarks.ratios import Ratio
from cnnlib import datasets, fooling, models, training
from cnnlib.fooling.gradient_attacks import cross_entropy
from cnnlib.gradients import input_gradient

SIZE, STEP, STEPS = 0.1, 0.01, 20
SEARCHES = 6


def network(name, epochs, seed):
    """A small CNN that knows the embedded digits; images 0 to 1."""
    keras.utils.set_random_seed(seed)
    digits = datasets.load(name)
    top = np.float32(digits.x_train.max())
    x, x_test = digits.x_train / top, digits.x_test / top
    small = {"filters": (16, 16), "dense": 64, "input_shape": x.shape[1:]}
    model = models.mnist_cnn(**small)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = training.OneCycle(5e-3, epochs * -(-len(x) // 64))
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(x, digits.y_train, batch_size=64, epochs=epochs, verbose=0)
    return model, x, digits.y_train, x_test, digits.y_test


def own_pgd(model, x, y):
    """Ours."""
    return lambda: fooling.pgd(model, x, y, SIZE, step_size=STEP, steps=STEPS)


def foolbox_pgd(model, x, y):
    """https://github.com/bethgelab/foolbox."""
    import foolbox
    import tensorflow as tf

    oracle = foolbox.models.TensorFlowModel(model, (0, 1), tf.device("/CPU:0"))
    attack = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS, random_start=False)
    x, y = tf.constant(x), tf.constant(y)
    criterion = foolbox.criteria.Misclassification(y)
    return lambda: attack.run(oracle, x, criterion, epsilon=SIZE).numpy()


def cleverhans_pgd(model, x, y):
    """https://github.com/cleverhans-lab/cleverhans."""
    import tensorflow as tf
    from cleverhans.tf2.attacks import projected_gradient_descent as module

    attack, infinity = module.projected_gradient_descent, np.inf
    x, y = tf.constant(x), tf.constant(y)
    options = {"clip_min": 0.0, "clip_max": 1.0, "y": y, "rand_init": False}
    return lambda: attack(model, x, SIZE, STEP, STEPS, infinity, **options).numpy()


def art_pgd(model, x, y):
    """https://github.com/Trusted-AI/adversarial-robustness-toolbox."""
    from art.attacks.evasion import ProjectedGradientDescentTensorFlowV2
    from art.estimators.classification import TensorFlowV2Classifier

    shape = x.shape[1:]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    oracle = TensorFlowV2Classifier(model, 10, shape, loss, clip_values=(0, 1))
    attack = ProjectedGradientDescentTensorFlowV2(
        *(oracle, np.inf, SIZE, STEP),
        max_iter=STEPS,
        batch_size=256,
        verbose=False,
    )
    return lambda: attack.generate(x, y)


PEERS = {
    "cnnlib": own_pgd,
    "cleverhans": cleverhans_pgd,
    "foolbox": foolbox_pgd,
    "adversarial-robustness-toolbox": art_pgd,
}


def pgd_table(model, x, y, rounds) -> list[Ratio]:
    """PGD-20, all libraries in turn."""
    runs = {}
    for name, make in PEERS.items():
        try:
            runs[name] = make(model, x, y)
            runs[name]()
        except ImportError as error:
            runs.pop(name, None)
            print(f"absent: {name} ({error})")
    times, found = {name: [] for name in runs}, {}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            found[name] = run()
            times[name].append(time.perf_counter() - start)
    own = statistics.median(times["cnnlib"])
    print(f"\nPGD-{STEPS}, {len(x)} images of 28×28, median of {rounds} rounds")
    print(f"{'library':32}{'ms':>8}{'ratio':>8}  differing pixels")
    what, rows = f"PGD-{STEPS} on {len(x)} images of 28×28", []
    for name, seconds in times.items():
        median = statistics.median(seconds)
        if name != "cnnlib":
            rows.append(Ratio(what, name, own, median))
        differing = np.mean(np.abs(found[name] - found["cnnlib"]) > 1e-6)
        print(f"{name:32}{median * 1e3:8.0f}{median / own:8.2f}  {differing:.2%}")
    return rows


def scipy_lbfgs(model, image, target):
    """One image by SciPy's L-BFGS-B: the same weights c, to its own convergence."""
    gradient = input_gradient(model, cross_entropy)
    origin = image.ravel().astype("float64")
    label = np.array([target], "int32")
    best, least, calls = image, np.inf, 0
    enough, too_much, weight = 0.0, np.inf, 0.1

    def objective(flat):
        nonlocal best, least, calls
        calls += 1
        point = flat.reshape(1, *image.shape).astype("float32")
        slope, logits = gradient(point, label)
        z = logits[0].astype("float64")
        loss = z.max() + np.log(np.exp(z - z.max()).sum()) - z[target]
        r = flat - origin
        if z.argmax() == target and r @ r < least:
            best, least = point[0], r @ r
        return loss + weight * (r @ r), slope.ravel() + 2 * weight * r

    start = origin
    for _ in range(SEARCHES):
        box = [(0, 1)] * origin.size
        found = optimize.minimize(objective, start, (), "L-BFGS-B", True, bounds=box)
        point = found.x.reshape(1, *image.shape).astype("float32")
        _, logits = gradient(point, label)
        if logits[0].argmax() == target:
            enough = weight
        else:
            too_much = weight
        if enough == 0:
            weight = too_much / 10
        else:
            weight = enough * 10 if np.isinf(too_much) else (enough * too_much) ** 0.5
        start = best.ravel().astype("float64") if np.isfinite(least) else found.x
    return best, calls


def lbfgs_table(model, x, y, singles) -> list[Ratio]:
    """Batched L-BFGS on all images, SciPy's on the first few."""
    targets = (y + 1 + np.arange(len(y)) % 9) % 10
    fooling.lbfgs(model, x, y, targets, searches=1, rounds=1)
    scipy_lbfgs(model, x[0], targets[0])
    start = time.perf_counter()
    found = fooling.lbfgs(model, x, y, targets)
    own = (time.perf_counter() - start) / len(x)
    start = time.perf_counter()
    pairs = zip(x[:singles], targets[:singles], strict=True)
    alone = [scipy_lbfgs(model, image, target) for image, target in pairs]
    peer = (time.perf_counter() - start) / singles
    side = x.shape[1]
    print(f"\ntargeted L-BFGS, {len(x)} images of {side}×{side}, SciPy on {singles}")
    print(f"{'':32}{'ms/image':>10}{'ratio':>8}  reached  mean RMS")
    for name, seconds, images, count in (
        ("cnnlib, batched", own, found, len(x)),
        ("SciPy L-BFGS-B, one by one", peer, np.stack([a for a, _ in alone]), singles),
    ):
        hit = keras.ops.convert_to_numpy(model(images)).argmax(1) == targets[:count]
        rms = fooling.distortion(x[:count], images).mean()
        row = f"{name:32}{seconds * 1e3:10.1f}{seconds / own:8.1f}"
        print(f"{row}  {hit.sum():3}/{count:<3}  {rms:.4f}")
    print(f"SciPy evaluates {np.mean([n for _, n in alone]):.0f} times per image")
    what = f"L-BFGS, an image of {side}×{side} of {len(x)} at once"
    return [Ratio(what, "SciPy, one by one", own, peer)]


def main(given: list[str] | None = None) -> list[Ratio]:
    """Run both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of PGD")
    parser.add_argument("--singles", type=int, default=10, help="images for SciPy")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(given)
    names = ("keras", keras.backend.backend(), "numpy", "scipy", *list(PEERS)[1:])
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} absent")
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"python {platform.python_version()}, {', '.join(versions)}")
    print(f"seed {options.seed}, load {load}")
    rows = []
    for name in ("digits28", "digits"):
        model, x, y, x_test, y_test = network(name, options.epochs, options.seed)
        if name == "digits28":
            rows += pgd_table(model, x[:256], y[:256], options.rounds)
        right = keras.ops.convert_to_numpy(model(x_test)).argmax(axis=1) == y_test
        hundred = x_test[right][:100], y_test[right][:100]
        rows += lbfgs_table(model, *hundred, options.singles)
    return rows


if __name__ == "__main__":
    main()
