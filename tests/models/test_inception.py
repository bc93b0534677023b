"""GoogLeNet, Inception v3 and v4, Inception-ResNet v2: tables, units, twins."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import models
from cnnlib.layers import LocalResponseNormalization
from cnnlib.models.inception import GOOGLENET, module, relu_conv


def count(model):
    """(trainable, all) parameters."""
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return trainable, model.count_params()


def set_at_random(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name == "moving_variance":
            value = rng.uniform(0.5, 1.5, weight.shape)
        elif len(weight.shape) == 1:
            value = rng.normal(size=weight.shape, scale=0.3)
        else:
            value = rng.standard_normal(weight.shape, "float32")
            value *= (2 / np.prod(weight.shape[:-1])) ** 0.5
        weight.assign(value)


@pytest.mark.parametrize(
    ("kind", "build", "counts"),
    [
        ("InceptionV3", models.inception_v3, (23_817_352, 23_851_784)),
        ("InceptionResNetV2", models.inception_resnet_v2, (55_813_192, 55_873_736)),
    ],
)
def test_logits_are_those_of_keras(assert_same_logits, kind, build, counts):
    model = assert_same_logits(kind, build, 299, 75)
    assert count(model) == counts
    assert all(f"{n:,}" in build.__doc__ for n in counts)
    is_v3 = build is models.inception_v3
    check_stages(model, V3 if is_v3 else RESNET, scale=False)
    rates = [x.rate for x in model.layers if isinstance(x, layers.Dropout)]
    assert rates == [0.2]


def check_stages(model, stages, scale):
    """Sides and maps after each stage; and all normalizations."""
    for stage, (side, maps) in stages.items():
        inside = [x for x in model.layers if f"{x.name}_".startswith(f"{stage}_")]
        assert inside[-1].output.shape[1:] == (side, side, maps), stage
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-3, 0.99)
            assert layer.scale == scale


# Figure 3 to 9 of 1602.07261, sides at 299².
V4 = {
    "conv1a": (149, 32),
    "conv2a": (147, 32),
    "conv2b": (147, 64),
    "mixed3a": (73, 160),
    "mixed4a": (71, 192),
    "mixed5a": (35, 384),
    **{f"mixed5{x}": (35, 384) for x in "bcde"},
    "mixed6a": (17, 1024),
    **{f"mixed6{x}": (17, 1024) for x in "bcdefgh"},
    "mixed7a": (8, 1536),
    **{f"mixed7{x}": (8, 1536) for x in "bcd"},
}
V3 = {
    "conv1a": (149, 32),
    "conv2a": (147, 32),
    "conv2b": (73, 64),
    "conv3b": (73, 80),
    "conv4a": (35, 192),
    "mixed5b": (35, 256),
    "mixed5c": (35, 288),
    "mixed5d": (35, 288),
    **{f"mixed6{x}": (17, 768) for x in "abcde"},
    "mixed7a": (8, 1280),
    "mixed7b": (8, 2048),
    "mixed7c": (8, 2048),
}
RESNET = {
    "mixed5b": (35, 320),
    **{f"block35_{i}": (35, 320) for i in range(1, 11)},
    "mixed6a": (17, 1088),
    **{f"block17_{i}": (17, 1088) for i in range(1, 21)},
    "mixed7a": (8, 2080),
    **{f"block8_{i}": (8, 2080) for i in range(1, 11)},
    "conv7b": (8, 1536),
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("build", "side", "options"),
    [
        (models.googlenet, 16, {}),
        (models.inception_v4, 75, {}),
        (models.inception_resnet_v2, 75, {"units": (1, 1, 1)}),
        (models.xception, 7, {}),
    ],
)
def test_the_head_is_a_mean_then_dropout_then_logits(build, side, options):
    model = build(input_shape=(side, side, 3), classes=2, dropout=0.3, **options)
    *_, pool, dropout, logits = model.layers
    assert isinstance(pool, layers.GlobalAveragePooling2D)
    assert isinstance(dropout, layers.Dropout)
    assert dropout.rate == pytest.approx(0.3)
    assert dropout.input is pool.output
    assert logits.input is dropout.output
    keras.backend.clear_session()


def steps(model, name):
    """A module's convolutions by branch, as its figure says them."""
    found = {}
    for layer in model.layers:
        if layer.name.startswith(f"{name}_") and isinstance(layer, layers.Conv2D):
            height, width = layer.kernel_size
            kernel = height if height == width else (height, width)
            step = (layer.filters, kernel)
            if layer.strides != (1, 1) or layer.padding != "same":
                step += (layer.strides[0], layer.padding)
            branch = layer.name.split("_")[1]
            found.setdefault(branch[0], []).append(step)
    return found


