"""Layers of LeNet-5 (LeCun et al. 1998), of RBF networks and of AlexNet."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.graph import Layer


@keras.saving.register_keras_serializable("cnnlib")
class TableConv2D(Layer):
    """A convolution in which each output map sees only the input maps of a table.

    LeNet-5's C3 is one (table I). Valid padding, stride 1. Unlike a masked ``Conv2D``
    it has no weights for missing connections: ``kernel`` is (k, k, connections), in the
    order of the table, and ``bias`` (maps out,).

    Args:
        table: for each output map, the input maps it is connected to.
        kernel_size: k, the side of the square window.
    """

    def __init__(self, table, kernel_size, **kwargs):
        super().__init__(**kwargs)
        self.table = [list(row) for row in table]
        entries = [i for row in self.table for i in row]
        if not entries or not all(checks.is_integer(i) and i >= 0 for i in entries):
            raise ValueError(
                "TableConv2D takes for each output map the numbers of input maps, from "
                f"0; given {table!r:.200}"
            )
        self.kernel_size = checks.integer("TableConv2D", "kernel_size", kernel_size)

    def build(self, input_shape):
        channels = input_shape[-1]
        pairs = [(i, o) for o, row in enumerate(self.table) for i in row]
        last = max(i for i, _ in pairs)
        if last >= channels:
            raise ValueError(
                f"TableConv2D's table names input map {last} (from 0), but the input "
                f"has {channels} maps"
            )
        # One row for each connection, to lay its slice of the kernel out densely.
        self._spread = np.zeros((len(pairs), channels * len(self.table)), "float32")
        for row, (i, o) in enumerate(pairs):
            self._spread[row, i * len(self.table) + o] = 1
        shape = (self.kernel_size, self.kernel_size, len(pairs))
        # As ``lecun_uniform`` would, each output map by the input maps that it sees.
        seen = np.array([len(self.table[o]) for _, o in pairs])
        unit = keras.initializers.RandomUniform(-1.0, 1.0)
        limit = (3 / (self.kernel_size**2 * seen)) ** 0.5

        def start(shape, dtype=None):
            return unit(shape, dtype) * ops.cast(limit, dtype)

        self.kernel = self.add_weight(shape, start, name="kernel")
        self.bias = self.add_weight((len(self.table),), "zeros", name="bias")

    def call(self, inputs):
        spread = ops.cast(ops.convert_to_tensor(self._spread), self.compute_dtype)
        window = (self.kernel_size, self.kernel_size)
        shape = (*window, inputs.shape[-1], len(self.table))
        dense = ops.reshape(ops.matmul(self.kernel, spread), shape)
        convolved = ops.conv(inputs, dense, 1, "valid", "channels_last")
        return convolved + self.bias


@keras.saving.register_keras_serializable("cnnlib")
class Subsampling2D(Layer):
    """LeNet's trainable pooling: the 2×2 sum, times a coefficient, plus a bias.

    One coefficient and one bias per map (section II.B); windows do not overlap. The
    coefficient starts at 1/4, so that training starts from the mean.
    """

    def build(self, input_shape):
        maps = (input_shape[-1],)
        quarter = keras.initializers.Constant(0.25)
        self.coefficient = self.add_weight(maps, quarter, name="coefficient")
        self.bias = self.add_weight(maps, "zeros", name="bias")

    def call(self, inputs):
        total = 4 * ops.average_pool(inputs, 2, 2, "valid", "channels_last")
        return total * self.coefficient + self.bias


@keras.saving.register_keras_serializable("cnnlib")
class RadialBasis(Layer):
    """Logits from fixed codes: minus the squared Euclidean distance to each.

    (n, features) to (n, classes). LeNet-5's output layer (section II.B) gives the
    squared distance, a penalty; its negative is a Gaussian's log-likelihood up to a
    constant, which is what a logit is. The codes, one row per class, are no weights.
    """

    def __init__(self, codes, **kwargs):
        super().__init__(**kwargs)
        codes = checks.finite("RadialBasis", "codes", np.asarray(codes, "float32"))
        if codes.ndim != 2 or not codes.size:
            raise ValueError(
                "RadialBasis takes codes (classes, features); given shape "
                f"{codes.shape}"
            )
        self.codes = codes.tolist()

    def build(self, input_shape):
        features = len(self.codes[0])
        if len(input_shape) != 2 or input_shape[-1] != features:
            raise ValueError(
                f"RadialBasis takes (n, {features}), as its codes are; given "
                f"({checks.listed(input_shape)})"
            )

    def call(self, inputs):
        codes = ops.cast(ops.convert_to_tensor(self.codes), self.compute_dtype)
        return -ops.sum(ops.square(ops.expand_dims(inputs, 1) - codes), axis=-1)

    def get_config(self):
        return {**super().get_config(), "codes": self.codes}


@keras.saving.register_keras_serializable("cnnlib")
class GaussianUnits(Layer):
    """Units that answer near their own centre only: exp(−β · ‖x − μ‖²).

    The hidden layer of a radial basis function network (Broomhead and Lowe 1988), from
    (n, features) to (n, units). Weights: ``centres`` (units, features) and
    ``precision`` (units,), whose squares are the β.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = checks.integer("GaussianUnits", "units", units)

    def build(self, input_shape):
        features = input_shape[-1]
        uniform = keras.initializers.RandomUniform(0.0, 1.0)
        self.centres = self.add_weight((self.units, features), uniform, name="centres")
        # Points of a unit cube are about √(features / 6) from each other.
        start = keras.initializers.Constant((6 / features) ** 0.5)
        self.precision = self.add_weight((self.units,), start, name="precision")

    def call(self, inputs):
        squares = ops.sum(inputs**2, axis=-1, keepdims=True)
        products = inputs @ ops.transpose(self.centres)
        distances = squares - 2 * products + ops.sum(self.centres**2, axis=-1)
        return ops.exp(-(self.precision**2) * ops.relu(distances))


@keras.saving.register_keras_serializable("cnnlib")
class LocalResponseNormalization(Layer):
    """AlexNet's normalization: each map divided by what its neighbours answer.

    Krizhevsky et al. 2012, section 3.3, over the ``depth`` maps around map i, fewer at
    the edges; computed in float32 under every policy::

        b_i = a_i / (k + alpha * sum of a_j²) ** beta

    ``alpha`` multiplies the sum, as in TensorFlow; PyTorch and Caffe divide theirs by
    ``depth``, which is odd.
    """

    def __init__(self, depth=5, k=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        who = type(self).__name__
        if checks.integer(who, "depth", depth) % 2 == 0:
            raise ValueError(f"depth is an odd number of maps; given {depth}")
        self.depth, self.k = depth, checks.number(who, "k", k, above=0)
        self.alpha = checks.number(who, "alpha", alpha, least=0)
        self.beta = checks.number(who, "beta", beta, least=0)

    def call(self, inputs):
        maps = np.arange(inputs.shape[-1])
        # A product with a band of ones: ten times as fast as adding shifted copies.
        band = np.abs(maps[:, None] - maps) <= self.depth // 2
        x = ops.cast(inputs, "float32")
        energy = ops.matmul(ops.square(x), ops.convert_to_tensor(band, "float32"))
        base = self.k + self.alpha * energy
        if self.beta == 0.75:  # two roots take a third of a power's time
            scale = ops.rsqrt(base * ops.sqrt(base))
        else:
            scale = ops.power(base, -self.beta)
        return ops.cast(x * scale, self.compute_dtype)
