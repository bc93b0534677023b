"""Training from where a run is to its last epoch, by ``keras.Model.fit``."""

import importlib.util
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from cnnlib import augment, datasets, models
from cnnlib.models import blocks
from cnnlib.runs import report
from cnnlib.runs.folder import Keeper, fill, kept, opened
from cnnlib.runs.settings import Settings
from cnnlib.training import SGD, OneCycle


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


@dataclass(frozen=True)
class Share:
    """What one of several processes reads of every batch: a part, as large as any."""

    index: int = 0
    count: int = 1

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Its part of the rows, of which as many are left out as cannot be shared."""
        part = len(rows) // self.count
        return rows[self.index * part : (self.index + 1) * part]

    @property
    def first(self) -> bool:
        """Whether it is the process that writes what all have in common."""
        return self.index == 0


ALONE = Share()


class Batches(keras.utils.PyDataset):
    """Training images in an order of each epoch's own, drawn from the seed.

    Of the last, smaller batch fewer images than processes may be left out.
    """

    def __init__(self, x, y, size: int, seed: int, epoch: int, share: Share = ALONE):
        super().__init__()
        self.x, self.y, self.size, self.seed, self.epoch = x, y, size, seed, epoch
        self.share = share
        self._shuffle()

    def _shuffle(self):
        rng = np.random.default_rng((self.seed, self.epoch))
        self.order = rng.permutation(len(self.x))

    def __len__(self):
        whole, left = divmod(len(self.x), self.size)
        return whole + (left >= self.share.count)

    def __getitem__(self, i):
        rows = self.share.of(self.order[i * self.size : (i + 1) * self.size])
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
    rates, decay = rate(settings, steps), settings.weight_decay
    if settings.optimizer == "sgd":
        optimizer = SGD(rates, momentum=0.9, nesterov=True, l2=decay)
    else:
        optimizer = keras.optimizers.Adam(rates, weight_decay=decay or None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)


def go_on(
    model,
    settings: Settings,
    images,
    folder: Path,
    *,
    begin=0,
    share: Share = ALONE,
    callbacks=(),
    **options,
) -> list[dict]:
    """Train from where the folder's run is to the settings' last epoch.

    ``images`` are (x, y); from epoch ``begin`` on the optimizer is a new one;
    ``options`` are more of ``fit``'s. Returns the history, a row for each epoch.
    """
    done = len(kept(folder))
    batches = Batches(*images, settings.batch_size, settings.seed, done, share)
    ready(model, settings, (settings.epochs - begin) * len(batches))
    if done:
        fill(folder, model, optimizer=done > begin)
    if done < settings.epochs:
        model.fit(
            batches,
            initial_epoch=done,
            epochs=settings.epochs,
            callbacks=[*([Keeper(folder)] if share.first else []), *callbacks],
            shuffle=False,
            **options,
        )
    return kept(folder)


def split(settings: Settings, data: datasets.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Which training images are held out for the curves, and which are trained on."""
    count = round(len(data.x_train) * settings.validation)
    order = np.random.default_rng(settings.seed).permutation(len(data.x_train))
    if not count or count == len(order):
        raise ValueError(f"{len(order)} images are too few to hold some out")
    return order[:count], order[count:]


def begun(
    settings: Settings, out: Path, resume: bool, tensorboard: bool
) -> tuple[keras.Model, keras.Model, datasets.Dataset]:
    """The model, the network in it, and the data of a run whose folder is there.

    Raises:
        ValueError: settings, data or folder are refused.
    """
    settings.check()
    if tensorboard and not importlib.util.find_spec("tensorboard"):
        raise ValueError("there is no TensorBoard here: pip install tensorboard")
    data = load(settings)
    _, rest = split(settings, data)
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
    opened(out, settings, data, resume)
    return model, network, data


def trained(
    settings: Settings,
    folder: Path,
    *,
    resume=False,
    tensorboard=False,
    share: Share = ALONE,
    callbacks=(),
) -> tuple[keras.Model, datasets.Dataset, list[dict]]:
    """Train to the last epoch; return the model, the data and the history."""
    model, network, data = begun(settings, folder, resume, tensorboard)
    held, rest = split(settings, data)
    held = share.of(held)
    options = {"validation_data": (data.x_train[held], data.y_train[held])}
    options["callbacks"] = watchers = [keras.callbacks.TerminateOnNaN(), *callbacks]
    options |= {"share": share, "verbose": "auto" if share.first else 0}
    if tensorboard and share.first:
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
    return model, data, history


def train(settings: Settings, out: str, *, resume=False, tensorboard=False) -> float:
    """Train a network; return its accuracy on the test set.

    ``settings.validation`` of the training set is held out for the curves; the test set
    is looked at once, at the end.

    Raises:
        ValueError: settings, data or folder are refused, before training.
        OSError: a file could not be read or written; the last checkpoint is whole.
    """
    folder, start = Path(out), time.perf_counter()
    model, data, history = trained(
        settings, folder, resume=resume, tensorboard=tensorboard
    )
    seconds = time.perf_counter() - start
    return report.finish(model, data, folder, history, seconds)