@pytest.mark.usefixtures("undrawn")
def test_inception_v4_is_that_of_its_figures():
    model = models.inception_v4()
    assert count(model) == (42_679_816, 42_742_984)
    check_stages(model, V4, scale=True)
    assert model.get_layer("dropout").rate == pytest.approx(0.2)
    assert steps(model, "mixed3a") == {"b": [(96, 3, 2, "valid")]}
    assert steps(model, "mixed4a") == {
        "a": [(64, 1), (96, 3, 1, "valid")],
        "b": [(64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, "valid")],
    }
    assert steps(model, "mixed5a") == {"a": [(192, 3, 2, "valid")]}
    assert steps(model, "mixed5e") == {
        "a": [(96, 1)],
        "b": [(64, 1), (96, 3)],
        "c": [(64, 1), (96, 3), (96, 3)],
        "d": [(96, 1)],
    }
    assert steps(model, "mixed6a") == {
        "a": [(384, 3, 2, "valid")],
        "b": [(192, 1), (224, 3), (256, 3, 2, "valid")],
    }
    assert steps(model, "mixed6h") == {
        "a": [(384, 1)],
        "b": [(192, 1), (224, (1, 7)), (256, (7, 1))],
        "c": [(192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))],
        "d": [(128, 1)],
    }
    assert steps(model, "mixed7a") == {
        "a": [(192, 1), (192, 3, 2, "valid")],
        "b": [(256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, "valid")],
    }
    fork = [(256, (1, 3)), (256, (3, 1))]
    assert steps(model, "mixed7d") == {
        "a": [(256, 1)],
        "b": [(384, 1), *fork],
        "c": [(384, 1), (448, (3, 1)), (512, (1, 3)), *fork],
        "d": [(256, 1)],
    }
    pools = {
        x.name: (type(x).__name__[0], x.strides[0], x.padding)
        for x in model.layers
        if x.name.startswith("mixed") and x.name.endswith("_pool")
    }
    halving = ("mixed3a_a1", "mixed5a_b1", "mixed6a_c1", "mixed7a_c1")
    assert pools == {
        **{f"{name}_pool": ("M", 2, "valid") for name in halving},
        **{
            f"mixed{x}_d1_pool": ("A", 1, "same")
            for x in ("5b 5c 5d 5e 6b 6c 6d 6e 6f 6g 6h 7b 7c 7d").split()
        },
    }
    keras.backend.clear_session()


def unit(build, name, channels):
    """One module's layers alone, as a model from its input to its output."""
    image = keras.Input((9, 9, channels))
    return keras.Model(image, build(image, name))


