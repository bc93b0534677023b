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


def restart(model: keras.Model, seed: int) -> keras.Model:
    """Give a model new weights from a seed, and leave what is compiled as it is.

    Training again with another seed then needs no new tracing::

        for seed in range(3):
            restart(model, seed).fit(x, y, epochs=5)

    Weights, moving statistics and the seeds of dropout are then those of the same model
    built anew after ``keras.utils.set_random_seed(seed)``, as if it had been compiled
    anew, too: the optimizer counts from step 0 and its momenta are 0. Its learning rate
    stays as it is. Keras's, Python's and NumPy's generators are seeded as well.

    Every layer is made again from its config, in the order in which the layers were
    first called. So weights that were loaded or set by hand are lost, and layers have
    to be called in the order in which they were made, as builders do.

    Args:
        model: Sequential or functional, built, compiled or not; nested models are
            restarted with it.
        seed: a whole number from 0.

    Returns:
        The same model.

    Raises:
        ValueError: a model that is not built, or one of another kind; a layer whose
            config does not say how it starts. The model is then left as it was.
    """
    seed = checks.integer("restart", "seed", seed, least=0)
    if not isinstance(model, (keras.Sequential, keras.Function)):
        raise ValueError(
            f"restart takes a Sequential or a functional model; {model.name!r} is a "
            f"{type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"restart takes a built model; {model.name!r} has no weights yet: start it "
            "with a keras.Input, or call it once on a batch"
        )
    layers = sorted(_layers(model).items(), key=lambda item: item[1])
    layers = [layer for layer, _ in layers]
    _refuse_what_no_config_restores(model, layers)
    keras.utils.set_random_seed(seed)
    pairs = []
    for layer, fresh in zip(layers, _anew(layers, model), strict=True):
        shapes = [variable.shape for variable in layer.variables]
        if shapes != [variable.shape for variable in fresh.variables]:
            raise ValueError(
                f"restart makes layers anew from their configs; {layer.name!r} comes "
                "out with other weights"
            )
        pairs += zip(layer.variables, fresh.variables, strict=True)
    if model.compiled:
        optimizer = model.optimizer
        fresh = type(optimizer).from_config(optimizer.get_config())
        if optimizer.built:
            fresh.build(model.trainable_variables)
        pairs += zip(optimizer.variables, fresh.variables, strict=True)
        model.reset_metrics()
    for variable, start in pairs:
        variable.assign(start)
    return model


def _layers(model) -> dict[keras.layers.Layer, int]:
    """The layers of a model and of those nested in it, with the order of their calls.

    Keras numbers the tensors that it makes; a layer's first one says when it was called.
    """
    numbers = {}
    for layer in model.layers:
        if isinstance(layer, (keras.Sequential, keras.Function)):
            numbers |= _layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            tensor = layer._inbound_nodes[0].output_tensors[0]
            number = tensor.name.rpartition("_")[2]
            numbers[layer] = int(number) if number.isdigit() else 0
    return numbers


def _anew(layers, model) -> list[keras.layers.Layer]:
    """The layers once more, made and built in the order in which a user would.

    In a Sequential all are made before the first is built.
    """
    made = []
    for layer in layers:
        try:
            fresh = type(layer).from_config(layer.get_config())
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                "restart makes layers anew from their configs, which fails for "
                f"{layer.name!r}: {error}"
            ) from error
        made.append(fresh)
        if not isinstance(model, keras.Sequential):
            fresh.build_from_config(layer.get_build_config())
    if isinstance(model, keras.Sequential):
        for layer, fresh in zip(layers, made, strict=True):
            fresh.build_from_config(layer.get_build_config())
    return made


def _refuse_what_no_config_restores(model, layers) -> None:
    """Refuse weights outside of layers, and layers that do not say how they start."""
    inside = {id(variable) for layer in layers for variable in layer.variables}
    if not all(id(variable) in inside for variable in model.variables):
        raise ValueError(
            f"restart takes no model with weights of its own: {model.name!r}"
        )
    unseeded = set()
    for layer in layers:
        if isinstance(layer, (RepeatedUnit, GaussianUnits)):
            raise ValueError(
                f"restart can't draw {layer.name!r} anew: the network's builder sets how "
                "it starts"
            )
        if hasattr(layer, "adapt") and layer.variables:
            raise ValueError(
                f"restart can't draw {layer.name!r} anew: it was adapted to data"
            )
        for value in vars(layer).values():
            if isinstance(value, keras.initializers.Initializer):
                if value.get_config().get("seed", 0) is not None:
                    continue
                if id(value) in unseeded:
                    raise ValueError(
                        f"restart can't draw {layer.name!r} anew: it shares an "
                        "initializer without a seed with another layer"
                    )
                unseeded.add(id(value))
