"""An arm's networks, its images, its defaults, and what is measured at the end."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from cnnlib import datasets
from tools import arms

SHAPE = {"input_shape": (28, 28, 1), "classes": 10}


def test_what_an_arm_does_not_say_is_what_records_were_made_with():
    assert arms.TRAINING == {
        "epochs": 10,
        "batch_size": 128,
        "optimizer": "adam",
        "schedule": "constant",
        "weight_decay": 0,
        "augmentation": "none",
        "examples": None,
        "passes": 1,
        "epsilon": 0,
        "attack_steps": 0,
        "warmup": 1,
    }


def kinds(net):
    return [type(layer).__name__ for layer in net.layers]


def test_dropout_and_normalization_stand_behind_each_layer_or_nowhere():
    assert kinds(arms.dense(**SHAPE)) == ["Flatten", "Dense", "Dense", "Dense"]
    net = arms.dense(**SHAPE, dropout=0.3)
    assert kinds(net) == ["Flatten", *["Dense", "Dropout"] * 2, "Dense"]
    assert [x.rate for x in net.layers if isinstance(x, layers.Dropout)] == [0.3] * 2
    plain = kinds(arms.convolutions(**SHAPE, repeats=2))
    assert plain == [*["Conv2D", "ReLU"] * 4, "Flatten", "Dense", "ReLU", "Dense"]
    net = arms.convolutions(**SHAPE, repeats=2, norm=True)
    block = ["BatchNormalization", "ReLU"]
    assert kinds(net) == [*["Conv2D", *block] * 4, "Flatten", "Dense", *block, "Dense"]
    norms = [x for x in net.layers if isinstance(x, layers.BatchNormalization)]
    assert {x.momentum for x in norms} == {0.9}


def test_the_small_networks_start_as_rectifiers_want_it():
    for net in (arms.dense(**SHAPE), arms.convolutions(**SHAPE)):
        *hidden, logits = [x for x in net.layers if x.weights]
        assert {type(x.kernel_initializer).__name__ for x in hidden} == {"HeNormal"}
        assert type(logits.kernel_initializer).__name__ == "GlorotUniform"
        assert logits.activation is keras.activations.linear
    net = arms.convolutions(**SHAPE, width=3)
    convs = [x for x in net.layers if isinstance(x, layers.Conv2D)]
    assert [(x.filters, *x.strides) for x in convs] == [
        *((3, 2, 2), (3, 1, 1), (3, 1, 1)),
        *((6, 2, 2), (6, 1, 1), (6, 1, 1)),
    ]
    assert net.layers[-2].name.startswith("re_lu")
    assert next(x for x in net.layers if isinstance(x, layers.Dense)).units == 12


@pytest.fixture(scope="module")
def images():
    return arms.Images("digits28", 200)


def test_images_are_normalized_by_all_that_is_not_tested_on(images):
    both = np.concatenate([images.x, images.held[0]])
    np.testing.assert_allclose(images.mean, both.mean(axis=(0, 1, 2)), rtol=1e-4)
    variance = both.var(axis=(0, 1, 2))
    np.testing.assert_allclose(images.variance, variance, rtol=1e-3)
    assert images.classes == 10
    assert len(images.x_test) == len(images.y_test) == 382
    model, net = arms.Arm({"network": "dense", "width": 4}, images).model(0)
    assert model is net
    (scale,) = (x for x in net.layers if isinstance(x, layers.Normalization))
    found = np.asarray(scale(both))
    assert abs(found.mean()) < 1e-3
    assert found.std() == pytest.approx(1, abs=1e-3)


def test_an_arm_is_augmented_and_attacked_as_it_says_from_its_seed(images):
    asked = {"network": "dense", "width": 4, "augmentation": "digits"}
    attacks = {"epsilon": 0.25, "attack_steps": 3, "warmup": 7}
    model, net = arms.Arm(asked | attacks, images).model(5)
    assert (model.epsilon, model.steps, model.warmup) == (0.25, 3, 7)
    assert model.model is net
    (augmented,) = (x for x in net.layers if type(x).__name__ == "Pipeline")
    assert augmented.value_range == (0, 1)
    assert augmented.layers[0].seed == 15
    same, other = (arms.Arm(asked, images).model(seed)[1] for seed in (5, 6))
    kernels = [one.get_weights()[-2] for one in (net, same, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()
    settings = arms.Arm(asked | {"epochs": 4, "schedule": "steps"}, images).settings(
        0.5, 9
    )
    found = (settings.rate, settings.seed, settings.epochs, settings.schedule)
    assert found == (0.5, 9, 4, "steps")


def test_a_trained_network_is_measured_on_its_own_images_and_on_attacked_ones(
    monkeypatch,
):
    class Few:
        x_test = np.arange(1500, dtype="float32")[:, None]
        y_test = np.zeros(1500, int)

    class Net:
        """Says 0 of even numbers."""

        def predict(self, x, batch_size, verbose):
            return np.eye(2)[x[:, 0].astype(int) % 2]

    calls = []

    def pgd(net, x, y, epsilon, **options):
        calls.append((len(x), len(y), epsilon, options))
        return 4 * (x // 4) + (x % 4 > 0)  # three of four are odd then

    monkeypatch.setattr(arms.fooling, "pgd", pgd)
    arm = object.__new__(arms.Arm)
    arm.images, arm.training = Few, arms.TRAINING | {"epsilon": 0.3}
    own = np.array([[2.0], [4.0], [6.0], [7.0]]), np.zeros(4, int)
    assert arm._measured(Net(), *own) == {
        "train_accuracy": 0.75,
        "test_accuracy": 0.5,
        "attacked_accuracy": 0.25,
    }
    options = {"steps": 40, "step_size": 0.01, "random_start": True, "loss": "margin"}
    assert calls == [(1000, 1000, 0.3, options)]
    arm.training = arms.TRAINING
    assert set(arm._measured(Net(), *own)) == {"train_accuracy", "test_accuracy"}


def watching(net, shape):
    """A model that does what a network does, and what it is given in training."""
    seen = []

    class Watched(keras.Model):
        def call(self, x, training=None):
            if training:
                seen.append(np.asarray(x))
            return net(x)

    watched = Watched()
    watched(keras.Input(shape))
    return watched, seen


def test_training_on_attacks_sees_worse_images_within_their_bound():
    keras.utils.set_random_seed(0)
    net = arms.dense(input_shape=(28, 28, 1), classes=10, width=8)
    watched, seen = watching(net, (28, 28, 1))
    model = arms.OnAttacks(watched, 0.1, steps=5, warmup=10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    data = datasets.load("digits28")
    x, y = data.x_train[:20] / np.float32(255), data.y_train[:20]
    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
    logits = net(x)
    plain = float(model.compute_loss(x, y, logits, training=False))
    for step, size in ((10, 0.1), (99, 0.1), (5, 0.05)):
        model.optimizer.iterations.assign(step)
        attacked = float(model.compute_loss(x, y, logits, training=True))
        assert attacked > plain + size
        moved = seen.pop()
        assert np.abs(moved - np.asarray(x)).max() == pytest.approx(size, abs=1e-6)
        assert moved.min() >= 0
        assert moved.max() <= 1
    assert not seen


@pytest.mark.parametrize("steps", [1, 4])
def test_attacks_can_walk_through_their_whole_ball(steps):
    """Straight logits: from wherever they start, all pixels end at the rim."""
    net = keras.Sequential([keras.Input((3, 3, 1)), layers.Flatten(), layers.Dense(2)])
    weights = np.random.default_rng(0).normal(size=(9, 2))
    net.set_weights([weights, np.zeros(2)])
    watched, seen = watching(net, (3, 3, 1))
    model = arms.OnAttacks(watched, 0.1, steps=steps, warmup=1)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.iterations.assign(5)
    x = keras.ops.full((20, 3, 3, 1), 0.5)
    y = keras.ops.zeros((20,), "int32")
    model.compute_loss(x, y, net(x), training=True)
    towards = np.sign(weights[:, 1] - weights[:, 0]).reshape(3, 3, 1)
    moved = np.broadcast_to(0.5 + 0.1 * towards, (20, 3, 3, 1))
    np.testing.assert_allclose(seen[0], moved, atol=1e-6)


def test_a_folder_beside_the_data_sets_is_read_at_the_size_of_cifar(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    for kind in ("cats", "dogs"):
        (tmp_path / "pets" / kind).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (40, 50)).save(tmp_path / "pets" / kind / f"{i}.png")
    data = arms._load("pets")
    assert data.x_train.shape[1:] == (32, 32, 3)
    assert data.class_names == ("cats", "dogs")
    assert arms._load("digits").x_train.shape[1:] == (8, 8, 1)
