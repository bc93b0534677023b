"""One run of an arm of an experiment: its network, its images, training, measures.

Everything here needs Keras, which ``tools.experiments`` imports only where it is to
train.
"""

import json
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from cnnlib import augment, checks, datasets, files, fooling, gradients, models, runs

# What an arm says of its training; everything else is an option of its network.
TRAINING = {
    "epochs": 10,
    "batch_size": 128,
    "optimizer": "adam",
    "schedule": "constant",
    "weight_decay": 0.0,
    "augmentation": "none",
    "examples": None,  # all that are not held out
    "passes": 1,
    "epsilon": 0.0,
    "attack_steps": 0,
    "warmup": 1,
}
TIMED = 24  # steps that the estimate is made from
TESTED = 256  # images at once
ATTACKED = 1_000  # test images


def dense(*, input_shape, classes, width=256, dropout=0.0) -> keras.Model:
    """Two dense layers, each with dropout behind it, or with nothing."""
    net = [keras.Input(input_shape), layers.Flatten()]
    for _ in range(2):
        net.append(layers.Dense(width, "relu", kernel_initializer="he_normal"))
        net += [layers.Dropout(dropout)] * (dropout > 0)
    return keras.Sequential([*net, layers.Dense(classes)])


def convolutions(
    *, input_shape, classes, width=16, repeats=3, norm=False
) -> keras.Model:
    """Convolutions and a dense layer, each with batch norm behind it, or with nothing.

    There are two stages of ``repeats``; the first of each takes every second pixel.
    """

    def block(layer):
        return [layer, *[layers.BatchNormalization(momentum=0.9)] * norm, layers.ReLU()]

    net, start = [keras.Input(input_shape)], {"kernel_initializer": "he_normal"}
    for filters in (width, 2 * width):
        for strides in (2, *[1] * (repeats - 1)):
            net += block(layers.Conv2D(filters, 3, strides, "same", **start))
    net += [layers.Flatten(), *block(layers.Dense(4 * width, **start))]
    return keras.Sequential([*net, layers.Dense(classes)])


CHOICES = {name: runs.CHOICES[name] for name in ("optimizer", "schedule")}
KNOWN = (*models.CATALOG, *models.FAMILIES)
NETWORKS = {"dense": dense, "convolutions": convolutions}


class OnAttacks(keras.Model):
    """A model around another one, which it trains on PGD's images alone.

    Madry et al. (arXiv:1706.06083): from a random place within ε of each image,
    ``steps`` steps of 2.5 ε / ``steps`` by the gradient's sign, at inference. ε grows
    to its size in the first ``warmup`` steps of training: at once, small networks learn
    to give one answer to all.
    """

    def __init__(self, model, epsilon: float, steps: int, warmup: int):
        super().__init__(name=f"on_attacks_{model.name}")
        self.model, self.epsilon = model, epsilon
        self.steps, self.warmup = steps, warmup
        self.random = keras.random.SeedGenerator()
        self.built = True

    def call(self, x, training=None):
        return self.model(x, training=training)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of the attacked images in training, of the images otherwise."""
        plain = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return plain

        def loss(attacked):
            logits = self.model(attacked, training=False)
            return keras.losses.sparse_categorical_crossentropy(
                y, logits, from_logits=True
            )

        grown = ops.cast(self.optimizer.iterations, "float32") / self.warmup
        size = self.epsilon * ops.minimum(grown, 1.0)
        length = 2.5 * size / self.steps
        moved = x + keras.random.uniform(ops.shape(x), -size, size, seed=self.random)
        for _ in range(self.steps):
            slope = gradients.slope(lambda z: ops.sum(loss(z)), ops.clip(moved, 0, 1))
            moved = ops.clip(moved + length * ops.sign(slope), x - size, x + size)
        moved = ops.stop_gradient(ops.clip(moved, 0, 1))
        return ops.mean(
            keras.losses.sparse_categorical_crossentropy(
                y, self.model(moved, training=True), from_logits=True
            )
        )


class Images:
    """An experiment's images, from 0 to 1: to learn from, held out, to test on."""

    def __init__(self, data: str, held_out: int):
        found = _load(data)
        x, self.x_test = (
            a.astype("float32") / np.float32(255) for a in (found.x_train, found.x_test)
        )
        # Folders come class by class.
        order = np.random.default_rng(0).permutation(len(x))
        if not 0 < held_out < len(x):
            raise ValueError(f"held_out={held_out} of {len(x)} training images")
        self.held, rest = [
            (x[i], found.y_train[i]) for i in np.split(order, [held_out])
        ]
        self.x, self.y, self.y_test = *rest, found.y_test
        self.classes = len(found.class_names)
        self.mean = x.mean(axis=(0, 1, 2))
        self.variance = x.var(axis=(0, 1, 2)) + 1e-6

    def some(self, count: int | None, passes: int, seed: int):
        """Those that a seed learns from in an epoch: ``passes`` times each."""
        count = len(self.x) if count is None else count
        if count > len(self.x):
            raise ValueError(f"examples={count}, but {len(self.x)} are not held out")
        rows = np.random.default_rng(seed).permutation(len(self.x))[:count]
        return self.x[np.tile(rows, passes)], self.y[np.tile(rows, passes)]


