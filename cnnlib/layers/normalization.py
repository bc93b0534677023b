"""AlexNet's normalization."""

import keras
import numpy as np
from keras import ops


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
        return tuple(input_shape)
