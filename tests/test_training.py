import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import models
from cnnlib.training import SGD, OneCycle, TimeToAccuracy, restart


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_weight_decay_is_a_part_of_the_gradient(momentum, nesterov):
    """Where the loss has no slope, and where it has one, as PyTorch's SGD takes it."""
    start, slope = np.array([1.0, -2.0, 3.0]), np.array([0.0, 0.5, -0.5])
    rate, l2 = 0.1, 0.3
    w, pull = start.copy(), np.zeros(3)
    for _ in range(4):
        g = slope + l2 * w
        pull = momentum * pull + g
        w -= rate * (g + momentum * pull if nesterov else pull)
    variable = keras.Variable(start.astype("float32"))
    optimizer = SGD(rate, l2=l2, momentum=momentum, nesterov=nesterov)
    for _ in range(4):
        optimizer.apply([keras.ops.convert_to_tensor(slope, "float32")], [variable])
    np.testing.assert_allclose(np.asarray(variable), w, rtol=1e-5)


def test_at_momentum_nine_tenths_weights_shrink_ten_times_as_fast_as_keras_has_it():
    rates = []
    for optimizer in (
        SGD(0.01, momentum=0.9, l2=0.01),
        keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=0.01),
    ):
        variable, lengths = keras.Variable(np.ones(1, "float32")), []
        for _ in range(101):
            optimizer.apply([keras.ops.zeros(1)], [variable])
            lengths.append(float(variable[0]))
        rates.append(np.log(lengths[-2] / lengths[-1]))
    assert rates[0] / rates[1] == pytest.approx(10, rel=0.02)


def test_weight_decay_works_in_fit_for_every_trained_weight():
    model = keras.Sequential([keras.Input((2,)), layers.BatchNormalization()])
    model.trainable_variables[1].assign([2.0, 2.0])
    model.compile(SGD(0.5, l2=0.2), lambda y, answer: 0 * answer)
    model.fit(np.ones((4, 2)), np.ones((4, 2)), batch_size=2, verbose=0)
    gamma, beta = (np.asarray(v) for v in model.trainable_variables)
    np.testing.assert_allclose(gamma, 0.9**2, rtol=1e-6)
    np.testing.assert_allclose(beta, 2 * 0.9**2, rtol=1e-6)


def test_weight_decay_survives_saving():
    config = keras.optimizers.serialize(SGD(0.1, l2=0.3, momentum=0.9, nesterov=True))
    again = keras.optimizers.deserialize(config)
    assert (again.l2, again.momentum, again.nesterov) == (0.3, 0.9, True)


@pytest.mark.parametrize("l2", [-0.1, float("nan"), "much"])
def test_weight_decay_is_no_less_than_zero(l2):
    with pytest.raises((TypeError, ValueError), match="SGD takes l2"):
        SGD(l2=l2)


def test_one_cycle_rises_to_its_peak_and_falls_to_its_end():
    rate = OneCycle(2.0, 200, warmup=0.25, start=0.1, end=0.01)
    found = [float(rate(step)) for step in (0, 25, 50, 125, 200, 500)]
    expected = [0.2, (0.2 + 2) / 2, 2.0, (2 + 0.02) / 2, 0.02, 0.02]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_one_cycle_has_one_peak():
    rate = OneCycle(1.0, 100)
    rates = np.array([float(rate(step)) for step in range(101)])
    assert rates.argmax() == 30
    assert (np.diff(rates[:31]) > 0).all()
    assert (np.diff(rates[30:]) < 0).all()
    np.testing.assert_allclose(rates[[0, -1]], [1 / 25, 1 / 10_000], rtol=1e-4)


def test_one_cycle_follows_a_half_cosine():
    rate = OneCycle(1.0, 100, warmup=0.5, start=0.0, end=0.0)
    steps = np.arange(51)
    expected = (1 - np.cos(np.pi * steps / 50)) / 2
    np.testing.assert_allclose(np.asarray(rate(steps)), expected, atol=1e-6)


