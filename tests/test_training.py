import keras
import numpy as np
import pytest

from cnnlib.training import OneCycle, TimeToAccuracy


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
    ("arguments", "options"),
    [
        ((0, 10), {}),
        ((0.1, 0), {}),
        ((0.1, 10), {"warmup": 0}),
        ((0.1, 10), {"warmup": 1}),
        ((0.1, 10), {"start": 2}),
        ((0.1, 10), {"end": -0.1}),
    ],
)
def test_one_cycle_refuses_what_is_no_cycle(arguments, options):
    with pytest.raises(ValueError, match="OneCycle takes"):
        OneCycle(*arguments, **options)


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
