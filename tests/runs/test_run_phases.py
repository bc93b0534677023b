"""What a training run is made of: recipes, data, model, phases, pictures at the end."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import datasets, runs
from cnnlib.__main__ import main
from cnnlib.runs import report, training

RECIPE = {
    "data": "cifar10",
    "augmentation": "cifar",
    "optimizer": "sgd",
    "schedule": "steps",
    "rate": 0.1,
    "weight_decay": 1e-4,
}


def test_recipes_are_those_of_the_papers():
    assert runs.RECIPES == {
        # 64,000 steps on the 45,000 images of which none is held out.
        "cifar-resnet": {
            "network": "resnet56",
            "epochs": 182,
            "batch_size": 128,
            **RECIPE,
        },
        "cifar-densenet": {
            "network": "densenet100_bc",
            "epochs": 300,
            "batch_size": 64,
            **RECIPE,
        },
    }


def test_what_is_not_asked_for_is_as_documented():
    asked = runs.Settings("lenet5", "digits")
    told = {key: value for key, value in vars(asked).items() if value is not None}
    assert told == {
        "network": "lenet5",
        "data": "digits",
        "epochs": 10,
        "batch_size": 64,
        "rate": 0.001,
        "optimizer": "adam",
        "schedule": "onecycle",
        "weight_decay": 0,
        "augmentation": "none",
        "precision": "float32",
        "validation": 0.1,
        "seed": 0,
        "transfer": False,
    }


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_model_is_compiled_for_logits_with_the_optimizer_asked_for(kind, decay):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    asked = runs.Settings("mlp", "digits", optimizer=kind, weight_decay=decay)
    runs.ready(model, asked, 100)
    optimizer = model.optimizer
    assert type(optimizer).__name__.lower() == kind
    apart = optimizer.weight_decay or 0
    if kind == "sgd":
        assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
        assert (optimizer.l2, apart) == (decay, 0)
    else:
        assert apart == decay
    # Logits, not probabilities; of which two answers are right.
    model.set_weights([np.zeros((2, 3)), np.array([2.0, 0, -1])])
    y = np.array([0, 0, 1, 2])
    report = model.evaluate(np.ones((4, 2)), y, verbose=0, return_dict=True)
    loss = np.log(np.exp([2, 0, -1]).sum()) - (2 + 2 + 0 - 1) / 4
    assert report == {"loss": pytest.approx(loss), "accuracy": 0.5}


@pytest.mark.parametrize(
    ("network", "size", "expected"),
    [
        ("mnist_cnn", None, (28, 1)),
        ("mnist_cnn", 40, (40, 1)),
        ("densenet40", None, (32, 3)),
        ("cifar_densenet", None, (224, 3)),  # a family has no size of its own
    ],
)
def test_a_folder_is_read_in_the_networks_size_and_split_by_the_seed(
    network, size, expected, tmp_path, monkeypatch
):
    asked = {}

    def image_folder(path, **options):
        asked.update(options)
        return datasets.Dataset(*[None] * 4, ("a", "b"))

    monkeypatch.setattr(datasets, "image_folder", image_folder)
    training.load(runs.Settings(network, str(tmp_path), size=size, seed=7))
    side, channels = expected
    assert asked == {"size": side, "channels": channels, "seed": 7}


def some(shape=(8, 8, 1), n=30, classes=3):
    """A data set of noise."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n + 6, *shape)).astype("uint8")
    y = np.arange(n + 6) % classes
    return datasets.Dataset(x[:n], y[:n], x[n:], y[n:], tuple("abc"))


def thin(**options):
    """In place of EfficientNet-Lite0, a network of two layers."""
    image = keras.Input(options["input_shape"])
    x = layers.Conv2D(3, 1, use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(1000, name="logits")(x))


def transferred(monkeypatch, data, **others):
    monkeypatch.setattr(training.models, "efficientnet_lite0", thin)
    asked = runs.Settings("efficientnet_lite0", "d", transfer=True, **others)
    return training.build(asked, data)


