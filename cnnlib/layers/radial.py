"""Units that answer by their distance to a centre."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks


@keras.saving.register_keras_serializable("cnnlib")
class GaussianUnits(keras.layers.Layer):
    """Units that answer near their own centre only: exp(−β · ‖x − μ‖²).

    The hidden layer of a radial basis function network (Broomhead and Lowe 1988).

    Shapes: (n, features) to (n, units), float, 0 to 1. Weights: ``centres`` (units,
    features) and ``precision`` (units,), whose squares are the β.

    Args:
        units: number of units.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = checks.integer("GaussianUnits", "units", units)

    def build(self, input_shape):
        features = input_shape[-1]
        self.centres = self.add_weight(
            shape=(self.units, features),
            initializer=keras.initializers.RandomUniform(0.0, 1.0),
            name="centres",
        )
        # Points of a unit cube are about √(features / 6) from each other.
        self.precision = self.add_weight(
            shape=(self.units,),
            initializer=keras.initializers.Constant((6 / features) ** 0.5),
            name="precision",
        )

    def call(self, inputs):
        squares = ops.sum(inputs**2, axis=-1, keepdims=True)
        products = inputs @ ops.transpose(self.centres)
        distances = squares - 2 * products + ops.sum(self.centres**2, axis=-1)
        return ops.exp(-(self.precision**2) * ops.relu(distances))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)


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
        codes = ops.cast(ops.convert_to_tensor(self.codes), self.compute_dtype)
        difference = ops.expand_dims(inputs, 1) - codes
        return -ops.sum(ops.square(difference), axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self.codes))

    def get_config(self):
        return {**super().get_config(), "codes": self.codes}
