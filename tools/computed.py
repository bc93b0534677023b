"""What the site's own pages show, computed by the library: run as a process of its own.

``python -m tools.computed networks`` prints what it is asked for, as JSON.
"""

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import cnnlib
from tools.course import Course, CourseError, digest, kernel_env, write

LIBRARY = Path(cnnlib.__file__).parent
NETWORK, TARGET = "efficientnet_lite0", "ostrich"
EPSILONS = (0, 1, 2, 3, 4, 6, 8)  # grey levels of 255
STEPS, SEED, TOP = 10, 13, 5


def png(pixels: np.ndarray) -> str:
    """A picture, uint8, as the address of a PNG."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()


def networks() -> list[dict]:
    """The rows of the catalogue in its order, each with its network's stages."""
    import keras

    from cnnlib import models
    from cnnlib.models.summary import stages

    told = ("name", "year", "paper", "task", "input_shape", "trainable", "total")
    published = ("published", "source", "top1", "top5", "cifar10", "protocol")
    found = []
    for name, entry in models.CATALOG.items():
        row = {key: getattr(entry, key) for key in (*told, *published)}
        # Counting asks for shapes alone: no weights are drawn, in half of the time.
        with keras.StatelessScope(initialize_variables=False):
            row["stages"] = [stage._asdict() for stage in stages(models.build(name))]
        found.append(row)
    return found


def ostrich() -> dict:
    """A cat on its way to an ostrich, by ever larger ε, and random signs of that size.

    ``attack`` and ``random`` have a picture for each of ``epsilons``, and the likeliest
    classes. Every picture is rounded to 8 bits before the network sees it.
    """
    from scipy.special import softmax

    from cnnlib import datasets, fooling, models

    network = models.efficientnet_lite0(weights="imagenet")
    names, bounds = models.imagenet_names(), models.input_bounds(NETWORK)
    photo = datasets.centre_crop(datasets.photograph("cat"))
    start = models.preprocess(NETWORK, photo[None])
    label = network.predict(start, verbose=0).argmax(axis=1)
    step = (bounds[1] - bounds[0])[0] / 255
    signs = np.random.default_rng(SEED).choice([-1, 1], photo.shape)

    def attacked(epsilon):
        if not epsilon:
            return photo
        aim = {"targets": models.imagenet_class(TARGET), "steps": STEPS}
        found = fooling.pgd(network, start, label, epsilon * step, bounds=bounds, **aim)
        return models.to_pixels(NETWORK, found)[0]

    def shown(pixels):
        inputs = models.preprocess(NETWORK, pixels[None])
        [odds] = softmax(network.predict(inputs, verbose=0), axis=1)
        best = np.argsort(-odds)[:TOP]
        top = [[names[k], round(float(odds[k]), 4)] for k in best]
        return {"picture": png(pixels), "top": top}

    noisy = [np.uint8(np.clip(photo + e * signs, 0, 255)) for e in EPSILONS]
    return {
        "epsilons": EPSILONS,
        "steps": STEPS,
        "attack": [shown(attacked(e)) for e in EPSILONS],
        "random": [shown(pixels) for pixels in noisy],
    }


def photograph() -> dict:
    """A photograph in grey, for the kernels."""
    from cnnlib import datasets

    grey = Image.fromarray(datasets.photograph("china")).convert("L")
    grey.thumbnail((320, 320), Image.Resampling.LANCZOS)
    return {
        "picture": png(np.asarray(grey)),
        "width": grey.width,
        "height": grey.height,
    }


WHAT = {"networks": networks, "ostrich": ostrich, "photograph": photograph}


def computed(course: Course, names: list[str], say: Callable) -> dict[str, object]:
    """What is computed under these names; again only where the library changed.

    Raises:
        CourseError: the process failed.
    """
    made_from = digest(*sorted(LIBRARY.rglob("*.py")), Path(__file__))
    stored = {name: course.build / "computed" / f"{name}.json" for name in names}
    found = {
        name: json.loads(path.read_text("utf-8"))
        for name, path in stored.items()
        if path.exists()
    }
    late = [n for n in names if found.get(n, {}).get("made_from") != made_from]
    if late:
        say(f"computing for the site: {', '.join(late)}")
    root = str(Path(__file__).parents[1])
    env = kernel_env() | {"PYTHONPATH": root, "KERAS_BACKEND": "tensorflow"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "tools.computed"]
    started = {n: subprocess.Popen([*command, n], env=env, **pipes) for n in late}
    for name, process in started.items():
        told, complaint = process.communicate()
        if process.returncode:
            last = (complaint.strip().splitlines() or ["it said nothing"])[-1]
            raise CourseError(f"{name}, computed for the site: {last}")
        value = json.loads(told.splitlines()[-1])
        found[name] = {"made_from": made_from, "value": value}
        write(stored[name], json.dumps(found[name]))
    return {name: found[name]["value"] for name in names}


if __name__ == "__main__":
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    print(json.dumps(WHAT[sys.argv[1]]()))
