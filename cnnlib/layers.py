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


@keras.saving.register_keras_serializable("cnnlib")
class PaddedIdentity(keras.layers.Layer):
    """The identity where the shape changes: every strides-th place, zeros as new maps.

    The parameter-free shortcut of residual networks ("option A" of arXiv:1512.03385,
    section 3.3).

    Shapes: (n, height, width, maps) to (n, ⌈height / strides⌉, ⌈width / strides⌉,
    filters), any type.

    Args:
        filters: maps of the output, at least those of the input; the new ones come
            last.
        strides: 1 or more.

    Raises:
        ValueError: at the first call, if the input has more maps than ``filters``.
    """

    def __init__(self, filters, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.strides = filters, strides

    def build(self, input_shape):
        """Refuse an input with too many maps."""
        if input_shape[-1] > self.filters:
            raise ValueError(
                f"PaddedIdentity makes {self.filters} maps of that many or fewer; "
                f"the input has {input_shape[-1]}"
            )

    def call(self, inputs):
        """Take every strides-th place and append maps of zeros."""
        new = self.filters - inputs.shape[-1]
        kept = inputs[:, :: self.strides, :: self.strides]
        return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (0, new)))

    def compute_output_shape(self, input_shape):
        """(n, ⌈height / strides⌉, ⌈width / strides⌉, filters)."""
        n, *sides, _ = input_shape
        kept = (None if side is None else -(-side // self.strides) for side in sides)
        return (n, *kept, self.filters)

    def get_config(self):
        """The constructor's arguments."""
        own = {"filters": self.filters, "strides": self.strides}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("cnnlib")
class SurvivalGate(keras.layers.Layer):
    """Stochastic depth's gate: in training all of its input or nothing, by chance.

    One draw for the whole batch, as in arXiv:1603.09382, section 3: the input times 1
    with probability ``survival``, else times 0. At test the input times ``survival``,
    which is the mean of that. (Keras's own layers of this kind draw for each example
    and divide by the survival probability in training.)

    Shapes: any, float; the output has the input's.

    Args:
        survival: probability, above 0, at most 1.
        seed: an integer, to draw the same gates again.

    Raises:
        ValueError: a probability out of its range.
    """

    def __init__(self, survival, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 < survival <= 1:
            raise ValueError(
                f"SurvivalGate takes survival above 0 and up to 1; given {survival!r}"
            )
        self.survival, self.seed = survival, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        """Multiply by 0 or 1 in training, by ``survival`` at test."""
        if not training:
            return inputs * self.survival
        draw = keras.random.uniform((), dtype="float32", seed=self.seed_generator)
        return inputs * ops.cast(draw < self.survival, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        own = {"survival": self.survival, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("cnnlib")
class GatedSum(keras.layers.Layer):
    """A highway layer's output: T · H + (1 − T) · x (1505.00387, equation 3).

    Takes [transformed, gate, carried], three tensors of one shape, the gate in 0 to 1.
    """

    def call(self, inputs):
        """What the gate lets through, and the input for the rest."""
        transformed, gate, carried = inputs
        return gate * transformed + (1 - gate) * carried

    def compute_output_shape(self, input_shape):
        """That of each input."""
        return input_shape[0]


@keras.saving.register_keras_serializable("cnnlib")
class ColumnChoice(keras.layers.Layer):
    """FractalNet's global drop-path: which column, if any, is alone in this batch.

    Larsson et al. (1605.07648), section 3.1. In training, with probability ``ratio``,
    one column is drawn, all with the same chance; else, and at inference, none. One
    draw serves the whole batch and all joins (``FractalJoin``) of the network.

    Shapes: anything to (1, columns), 1 for the column that is alone, else 0.

    Args:
        columns: how many columns there are.
        ratio: of the batches that a single column computes; the paper's is a half.
        seed: of the draws.
    """

    def __init__(self, columns, ratio=0.5, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.columns, self.ratio, self.seed = columns, ratio, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        """Draw once."""
        if not training:
            return ops.zeros((1, self.columns), self.compute_dtype)
        which, whether = ops.split(
            keras.random.uniform((2,), dtype="float32", seed=self.generator), 2
        )
        column = ops.cast(ops.floor(which * self.columns), "int32")
        alone = ops.cast(whether < self.ratio, self.compute_dtype)
        return alone * ops.one_hot(column, self.columns, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """(1, columns)."""
        return (1, self.columns)

    def get_config(self):
        """The constructor's arguments."""
        own = {"columns": self.columns, "ratio": self.ratio, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("cnnlib")
class RepeatedUnit(keras.layers.Layer):
    """One unit applied ``count`` times in a row, each time with weights of its own.

    It computes what ``count`` copies of the unit one after the other compute, gradients
    and moving statistics included; but the unit is traced once, not ``count`` times,
    and is one layer of the graph. That is what a network of a thousand layers needs.

    Shapes: the output has the input's. Weights: those of the unit, stacked along a
    first axis of length ``count`` and called ``<layer>_<weight>``, such as
    ``unit_a_conv_kernel``. Their gradients are stacked alike: one row for each unit.

    Args:
        unit: a built model that returns a tensor of its input's shape. Its own weights
            are not used; how they start is: each entry of a stack is drawn as the
            layer would draw it (variance scaling, or anything that draws every number
            alike). Nothing in it may be random at each call, such as dropout.
        count: how often.

    Raises:
        ValueError: the unit changes the shape or is random, or a count below 1.
    """

    def __init__(self, unit, count, **kwargs):
        super().__init__(**kwargs)
        if count < 1 or unit.input_shape != unit.output_shape:
            raise ValueError(
                "RepeatedUnit takes a count of 1 or more and a unit that keeps the "
                f"shape; given {count=}, {unit.input_shape} to {unit.output_shape}"
            )
        if len(unit.variables) != len(unit.weights):
            raise ValueError("RepeatedUnit takes a unit without dropout or the like")
        self.count = count
        # Told to compile as it likes, Keras must not try XLA here: that cannot
        # differentiate TensorFlow's scan, whose length it does not know.
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self._unit = lambda: unit  # a layer of its own, not one whose weights count

    def unit(self) -> keras.Model:
        """The unit that is repeated."""
        return self._unit()

    def build(self, input_shape):
        """Make a stack for each weight of the unit, in ``stateless_call``'s order."""
        unit = self.unit()
        owner = {id(weight): layer for layer in unit.layers for weight in layer.weights}
        for weight in unit.trainable_variables + unit.non_trainable_variables:
            layer = owner[id(weight)]
            self.add_weight(
                shape=(self.count, *weight.shape),
                initializer=self._stacked(getattr(layer, f"{weight.name}_initializer")),
                trainable=weight.trainable,
                autocast=False,  # the unit's layers cast, as they do on their own
                name=f"{layer.name}_{weight.name}",
            )

    def _stacked(self, initializer):
        """Variance scaling counts the first axis into the window; undo that."""
        if not isinstance(initializer, keras.initializers.VarianceScaling):
            return initializer
        return keras.initializers.VarianceScaling(
            scale=initializer.scale * self.count,
            mode=initializer.mode,
            distribution=initializer.distribution,
        )

    def call(self, inputs, training=False):
        """Apply the unit ``count`` times; in training, move its statistics on."""
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
        """The input's."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        unit = keras.saving.serialize_keras_object(self.unit())
        return {**super().get_config(), "unit": unit, "count": self.count}

    @classmethod
    def from_config(cls, config):
        """Make the unit anew, then the layer."""
        unit = keras.saving.deserialize_keras_object(config["unit"])
        return cls(**{**config, "unit": unit})


@keras.saving.register_keras_serializable("cnnlib")
class FractalJoin(keras.layers.Layer):
    """FractalNet's join: the mean of the paths that are not dropped.

    Larsson et al. (1605.07648), section 3.1. Takes [choice, path, path, …]: a
    ``ColumnChoice``'s output, and paths of one shape that stem from the last columns of
    it. In training, if a column is alone, its path is the output. Else each path is
    dropped with probability ``rate``; if that hits them all, one of them, all with the
    same chance, survives. One draw serves the whole batch. At inference: the mean of
    all paths.

    Args:
        rate: of local drop-path; the paper's is 0.15.
        seed: of the draws.
    """

    def __init__(self, rate=0.15, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        """The mean of the surviving paths."""
        choice, *paths = inputs
        if not training:
            return sum(paths[1:], paths[0]) / len(paths)
        kept = ops.cast(self.survivors(choice[0, -len(paths) :]), self.compute_dtype)
        total = sum(kept[i] * path for i, path in enumerate(paths))
        return total / ops.sum(kept)

    def survivors(self, alone):
        """1 for each path that is kept, given which column is alone."""
        number = alone.shape[0]
        draws = keras.random.uniform((number,), dtype="float32", seed=self.generator)
        last = ops.one_hot(ops.argmax(draws), number, dtype="float32")
        local = ops.maximum(ops.cast(draws >= self.rate, "float32"), last)
        alone = ops.cast(alone, "float32")
        return ops.where(ops.any(alone > 0), alone, local)

    def compute_output_shape(self, input_shape):
        """That of each path."""
        return input_shape[1]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable("cnnlib")
class CropLike(keras.layers.Layer):
    """A window of the first of two images, as large as the second.

    Takes [(n, height, width, maps), (n, rows, columns, …)] to (n, rows, columns, maps);
    sides may be unknown until there are images.

    Args:
        offset: rows and columns to leave out above and on the left; None takes the
            middle.
    """

    def __init__(self, offset=None, **kwargs):
        super().__init__(**kwargs)
        self.offset = offset

    def call(self, inputs):
        """Slice."""
        x, like = inputs
        have, want = ops.shape(x)[1:3], ops.shape(like)[1:3]
        if self.offset is None:
            top, left = ((h - w) // 2 for h, w in zip(have, want, strict=True))
        else:
            top = left = self.offset
        return x[:, top : top + want[0], left : left + want[1]]

    def compute_output_shape(self, input_shape):
        """(n, rows, columns, maps)."""
        x, like = input_shape
        return (x[0], *like[1:3], x[3])

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "offset": self.offset}


@keras.saving.register_keras_serializable("cnnlib")
class Bilinear(keras.initializers.Initializer):
    """The kernel of a transposed convolution that interpolates linearly.

    Each map by itself, no map into another; for a stride s the kernel's side is 2s, as
    in the code of FCN (1411.4038).
    """

    def __call__(self, shape, dtype=None):
        """A tent in each direction, (side, side, maps, maps)."""
        side, _, out, given = shape
        factor = (side + 1) // 2
        center = factor - 1 if side % 2 else factor - 0.5
        tent = 1 - np.abs(np.arange(side) - center) / factor
        kernel = np.zeros(shape, "float32")
        for i in range(min(out, given)):
            kernel[:, :, i, i] = np.outer(tent, tent)
        return ops.cast(ops.convert_to_tensor(kernel), dtype or keras.config.floatx())

    def get_config(self):
        """Nothing to remember."""
        return {}


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
        self.units = units

    def build(self, input_shape):
        """Make centres within 0 and 1, each answering to an image or so away."""
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
        """What each unit answers."""
        squares = ops.sum(inputs**2, axis=-1, keepdims=True)
        products = inputs @ ops.transpose(self.centres)
        distances = squares - 2 * products + ops.sum(self.centres**2, axis=-1)
        return ops.exp(-(self.precision**2) * ops.relu(distances))

    def compute_output_shape(self, input_shape):
        """(n, units)."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}
