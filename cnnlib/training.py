"""What Keras lacks for training: a one-cycle schedule, a clock, and starting again."""

import math
import time

import keras
from keras import ops

from cnnlib import checks
from cnnlib.layers import GaussianUnits, RepeatedUnit

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


def restart(model: keras.Model, seed: int, *, build=None) -> keras.Model:
    """Give a model new weights from a seed, and leave what is compiled as it is.

    Training again with another seed then needs no new tracing::

        for seed in range(3):
            restart(model, seed).fit(x, y, epochs=5)

    Weights, moving statistics and the seeds of dropout are then those of the same model
    built anew after ``keras.utils.set_random_seed(seed)``; and, as if it had been
    compiled anew, the optimizer counts from step 0 and has no momentum. Its learning
    rate stays as it is. Keras's, Python's and NumPy's generators are seeded as well.

    Without ``build``, every layer is made again from its config, in the order in which
    the layers were called. That has to be the order in which they were made: in
    ``Dense(9)(Flatten()(x))`` Python makes the Dense first. And weights that were
    loaded or set by hand are lost. Where either matters, give ``build``.

    Args:
        model: Sequential or functional, built, compiled or not; nested models are
            restarted with it. With ``build``, any built model.
        seed: a whole number from 0.
        build: a function that builds the same model; its weights are taken.

    Returns:
        The same model.

    Raises:
        ValueError: a model that is not built, or, without ``build``, one that can't be
            made anew from its layers' configs. Its weights are then left as they were.
    """
    seed = checks.integer("restart", "seed", seed, least=0)
    checks.built("restart", model)
    layers = [] if build else _layers_in_order(model)
    keras.utils.set_random_seed(seed)
    if build:
        pairs = _pairs(model, build())
    else:
        fresh = _anew(layers, all_first=isinstance(model, keras.Sequential))
        pairs = []
        for layer, again in zip(layers, fresh, strict=True):
            pairs += _pairs(layer, again)
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


def _pairs(layer, again) -> list:
    """Each variable with the one it is to start from."""
    shapes = [[tuple(v.shape) for v in one.variables] for one in (layer, again)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{layer.name!r} comes out with other weights when made anew")
    return list(zip(layer.variables, again.variables, strict=True))


def _layers_in_order(model) -> list[keras.layers.Layer]:
    """The layers of a model and of those nested in it, as they were called.

    Raises:
        ValueError: they can't be made anew from their configs in this order.
    """
    numbers = _calls(model)
    layers = sorted(numbers, key=numbers.get)
    inside = {id(variable) for layer in layers for variable in layer.variables}
    if any(id(variable) not in inside for variable in model.variables):
        raise _refusal(model, "has weights outside of its layers")
    latest, initializers = {}, set()
    for layer in layers:
        if isinstance(layer, (RepeatedUnit, GaussianUnits)):
            raise _refusal(layer, "starts as its network's builder sets it")
        if hasattr(layer, "adapt") and layer.variables:
            raise _refusal(layer, "was adapted to data")
        # The names that Keras gives count the layers of a kind as they are made.
        word, _, number = layer.name.rpartition("_")
        if not number.isdigit():
            word, number = layer.name, "0"
        kind = type(layer).__name__.lower()
        if word.replace("_", "") == kind:
            if int(number) < latest.get(kind, 0):
                raise _refusal(layer, "was made before a layer that was called first")
            latest[kind] = int(number)
        for value in vars(layer).values():
            drawn = isinstance(value, keras.initializers.Initializer)
            if drawn and value.get_config().get("seed", 0) is None:
                if id(value) in initializers:
                    raise _refusal(layer, "shares an initializer that has no seed")
                initializers.add(id(value))
    return layers


def _calls(model) -> dict[keras.layers.Layer, int]:
    """Layer to the number of its first call, for all that a model is made of.

    Keras numbers the tensors that it makes: a layer's first one says when that was.
    """
    if not isinstance(model, (keras.Sequential, keras.Function)):
        raise _refusal(model, "is neither Sequential nor functional")
    calls = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            calls |= _calls(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            tensor = layer._inbound_nodes[0].output_tensors[0]
            number = tensor.name.rpartition("_")[2]
            calls[layer] = int(number) if number.isdigit() else 0
    return calls


def _anew(layers, *, all_first: bool) -> list[keras.layers.Layer]:
    """The layers made and built once more.

    Each in turn, as a functional model comes about; or, as in a Sequential, all are
    made before the first is built.
    """
    fresh = []
    for layer in layers:
        try:
            again = type(layer).from_config(layer.get_config())
        except (NotImplementedError, TypeError, ValueError) as error:
            raise _refusal(layer, f"can't be made from its config ({error})") from error
        fresh.append(again)
        if not all_first:
            again.build_from_config(layer.get_build_config())
    if all_first:
        for layer, again in zip(layers, fresh, strict=True):
            again.build_from_config(layer.get_build_config())
    return fresh


def _refusal(layer, reason: str) -> ValueError:
    return ValueError(
        f"restart can't draw {layer.name!r} anew, which {reason}: give it the function "
        "that builds the model, build="
    )