def test_a_module_joins_its_branches_in_order_and_forks_share_what_is_before():
    def build(x, name):
        fork = [(4, (1, 3)), (5, (3, 1))]
        branches = [(2, 1)], [(3, 1), fork], ["avg", (6, 1)]
        return module(x, name, *branches, conv=relu_conv)

    model = unit(build, "m", 7)
    set_at_random(model)
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 7)).astype("float32")

    def conv(x, name):
        layer = model.get_layer(f"m_{name}_conv")
        y = keras.ops.conv(x, layer.kernel, padding="same") + layer.bias
        return keras.ops.relu(y)

    shared = conv(x, "b1")
    parts = [conv(x, "a1"), conv(shared, "b2a"), conv(shared, "b2b")]
    parts.append(conv(keras.ops.average_pool(x, 3, 1, "same"), "c2"))
    expected = np.concatenate([np.asarray(part) for part in parts], -1)
    found = np.asarray(model(x))
    assert found.shape[-1] == 2 + 4 + 5 + 6
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_residuals_are_scaled_before_they_are_added():
    model = models.inception_resnet_v2(
        input_shape=(75, 75, 3), classes=3, units=(2, 1, 2)
    )
    set_at_random(model)
    scales = {
        name: model.get_layer(f"{name}_scale").scale
        for name in ("block35_1", "block35_2", "block17_1", "block8_1", "block8_2")
    }
    assert list(scales.values()) == [0.17, 0.17, 0.1, 0.2, 1.0]
    last = [layer.name for layer in model.layers if layer.name.startswith("block8_2")]
    assert "block8_2_relu" not in last  # the last unit is not rectified
    before = "block35_1_relu"
    probe = keras.Model(
        model.input,
        [
            model.get_layer(name).output
            for name in (before, "block35_2_conv", "block35_2_relu")
        ],
    )
    x = np.random.default_rng(0).normal(size=(1, 75, 75, 3)).astype("float32")
    start, residual, end = (np.asarray(y) for y in probe(x))
    assert residual.min() < 0  # no activation before the sum
    expected = np.maximum(start + 0.17 * residual, 0)
    np.testing.assert_allclose(end, expected, rtol=1e-5, atol=1e-5)
    assert model.get_layer("block35_2_conv").use_bias


@pytest.mark.usefixtures("undrawn")
def test_units_of_inception_resnet_are_an_option():
    """A unit costs what its figure's arithmetic says, normalization included."""

    def convs(*shapes):
        # without scale a normalization has three numbers per map
        return sum(h * w * i * o + 3 * o for h, w, i, o in shapes)

    block35 = convs(
        (1, 1, 320, 32),
        (1, 1, 320, 32),
        (3, 3, 32, 32),
        (1, 1, 320, 32),
        (3, 3, 32, 48),
        (3, 3, 48, 64),
    ) + 320 * (128 + 1)
    block17 = convs(
        (1, 1, 1088, 192), (1, 1, 1088, 128), (1, 7, 128, 160), (7, 1, 160, 192)
    ) + 1088 * (384 + 1)
    block8 = convs(
        (1, 1, 2080, 192), (1, 1, 2080, 192), (1, 3, 192, 224), (3, 1, 224, 256)
    ) + 2080 * (448 + 1)
    model = models.inception_resnet_v2(input_shape=(75, 75, 3), units=(1, 1, 1))
    removed = 9 * block35 + 19 * block17 + 9 * block8
    assert model.count_params() == 55_873_736 - removed
    keras.backend.clear_session()


# GoogLeNet


@pytest.mark.usefixtures("undrawn")
def test_googlenet_has_exactly_its_parameters():
    assert count(models.googlenet()) == (6_998_552, 6_998_552)
    assert count(models.googlenet(auxiliary=True)) == (13_378_280, 13_378_280)
    for number in ("6,998,552", "13,378,280"):
        assert number in models.googlenet.__doc__
    keras.backend.clear_session()


# Table 1: side and maps at 224², and the parameters of each module by arithmetic.
TABLE = {
    "conv1": (56, 64),
    "conv2": (28, 192),
    "inception3a": (28, 256),
    "inception3b": (14, 480),  # after its pooling
    "inception4a": (14, 512),
    "inception4b": (14, 512),
    "inception4c": (14, 512),
    "inception4d": (14, 528),
    "inception4e": (7, 832),
    "inception5a": (7, 832),
    "inception5b": (7, 1024),
}


