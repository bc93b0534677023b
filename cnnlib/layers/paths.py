"""Where the paths of a network part, meet or are dropped."""

import keras
from keras import ops

from cnnlib import checks
from cnnlib.graph import Layer


@keras.saving.register_keras_serializable("cnnlib")
class PaddedIdentity(Layer):
    """The identity where the shape changes: every strides-th place, zeros as new maps.

    The parameter-free shortcut of residual networks ("option A" of arXiv:1512.03385,
    section 3.3), from (n, height, width, maps) to (n, ⌈height / strides⌉, ⌈width /
    strides⌉, filters). At the first call it refuses more maps than ``filters`` by a
    ``ValueError``.
    """

    def __init__(self, filters, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = checks.integer("PaddedIdentity", "filters", filters)
        self.strides = checks.integer("PaddedIdentity", "strides", strides)

    def build(self, input_shape):
        if input_shape[-1] > self.filters:
            raise ValueError(
                f"PaddedIdentity makes {self.filters} maps of that many or fewer; "
                f"the input has {input_shape[-1]}"
            )

    def call(self, inputs):
        new = self.filters - inputs.shape[-1]
        kept = inputs[:, :: self.strides, :: self.strides]
        return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (0, new)))


@keras.saving.register_keras_serializable("cnnlib")
class SurvivalGate(Layer):
    """Stochastic depth's gate: in training all of its input or nothing, by chance.

    arXiv:1603.09382, section 3: one draw for the whole batch, 1 with probability
    ``survival`` (above 0, at most 1), else 0. At test the input times ``survival``, the
    mean of that. (Keras's own layers draw for each example and divide in training.)
    """

    def __init__(self, survival, seed=None, **kwargs):
        super().__init__(**kwargs)
        checks.number("SurvivalGate", "survival", survival, above=0, most=1)
        self.survival, self.seed = survival, checks.seed("SurvivalGate", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs * self.survival
        draw = keras.random.uniform((), dtype="float32", seed=self.seed_generator)
        return inputs * ops.cast(draw < self.survival, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("cnnlib")
class GatedSum(Layer):
    """A highway layer's output: T · H + (1 − T) · x (1505.00387, equation 3).

    Takes [transformed, gate, carried], three tensors of one shape, the gate in 0 to 1;
    others are a ``ValueError``.
    """

    def build(self, input_shape):
        checks.one_shape("GatedSum", input_shape)

    def call(self, inputs):
        transformed, gate, carried = inputs
        return gate * transformed + (1 - gate) * carried

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable("cnnlib")
class ColumnChoice(Layer):
    """FractalNet's global drop-path: which column, if any, is alone in this batch.

    Larsson et al. (1605.07648), section 3.1. In training, with probability ``ratio``
    (the paper's is a half), one of the columns is drawn, all with the same chance;
    else, and at inference, none. One draw serves the whole batch and all joins of the
    network. Anything to (1, columns): 1 for the column that is alone, else 0.
    """

    def __init__(self, columns, ratio=0.5, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.columns = checks.integer("ColumnChoice", "columns", columns)
        checks.number("ColumnChoice", "ratio", ratio, least=0, most=1)
        self.ratio, self.seed = ratio, checks.seed("ColumnChoice", seed)
        self.generator = keras.random.SeedGenerator(self.seed)

    def call(self, inputs, training=False):
        if not training:
            return ops.zeros((1, self.columns), self.compute_dtype)
        draws = keras.random.uniform((2,), dtype="float32", seed=self.generator)
        which, whether = ops.split(draws, 2)
        column = ops.cast(ops.floor(which * self.columns), "int32")
        alone = ops.cast(whether < self.ratio, self.compute_dtype)
        return alone * ops.one_hot(column, self.columns, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable("cnnlib")
class FractalJoin(Layer):
    """FractalNet's join: the mean of the paths that are not dropped.

    Larsson et al. (1605.07648), section 3.1. Takes [choice, path, path, …]: a
    ``ColumnChoice``'s output, and paths of one shape that stem from the last columns of
    it. In training, if a column is alone, its path is the output. Else each path is
    dropped with probability ``rate`` (the paper's is 0.15), for the whole batch; if
    that hits them all, one survives, each with the same chance. At inference: the mean
    of all paths. Paths of several shapes are a ``ValueError``.
    """

    def __init__(self, rate=0.15, seed=None, **kwargs):
        super().__init__(**kwargs)
        checks.number("FractalJoin", "rate", rate, least=0, most=1)
        self.rate, self.seed = rate, checks.seed("FractalJoin", seed)
        self.generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape):
        checks.one_shape("FractalJoin", input_shape[1:])

    def call(self, inputs, training=False):
        choice, *paths = inputs
        if not training:
            return sum(paths[1:], paths[0]) / len(paths)
        kept = ops.cast(self.survivors(choice[0, -len(paths) :]), self.compute_dtype)
        return sum(kept[i] * path for i, path in enumerate(paths)) / ops.sum(kept)

    def survivors(self, alone):
        """1 for each path that is kept, given which column is alone."""
        number = alone.shape[0]
        draws = keras.random.uniform((number,), dtype="float32", seed=self.generator)
        last = ops.one_hot(ops.argmax(draws), number, dtype="float32")
        local = ops.maximum(ops.cast(draws >= self.rate, "float32"), last)
        alone = ops.cast(alone, "float32")
        return ops.where(ops.any(alone > 0), alone, local)

    def compute_output_shape(self, input_shape):
        return input_shape[1]
