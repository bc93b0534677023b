"""LeNet-5's layers (LeCun et al. 1998)."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks


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
        self.kernel_size = checks.integer("TableConv2D", "kernel_size", kernel_size)

    def build(self, input_shape):
        channels = input_shape[-1]
        pairs = [(i, o) for o, row in enumerate(self.table) for i in row]
        last = max(i for i, _ in pairs)
        if last >= channels:
            raise ValueError(
                f"the table connects input map {last}, but the input has {channels} "
                "maps (numbered from 0)"
            )
        # One row for each connection, to lay its slice of the kernel out densely.
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
        n, height, width, _ = input_shape
        k = self.kernel_size - 1
        return (n, height - k, width - k, len(self.table))


@keras.saving.register_keras_serializable("cnnlib")
class Subsampling2D(keras.layers.Layer):
    """LeNet's trainable pooling: the 2×2 sum, times a coefficient, plus a bias.

    One coefficient and one bias per map (LeCun et al. 1998, section II.B); windows do
    not overlap. The coefficient starts at 1/4, so that training starts from the mean.

    Shapes: (n, height, width, maps) to (n, height // 2, width // 2, maps), float.
    """

    def build(self, input_shape):
        shape = (input_shape[-1],)
        quarter = keras.initializers.Constant(0.25)
        self.coefficient = self.add_weight(
            shape=shape, initializer=quarter, name="coefficient"
        )
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

    def call(self, inputs):
        total = 4 * ops.average_pool(inputs, 2, 2, padding="valid")
        return total * self.coefficient + self.bias

    def compute_output_shape(self, input_shape):
        n, height, width, maps = input_shape
        return (n, height // 2, width // 2, maps)
