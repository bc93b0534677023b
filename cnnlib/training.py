"""What Keras lacks for training: a one-cycle schedule, a clock, and starting again."""

import math
import time
from collections.abc import Callable

import keras
from keras import ops

from cnnlib import checks

__all__ = ["OneCycle", "TimeToAccuracy", "restart"]


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
        self.peak = checks.number("OneCycle", "peak", peak, above=0)
        self.steps = checks.number("OneCycle", "steps", steps, least=1)
        self.warmup = checks.number("OneCycle", "warmup", warmup, above=0, below=1)
        self.start = checks.number("OneCycle", "start", start, least=0, most=1)
        self.end = checks.number("OneCycle", "end", end, least=0, most=1)

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


def restart(model: keras.Model, build: Callable, seed: int) -> keras.Model:
    """Give a compiled model the start that ``build()`` has from a seed.

    Training again from another seed then needs no new compiling or tracing::

        for seed in range(3):
            restart(model, build, seed).fit(x, y, epochs=5)

    Weights, moving statistics and dropout's seeds become those of ``build()`` after
    ``keras.utils.set_random_seed(seed)``; the optimizer counts from step 0 and has no
    momentum, as if compiled anew. Its learning rate stays as it is.

    Args:
        model: any built model, compiled or not.
        build: a function without arguments that builds the same model.
        seed: a whole number from 0; Keras's, Python's and NumPy's generators get it.

    Returns:
        The same model.

    Raises:
        ValueError: the model is not built, or ``build()`` makes another one. The model
            is then left as it was.
    """
    seed = checks.integer("restart", "seed", seed, least=0)
    checks.built("restart", model)
    keras.utils.set_random_seed(seed)
    fresh = build()
    shapes = [[tuple(v.shape) for v in one.variables] for one in (model, fresh)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"restart takes the function that builds {model.name!r}; given one that "
            f"builds {fresh.name!r}, with other weights"
        )
    pairs = list(zip(model.variables, fresh.variables, strict=True))
    if model.compiled:
        optimizer = model.optimizer
        again = type(optimizer).from_config(optimizer.get_config())
        if optimizer.built:
            again.build(model.trainable_variables)
        pairs += zip(optimizer.variables, again.variables, strict=True)
        model.reset_metrics()
    for variable, start in pairs:
        variable.assign(start)
    return model