def test_one_cycle_survives_saving_with_its_optimizer():
    optimizer = keras.optimizers.Adam(OneCycle(0.1, 7, warmup=0.2, start=0.5, end=0.3))
    config = keras.optimizers.serialize(optimizer)
    again = keras.optimizers.deserialize(config)._learning_rate
    names = ("peak", "steps", "warmup", "start", "end")
    assert [getattr(again, name) for name in names] == [0.1, 7, 0.2, 0.5, 0.3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peak": 0}, "peak above 0; given 0"),
        ({"steps": 0}, "steps from 1; given 0"),
        ({"warmup": 0}, "warmup above 0 to below 1; given 0"),
        ({"warmup": 1}, "warmup above 0 to below 1; given 1"),
        ({"start": 2}, "start from 0 to 1; given 2"),
        ({"end": -0.1}, "end from 0 to 1; given -0.1"),
        ({"peak": float("nan")}, "peak above 0; given nan"),
    ],
)
def test_one_cycle_refuses_what_is_no_cycle(options, message):
    arguments = {"peak": 0.1, "steps": 10} | options
    with pytest.raises(ValueError, match=f"OneCycle takes {message}"):
        OneCycle(**arguments)


class Clock:
    """A clock that the test turns, in place of time.perf_counter."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)


def epochs(callback, clock, values, train=10, validate=5):
    callback.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    callback.model.stop_training = False
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        clock.now += train
        callback.on_test_begin()
        clock.now += validate
        callback.on_test_end()
        callback.on_epoch_end(epoch, {"val_accuracy": value, "loss": 1.0})
    return callback


def test_the_clock_notes_the_first_epoch_at_the_target_without_validation(monkeypatch):
    timer = epochs(TimeToAccuracy(0.9), Clock(monkeypatch), [0.5, 0.9, 0.8, 0.95])
    assert (timer.seconds, timer.epoch) == (20, 2)
    assert timer.history == [(10, 0.5), (20, 0.9), (30, 0.8), (40, 0.95)]
    assert not timer.model.stop_training


def test_the_clock_stops_training_only_when_asked(monkeypatch):
    clock = Clock(monkeypatch)
    assert epochs(TimeToAccuracy(0.9, stop=True), clock, [0.9]).model.stop_training
    assert not epochs(TimeToAccuracy(0.9, stop=True), clock, [0.8]).model.stop_training


def test_the_clock_says_so_when_the_target_was_not_reached(monkeypatch):
    timer = epochs(TimeToAccuracy(0.9), Clock(monkeypatch), [0.5, 0.6])
    assert (timer.seconds, timer.epoch) == (None, None)


def test_the_clock_starts_anew_with_each_training(monkeypatch):
    clock = Clock(monkeypatch)
    timer = epochs(TimeToAccuracy(0.9), clock, [0.95])
    epochs(timer, clock, [0.5])
    assert (timer.seconds, timer.epoch, timer.history) == (None, None, [(10, 0.5)])


def test_a_metric_that_fit_does_not_report_is_named(monkeypatch):
    timer = TimeToAccuracy(0.9, monitor="val_acc")
    with pytest.raises(ValueError, match=r"'val_acc'.*loss, val_accuracy"):
        epochs(timer, Clock(monkeypatch), [0.5])


@pytest.mark.parametrize(
    ("monitor", "mode", "reached"),
    [
        ("val_accuracy", None, 2),
        ("val_loss", None, 1),
        ("val_mean_absolute_error", None, 1),
        ("val_mae", None, 1),
        ("val_accuracy", "min", 1),
        ("val_loss", "max", 2),
        ("val_mean_iou", None, 2),
    ],
)
def test_the_clock_knows_whether_lower_is_better(monitor, mode, reached, monkeypatch):
    Clock(monkeypatch)
    timer = TimeToAccuracy(0.5, monitor=monitor, mode=mode)
    timer.set_model(keras.Sequential())
    timer.on_train_begin()
    for epoch, value in enumerate([0.4, 0.6]):
        timer.on_epoch_end(epoch, {monitor: value, "val_other": 1.0})
    assert timer.epoch == reached


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="takes mode='max', 'min' or None; given 'up'"):
        TimeToAccuracy(0.9, mode="up")
    with pytest.raises(ValueError, match="target a finite number; given '90 %'"):
        TimeToAccuracy("90 %")


def straight_line(callback, **settings):
    x = np.linspace(0, 1, 8, dtype="float32")[:, None]
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.3), "mse")
    model.fit(x, x, callbacks=[callback], verbose=0, **settings)
    return x


@pytest.mark.parametrize("every", [2, 3, [1, 4]])
def test_the_clock_waits_for_epochs_that_are_validated(every):
    timer = TimeToAccuracy(-1, monitor="val_loss")
    x = np.ones((2, 1), "float32")
    straight_line(timer, epochs=4, validation_data=(x, x), validation_freq=every)
    assert len(timer.history) == (1 if every == 3 else 2)
    assert timer.epoch is None


def test_a_fit_that_never_validates_is_told():
    with pytest.raises(ValueError, match=r"'val_loss'.*there was no validation"):
        straight_line(TimeToAccuracy(0.1, monitor="val_loss"), epochs=2)
    timer = TimeToAccuracy(100, monitor="loss")
    straight_line(timer, epochs=2)
    assert timer.epoch == 1


def test_schedule_and_clock_work_in_fit():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(OneCycle(0.1, 40)), loss, metrics=["accuracy"])
    timer = TimeToAccuracy(0.9)
    model.fit(
        x,
        y,
        batch_size=16,
        epochs=10,
        validation_data=(x, y),
        callbacks=[timer],
        verbose=0,
    )
    assert len(timer.history) == 10
    assert timer.epoch is not None
    assert 0 < timer.seconds == timer.history[timer.epoch - 1][0]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 10_000, rel=1e-3)


def sequential():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def forked():
    """The lower branch is made last, but a graph's walk comes upon it first."""
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(3, 3, padding="same")(image)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(3, 3, padding="same")(x)
    start = keras.initializers.HeNormal(seed=3)
    y = layers.Conv2D(3, 1, kernel_initializer=start)(image)
    x = layers.Dropout(0.2)(layers.Add()([x, y]))
    return keras.Model(image, head(x))