def _load(data: str) -> datasets.Dataset:
    """A data set by name, or a folder of pictures in the data folder."""
    folder = datasets.data_folder() / data
    if data in datasets.NAMES or not folder.is_dir():
        return datasets.load(data)
    return datasets.image_folder(folder, size=32)


class Arm:
    """One arm of an experiment: what it is to train, on which images."""

    def __init__(self, settings: dict, images: Images):
        self.training = TRAINING | {k: settings[k] for k in TRAINING if k in settings}
        self.options = {k: settings[k] for k in settings if k not in TRAINING}
        self.images, self.network = images, self.options.pop("network", None)
        checks.named("network", self.network, [*NETWORKS, *KNOWN])
        for name in ("epochs", "batch_size", "passes", "warmup"):
            checks.integer("an arm", name, self.training[name])
        for name in ("epsilon", "weight_decay"):
            checks.number("an arm", name, self.training[name], least=0)
        for name, known in CHOICES.items():
            checks.choice("an arm", name, self.training[name], known)

    def model(self, seed: int) -> tuple[keras.Model, keras.Model]:
        """What is trained, and the network that reads images; from a seed."""
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        shape, how = self.images.x.shape[1:], self.training
        x = image = keras.Input(shape)
        if how["augmentation"] != "none":
            x = augment.pipeline(how["augmentation"], value_range=(0, 1), seed=seed)(x)
        x = layers.Normalization(mean=self.images.mean, variance=self.images.variance)(
            x
        )
        options = self.options | {"input_shape": shape, "classes": self.images.classes}
        make = NETWORKS.get(self.network) or partial(models.build, self.network)
        net = keras.Model(image, make(**options)(x))
        if how["attack_steps"]:
            return OnAttacks(
                net, how["epsilon"], how["attack_steps"], how["warmup"]
            ), net
        return net, net

    def settings(self, rate: float, seed: int) -> runs.Settings:
        """Those of the library's runs that training takes."""
        names = ("epochs", "batch_size", "optimizer", "schedule", "weight_decay")
        how = {name: self.training[name] for name in names}
        return runs.Settings(self.network, "", rate=rate, seed=seed, **how)

    def seconds(self) -> float:
        """About how long an epoch takes here, without compiling, from a few steps."""
        how, images = self.settings(1e-3, 0), self.images
        model, _ = self.model(0)
        x, y = images.some(self.training["examples"], self.training["passes"], 0)
        runs.ready(model, how, TIMED)

        def each(act, size: int) -> float:
            act(x[:size], y[:size], batch_size=size, verbose=0)  # compiles
            few, start = slice(TIMED * size), time.perf_counter()
            act(x[few], y[few], batch_size=size, verbose=0)
            return (time.perf_counter() - start) / len(x[few])

        learning = each(model.fit, how.batch_size) * len(x)
        return learning + each(model.evaluate, TESTED) * len(images.held[0])

    def run(self, folder: Path, rate: float, seed: int, test: bool, tell) -> dict:
        """Train, going on where the folder's run was, and measure; once only.

        ``tell`` is called after each epoch with its number and what ``fit`` reported.
        The test images are looked at only with ``test``.
        """
        done = folder / "done.json"
        if done.exists():
            return json.loads(done.read_text())
        folder.mkdir(parents=True, exist_ok=True)
        model, net = self.model(seed)
        x, y = self.images.some(
            self.training["examples"], self.training["passes"], seed
        )
        told = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: tell(epoch + 1, logs)
        )
        history = runs.go_on(
            model,
            self.settings(rate, seed),
            (x, y),
            folder,
            callbacks=[told],
            validation_data=self.images.held,
            validation_batch_size=TESTED,
            verbose=0,
        )
        columns = {name: [row[name] for row in history] for name in history[0]}
        found = {"seed": seed, "rate": rate, "epochs": columns}
        if test:
            found |= self._measured(net, x, y)
        with files.written(done) as part:
            part.write_text(json.dumps(found))
        return found

    def _measured(self, net, x, y) -> dict[str, float]:
        """What the trained network reads: of its own images, of the test images."""

        def right(images, labels):
            answers = net.predict(images, batch_size=TESTED, verbose=0).argmax(axis=1)
            return float(np.mean(answers == labels))

        x_test, y_test = self.images.x_test, self.images.y_test
        found = {"train_accuracy": right(x, y), "test_accuracy": right(x_test, y_test)}
        if epsilon := self.training["epsilon"]:
            x, y = x_test[:ATTACKED], y_test[:ATTACKED]
            how = {"steps": 40, "step_size": 0.01, "random_start": True}
            attacked = fooling.pgd(net, x, y, epsilon, loss="margin", **how)
            found["attacked_accuracy"] = right(attacked, y)
        return found