@pytest.mark.usefixtures("undrawn")
def test_googlenet_is_table_1():
    model = models.googlenet(classes=5)
    channels = 192
    for stage, (side, maps) in TABLE.items():
        inside = [x for x in model.layers if x.name.startswith(stage)]
        assert inside[-1].output.shape[1:] == (side, side, maps), stage
        if stage in GOOGLENET:
            one, r3, three, r5, five, pool = GOOGLENET[stage]
            weights = (
                channels * (one + r3 + r5 + pool) + 9 * r3 * three + 25 * r5 * five
            )
            biases = one + r3 + three + r5 + five + pool
            assert sum(x.count_params() for x in inside) == weights + biases
            channels = maps
    pools = {x.name: x for x in model.layers if isinstance(x, layers.MaxPooling2D)}
    halving = {"conv1_pool", "conv2_pool", "inception3b_pool", "inception4e_pool"}
    for name, pool in pools.items():
        assert pool.pool_size == (3, 3)
        assert pool.padding == "same"
        assert pool.strides[0] == (2 if name in halving else 1)
    assert halving < set(pools)
    assert len(pools) == 4 + 9
    convs = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    assert len(convs) == 3 + 6 * 9
    assert all(x.use_bias and x.activation is keras.activations.relu for x in convs)
    assert all(x.strides == (1, 1) for x in convs[1:])
    assert (convs[0].kernel_size, convs[0].strides) == ((7, 7), (2, 2))
    assert not any(isinstance(x, layers.BatchNormalization) for x in model.layers)
    assert model.get_layer("dropout").rate == pytest.approx(0.4)


def test_googlenet_normalizes_after_the_first_and_before_the_second_pooling():
    model = models.googlenet(input_shape=(32, 32, 3), classes=5)
    norms = [x for x in model.layers if isinstance(x, LocalResponseNormalization)]
    assert [x.name for x in norms] == ["conv1_norm", "conv2_norm"]
    for norm in norms:  # AlexNet's constants
        assert (norm.depth, norm.k, norm.alpha, norm.beta) == (5, 2, 1e-4, 0.75)
    assert norms[0].input is model.get_layer("conv1_pool").output
    assert model.get_layer("conv2_reduce_conv").input is norms[0].output
    assert norms[1].input is model.get_layer("conv2_conv").output
    assert model.get_layer("conv2_pool").input is norms[1].output


@pytest.mark.usefixtures("undrawn")
def test_auxiliary_heads_sit_on_4a_and_4d():
    model = models.googlenet(classes=5, auxiliary=True)
    assert set(model.output) == {"logits", "auxiliary1", "auxiliary2"}
    for head, stage, maps in (
        ("auxiliary1", "inception4a", 512),
        ("auxiliary2", "inception4d", 528),
    ):
        pool = model.get_layer(f"{head}_pool")
        assert isinstance(pool, layers.AveragePooling2D)
        assert pool.input is model.get_layer(f"{stage}_join").output
        assert (pool.pool_size, pool.strides) == ((5, 5), (3, 3))
        assert pool.output.shape[1:] == (4, 4, maps)
        conv = model.get_layer(f"{head}_conv")
        assert (conv.filters, conv.kernel_size) == (128, (1, 1))
        dense = model.get_layer(f"{head}_fc")
        assert (dense.units, dense.activation) == (1024, keras.activations.relu)
        assert model.get_layer(f"{head}_dropout").rate == pytest.approx(0.7)
        assert model.get_layer(head).activation is keras.activations.linear
        assert model.output[head].shape == (None, 5)


def test_auxiliary_heads_leave_the_logits_alone():
    with_heads = models.googlenet(input_shape=(65, 65, 3), classes=3, auxiliary=True)
    without = models.googlenet(input_shape=(65, 65, 3), classes=3)
    set_at_random(with_heads)
    for layer in without.layers:
        layer.set_weights(with_heads.get_layer(layer.name).get_weights())
    x = np.random.default_rng(0).normal(size=(2, 65, 65, 3)).astype("float32")
    outputs = with_heads(x)
    np.testing.assert_array_equal(outputs["logits"], without(x))
    assert np.abs(outputs["auxiliary1"] - outputs["auxiliary2"]).max() > 0