def head(x):
    x = keras.Sequential([layers.Flatten(), layers.Dense(5, activation="relu")])(x)
    return layers.Dense(10)(x)


def nested():
    inner = forked()
    image = keras.Input((8, 8, 1))
    x = inner(image)
    return keras.Model(image, layers.Dense(10)(x))


def residual():
    return models.cifar_resnet(depth=8, input_shape=(8, 8, 1))


def lenet():
    """A layer here draws when it is built, not when it is made."""
    return models.lenet5()


def momentum():
    return keras.optimizers.SGD(0.01, momentum=0.9)


def one_cycle():
    return keras.optimizers.Adam(OneCycle(0.01, 6))


def compiled(build, optimizer, seed):
    keras.utils.set_random_seed(seed)
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss, metrics=["accuracy"])
    return model


def trained(model, side=8):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, side, side, 1)).astype("float32")
    y = rng.integers(0, 10, 24)
    options = {"batch_size": 8, "epochs": 2, "validation_split": 0.3, "verbose": 0}
    # On JAX the first fit of a model draws an order of the images more than others.
    ordered = keras.backend.backend() == "jax"
    fit = model.fit(x, y, shuffle=not ordered, **options)
    variables = [*model.variables, *model.optimizer.variables]
    return fit.history, [keras.ops.convert_to_numpy(v) for v in variables]


