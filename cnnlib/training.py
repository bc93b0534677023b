"""What Keras lacks for training: SGD with L2, one cycle, a clock, starting again.

A number out of its range is a ``ValueError``.
"""

import math
import time
from collections.abc import Callable

import keras
from keras import ops

from cnnlib import checks

__all__ = ["SGD", "OneCycle", "TimeToAccuracy", "restart"]


@keras.saving.register_keras_serializable("cnnlib")
class SGD(keras.optimizers.SGD):
    """SGD with the weight decay of the papers: ``l2`` times a weight in its gradient.

    So it gathers in the momentum, and at 0.9 shrinks weights ten times as fast as
    Keras's ``weight_decay``, which is taken off apart from the gradient (told apart in
    arXiv:1711.05101). All trained weights decay, those of normalizations too. Other
    arguments are ``keras.optimizers.SGD``'s.
    """

    def __init__(self, learning_rate=0.01, *, l2=0.0, **options):
        super().__init__(learning_rate, **options)
        self.l2 = checks.number("SGD", "l2", l2, least=0)

    def update_step(self, gradient, variable, learning_rate):
        if self.l2:
            gradient = ops.add(gradient, ops.multiply(self.l2, variable))
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}


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
        names = ("peak", "steps", "warmup", "start", "end")
        return {name: getattr(self, name) for name in names}


# Words in the name of what is better when it is lower, or higher. Others are ambiguous:
# Keras calls a distance and its opposite "cosine_similarity".
LOWER = """
    loss error entropy divergence hinge poisson huber log_cosh false_ mae mse mape msle
    rmse
""".split()
HIGHER = """
    acc auc precision recall sensitivity specificity true_ iou io_u mean_dice f1 f_beta
    fbeta r2
""".split()


class TimeToAccuracy(keras.callbacks.Callback):
    """How long training takes to a given accuracy, validation not counted.

    After ``fit``: ``seconds`` and ``epoch`` (from 1) of the first epoch that reached
    the target, both None if none did; ``history``, one (seconds, value) per epoch that
    reports the value, as not all do where there is a ``validation_freq``. The clock
    starts when training begins, so compiling is counted.

    Args:
        target: the value to reach.
        monitor: the name of the metric or loss, as ``fit`` reports it.
        stop: whether training ends there.
        mode: "max" or "min", whether higher or lower is better; None to tell by the
            name: losses and errors are better when lower.

    Raises:
        ValueError: the name does not tell; or, at the end of an epoch that should have
            reported ``monitor``, or of training without it.
    """

    def __init__(self, target, *, monitor="val_accuracy", stop=False, mode=None):
        super().__init__()
        checks.choice("TimeToAccuracy", "mode", mode, ("max", "min", None))
        self.target = checks.number("TimeToAccuracy", "target", target)
        self.monitor = checks.text("TimeToAccuracy", "monitor", monitor)
        self.stop = checks.flag("TimeToAccuracy", "stop", stop)
        lower = any(word in monitor for word in LOWER)
        if not mode and not lower and not any(word in monitor for word in HIGHER):
            raise ValueError(
                "TimeToAccuracy takes mode='max' or 'min' where the name does not tell "
                f"which is better; given monitor={monitor!r}"
            )
        self.mode = mode or ("min" if lower else "max")
        self.seconds, self.epoch, self.history = None, None, []

    def on_train_begin(self, logs=None):
        self.seconds, self.epoch, self.history = None, None, []
        self._start, self._paused = time.perf_counter(), 0.0

    def on_test_begin(self, logs=None):
        self._validation = time.perf_counter()

    def on_test_end(self, logs=None):
        self._paused += time.perf_counter() - self._validation

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        validated = any(name.startswith("val_") for name in logs)
        if self.monitor not in logs:
            if validated or not self.monitor.startswith("val_"):
                self._refuse(f"it reports {', '.join(sorted(logs))}")
            return
        value = float(logs[self.monitor])
        elapsed = time.perf_counter() - self._start - self._paused
        self.history.append((elapsed, value))
        lead = value - self.target if self.mode == "max" else self.target - value
        if self.epoch is None and lead >= 0:
            self.seconds, self.epoch = elapsed, epoch + 1
            if self.stop:
                self.model.stop_training = True

    def on_train_end(self, logs=None):
        if not self.history:
            self._refuse("there was no validation")

    def _refuse(self, reason: str) -> None:
        raise ValueError(
            f"TimeToAccuracy watches {self.monitor!r}, which fit does not report: "
            f"{reason}"
        )


def restart(model: keras.Model, build: Callable, seed: int) -> keras.Model:
    """Give a compiled model the start that ``build()`` has from a seed.

    Training from another seed then needs no new compiling or tracing. Weights, moving
    statistics and the seeds of dropout become those of ``build()`` after
    ``keras.utils.set_random_seed(seed)``; the optimizer counts from step 0 and has no
    momentum. Its learning rate stays as it is. Returns the same model. (On JAX ``fit``
    takes the images in another order than for a model that it has never seen.)

    Raises:
        ValueError: the model is not built, or ``build()`` makes another one; the model
            is left as it was.
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