def test_the_docstrings_way_of_training_weighs_the_heads_by_0_3():
    model = models.googlenet(input_shape=(65, 65, 3), classes=3, auxiliary=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = {"logits": 1.0, "auxiliary1": 0.3, "auxiliary2": 0.3}
    model.compile("sgd", loss=dict.fromkeys(weights, loss), loss_weights=weights)
    x = np.random.default_rng(0).normal(size=(2, 65, 65, 3)).astype("float32")
    y = np.array([0, 2])
    found = model.evaluate(x, dict.fromkeys(weights, y), verbose=0)
    outputs = model(x)
    parts = {name: float(loss(y, outputs[name])) for name in weights}
    assert len(set(parts.values())) == 3
    expected = sum(weights[name] * parts[name] for name in weights)
    first = found[0] if isinstance(found, list) else found
    assert first == pytest.approx(expected, rel=1e-4)
    assert 'weights = {"logits": 1.0, "auxiliary1": 0.3' in models.googlenet.__doc__


@pytest.mark.parametrize(
    ("build", "options", "error", "message"),
    [
        (
            models.googlenet,
            {"auxiliary": True, "input_shape": (64, 65, 3)},
            ValueError,
            "googlenet with auxiliary heads takes .* at least 65",
        ),
        (models.googlenet, {"classes": 0}, ValueError, "classes=1 or more"),
        (models.inception_v3, {"auxiliary": True}, TypeError, "auxiliary"),
        *(
            (
                build,
                {"input_shape": (75, 74, 3)},
                ValueError,
                f"{build.__name__} takes .* at least 75",
            )
            for build in (
                models.inception_v3,
                models.inception_v4,
                models.inception_resnet_v2,
            )
        ),
        (
            models.inception_resnet_v2,
            {"units": (1, 2)},
            ValueError,
            r"units of three stages; given \(1, 2\)",
        ),
        (
            models.inception_resnet_v2,
            {"units": (1, 0, 2)},
            ValueError,
            "takes units=1 or more; given 0",
        ),
    ],
)
def test_impossible_networks_are_refused(build, options, error, message):
    with pytest.raises(error, match=message):
        build(**options)


def test_the_smallest_inputs_do_build():
    assert models.googlenet(input_shape=(1, 1, 3), classes=2).output_shape == (None, 2)
    model = models.googlenet(input_shape=(65, 65, 3), classes=2, auxiliary=True)
    assert model.get_layer("auxiliary1_pool").output.shape[1:3] == (1, 1)


def test_bn_inception_has_the_count_of_released_networks_but_for_biases(undrawn):
    model = models.bn_inception()
    convolutions = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    trainable, _ = count(model)
    assert trainable + sum(x.filters for x in convolutions) == 11_295_240
    joins = [x.output.shape[2:] for x in model.layers if x.name.endswith("_join")]
    assert joins == [
        *((28, 256), (28, 320), (14, 576), (14, 576), (14, 576), (14, 608)),
        *((14, 608), (7, 1056), (7, 1024), (7, 1024)),
    ]
    strides = [x.name for x in convolutions if x.strides == (2, 2)]
    assert len(strides) == 5  # conv1, and two each in 3c and 4e


def test_inception_resnet_v1_has_the_stages_of_the_figures(undrawn):
    model = models.inception_resnet_v1()
    names = ("conv4b_relu", "block35_5_relu", "block17_10_relu", "block8_5_relu")
    shapes = [model.get_layer(name).output.shape[2:] for name in names]
    assert shapes == [(35, 256), (35, 256), (17, 896), (8, 1792)]
    # A network for faces has a sixth last unit, and 512 features before its classes.
    unit = 2 * 1792 * 192 + 2 * 3 * 192**2 + 8 * 192 + 385 * 1792
    features = 1792 * 512 + 2 * 512 + 513 * 1000 - 1793 * 1000
    assert count(model)[0] + unit + features == 23_995_624
