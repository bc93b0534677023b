"""Receptive fields are found in three ways here: from the layers, from gradients, and,
to judge both, by lighting one pixel after another and looking which units notice."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

from cnnlib import explain, models

rng = np.random.default_rng(0)
START = rng.bit_generator.state


@pytest.fixture(autouse=True)
def _same_numbers():
    """Every test draws the same numbers, alone and among the others."""
    rng.bit_generator.state = START


def numbers(*shape):
    return rng.normal(size=shape).astype("float32")


def chain(*stack, shape=(24, 28, 2), name="net"):
    return keras.Sequential([keras.Input(shape), *stack], name=name)


def graph(function, shape=(24, 28, 2), name="net"):
    image = keras.Input(shape, name="image")
    return keras.Model(image, function(image), name=name)


# --- the networks --------------------------------------------------------------------


def valid():
    return chain(layers.Conv2D(2, 3), layers.Conv2D(2, (3, 5), name="end"))


def strided():
    return chain(
        layers.Conv2D(2, 3, strides=2, padding="same"),
        layers.Conv2D(2, 3, strides=(1, 3), name="end"),
    )


def dilated():
    return chain(
        layers.Conv2D(2, 3, padding="same"),
        layers.Conv2D(2, 3, dilation_rate=2, padding="same"),
        layers.Conv2D(2, 3, dilation_rate=(3, 1), name="end"),
    )


def even_windows():
    return chain(
        layers.Conv2D(2, 2, padding="same"),
        layers.Conv2D(2, 4, strides=2, padding="same"),
        layers.Conv2D(2, 2, dilation_rate=3, padding="same", name="end"),
    )


def max_pooled():
    return chain(
        layers.Conv2D(2, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(2, 3, activation="relu"),
        layers.MaxPooling2D(3, 2, padding="same", name="end"),
    )


def average_pooled():
    return chain(
        layers.AveragePooling2D(3, 2, padding="same"),
        layers.Conv2D(2, 5, strides=2, padding="same", name="end"),
    )


def one_by_k():
    return chain(
        layers.Conv2D(2, (1, 7), padding="same"),
        layers.Conv2D(2, (5, 1), strides=(1, 2)),
        layers.Conv2D(2, 1, name="end"),
    )


def separable():
    return chain(
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

    return graph(build)


def unequal_branches():
    """A branch whose units look to one side: the rectangle lies off the centre."""

    def build(x):
        shifted = layers.Cropping2D(((0, 4), (3, 1)))(
            layers.ZeroPadding2D(((4, 0), (1, 3)))(x)
        )
        near = layers.Conv2D(2, 3, padding="same")(x)
        return layers.Concatenate(name="end")([shifted, near])

    return graph(build)


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

    return graph(build)


def bare_operations():
    def build(x):
        left, right = ops.split(layers.Conv2D(4, 3, padding="same")(x), 2, axis=-1)
        x = ops.relu(layers.Conv2D(2, 5, padding="same")(left) + 0.5 * right)
        return layers.Conv2D(2, 1, name="end")(ops.concatenate([x, left], axis=-1))

    return graph(build)


def nested_twice():
    inner = chain(
        layers.Conv2D(2, 3, strides=2, padding="same"),
        layers.MaxPooling2D(2),
        shape=(22, 26, 2),
        name="inner",
    )

    def build(x):
        return layers.Conv2D(2, 3, padding="same")(inner(layers.Conv2D(2, 3)(x)))

    outer = graph(build, name="outer")
    return chain(outer, layers.Conv2D(2, 2, name="end"))


def vgg_like():
    blocks = []
    for filters in (2, 3, 4):
        for _ in range(2):
            blocks.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        blocks.append(layers.MaxPooling2D(2))
    return chain(
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
    model = chain(layers.Conv2D(1, 3, strides=2, padding="same", name="end"))
    assert explain.receptive_field(model, "end").start == (0, 0)
    model = chain(
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
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_sliding_window_is_named(stack, culprit):
    with pytest.raises(
        ValueError, match=rf"'end' has no receptive.*'{culprit}.*window"
    ):
        explain.receptive_field(chain(*stack), "end")


def test_layers_before_a_flatten_have_receptive_fields_all_the_same():
    model = chain(layers.Conv2D(1, 3, name="conv"), layers.Flatten(), layers.Dense(2))
    assert explain.receptive_field(model, "conv").size == (3, 3)
    assert explain.measured_receptive_field(model, "conv") == (3, 3)


def test_branches_of_different_strides_are_refused():
    def build(x):
        narrow = layers.Conv2D(1, 3, padding="same", strides=2)(x)
        grown = layers.ZeroPadding2D(((6, 6), (7, 7)))(narrow)
        return layers.Add(name="end")([grown, x])

    with pytest.raises(ValueError, match=r"'end' \(Add\) joins branches of different"):
        explain.receptive_field(graph(build), "end")


def test_concatenation_along_rows_is_no_window():
    model = graph(lambda x: layers.Concatenate(axis=1, name="end")([x, x]))
    with pytest.raises(ValueError, match=r"'end' \(Concatenate\) is no window"):
        explain.receptive_field(model, "end")


def test_channels_first_are_refused():
    model = chain(layers.MaxPooling2D(2, data_format="channels_first", name="end"))
    with pytest.raises(
        ValueError, match=r"'end' \(MaxPooling2D\) has its channels first"
    ):
        explain.receptive_field(model, "end")


def test_an_image_of_unknown_size_can_be_measured_but_not_computed():
    model = chain(
        layers.Conv2D(1, 3), layers.Conv2D(1, 3, name="end"), shape=(None, None, 1)
    )
    assert explain.measured_receptive_field(model, "end") == (5, 5)
    with pytest.raises(ValueError, match=r"known height and width.*\(n, any, any, 1\)"):
        explain.receptive_field(model, "end")


def test_a_field_without_a_formula_can_be_measured():
    model = chain(
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
    model = chain(
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

    assert explain.measured_receptive_field(graph(build), "end") == (3, 3)


def test_a_measurement_sees_through_activations_that_saturate():
    def build(x):
        for _ in range(8):
            y = layers.Conv2D(2, 3, padding="same")(x)
            x = layers.Add()([x, layers.ReLU(max_value=6.0)(y)])
        return layers.ReLU(max_value=6.0, name="end")(x)

    assert explain.measured_receptive_field(graph(build), "end") == (17, 17)


def test_a_measurement_finds_what_lies_behind_a_gap_wider_than_the_image():
    model = chain(layers.Conv2D(1, 3, dilation_rate=15, padding="same", name="end"))
    assert explain.measured_receptive_field(model, "end") == (31, 31)


@pytest.mark.parametrize("kind", ["DepthwiseConv2D", "SeparableConv2D"])
def test_a_measurement_does_not_fade_in_many_depthwise_layers(kind):
    options = {"filters": 100} if kind == "SeparableConv2D" else {}
    stack = [
        getattr(layers, kind)(kernel_size=3, padding="same", **options)
        for _ in range(20)
    ]
    model = chain(*stack, layers.ReLU(name="end"), shape=(8, 8, 100))
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

    model = graph(build, shape=(4, 6, 1))
    with pytest.raises(ValueError, match=r"edge of every image, even of 32×48 pixels"):
        explain.measured_receptive_field(model, "end")


def test_a_unit_that_nothing_moves_is_refused():
    model = graph(lambda x: layers.Rescaling(0.0, name="end")(x))
    with pytest.raises(ValueError, match="no gradient from 'end'"):
        explain.measured_receptive_field(model, "end")


# --- names ---------------------------------------------------------------------------


def nested_net():
    """A two-level net: net / outer / (first, inner / (conv, pool)), logits."""
    inner = chain(
        layers.Conv2D(3, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(2, name="pool"),
        shape=(10, 10, 2),
        name="inner",
    )

    def build(x):
        return inner(layers.Conv2D(2, 3, activation="relu", name="first")(x))

    outer = graph(build, shape=(12, 12, 2), name="outer")
    return chain(
        outer,
        layers.Flatten(name="flatten"),
        layers.Dense(4, name="logits"),
        shape=(12, 12, 2),
    )


PATHS = [
    *("outer/first", "outer/inner/conv", "outer/inner/pool", "outer/inner", "outer"),
    *("flatten", "logits"),
]


@pytest.mark.parametrize("name", ["outer/inner/conv", "inner/conv", "conv"])
def test_a_nested_layer_is_called_by_any_end_of_its_path(name):
    model, x = nested_net(), numbers(2, 12, 12, 2)
    expected = explain.activations(model, x)["outer/inner/conv"]
    found = explain.activations(model, x, [name])
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name], expected)
    assert explain.receptive_field(model, name).size == (5, 5)


FUNCTIONS = [
    lambda model, x, layer: explain.activations(model, x, [layer]),
    lambda model, x, layer: explain.grad_cam(model, x, layer),
    lambda model, x, layer: explain.receptive_field(model, layer),
    lambda model, x, layer: explain.measured_receptive_field(model, layer),
]


@pytest.mark.parametrize("name", ["pol", "polo", "outer/pool"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_unknown_layer_is_told_the_nearest_and_all_known(function, name):
    with pytest.raises(ValueError, match=f"'net' has no layer '{name}'") as error:
        function(nested_net(), numbers(2, 12, 12, 2), name)
    assert "the nearest is 'outer/inner/pool'" in str(error.value)
    assert str(error.value).endswith("Known: " + ", ".join(PATHS))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_name_that_two_layers_share_is_refused_with_both(function):
    def branch(name):
        return chain(layers.Conv2D(2, 3, name="conv"), shape=(12, 12, 2), name=name)

    left, right = branch("left"), branch("right")
    model = graph(lambda x: layers.Add()([left(x), right(x)]), shape=(12, 12, 2))
    with pytest.raises(
        ValueError, match="'conv' could be any of left/conv, right/conv"
    ):
        function(model, numbers(1, 12, 12, 2), "conv")


def test_a_whole_path_goes_before_the_end_of_another():
    inner = chain(layers.Conv2D(2, 3, name="conv"), shape=(12, 12, 2), name="inner")
    model = chain(inner, layers.Conv2D(2, 5, name="conv"), shape=(12, 12, 2))
    assert explain.receptive_field(model, "conv").size == (7, 7)
    assert explain.receptive_field(model, "inner/conv").size == (3, 3)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_layer_that_is_called_twice_is_refused(function):
    twice = layers.Conv2D(2, 3, padding="same", name="twice")
    model = graph(lambda x: twice(twice(x)), shape=(12, 12, 2))
    with pytest.raises(ValueError, match="'twice' is called 2 times"):
        function(model, numbers(1, 12, 12, 2), "twice")


# --- activations and outline ----------------------------------------------------------


def test_activations_are_those_of_models_cut_off_at_each_layer():
    model = models.mnist_cnn()
    x = rng.random((3, 28, 28, 1)).astype("float32")
    found = explain.activations(model, x)
    assert list(found) == [layer.name for layer in model.layers]
    for layer in model.layers:
        cut = keras.Model(model.inputs[0], layer.output)
        expected = ops.convert_to_numpy(cut(x))
        assert type(found[layer.name]) is np.ndarray
        np.testing.assert_allclose(found[layer.name], expected, atol=1e-5)


def test_activations_of_nested_models_are_listed_by_path():
    model, x = nested_net(), numbers(2, 12, 12, 2)
    found = explain.activations(model, x)
    assert list(found) == PATHS
    np.testing.assert_array_equal(found["outer/inner/pool"], found["outer"])
    np.testing.assert_allclose(
        found["logits"], ops.convert_to_numpy(model(x)), atol=1e-5
    )


def test_activations_come_in_the_order_they_were_asked_for():
    model, x = nested_net(), numbers(2, 12, 12, 2)
    assert list(explain.activations(model, x, ["logits", "first"])) == [
        "logits",
        "first",
    ]
    assert list(explain.activations(model, x, "first")) == ["first"]


def test_activations_take_any_single_input():
    model = chain(layers.Dense(3, name="dense"), shape=(5,))
    assert explain.activations(model, numbers(2, 5))["dense"].shape == (2, 3)


def test_activations_leave_out_what_is_called_twice():
    twice = layers.Conv2D(2, 3, padding="same", name="twice")
    model = graph(lambda x: layers.ReLU(name="end")(twice(twice(x))), shape=(12, 12, 2))
    assert list(explain.activations(model, numbers(1, 12, 12, 2))) == ["end"]


def test_whole_numbers_from_0_to_255_are_taken_as_they_are():
    model = chain(layers.Rescaling(1 / 255, name="scale"), shape=(4, 4, 1))
    x = rng.integers(0, 256, (2, 4, 4, 1)).astype("uint8")
    found = explain.activations(model, x)["scale"]
    np.testing.assert_allclose(found, x / 255, rtol=1e-6)


def test_an_outline_tells_what_a_summary_tells():
    def build(x):
        left = layers.Conv2D(2, 3, name="left")(x)
        right = layers.Conv2D(2, 3, name="right")(x)
        x = layers.Add(name="sum")([left, right])
        x = nested(x)
        return layers.Dense(4, name="logits")(layers.Flatten(name="flatten")(x))

    nested = chain(
        layers.Conv2D(2, 3),
        layers.BatchNormalization(),
        shape=(None, None, 2),
        name="nested",
    )
    model = graph(build, shape=(12, 14, 1))
    assert explain.outline(model) == [
        ("image", "Input", (12, 14, 1), 0, ()),
        ("left", "Conv2D", (10, 12, 2), 20, ("image",)),
        ("right", "Conv2D", (10, 12, 2), 20, ("image",)),
        ("sum", "Add", (10, 12, 2), 0, ("left", "right")),
        ("nested", "Sequential", (8, 10, 2), 38 + 8, ("sum",)),
        ("flatten", "Flatten", (160,), 0, ("nested",)),
        ("logits", "Dense", (4,), 644, ("flatten",)),
    ]
    assert sum(box.parameters for box in explain.outline(model)) == model.count_params()
    model(np.zeros((1, 12, 14, 1)))  # to outline a model leaves it usable
    assert len(nested._inbound_nodes) == 1


# --- saliency -------------------------------------------------------------------------


def smooth_net(shape=(6, 5, 3)):
    return chain(
        layers.Conv2D(4, 3, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(3, name="logits"),
        shape=shape,
    )


def test_saliency_agrees_with_finite_differences():
    model, x, classes = smooth_net(), numbers(2, 6, 5, 3), [2, 0]
    found = explain.saliency(model, x, classes)
    step = 0.01 * np.eye(6 * 5 * 3).reshape(-1, 6, 5, 3)
    slopes = []
    for image, label in zip(x, classes, strict=True):
        up, down = (ops.convert_to_numpy(model(image + s)) for s in (step, -step))
        slopes.append((up[:, label] - down[:, label]).reshape(6, 5, 3) / 0.02)
    expected = np.abs(slopes).max(axis=-1)
    assert found.shape == (2, 6, 5)
    assert (np.abs(slopes).argmax(axis=-1) != 0).any()  # a channel is really chosen
    np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())


def test_saliency_of_a_linear_model_is_the_size_of_its_weights():
    model = chain(layers.Flatten(), layers.Dense(3, name="logits"), shape=(2, 3, 2))
    kernel = np.array(model.layers[-1].kernel).reshape(2, 3, 2, 3)
    x = numbers(4, 2, 3, 2)
    for classes in (1, [1, 1, 1, 1], np.int64(1)):
        found = explain.saliency(model, x, classes)
        np.testing.assert_allclose(
            found, np.tile(np.abs(kernel[..., 1]).max(axis=-1), (4, 1, 1)), rtol=1e-5
        )


@pytest.mark.parametrize("function", [explain.saliency, explain.grad_cam])
def test_the_predicted_class_is_explained_by_default(function):
    model, x = smooth_net(), numbers(5, 6, 5, 3)
    predicted = ops.convert_to_numpy(model(x)).argmax(axis=1)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(
        function(model, x), function(model, x, classes=predicted)
    )
    other = (predicted + 1) % 3
    assert np.abs(function(model, x) - function(model, x, classes=other)).max() > 0.01


@pytest.mark.parametrize("function", [explain.saliency, explain.grad_cam])
def test_images_of_a_batch_do_not_touch_each_other(function):
    model, x = smooth_net(), numbers(3, 6, 5, 3)
    alone = [function(model, x[i : i + 1], classes=1)[0] for i in range(3)]
    np.testing.assert_allclose(function(model, x, classes=1), alone, atol=1e-6)


# --- Grad-CAM -------------------------------------------------------------------------


def by_hand(maps, slopes):
    """Grad-CAM at the maps' own size, from A (n, h, w, k) and the slopes of a logit."""
    weights = slopes.mean(axis=(1, 2))
    return np.maximum(np.einsum("nhwk,nk->nhw", maps, weights), 0)