@pytest.mark.parametrize(
    ("build", "optimizer"),
    [
        (sequential, momentum),
        (forked, one_cycle),
        (nested, momentum),
        (residual, one_cycle),
    ],
)
def test_after_a_restart_training_is_that_of_the_model_built_anew(build, optimizer):
    model = compiled(build, optimizer, 1)
    first, _ = trained(model)
    assert restart(model, build, 2) is model
    history, weights = trained(model)
    expected_history, expected = trained(compiled(build, optimizer, 2))
    assert history == expected_history != first
    assert len(weights) == len(expected)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_restart_draws_what_a_layer_draws_when_it_is_built():
    keras.utils.set_random_seed(5)
    expected = lenet().get_weights()
    after = np.random.random()
    model = restart(lenet(), lenet, np.int64(5))
    assert np.random.random() == after  # what follows is drawn alike, too
    for one, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_restart_traces_nothing_anew_and_keeps_the_learning_rate():
    calls = []

    class Counted(layers.Layer):
        def call(self, x):
            calls.append(x)
            return x

    def build():
        first = keras.Input((8, 8, 1)), Counted()
        return keras.Sequential([*first, layers.Flatten(), layers.Dense(10)])

    model = compiled(build, momentum, 1)
    trained(model)
    traced = len(calls)
    model.optimizer.learning_rate = 0.25
    restart(model, build, 2)
    assert int(model.optimizer.iterations) == 0
    assert float(model.optimizer.learning_rate) == 0.25
    built = len(calls)
    trained(model)
    assert len(calls) == built > traced  # it was built, and not traced again


def templates():
    """Its units' weights are set after it was built."""
    images = np.random.random((4, 8, 8, 1)).astype("float32")
    return models.rbf_network(images, input_shape=(8, 8, 1))


def test_a_restart_takes_the_weights_that_a_builder_makes():
    keras.utils.set_random_seed(3)
    expected = templates().get_weights()
    model = restart(templates(), templates, 3)
    for one, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("build", [forked, lambda: keras.Sequential([layers.Dense(2)])])
def test_a_builder_of_another_model_is_refused_and_the_model_left_alone(build):
    model = sequential()
    before = model.get_weights()
    with pytest.raises(ValueError, match="restart takes the function that builds"):
        restart(model, build, 2)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_without_weights_has_nothing_to_restart():
    model = keras.Sequential([layers.Dense(2)])
    with pytest.raises(ValueError, match="restart takes a built model"):
        restart(model, sequential, 2)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="restart takes seed=0 or more"):
        restart(sequential(), sequential, seed)


def test_a_restarts_metrics_count_anew():
    model = compiled(sequential, momentum, 1)
    trained(model)
    assert model.get_metrics_result()["loss"] > 0
    restart(model, sequential, 2)
    assert [float(x) for x in model.get_metrics_result().values()] == [0, 0]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, "min") for name in ("loss", "mae", "mse", "mape", "msle")),
        *((name, "min") for name in ("poisson", "hinge", "squared_hinge")),
        *((name, "min") for name in ("kl_divergence", "binary_crossentropy", "rmse")),
        *((name, "min") for name in ("huber", "log_cosh", "false_positives")),
        *((name, "max") for name in ("f1_score", "true_positives", "mean_io_u", "acc")),
        *((name, "min") for name in ("root_mean_squared_error", "logits_loss")),
        *((name, "max") for name in ("accuracy", "auc", "r2_score", "mean_iou")),
    ],
)
@pytest.mark.parametrize("prefix", ["", "val_"])
def test_every_loss_and_error_of_keras_is_better_when_lower(name, mode, prefix):
    assert TimeToAccuracy(0.5, monitor=prefix + name).mode == mode


@pytest.mark.parametrize("name", ["brier", "cosine_similarity", "dice", "tversky", ""])
def test_where_a_name_does_not_tell_what_is_better_the_mode_is_asked(name):
    with pytest.raises(ValueError, match="mode='max' or 'min' where the name does not"):
        TimeToAccuracy(0.5, monitor=f"val_{name}")
    assert TimeToAccuracy(0.5, monitor=f"val_{name}", mode="min").mode == "min"
