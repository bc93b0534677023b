"""``python -m cnnlib train``: a network, data, and a folder that holds the run.

The run can be stopped at any time; it goes on at the end of the last whole epoch, and
ends with the history that it would have had. The folder then has::

    run.json         what was asked for, class names, versions; at the end the results
    checkpoint.npz   weights, optimizer, random states, history: written whole or not
    history.csv      a line for each epoch
    model.keras      pixels from 0 to 255 in, logits out, for ``classify --model``
    curves.png, confusion.png, errors.png
"""

import csv
import hashlib
import importlib.util
import json
import platform
import time
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import matplotlib
import numpy as np
import scipy.special
from keras import layers
from sklearn.metrics import confusion_matrix

from cnnlib import augment, checks, datasets, files, models, plots
from cnnlib.models import blocks
from cnnlib.training import OneCycle

CHOICES = {
    "optimizer": ("adam", "sgd"),
    "schedule": ("onecycle", "steps", "constant"),
    "augmentation": ("none", "flip", "cifar", "digits"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
}


@dataclass
class Settings:
    """What ``train`` is asked for; None stands for the network's or data's own."""

    network: str
    data: str
    size: int | None = None
    epochs: int = 10
    batch_size: int = 64
    rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "onecycle"
    weight_decay: float = 0.0
    augmentation: str = "none"
    precision: str = "float32"
    validation: float = 0.1
    seed: int = 0
    transfer: bool = False

    def check(self) -> None:
        """Refuse what cannot be done, before anything is read or built."""
        who = "train"
        checks.named("network", self.network, [*models.CATALOG, *models.FAMILIES])
        for name in ("epochs", "batch_size"):
            checks.integer(who, name, getattr(self, name))
        checks.integer(who, "seed", self.seed, least=0)
        if self.size is not None:
            checks.integer(who, "size", self.size)
        checks.number(who, "rate", self.rate, above=0)
        checks.number(who, "weight_decay", self.weight_decay, least=0)
        checks.number(who, "validation", self.validation, above=0, below=1)
        for name, known in CHOICES.items():
            checks.choice(who, name, getattr(self, name), known)
        entry = models.CATALOG.get(self.network)
        if entry is not None and entry.task != "classification":
            raise ValueError(
                f"train takes a network that classifies images; {self.network} is one "
                f"for {entry.task}"
            )
        if self.transfer and self.network != "efficientnet_lite0":
            raise ValueError(
                "transfer begins with weights of ImageNet that are installed, those "
                f"of efficientnet_lite0; given {self.network}"
            )


# The papers' training on CIFAR-10: 1512.03385 and 1608.06993, section 4.2 of each.
# Momentum is Nesterov's, as the latter says; the former says momentum and no more.
CIFAR = {
    "data": "cifar10",
    "augmentation": "cifar",
    "optimizer": "sgd",
    "schedule": "steps",
    "rate": 0.1,
    "weight_decay": 1e-4,
}
RECIPES = {
    # 64,000 steps of 128
    "cifar-resnet": dict(CIFAR, network="resnet56", epochs=182, batch_size=128),
    "cifar-densenet": dict(CIFAR, network="densenet100_bc", epochs=300, batch_size=64),
}


def load(settings: Settings) -> datasets.Dataset:
    """The data set, or one's own folder in the network's size.

    Raises:
        ValueError: neither a data set nor a folder, or a folder that is refused.
    """
    if settings.data in datasets.NAMES:
        return datasets.load(settings.data)
    if not Path(settings.data).is_dir():
        raise ValueError(
            f"train takes data: {', '.join(datasets.NAMES)}, or a folder of pictures; "
            f"given {settings.data!r}"
        )
    entry = models.CATALOG.get(settings.network)
    side = settings.size or (entry.input_shape[0] if entry else 224)
    channels = entry.input_shape[-1] if entry else 3
    data = datasets.image_folder(
        settings.data, size=side, seed=settings.seed, channels=channels
    )
    if len(data.class_names) < 2:
        raise ValueError(f"{settings.data} has one class; train takes two or more")
    return data


def build(
    settings: Settings, data: datasets.Dataset
) -> tuple[keras.Model, keras.Model]:
    """The model of pixels from 0 to 255, and the network inside it.

    In transfer, images of one channel are given to the network as grey colours.
    """
    keras.utils.set_random_seed(settings.seed)
    shape, classes = data.x_train.shape[1:], len(data.class_names)
    x = image = keras.Input(shape, name="image")
    if settings.augmentation == "flip":
        x = layers.RandomFlip("horizontal", seed=settings.seed)(x)
    elif settings.augmentation != "none":
        x = augment.pipeline(settings.augmentation, seed=settings.seed)(x)
    if settings.transfer:
        if shape[-1] == 1:
            x = layers.Concatenate(name="colour")([x, x, x])
        x = layers.Rescaling(1 / 128, -127 / 128, name="scale")(x)
        sides = (*shape[:2], 3)
        whole = models.efficientnet_lite0(input_shape=sides, weights="imagenet")
        network = keras.Model(whole.input, whole.get_layer("pool").output)
        x = layers.Dropout(0.2, seed=settings.seed)(network(x))
        x = blocks.scores(classes)(x)
    else:
        pixels = data.x_train.reshape(-1, shape[-1])
        mean, variance = pixels.mean(axis=0), pixels.var(axis=0) + 1e-6
        x = layers.Normalization(mean=mean, variance=variance, name="scale")(x)
        network = models.build(settings.network, input_shape=shape, classes=classes)
        x = network(x)
    return keras.Model(image, x, name=settings.network), network


class Batches(keras.utils.PyDataset):
    """The training images in an order of each epoch's own, drawn from the seed."""

    def __init__(self, x, y, size: int, seed: int, epoch: int):
        super().__init__()
        self.x, self.y, self.size, self.seed, self.epoch = x, y, size, seed, epoch
        self._shuffle()

    def _shuffle(self):
        rng = np.random.default_rng((self.seed, self.epoch))
        self.order = rng.permutation(len(self.x))

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, i):
        rows = self.order[i * self.size : (i + 1) * self.size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()


def rate(settings: Settings, steps: int):
    """The learning rate over ``steps`` steps of a phase."""
    if settings.schedule == "onecycle":
        return OneCycle(settings.rate, steps)
    if settings.schedule == "steps":
        edges = [steps // 2, steps * 3 // 4]
        values = [settings.rate, settings.rate / 10, settings.rate / 100]
        return keras.optimizers.schedules.PiecewiseConstantDecay(edges, values)
    return settings.rate


def ready(model: keras.Model, settings: Settings, steps: int) -> None:
    """Compile the model with its optimizer built, so that it can be filled."""
    kind = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    options = {"momentum": 0.9, "nesterov": True} if settings.optimizer == "sgd" else {}
    if settings.weight_decay:
        options["weight_decay"] = settings.weight_decay
    optimizer = kind[settings.optimizer](rate(settings, steps), **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)


class Keeper(keras.callbacks.Callback):
    """Writes the checkpoint and the history at the end of every epoch."""

    def __init__(self, folder: Path, history: list[dict]):
        super().__init__()
        self.folder, self.history = folder, history

    def on_epoch_end(self, epoch, logs=None):
        self.history.append({"epoch": epoch + 1, **(logs or {})})
        # The checkpoint comes last: an epoch that it lacks is run, and written, again.
        with files.written(self.folder / "history.csv") as part, part.open("w") as file:
            rows = csv.DictWriter(file, list(self.history[0]), lineterminator="\n")
            rows.writeheader()
            rows.writerows(self.history)
        values = [*_states(self.model), *self.model.optimizer.variables]
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


def _states(model: keras.Model) -> list[keras.Variable]:
    """Weights, moving statistics and the states of random layers; no metric."""
    counted = {id(v) for v in model.metrics_variables}
    return [v for v in model.variables if id(v) not in counted]


def fill(folder: Path, model: keras.Model, *, optimizer: bool) -> None:
    """Give the model, and its optimizer, what the checkpoint holds."""
    states, rates = _states(model), model.optimizer.variables
    values = saved(folder)
    for i, variable in enumerate([*states, *rates] if optimizer else states):
        if str(i) not in values or values[str(i)].shape != tuple(variable.shape):
            raise ValueError(f"{folder}/checkpoint.npz is of another model")
        variable.assign(values[str(i)])


def _opened(out: Path, settings: Settings, data, resume: bool) -> None:
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


def go_on(
    model, settings: Settings, images, folder: Path, *, begin=0, callbacks=(), **options
) -> list[dict]:
    """Train from where the folder's run is to the settings' last epoch.

    ``images`` are (x, y); from epoch ``begin`` on the optimizer is a new one;
    ``options`` are more of ``fit``'s. Returns the history, a row for each epoch.
    """
    history, steps = kept(folder), -(-len(images[0]) // settings.batch_size)
    done = len(history)
    ready(model, settings, (settings.epochs - begin) * steps)
    if done:
        fill(folder, model, optimizer=done > begin)
    if done < settings.epochs:
        model.fit(
            Batches(*images, settings.batch_size, settings.seed, done),
            initial_epoch=done,
            epochs=settings.epochs,
            callbacks=[Keeper(folder, history), *callbacks],
            shuffle=False,
            **options,
        )
    return history


def train(settings: Settings, out: str, *, resume=False, tensorboard=False) -> float:
    """Train a network; return its accuracy on the test set.

    ``settings.validation`` of the training set is held out for the curves; the test set
    is looked at once, at the end.

    Raises:
        ValueError: settings, data or folder are refused, before training.
        OSError: a file could not be read or written; the last checkpoint is whole.
    """
    settings.check()
    if tensorboard and not importlib.util.find_spec("tensorboard"):
        raise ValueError("there is no TensorBoard here: pip install tensorboard")
    data, folder = load(settings), Path(out)
    count = round(len(data.x_train) * settings.validation)
    order = np.random.default_rng(settings.seed).permutation(len(data.x_train))
    held, rest = order[:count], order[count:]
    if not count or not len(rest):
        raise ValueError(f"{len(data.x_train)} images are too few to hold some out")
    if settings.batch_size > len(rest):
        raise ValueError(
            f"a batch of {settings.batch_size} is larger than the {len(rest)} images "
            "to train on"
        )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        model, network = build(settings, data)
    finally:
        keras.config.set_dtype_policy(policy)
    _opened(folder, settings, data, resume)
    start = time.perf_counter()
    options = {"validation_data": (data.x_train[held], data.y_train[held])}
    options["callbacks"] = watchers = [keras.callbacks.TerminateOnNaN()]
    if tensorboard:
        watchers.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    images, begin, last = (data.x_train[rest], data.y_train[rest]), 0, settings
    if settings.transfer:
        # The new layer alone; then all follow, at a tenth of the rate, but for the
        # normalizations: fit has no other way to leave ImageNet's statistics in use.
        begin, last = settings.epochs // 2, replace(settings, rate=settings.rate / 10)
        if len(kept(folder)) < begin:
            network.trainable = False
            go_on(model, replace(settings, epochs=begin), images, folder, **options)
            network.trainable = True
        for layer in network.layers:
            layer.trainable = not isinstance(layer, layers.BatchNormalization)
    history = go_on(model, last, images, folder, begin=begin, **options)
    if not np.isfinite([value for row in history for value in row.values()]).all():
        raise ValueError(f"the loss in {folder}/history.csv is NaN: lower the rate")
    return _finish(model, data, folder, history, time.perf_counter() - start)


@matplotlib.rc_context({"text.parse_math": False})  # a class may be called Ba$$in
def _finish(model, data, folder: Path, history: list[dict], seconds: float) -> float:
    """Save the model, look at the test set, and draw what came of it."""
    with files.written(folder / "model.keras") as part:
        model.save(part)
    names, truth = data.class_names, data.y_test
    asked = json.loads((folder / "run.json").read_text())
    accuracy, drawn, asked["seconds"] = float("nan"), {}, round(seconds, 1)
    if len(data.x_test):
        odds = scipy.special.softmax(model.predict(data.x_test, verbose=0), axis=1)
        answer = odds.argmax(axis=1)
        accuracy = asked["test_accuracy"] = float(np.mean(answer == truth))
        table = confusion_matrix(truth, answer, labels=range(len(names)))
        drawn["confusion"] = plots.confusion(table, names, alt="True classes, answers")
        wrong = np.flatnonzero(answer != truth)
        worst = wrong[np.argsort(-odds[wrong, answer[wrong]])][:16]
        if len(worst):
            titles = [f"{names[truth[i]]}:\n{names[answer[i]]}" for i in worst]
            alt = "The mistakes of which the network is surest: true class, answer"
            drawn["errors"] = plots.images(data.x_test[worst], titles, alt=alt)
    keys = ("epoch", "loss", "val_loss")
    epochs, *losses = ([row[key] for row in history] for key in keys)
    curves = dict(zip(("training", "held out"), losses, strict=True))
    axes = {"xlabel": "epoch", "ylabel": "loss", "alt": "Losses"}
    drawn["curves"] = plots.lines(epochs, curves, **axes)
    for name, figure in drawn.items():
        with files.written(folder / f"{name}.png") as part:
            figure.savefig(part)
    with files.written(folder / "run.json") as part:
        part.write_text(json.dumps(asked, indent=2))
    return accuracy
