"""What Keras lacks for training: a one-cycle schedule, and a clock."""

import math
import time

import keras
from keras import ops


@keras.saving.register_keras_serializable("cnnlib")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises once to its peak and falls to almost nothing.

    Smith and Topin's super-convergence (arXiv:1708.07120), with two half cosines in
    place of their straight lines, and without their opposite cycle of the momentum.

    Args:
        peak: the highest rate, reached after ``warmup`` of the steps.
        steps: of the whole training: epochs × batches in an epoch.
        warmup: the part of the steps in which the rate rises, between 0 and 1.
        start: the first rate, as a part of the peak.
        end: the last rate, as a part of the peak; it holds from ``steps`` on.

    Raises:
        ValueError: a rate, a part or a number of steps out of its range.
    """

    def __init__(self, peak, steps, *, warmup=0.3, start=1 / 25, end=1 / 10_000):
        if not (peak > 0 and steps >= 1):
            raise ValueError(
                f"OneCycle takes peak > 0 and steps >= 1; given {peak=}, {steps=}"
            )
        if not (0 < warmup < 1 and 0 <= start <= 1 and 0 <= end <= 1):
            raise ValueError(
                "OneCycle takes warmup in (0, 1) and start, end in [0, 1]; given "
                f"{warmup=}, {start=}, {end=}"
            )
        self.peak, self.steps = peak, steps
        self.warmup, self.start, self.end = warmup, start, end

    def __call__(self, step):
        """The rate at ``step``, counted from 0."""
        done = ops.clip(ops.cast(step, "float32") / self.steps, 0.0, 1.0)
        rising = done < self.warmup
        phase = ops.where(
            rising, done / self.warmup, (1 - done) / (1 - self.warmup)
        )  # 0 at both ends, 1 at the peak
        floor = ops.where(rising, self.start, self.end)
        rise = (1 - ops.cos(math.pi * phase)) / 2
        return self.peak * (floor + (1 - floor) * rise)

    def get_config(self):
        """The constructor's arguments."""
        names = ("peak", "steps", "warmup", "start", "end")
        return {name: getattr(self, name) for name in names}


class TimeToAccuracy(keras.callbacks.Callback):
    """How long training takes to a given accuracy, validation not counted.

    After ``fit``: ``seconds`` and ``epoch`` (from 1) of the first epoch that reached
    the target, both None if none did; ``history``, one (seconds, value) per epoch. The
    clock starts when training begins, so compiling is counted.

    Args:
        target: the value to reach, such as 0.99.
        monitor: the metric to watch.
        stop: whether to end training there.

    Raises:
        ValueError: at the end of the first epoch, if ``monitor`` is not among its logs.
    """

    def __init__(self, target, *, monitor="val_accuracy", stop=False):
        super().__init__()
        self.target, self.monitor, self.stop = target, monitor, stop
        self.seconds, self.epoch, self.history = None, None, []

    def on_train_begin(self, logs=None):
        """Start the clock, and forget an earlier training."""
        self.seconds, self.epoch, self.history = None, None, []
        self._start, self._paused = time.perf_counter(), 0.0

    def on_test_begin(self, logs=None):
        """Stop the clock for validation."""
        self._validation = time.perf_counter()

    def on_test_end(self, logs=None):
        """Take up the clock again."""
        self._paused += time.perf_counter() - self._validation

    def on_epoch_end(self, epoch, logs=None):
        """Note the time and the value; at the target, the first time."""
        logs = logs or {}
        if self.monitor not in logs:
            raise ValueError(
                f"TimeToAccuracy watches {self.monitor!r}, which fit does not report; "
                f"it reports {', '.join(sorted(logs))}"
            )
        value = float(logs[self.monitor])
        elapsed = time.perf_counter() - self._start - self._paused
        self.history.append((elapsed, value))
        if self.epoch is None and value >= self.target:
            self.seconds, self.epoch = elapsed, epoch + 1
            self.model.stop_training = self.model.stop_training or self.stop