def test_grad_cam_of_a_linear_model_by_hand():
    # 1×1 convolution: A = x W. Dense on the flattened maps: its weights are the slopes.
    model = chain(
        layers.Conv2D(3, 1, use_bias=False, name="maps"),
        layers.Flatten(),
        layers.Dense(4, name="logits"),
        shape=(5, 7, 2),
    )
    x, classes = numbers(3, 5, 7, 2), [3, 0, 1]
    kernel = np.array(model.layers[0].kernel)[0, 0]
    dense = np.array(model.layers[-1].kernel).reshape(5, 7, 3, 4)
    slopes = np.stack([dense[..., c] for c in classes])
    raw = by_hand(x @ kernel, slopes)
    assert (raw == 0).any()  # something is cut off
    found = explain.grad_cam(model, x, "maps", classes)
    assert found.dtype == "float32"
    np.testing.assert_allclose(
        found, raw / raw.max(axis=(1, 2), keepdims=True), atol=1e-5
    )


def test_grad_cam_is_drawn_up_bilinearly_and_then_normalized():
    model = chain(
        layers.AveragePooling2D(3, name="maps"),
        layers.Flatten(),
        layers.Dense(2, name="logits"),
        shape=(9, 12, 2),
    )
    x = numbers(1, 9, 12, 2)
    maps = x.reshape(1, 3, 3, 4, 3, 2).mean(axis=(2, 4))
    slopes = np.array(model.layers[-1].kernel).reshape(3, 4, 2, 2)[None, ..., 0]
    small = by_hand(maps, slopes)[0]
    large = np.asarray(
        Image.fromarray(small.astype("float32")).resize((12, 9), Image.BILINEAR)
    )
    found = explain.grad_cam(model, x, classes=0)[0]
    np.testing.assert_allclose(found, large / large.max(), atol=1e-5)
    assert found.max() == 1