def test_in_transfer_a_grey_image_is_scaled_as_imagenets_network_takes_it(monkeypatch):
    model, network = transferred(monkeypatch, some())
    assert network.input_shape == (None, 8, 8, 3)
    assert network.output_shape == (None, 3)  # of the pool, without ImageNet's logits
    assert model.output_shape == (None, 3)
    within = keras.Model(model.input, model.get_layer("scale").output)
    ends = np.stack([np.zeros((8, 8, 1)), np.full((8, 8, 1), 255)])
    found = np.asarray(within(ends))
    assert found.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(found[0], -127 / 128, rtol=1e-6)
    np.testing.assert_allclose(found[1], 1, rtol=1e-6)
    rates = [x.rate for x in model.layers if isinstance(x, layers.Dropout)]
    assert rates == [0.2]


def phases(monkeypatch, tmp_path, **others):
    """What ``go_on`` is called with, phase by phase."""
    calls = []

    def go_on(model, settings, images, folder, **options):
        network = next(x for x in model.layers if isinstance(x, keras.Model))
        learned = [variable.path for variable in network.trainable_variables]
        calls.append((settings, images, learned, options))
        return []

    monkeypatch.setattr(training, "go_on", go_on)
    monkeypatch.setattr(report, "finish", lambda *given: 0.0)  # no pictures
    monkeypatch.setattr(training.datasets, "load", lambda name: some())
    asked = {"network": "mnist_cnn", "data": "digits", "batch_size": 8} | others
    runs.train(runs.Settings(**asked), tmp_path / "run")
    return calls


def test_transfer_trains_the_head_first_and_all_at_a_tenth_of_the_rate(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(training.models, "efficientnet_lite0", thin)
    asked = {"network": "efficientnet_lite0", "transfer": True, "epochs": 5}
    head, whole = phases(monkeypatch, tmp_path, rate=0.02, **asked)
    assert (head[0].epochs, head[0].rate, head[2]) == (2, 0.02, [])
    assert (whole[0].epochs, whole[0].rate, whole[2]) == (5, 0.002, ["conv/kernel"])
    assert (head[3].get("begin", 0), whole[3]["begin"]) == (0, 2)


def test_in_fine_tuning_the_statistics_of_imagenet_stay_in_use(monkeypatch, tmp_path):
    """Also where training goes on in the second phase, with its head as it was."""
    data = some()
    data = data._replace(x_train=data.x_train // 4)  # far from what is normalized
    monkeypatch.setattr(training.models, "efficientnet_lite0", thin)
    monkeypatch.setattr(training.datasets, "load", lambda name: data)
    seen, build = [], training.build

    def watched(settings, data):
        model, network = build(settings, data)
        seen.append((network, network.get_weights()))
        return model, network

    monkeypatch.setattr(training, "build", watched)
    monkeypatch.setattr(report, "finish", lambda *given: 0.0)  # no pictures
    asked = {"transfer": True, "epochs": 3, "batch_size": 9, "rate": 0.1}
    settings = runs.Settings("efficientnet_lite0", "digits", **asked)
    runs.train(settings, tmp_path / "run")
    ((network, (kernel, *norm)),) = seen
    assert np.abs(network.get_weights()[0] - kernel).max() > 1e-3
    for now, then in zip(network.get_weights()[1:], norm, strict=True):
        np.testing.assert_array_equal(now, then)


def test_what_is_held_out_is_not_trained_on(monkeypatch, tmp_path):
    data, held = some(), []
    for seed in (1, 2):
        [(_, images, _, options)] = phases(
            monkeypatch, tmp_path / str(seed), validation=0.2, seed=seed
        )
        assert [len(part) for part in (*images, *options["validation_data"])] == [
            *(24, 24),
            *(6, 6),
        ]
        pairs = [
            *zip(*images, strict=True),
            *zip(*options["validation_data"], strict=True),
        ]
        found = sorted((x.tobytes(), y) for x, y in pairs)
        whole = zip(data.x_train, data.y_train, strict=True)
        assert found == sorted((x.tobytes(), y) for x, y in whole)
        held.append({x.tobytes() for x in options["validation_data"][0]})
    assert held[0] != held[1]


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_leaves_the_precision_of_the_process_alone(monkeypatch, tmp_path, fails):
    seen, build = [], training.build

    def watched(settings, data):
        seen.append(keras.config.dtype_policy().name)
        if fails:
            raise ValueError("no such network")
        return build(settings, data)

    monkeypatch.setattr(training, "build", watched)
    asked = {"precision": "mixed_bfloat16"}
    if fails:
        with pytest.raises(ValueError, match="no such network"):
            phases(monkeypatch, tmp_path, **asked)
    else:
        phases(monkeypatch, tmp_path, **asked)
    assert seen == ["mixed_bfloat16"]
    assert keras.config.dtype_policy().name == "float32"


def test_pictures_of_a_run_are_of_true_classes_and_of_both_losses(
    monkeypatch, tmp_path
):
    drawn = {}
    for kind in ("confusion", "lines"):
        original = getattr(report.plots, kind)

        def draw(*args, kind=kind, original=original, **options):
            drawn[kind] = args, options
            return original(*args, **options)

        monkeypatch.setattr(report.plots, kind, draw)
    image = keras.Input((8, 8, 1))
    flat = layers.Flatten()(layers.Rescaling(0.0)(image))
    model = keras.Model(image, layers.Dense(3, name="logits")(flat))
    model.get_layer("logits").bias.assign([0, 0, 1])  # every answer is the last class
    history = [
        {"epoch": 1, "loss": 3.0, "val_loss": 4.0},
        {"epoch": 2, "loss": 2.0, "val_loss": 5.0},
    ]
    (tmp_path / "run.json").write_text("{}")
    data = some()
    assert report.finish(model, data, tmp_path, history, 2.06) == pytest.approx(1 / 3)
    (table, names), _ = drawn["confusion"]
    np.testing.assert_array_equal(table, [[0, 0, 2]] * 3)  # rows are the true classes
    assert names == data.class_names
    (epochs, curves), options = drawn["lines"]
    assert epochs == [1, 2]
    assert curves == {"training": [3, 2], "held out": [4, 5]}
    assert (options["xlabel"], options["ylabel"]) == ("epoch", "loss")
    assert '"seconds": 2.1' in (tmp_path / "run.json").read_text()


def test_classes_of_which_there_is_no_test_image_have_their_row(tmp_path):
    data = some()
    first = data.y_test == 0
    data = data._replace(x_test=data.x_test[first], y_test=data.y_test[first])
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]
    )
    model.layers[-1].set_weights([np.zeros((64, 3)), np.array([1.0, 0, 0])])
    (tmp_path / "run.json").write_text("{}")
    history = [{"epoch": 1, "loss": 3.0, "val_loss": 4.0}]
    assert report.finish(model, data, tmp_path, history, 1) == 1
    assert (tmp_path / "confusion.png").exists()


