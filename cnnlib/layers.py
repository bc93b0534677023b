"""The few layers that the talk's networks need and Keras lacks."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("cnnlib")
class TableConv2D(keras.layers.Layer):
    """A convolution in which each output map sees only the input maps of a table.

    LeNet-5's C3 is one (LeCun et al. 1998, table I). Unlike a masked ``Conv2D`` it has
    no weights for the connections it lacks. Valid padding, stride 1.

    Shapes: (n, height, width, maps in) to (n, height − k + 1, width − k + 1, maps out),
    float. Weights: ``kernel`` (k, k, connections), in the order of the table, and
    ``bias`` (maps out,).

    Args:
        table: for each output map, the input maps it is connected to.
        kernel_size: k, the side of the square window.
    """

    def __init__(self, table, kernel_size, **kwargs):
        super().__init__(**kwargs)
        self.table = [list(row) for row in table]
        self.kernel_size = kernel_size

    def build(self, input_shape):
        """Make a kernel slice per connection, and the matrix that spreads them out."""
        channels = input_shape[-1]
        pairs = [(i, o) for o, row in enumerate(self.table) for i in row]
        if max(i for i, _ in pairs) >= channels:
            raise ValueError(
                f"the table connects input map {max(i for i, _ in pairs)}, but the "
                f"input has {channels} maps (numbered from 0)"
            )
        self._spread = np.zeros((len(pairs), channels * len(self.table)), "float32")
        for row, (i, o) in enumerate(pairs):
            self._spread[row, i * len(self.table) + o] = 1
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, len(pairs)),
            initializer="lecun_uniform",
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(len(self.table),), initializer="zeros", name="bias"
        )

    def call(self, inputs):
        """Convolve with the kernel laid out densely, zeros where the table has none."""
        spread = ops.cast(ops.convert_to_tensor(self._spread), self.compute_dtype)
        dense = ops.reshape(
            ops.matmul(self.kernel, spread),
            (self.kernel_size, self.kernel_size, inputs.shape[-1], len(self.table)),
        )
        return ops.conv(inputs, dense, padding="valid") + self.bias

    def compute_output_shape(self, input_shape):
        """(n, height − k + 1, width − k + 1, maps out)."""
        n, height, width, _ = input_shape
        k = self.kernel_size - 1
        return (n, height - k, width - k, len(self.table))

    def get_config(self):
        """The constructor's arguments."""
        own = {"table": self.table, "kernel_size": self.kernel_size}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("cnnlib")
class Subsampling2D(keras.layers.Layer):
    """LeNet's trainable pooling: the 2×2 sum, times a coefficient, plus a bias.

    One coefficient and one bias per map (LeCun et al. 1998, section II.B); windows do
    not overlap. The coefficient starts at 1/4, so that training starts from the mean.

    Shapes: (n, height, width, maps) to (n, height // 2, width // 2, maps), float.
    """

    def build(self, input_shape):
        """Make a coefficient and a bias per map."""
        shape = (input_shape[-1],)
        quarter = keras.initializers.Constant(0.25)
        self.coefficient = self.add_weight(
            shape=shape, initializer=quarter, name="coefficient"
        )
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

    def call(self, inputs):
        """Sum each window, scale and shift."""
        total = 4 * ops.average_pool(inputs, 2, 2, padding="valid")
        return total * self.coefficient + self.bias

    def compute_output_shape(self, input_shape):
        """(n, height // 2, width // 2, maps)."""
        n, height, width, maps = input_shape
        return (n, height // 2, width // 2, maps)


@keras.saving.register_keras_serializable("cnnlib")
class RadialBasis(keras.layers.Layer):
    """Logits from the distance to fixed codes: minus the squared Euclidean distance.

    LeNet-5's output layer (LeCun et al. 1998, section II.B) gives the squared distance
    itself, a penalty; its negative is the log-likelihood of a Gaussian up to a
    constant, which is what a logit is. The codes are not trained and are no weights.

    Shapes: (n, features) to (n, classes), float.

    Args:
        codes: one row of ``features`` numbers per class.
    """

    def __init__(self, codes, **kwargs):
        super().__init__(**kwargs)
        self.codes = np.asarray(codes, "float32").tolist()

    def call(self, inputs):
        """Minus the squared distance of each input to each code."""
        codes = ops.cast(ops.convert_to_tensor(self.codes), self.compute_dtype)
        difference = ops.expand_dims(inputs, 1) - codes
        return -ops.sum(ops.square(difference), axis=-1)

    def compute_output_shape(self, input_shape):
        """(n, classes)."""
        return (input_shape[0], len(self.codes))

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "codes": self.codes}


@keras.saving.register_keras_serializable("cnnlib")
class LocalResponseNormalization(keras.layers.Layer):
    """AlexNet's normalization: each map divided by what its neighbours answer.

    The paper's formula (Krizhevsky et al. 2012, section 3.3), at each place::

        b_i = a_i / (k + alpha * sum of a_j² over the ``depth`` maps around i) ** beta

    with the window cut off at the first and the last map. ``alpha`` multiplies the sum,
    as in TensorFlow; PyTorch and Caffe divide theirs by ``depth``.

    The sum is a product with a banded matrix of ones, which on a CPU is an order of
    magnitude faster than adding shifted copies. Computed in float32, also where the
    policy is of 16 bits.

    Shapes: (…, maps) to the same, float.

    Args:
        depth: n, the odd number of maps in a window.
        k: added to the sum.
        alpha: factor of the sum.
        beta: exponent.
    """

    def __init__(self, depth=5, k=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        if depth < 1 or depth % 2 == 0:
            raise ValueError(f"depth is an odd number of maps; given {depth}")
        self.depth, self.k, self.alpha, self.beta = depth, k, alpha, beta

    def call(self, inputs):
        """Divide by the power of the windows' energy."""
        maps = np.arange(inputs.shape[-1])
        band = np.abs(maps[:, None] - maps) <= self.depth // 2
        x = ops.cast(inputs, "float32")
        energy = ops.matmul(ops.square(x), ops.convert_to_tensor(band, "float32"))
        base = self.k + self.alpha * energy
        if self.beta == 0.75:  # two roots take a third of a power's time
            scale = ops.rsqrt(base * ops.sqrt(base))
        else:
            scale = ops.power(base, -self.beta)
        return ops.cast(x * scale, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The same."""
        return tuple(input_shape)

    def get_config(self):
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("depth", "k", "alpha", "beta")}
        return {**super().get_config(), **own}