def test_a_map_that_is_nowhere_positive_stays_zero():
    model = chain(
        layers.Conv2D(1, 1, use_bias=False, name="maps"),
        layers.Flatten(),
        layers.Dense(1, name="logits"),
        shape=(3, 3, 1),
    )
    model.layers[0].kernel.assign(np.ones((1, 1, 1, 1)))
    model.layers[-1].kernel.assign(-np.ones((9, 1)))
    found = explain.grad_cam(model, np.ones((2, 3, 3, 1)))
    np.testing.assert_array_equal(found, np.zeros((2, 3, 3)))


def stack(prefix=""):
    return [
        layers.Conv2D(4, 3, padding="same", activation="relu", name=f"{prefix}conv1"),
        layers.BatchNormalization(name=f"{prefix}norm"),
        layers.MaxPooling2D(2, name=f"{prefix}pool"),
        layers.Conv2D(6, 3, activation="relu", name=f"{prefix}conv2"),
    ]


def head():
    return [layers.GlobalAveragePooling2D(name="gap"), layers.Dense(5, name="logits")]


def run(x, stack):
    for layer in stack:
        x = layer(x)
    return x


def sequential_flat():
    return chain(*stack(), *head(), shape=(16, 20, 3)), ""


def functional_flat():
    return graph(lambda x: run(x, [*stack(), *head()]), (16, 20, 3)), ""