def test_a_run_without_test_images_has_no_accuracy(monkeypatch, tmp_path):
    data = some()
    data = data._replace(x_test=data.x_test[:0], y_test=data.y_test[:0])
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]
    )
    (tmp_path / "run.json").write_text("{}")
    history = [{"epoch": 1, "loss": 3.0, "val_loss": 4.0}]
    assert np.isnan(report.finish(model, data, tmp_path, history, 1))
    assert "accuracy" not in (tmp_path / "run.json").read_text()
    assert not (tmp_path / "confusion.png").exists()


def test_a_run_goes_to_tensorboard_too_where_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(training.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match="no TensorBoard here: pip install tensorboard"
    ):
        runs.train(runs.Settings("mlp", "digits"), tmp_path, tensorboard=True)
    done = []

    class Watcher(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            done.append(epoch)

    data = some()
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]
    )
    asked = runs.Settings("mlp", "digits", epochs=2, batch_size=8)
    images = data.x_train[:20], data.y_train[:20]
    held = data.x_train[20:], data.y_train[20:]
    options = {"callbacks": [Watcher()], "validation_data": held, "verbose": 0}
    history = runs.go_on(model, asked, images, tmp_path, **options)
    assert done == [0, 1]  # beside the one that keeps the run
    assert [row["epoch"] for row in history] == [1, 2]
    assert len(runs.kept(tmp_path)) == 2
    assert set(history[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    # Three batches of an epoch, the last of four: the schedule ends with the run.
    assert int(model.optimizer.iterations) == 6
    assert model.optimizer._learning_rate.steps == 6


def test_a_command_that_is_stopped_tells_how_to_go_on(monkeypatch, tmp_path, capsys):
    def train(settings, out, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", train)
    out = str(tmp_path / "run")
    assert main(["train", "mlp", "digits", "--out", out]) == 130
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"stopped; --resume goes on with {out}\n"
