"""Receptive fields are found in three ways here: from the layers, from gradients, and,
to judge both, by lighting one pixel after another and looking which units notice."""

import explainable as nets
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import explain, models

# --- the networks --------------------------------------------------------------------


def valid():
    return nets.chain(layers.Conv2D(2, 3), layers.Conv2D(2, (3, 5), name="end"))


def strided():
    return nets.chain(
        layers.Conv2D(2, 3, strides=2, padding="same"),
        layers.Conv2D(2, 3, strides=(1, 3), name="end"),
    )


def dilated():
    return nets.chain(
        layers.Conv2D(2, 3, padding="same"),
        layers.Conv2D(2, 3, dilation_rate=2, padding="same"),
        layers.Conv2D(2, 3, dilation_rate=(3, 1), name="end"),
    )


def even_windows():
    return nets.chain(
        layers.Conv2D(2, 2, padding="same"),
        layers.Conv2D(2, 4, strides=2, padding="same"),
        layers.Conv2D(2, 2, dilation_rate=3, padding="same", name="end"),
    )


def max_pooled():
    return nets.chain(
        layers.Conv2D(2, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(2, 3, activation="relu"),
        layers.MaxPooling2D(3, 2, padding="same", name="end"),
    )


def average_pooled():
    return nets.chain(
        layers.AveragePooling2D(3, 2, padding="same"),
        layers.Conv2D(2, 5, strides=2, padding="same", name="end"),
    )


def one_by_k():
    return nets.chain(
        layers.Conv2D(2, (1, 7), padding="same"),
        layers.Conv2D(2, (5, 1), strides=(1, 2)),
        layers.Conv2D(2, 1, name="end"),
    )


def separable():
    return nets.chain(
        layers.SeparableConv2D(3, 3, strides=2, padding="same"),
        layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
        layers.DepthwiseConv2D((3, 1), name="end"),
    )


def inception():
    def build(x):
        wide = layers.Conv2D(2, 5, padding="same")(layers.Conv2D(2, 1)(x))
        pooled = layers.MaxPooling2D(3, 1, padding="same")(x)
        column = layers.Conv2D(2, (7, 1), padding="same")(x)
        return layers.Concatenate(name="end")(
            [layers.Conv2D(2, 1)(x), wide, pooled, column]
        )

    return nets.graph(build)


def unequal_branches():
    """A branch whose units look to one side: the rectangle lies off the centre."""

    def build(x):
        shifted = layers.Cropping2D(((0, 4), (3, 1)))(
            layers.ZeroPadding2D(((4, 0), (1, 3)))(x)
        )
        near = layers.Conv2D(2, 3, padding="same")(x)
        return layers.Concatenate(name="end")([shifted, near])

    return nets.graph(build)


def residual():
    def build(x):
        x = layers.Conv2D(2, 3, padding="same")(x)
        for stride in (1, 2):
            y = layers.ReLU()(layers.BatchNormalization()(x))
            y = layers.Conv2D(2, 3, strides=stride, padding="same", activation="relu")(
                y
            )
            y = layers.Conv2D(2, 3, padding="same")(y)
            x = layers.Add()([layers.Conv2D(2, 1, strides=stride)(x), y])
        return layers.Activation("relu", name="end")(x)

    return nets.graph(build)


def bare_operations():
    def build(x):
        left, right = ops.split(layers.Conv2D(4, 3, padding="same")(x), 2, axis=-1)
        x = ops.relu(layers.Conv2D(2, 5, padding="same")(left) + 0.5 * right)
        return layers.Conv2D(2, 1, name="end")(ops.concatenate([x, left], axis=-1))

    return nets.graph(build)


def nested_twice():
    inner = nets.chain(
        layers.Conv2D(2, 3, strides=2, padding="same"),
        layers.MaxPooling2D(2),
        shape=(22, 26, 2),
        name="inner",
    )

    def build(x):
        return layers.Conv2D(2, 3, padding="same")(inner(layers.Conv2D(2, 3)(x)))

    outer = nets.graph(build, name="outer")
    return nets.chain(outer, layers.Conv2D(2, 2, name="end"))


def vgg_like():
    blocks = []
    for filters in (2, 3, 4):
        for _ in range(2):
            blocks.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        blocks.append(layers.MaxPooling2D(2))
    return nets.chain(
        *blocks, layers.Dropout(0.5), layers.Dense(3, name="end"), shape=(56, 48, 1)
    )


def lenet5():
    return models.lenet5()


# Network, layer, and its receptive field's size as one counts it by hand.
NETWORKS = [
    (valid, "end", (5, 7)),
    (strided, "end", (7, 7)),
    (dilated, "end", (13, 9)),
    (even_windows, "end", (11, 11)),
    (max_pooled, "end", (12, 12)),
    (average_pooled, "end", (11, 11)),
    (one_by_k, "end", (5, 7)),
    (separable, "end", (15, 11)),
    (inception, "end", (7, 5)),
    (unequal_branches, "end", (6, 4)),
    (residual, "end", (13, 13)),
    (bare_operations, "end", (7, 7)),
    (nested_twice, "end", (19, 19)),
    (nested_twice, "outer/inner", (7, 7)),
    (vgg_like, "end", (36, 36)),
    (lenet5, "S4", (16, 16)),
    (lenet5, "C5", (32, 32)),
]
IDS = [f"{network.__name__}-{layer}" for network, layer, _ in NETWORKS]


def lit(model, layer):
    """The rows and the columns that each unit notices: {(i, j): (set, set)}.

    Every kernel is made positive. In a dark image one pixel after another is lit, much
    brighter than what is around, and each unit's answer compared to the dark one's.
    """
    for weight in model.weights:
        if "kernel" in weight.name:
            weight.assign(ops.abs(weight) + 0.1)
    height, width, channels = model.input_shape[1:]
    x = np.zeros((height * width + 1, height, width, channels), "float32")
    for pixel in range(height * width):
        x[pixel, pixel // width, pixel % width] = 100
    answers = explain.activations(model, x, [layer])[layer]
    noticed = (answers[:-1] != answers[-1]).any(axis=-1)
    noticed = noticed.reshape(height, width, *noticed.shape[1:])
    units = np.ndindex(noticed.shape[2:])
    return {unit: np.nonzero(noticed[:, :, *unit]) for unit in units}


@pytest.mark.parametrize(("network", "layer", "size"), NETWORKS, ids=IDS)
def test_analytic_and_measured_receptive_fields_agree(network, layer, size):
    model = network()
    assert explain.receptive_field(model, layer).size == size
    assert explain.measured_receptive_field(model, layer) == size


@pytest.mark.parametrize(("network", "layer", "size"), NETWORKS[:-3], ids=IDS[:-3])
def test_every_unit_sees_what_its_receptive_field_says_and_no_more(
    network, layer, size
):
    model = network()
    field = explain.receptive_field(model, layer)
    sides = model.input_shape[1:3]
    whole = 0
    for unit, noticed in lit(model, layer).items():
        inside, ends = True, []
        for axis in range(2):
            first = field.start[axis] + unit[axis] * field.stride[axis]
            last = first + field.size[axis] - 1
            inside = inside and first >= 0 and last < sides[axis]
            assert first <= noticed[axis].min()
            assert noticed[axis].max() <= last
            ends.append((first, last))
        if inside:
            assert [(n.min(), n.max()) for n in noticed] == ends
        whole += inside
    assert whole > 0


def test_a_receptive_field_of_lenet_is_that_of_the_paper():
    field = explain.receptive_field(models.lenet5(), "C3")
    assert field == ((14, 14), (2, 2), (0, 0))
    assert field.size == (14, 14)


def test_padding_puts_the_start_of_a_field_before_the_image():
    # Stride 2, window 3: 28 places get one more on the right, 25 one on each side.
    model = nets.chain(layers.Conv2D(1, 3, strides=2, padding="same", name="end"))
    assert explain.receptive_field(model, "end").start == (0, 0)
    model = nets.chain(
        layers.Conv2D(1, 3, strides=2, padding="same", name="end"), shape=(25, 28, 1)
    )
    assert explain.receptive_field(model, "end").start == (-1, 0)


@pytest.mark.parametrize(
    ("stack", "culprit"),
    [
        (
            [
                layers.Flatten(),
                layers.Dense(12),
                layers.Reshape((2, 2, 3)),
                layers.ReLU(name="end"),
            ],
            "flatten",
        ),
        ([layers.UpSampling2D(2, name="up"), layers.Conv2D(1, 3, name="end")], "up"),
        ([layers.GlobalMaxPooling2D(keepdims=True, name="end")], "end"),
        ([layers.Conv2DTranspose(1, 3, name="end")], "end"),
        ([layers.LayerNormalization(axis=(1, 2, 3), name="end")], "end"),
        ([layers.Softmax(axis=1, name="end")], "end"),
        ([layers.GroupNormalization(2, name="norm"), layers.ReLU(name="end")], "norm"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_sliding_window_is_named(stack, culprit):
    with pytest.raises(
        ValueError, match=rf"'end' has no receptive.*'{culprit}.*window"
    ):
        explain.receptive_field(nets.chain(*stack), "end")


def test_layers_before_a_flatten_have_receptive_fields_all_the_same():
    model = nets.chain(
        layers.Conv2D(1, 3, name="conv"), layers.Flatten(), layers.Dense(2)
    )
    assert explain.receptive_field(model, "conv").size == (3, 3)
    assert explain.measured_receptive_field(model, "conv") == (3, 3)


def test_branches_of_different_strides_are_refused():
    def build(x):
        narrow = layers.Conv2D(1, 3, padding="same", strides=2)(x)
        grown = layers.ZeroPadding2D(((6, 6), (7, 7)))(narrow)
        return layers.Add(name="end")([grown, x])

    with pytest.raises(ValueError, match=r"'end' \(Add\) joins branches of different"):
        explain.receptive_field(nets.graph(build), "end")


def test_concatenation_along_rows_is_no_window():
    model = nets.graph(lambda x: layers.Concatenate(axis=1, name="end")([x, x]))
    with pytest.raises(ValueError, match=r"'end' \(Concatenate\) is no window"):
        explain.receptive_field(model, "end")


def test_channels_first_are_refused():
    model = nets.chain(layers.MaxPooling2D(2, data_format="channels_first", name="end"))
    with pytest.raises(
        ValueError, match=r"'end' \(MaxPooling2D\) has its channels first"
    ):
        explain.receptive_field(model, "end")


def test_an_image_of_unknown_size_can_be_measured_but_not_computed():
    model = nets.chain(
        layers.Conv2D(1, 3), layers.Conv2D(1, 3, name="end"), shape=(None, None, 1)
    )
    assert explain.measured_receptive_field(model, "end") == (5, 5)
    with pytest.raises(ValueError, match=r"known height and width.*\(n, any, any, 1\)"):
        explain.receptive_field(model, "end")


def test_a_field_without_a_formula_can_be_measured():
    model = nets.chain(
        layers.UpSampling2D(2), layers.Conv2D(1, 3, padding="same", name="end")
    )
    assert explain.measured_receptive_field(model, "end") == (2, 2)


def test_a_measurement_sees_through_dead_and_trained_weights_and_leaves_them():
    model = max_pooled()
    for weight in model.weights:
        weight.assign(-ops.abs(weight) - 1)  # every ReLU is shut
    before = [np.array(weight) for weight in model.weights]
    assert explain.measured_receptive_field(model, "end") == (12, 12)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.array(weight), value)


def test_a_measurement_sees_through_a_softmax_and_a_normalization():
    model = nets.chain(
        layers.Conv2D(3, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(3, 3, activation="softmax", name="end"),
    )
    norm = model.layers[1]
    norm.moving_mean.assign([1e6, 1e6, 1e6])
    norm.gamma.assign([-1, 0, -1])
    assert explain.measured_receptive_field(model, "end") == (5, 5)


def test_a_measurement_sees_through_maps_that_cancel():
    def build(x):
        x = layers.Conv2D(2, 3)(x)
        return layers.Concatenate(name="end")([x, layers.Rescaling(-1.0)(x)])

    assert explain.measured_receptive_field(nets.graph(build), "end") == (3, 3)


def test_a_measurement_sees_through_activations_that_saturate():
    def build(x):
        for _ in range(8):
            y = layers.Conv2D(2, 3, padding="same")(x)
            x = layers.Add()([x, layers.ReLU(max_value=6.0)(y)])
        return layers.ReLU(max_value=6.0, name="end")(x)

    assert explain.measured_receptive_field(nets.graph(build), "end") == (17, 17)


def test_a_measurement_finds_what_lies_behind_a_gap_wider_than_the_image():
    model = nets.chain(
        layers.Conv2D(1, 3, dilation_rate=15, padding="same", name="end")
    )
    assert explain.measured_receptive_field(model, "end") == (31, 31)


@pytest.mark.parametrize("kind", ["DepthwiseConv2D", "SeparableConv2D"])
def test_a_measurement_does_not_fade_in_many_depthwise_layers(kind):
    options = {"filters": 100} if kind == "SeparableConv2D" else {}
    stack = [
        getattr(layers, kind)(kernel_size=3, padding="same", **options)
        for _ in range(20)
    ]
    model = nets.chain(*stack, layers.ReLU(name="end"), shape=(8, 8, 100))
    assert explain.measured_receptive_field(model, "end") == (41, 41)


def test_a_measurement_is_the_same_for_every_seed():
    model = inception()
    found = {explain.measured_receptive_field(model, "end", seed=s) for s in range(3)}
    assert found == {(7, 5)}


def test_a_unit_that_sees_the_whole_of_any_image_is_refused():
    def build(x):
        return layers.Multiply(name="end")(
            [x, layers.GlobalAveragePooling2D(keepdims=True)(x)]
        )

    model = nets.graph(build, shape=(4, 6, 1))
    with pytest.raises(ValueError, match=r"edge of every image, even of 32×48 pixels"):
        explain.measured_receptive_field(model, "end")


def test_a_unit_that_nothing_moves_is_refused():
    model = nets.graph(lambda x: layers.Rescaling(0.0, name="end")(x))
    with pytest.raises(ValueError, match="no gradient from 'end'"):
        explain.measured_receptive_field(model, "end")


def test_a_measurement_refuses_what_cannot_hold_the_gradients_of_the_rim():
    stack = [layers.Conv2D(2, 3, name=f"c{i}", dtype="mixed_float16") for i in (0, 1)]
    model = nets.chain(layers.Conv2D(2, 3), *stack, shape=(25, 28, 1))
    with pytest.raises(ValueError, match=r"no model of float16.*'c0' computes in it"):
        explain.measured_receptive_field(model, "c1")
    stack = [layers.Conv2D(2, 3, name=f"c{i}", dtype="mixed_bfloat16") for i in (0, 1)]
    model = nets.chain(*stack, shape=(25, 28, 1))
    assert explain.measured_receptive_field(model, "c1") == (5, 5)