def functional_in_functional():
    body = graph(lambda x: run(x, stack()), (16, 20, 3), name="body")
    return graph(lambda x: run(x, [body, *head()]), (16, 20, 3)), "body/"


def sequential_in_sequential():
    body = chain(*stack(), shape=(16, 20, 3), name="body")
    return chain(body, *head(), shape=(16, 20, 3)), "body/"


def two_levels():
    inner = chain(*stack(), shape=(16, 20, 3), name="inner")
    body = graph(lambda x: run(x, [inner]), (16, 20, 3), name="body")
    return graph(lambda x: run(x, [body, *head()]), (16, 20, 3)), "body/inner/"


def everything_in_one():
    whole = graph(lambda x: run(x, [*stack(), *head()]), (16, 20, 3), name="whole")
    return chain(whole, shape=(16, 20, 3)), "whole/"


def built_for_any_size():
    body = chain(*stack(), shape=(None, None, 3), name="body")
    return chain(body, *head(), shape=(16, 20, 3)), "body/"


@pytest.mark.parametrize("layer", ["conv1", "pool", "conv2", None])
@pytest.mark.parametrize(
    "network",
    [
        *(functional_flat, functional_in_functional, sequential_in_sequential),
        *(two_levels, everything_in_one, built_for_any_size),
    ],
)
def test_grad_cam_is_the_same_nested_and_flat(network, layer):
    flat, _ = sequential_flat()
    model, prefix = network()
    for weight in flat.weights:
        if "moving_variance" not in weight.name:
            weight.assign(numbers(*weight.shape))
    model.set_weights(flat.get_weights())
    x = numbers(3, 16, 20, 3)
    expected = explain.grad_cam(flat, x, layer, [0, 3, 4])
    assert expected.min() < 0.5 < expected.max() == 1
    found = explain.grad_cam(model, x, layer and prefix + layer, [0, 3, 4])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_default_layer_is_the_last_of_more_than_one_place():
    model = models.lenet5()
    x = rng.random((2, 32, 32, 1)).astype("float32")
    np.testing.assert_array_equal(
        explain.grad_cam(model, x), explain.grad_cam(model, x, "S4_squash")
    )
    cnn = models.mnist_cnn()
    x = rng.random((2, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(
        explain.grad_cam(cnn, x), explain.grad_cam(cnn, x, "dropout1")
    )


def test_grad_cam_of_a_layer_on_one_of_two_paths():
    def build(x):
        side = layers.Conv2D(2, 1, use_bias=False, name="side")(x)
        return layers.Dense(1, use_bias=False)(
            layers.Flatten()(layers.Add()([x, side]))
        )

    model, x = graph(build, (4, 4, 2)), numbers(1, 4, 4, 2)
    maps = explain.activations(model, x)["side"]
    slopes = np.array(model.layers[-1].kernel).reshape(1, 4, 4, 2)
    raw = by_hand(maps, slopes)
    found = explain.grad_cam(model, x, "side", 0)
    np.testing.assert_allclose(found, raw / max(raw.max(), 1e-12), atol=1e-5)


def test_grad_cam_works_in_half_precision():
    model = chain(
        layers.Conv2D(3, 3, dtype="mixed_bfloat16", name="maps"),
        layers.GlobalAveragePooling2D(dtype="mixed_bfloat16"),
        layers.Dense(2, dtype="float32"),
        shape=(8, 8, 1),
    )
    found = explain.grad_cam(model, numbers(2, 8, 8, 1))
    assert found.dtype == "float32"
    assert found.shape == (2, 8, 8)


# --- bad input ------------------------------------------------------------------------

EXPLAINERS = [explain.activations, explain.saliency, explain.grad_cam]


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize("function", EXPLAINERS)
@pytest.mark.parametrize("shape", [(6, 5, 3), (2, 6, 6, 3), (2, 6, 5, 1), (0, 6, 5, 3)])
def test_a_batch_of_another_shape_is_refused(function, shape):
    with pytest.raises(ValueError, match=r"takes a batch of shape \(n, 6, 5, 3\)") as e:
        function(smooth_net(), np.zeros(shape))
    assert str(e.value).startswith(function.__name__)
    assert str(e.value).endswith(f"given {shape}")


@pytest.mark.parametrize("function", EXPLAINERS)
def test_a_model_that_is_not_built_is_refused(function):
    model = keras.Sequential([layers.Conv2D(2, 3)], name="net")
    with pytest.raises(ValueError, match=r"'net' is not built.*keras\.Input"):
        function(model, np.zeros((1, 8, 8, 1)))
    with pytest.raises(ValueError, match="'net' is not built"):
        explain.receptive_field(model, "conv2d")
    with pytest.raises(ValueError, match="'net' is not built"):
        explain.measured_receptive_field(model, "conv2d")
    with pytest.raises(ValueError, match="'net' is not built"):
        explain.outline(model)


@pytest.mark.parametrize("function", EXPLAINERS)
def test_a_model_without_a_graph_is_refused(function):
    with pytest.raises(ValueError, match=r"Sequential and functional.*Subclassed"):
        function(Subclassed(), np.zeros((1, 8, 8, 1)))


@pytest.mark.parametrize("function", EXPLAINERS)
def test_a_model_of_two_inputs_is_refused(function):
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    model = keras.Model([left, right], layers.Add()([left, right]), name="pair")
    with pytest.raises(ValueError, match="one input; 'pair' has 2"):
        function(model, np.zeros((1, 8, 8, 1)))


@pytest.mark.parametrize("function", [explain.saliency, explain.grad_cam])
@pytest.mark.parametrize("classes", [3, -1, [0, 3], np.array([-1, 0])])
def test_a_class_out_of_range_is_refused(function, classes):
    with pytest.raises(ValueError, match="classes go from 0 to 2; given"):
        function(smooth_net(), np.zeros((2, 6, 5, 3)), classes=classes)


@pytest.mark.parametrize("function", [explain.saliency, explain.grad_cam])
@pytest.mark.parametrize("classes", [[0, 1, 2], 1.0, [[0], [1]], "1", True])
def test_classes_that_are_not_one_per_image_are_refused(function, classes):
    with pytest.raises(ValueError, match=r"one whole number, or one per image \(2\)"):
        function(smooth_net(), np.zeros((2, 6, 5, 3)), classes=classes)


@pytest.mark.parametrize("function", [explain.saliency, explain.grad_cam])
def test_a_model_that_does_not_end_in_logits_is_refused(function):
    model = chain(layers.Conv2D(2, 3), shape=(6, 5, 3))
    with pytest.raises(ValueError, match=r"'net' gives \(2, 4, 3, 2\)"):
        function(model, np.zeros((2, 6, 5, 3)), classes=0)
    image = keras.Input((6, 5, 3))
    flat = layers.Flatten()(image)
    model = keras.Model(
        image, [layers.Dense(2)(flat), layers.Dense(3)(flat)], name="heads"
    )
    with pytest.raises(ValueError, match="'heads' gives several outputs"):
        explain.saliency(model, np.zeros((2, 6, 5, 3)))


@pytest.mark.parametrize(
    "function",
    [
        lambda model: explain.saliency(model, np.zeros((2, 5))),
        lambda model: explain.grad_cam(model, np.zeros((2, 5))),
        lambda model: explain.receptive_field(model, "dense"),
        lambda model: explain.measured_receptive_field(model, "dense"),
    ],
)
def test_a_model_of_no_images_is_refused(function):
    with pytest.raises(ValueError, match=r"images.*'net' takes \(n, 5\)"):
        function(chain(layers.Dense(3, name="dense"), shape=(5,)))


def test_a_layer_without_places_has_no_map():
    model, x = smooth_net(), np.zeros((2, 6, 5, 3))
    with pytest.raises(ValueError, match=r"'logits' gives \(2, 3\)"):
        explain.grad_cam(model, x, "logits")
    with pytest.raises(ValueError, match=r"'logits' gives \(4, 3\)"):
        explain.measured_receptive_field(model, "logits")
    with pytest.raises(ValueError, match=r"'logits' has no receptive field.*Flatten"):
        explain.receptive_field(model, "logits")


def test_a_model_without_maps_has_no_grad_cam():
    model = chain(layers.Flatten(), layers.Dense(3), shape=(6, 5, 3))
    with pytest.raises(ValueError, match="more than one place; 'net' has none"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)))
