"""One unit, many times."""

import keras
from keras import ops

from cnnlib import checks
from cnnlib.graph import Layer

# They start each number of a weight alike, whatever its shape.
ALIKE = tuple(
    getattr(keras.initializers, name)
    for name in "Constant Ones RandomNormal RandomUniform TruncatedNormal Zeros".split()
)


@keras.saving.register_keras_serializable("cnnlib")
class RepeatedUnit(Layer):
    """One unit applied ``count`` times in a row, each time with weights of its own.

    It computes what ``count`` copies of the unit one after the other compute, gradients
    and moving statistics included; but the unit is traced once and is one layer of the
    graph, which a network of a thousand layers needs. Its weights are the unit's,
    stacked along a first axis of length ``count``, called ``<layer>_<weight>`` and
    started as the layer would start each: by variance scaling, or each number alike.

    Args:
        unit: a built model that keeps its input's shape, without dropout, regularizers,
            constraints or the like.
        count: how often, at least 1; else a ``ValueError``, as for a wrong unit.
    """

    def __init__(self, unit, count, **kwargs):
        super().__init__(**kwargs)
        checks.integer("RepeatedUnit", "count", count)
        checks.built("RepeatedUnit", unit)
        if unit.input_shape != unit.output_shape:
            raise ValueError(
                "RepeatedUnit takes a unit that keeps the shape; given "
                f"{unit.input_shape} to {unit.output_shape}"
            )
        if len(unit.variables) != len(unit.weights):
            raise ValueError("RepeatedUnit takes a unit without dropout or the like")
        bound = any(weight.regularizer or weight.constraint for weight in unit.weights)
        if bound or any(layer.activity_regularizer for layer in unit.layers):
            raise ValueError(
                "RepeatedUnit takes a unit without regularizers and constraints"
            )
        self.count = count
        # Told to compile as it likes, Keras must not try XLA here: that cannot
        # differentiate TensorFlow's scan, whose length it does not know.
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self._unit = lambda: unit  # a layer of its own, not one whose weights count

    def unit(self) -> keras.Model:
        """The unit that is repeated."""
        return self._unit()

    def build(self, input_shape):
        unit = self.unit()
        owner = {id(weight): layer for layer in unit.layers for weight in layer.weights}
        # In the order of ``stateless_call``.
        for weight in unit.trainable_variables + unit.non_trainable_variables:
            layer = owner[id(weight)]
            self.add_weight(
                shape=(self.count, *weight.shape),
                initializer=self._stacked(layer, weight),
                trainable=weight.trainable,
                autocast=False,  # the unit's layers cast, as they do on their own
                name=f"{layer.name}_{weight.name}",
            )

    def _stacked(self, layer, weight):
        """Variance scaling counts the first axis into the window; undo that."""
        # There is none where the layer is a model within the unit.
        initializer = getattr(layer, f"{weight.name}_initializer", None)
        if isinstance(initializer, ALIKE):
            return initializer
        if not isinstance(initializer, keras.initializers.VarianceScaling):
            raise ValueError(
                f"RepeatedUnit cannot start {layer.name!r} by "
                f"{type(initializer).__name__}"
            )
        scale, mode = initializer.scale * self.count, initializer.mode
        if len(weight.shape) == 1:  # both fans of a vector are its length
            scale, mode = initializer.scale, "fan_out"
        seed = initializer.get_config()["seed"]
        return keras.initializers.VarianceScaling(
            scale, mode, initializer.distribution, seed
        )

    def call(self, inputs, training=False):
        training = bool(training and self.trainable)
        output, _, states = self._run(inputs, training)
        if training:
            stacks = self.weights[len(self.weights) - len(states) :]
            for weight, state in zip(stacks, states, strict=True):
                weight.assign(state)
        return output

    def each(self, inputs, training=False):
        """Every unit's output, stacked: (count, n, …). Leaves moving statistics alone.

        ``keras.Model(model.inputs, layer.input)`` gives the inputs.
        """
        inputs = ops.cast(inputs, self.compute_dtype)
        return self._run(inputs, bool(training and self.trainable))[1]

    def _run(self, inputs, training):
        """The last output, all outputs, and the states after each unit."""
        unit = self.unit()
        first = len(unit.trainable_variables)  # state

        def step(carry, weights):
            trainable, state = list(weights[:first]), list(weights[first:])
            output, state = unit.stateless_call(
                trainable, state, carry[0], training=training
            )
            return (output, *state), (output, *state)

        # TensorFlow's scan wants results of the carry's shapes: the state rides along.
        stacks = tuple(weight.value for weight in self.weights)
        start = (inputs, *(stack[0] for stack in stacks[first:]))
        (output, *_), (outputs, *states) = ops.scan(step, start, stacks)
        return output, outputs, states

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        unit = keras.saving.serialize_keras_object(self.unit())
        return {**super().get_config(), "unit": unit, "count": self.count}

    @classmethod
    def from_config(cls, config):
        unit = keras.saving.deserialize_keras_object(config["unit"])
        return cls(**{**config, "unit": unit})
