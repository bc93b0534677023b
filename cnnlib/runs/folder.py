"""The folder of a run: what was asked for, the checkpoint, the history."""

import csv
import hashlib
import json
import platform
import zipfile
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from cnnlib import datasets, files
from cnnlib.runs.settings import Settings


class Keeper(keras.callbacks.Callback):
    """Writes the checkpoint and the history at the end of every epoch."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder, self.history = folder, kept(folder)

    def on_epoch_end(self, epoch, logs=None):
        self.history.append({"epoch": epoch + 1, **(logs or {})})
        # The checkpoint comes last: an epoch that it lacks is run, and written, again.
        with files.written(self.folder / "history.csv") as part, part.open("w") as file:
            rows = csv.DictWriter(file, list(self.history[0]), lineterminator="\n")
            rows.writeheader()
            rows.writerows(self.history)
        values = [*states(self.model), *self.model.optimizer.variables]
        arrays = {str(i): np.asarray(v) for i, v in enumerate(values)}
        with files.written(self.folder / "checkpoint.npz") as part:
            np.savez(part, history=json.dumps(self.history), **arrays)


def saved(folder: Path) -> dict[str, np.ndarray]:
    """What the folder's checkpoint holds; nothing where there is none."""
    file = folder / "checkpoint.npz"
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        return {}
    except (EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is damaged: name another folder") from error


def kept(folder: Path) -> list[dict]:
    """What a checkpoint has done so far, a row for each epoch."""
    return json.loads(str(saved(folder).get("history", "[]")))


def states(model: keras.Model) -> list[keras.Variable]:
    """Weights, moving statistics and the states of random layers; no metric."""
    counted = {id(v) for v in model.metrics_variables}
    return [v for v in model.variables if id(v) not in counted]


def fill(folder: Path, model: keras.Model, *, optimizer: bool) -> None:
    """Give the model, and its optimizer, what the checkpoint holds."""
    variables, rates = states(model), model.optimizer.variables
    values = saved(folder)
    for i, variable in enumerate([*variables, *rates] if optimizer else variables):
        if str(i) not in values or values[str(i)].shape != tuple(variable.shape):
            raise ValueError(f"{folder}/checkpoint.npz is of another model")
        variable.assign(values[str(i)])


def opened(out: Path, settings: Settings, data, resume: bool) -> None:
    """Make the folder, or see that it holds this run and no other."""
    own = settings.data not in datasets.NAMES
    if own and Path(settings.data).resolve() in out.resolve().parents:
        raise ValueError(f"{out} lies in the data, and would be a class: name another")
    file, pixels = out / "run.json", hashlib.sha256()
    for values in data[:4]:
        pixels.update(np.ascontiguousarray(values))
    asked = asdict(settings) | {"classes": list(data.class_names)}
    asked |= {"data": str(Path(settings.data)), "images": pixels.hexdigest()}
    if not file.exists():
        out.mkdir(parents=True, exist_ok=True)
        files.sweep(out)
        if left := [p.name for p in out.iterdir()]:
            raise ValueError(f"{out} is not empty, it holds {left[0]}: name another")
        asked |= {"python": platform.python_version(), "keras": keras.__version__}
        asked["backend"] = keras.backend.backend()
        with files.written(file) as part:
            part.write_text(json.dumps(asked, indent=2))
        return
    if not resume:
        raise ValueError(f"{out} holds a run already: --resume goes on with it")
    try:  # an older run does not tell its images
        before = {"images": asked["images"]} | json.loads(file.read_text())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: name another folder") from error
    if other := ", ".join(k for k in asked if before.get(k) != asked[k]):
        raise ValueError(f"{out} holds another run, which differs in {other}")
