"""AlexNet: figure 2 of the paper, its two towers, its initial weights."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import models
from cnnlib.layers import LocalResponseNormalization


@pytest.mark.usefixtures("undrawn")
def test_counts_of_the_paper_and_without_groups():
    assert models.alexnet().count_params() == 60_965_224
    keras.backend.clear_session()
    assert models.alexnet(groups=1).count_params() == 62_378_344
    for count in ("60,965,224", "62,378,344"):
        assert count in models.alexnet.__doc__
    keras.backend.clear_session()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("groups", [1, 2])
def test_layers_are_those_of_figure_2(groups):
    """Each convolution's count by arithmetic; both towers of one stage together."""
    model = models.alexnet(input_shape=(227, 227, 3), classes=3, groups=groups)
    stages = {
        "conv1": (55, 96, 11, 4, 3),
        "conv2": (27, 256, 5, 1, 96 // groups),
        "conv3": (13, 384, 3, 1, 256),  # sees both towers
        "conv4": (13, 384, 3, 1, 384 // groups),
        "conv5": (13, 256, 3, 1, 384 // groups),
    }
    for stage, (side, filters, size, stride, channels) in stages.items():
        towers = [model.get_layer(f"{stage}_{t}_conv") for t in "ab"[:groups]]
        count = filters * (size * size * channels + 1)
        assert sum(conv.count_params() for conv in towers) == count
        for conv in towers:
            assert conv.output.shape[1:] == (side, side, filters // groups)
            assert conv.kernel_size == (size, size)
            assert conv.strides == (stride, stride)
            assert conv.groups == 1  # a grouped one is slow to train on a CPU
            assert conv.activation is keras.activations.relu
    sides = {"conv1": 27, "conv2": 13, "conv5": 6}
    pools = [x for x in model.layers if isinstance(x, layers.MaxPooling2D)]
    assert len(pools) == 3 * groups
    for pool in pools:
        assert (pool.pool_size, pool.strides) == ((3, 3), (2, 2))  # they overlap
        assert pool.output.shape[1] == sides[pool.name.split("_")[0]]
    norms = [x for x in model.layers if isinstance(x, LocalResponseNormalization)]
    assert {x.name.split("_")[0] for x in norms} == {"conv1", "conv2"}
    assert len(norms) == 2 * groups
    for norm in norms:  # after the ReLU, before the pooling
        stage, tower, _ = norm.name.split("_")
        conv = model.get_layer(f"{stage}_{tower}_conv")
        assert norm.input is conv.output
        assert model.get_layer(f"{stage}_{tower}_pool").input is norm.output
        assert (norm.depth, norm.k, norm.alpha, norm.beta) == (5, 2, 1e-4, 0.75)
    assert model.get_layer("flatten").output.shape[1] == 6 * 6 * 256
    head = [layer.name for layer in model.layers[-6:]]
    assert head == ["flatten", "fc6", "fc6_dropout", "fc7", "fc7_dropout", "logits"]
    assert [model.get_layer(f"fc{i}_dropout").rate for i in (6, 7)] == [0.5, 0.5]
    for i in (6, 7):
        assert model.get_layer(f"fc{i}").units == 4096
        assert model.get_layer(f"fc{i}").activation is keras.activations.relu


def test_weights_start_as_in_the_paper():
    model = models.alexnet(input_shape=(67, 67, 3), classes=200)
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (np.asarray(w) for w in layer.weights)
            assert abs(kernel.std() / 0.01 - 1) < 0.03
            assert abs(kernel.mean()) < 1e-3
            assert (bias == (layer.name.split("_")[0] in ones)).all()
    kernels = [np.asarray(model.get_layer(f"conv1_{t}_conv").kernel) for t in "ab"]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01  # not twice the same


def test_towers_meet_before_conv3_and_before_the_dense_layers_alone():
    """A change in one tower's conv2 reaches both conv3; in its conv3, only its own."""
    model = models.alexnet(input_shape=(67, 67, 3), classes=3)
    names = [f"{s}_{t}_conv" for s in ("conv2", "conv3", "conv5") for t in "ab"]
    probe = keras.Model(model.input, [model.get_layer(n).output for n in names])
    x = np.random.default_rng(0).normal(size=(1, 67, 67, 3)).astype("float32")

    def moved(layer):
        before = [np.asarray(y) for y in probe(x)]
        bias = model.get_layer(layer).bias
        bias.assign(bias + 1.0)
        after = [np.asarray(y) for y in probe(x)]
        pairs = zip(names, before, after, strict=True)
        return {name for name, a, b in pairs if np.abs(a - b).max() > 0}

    a, b = names[::2], names[1::2]
    assert moved("conv1_a_conv") == {*a, "conv3_b_conv", "conv5_b_conv"}
    assert moved("conv3_b_conv") == set(b[1:])


def test_two_towers_compute_what_grouped_convolutions_would():
    """The same network once more, with whole maps and kernels of two groups."""
    model = models.alexnet(input_shape=(75, 67, 3), classes=3)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        scale = 0.3 if len(weight.shape) == 1 else np.prod(weight.shape[:-1]) ** -0.5
        weight.assign(rng.normal(size=weight.shape, scale=scale))

    def conv(x, stage, strides=1, padding="same", groups=2):
        both = [model.get_layer(f"{stage}_{t}_conv") for t in "ab"]
        kernel = np.concatenate([np.asarray(c.kernel) for c in both], -1)
        bias = np.concatenate([np.asarray(c.bias) for c in both])
        halves = np.split(np.asarray(x), groups, -1)
        kernels = np.split(kernel, groups, -1)
        y = [
            np.asarray(keras.ops.conv(h, k, strides, padding))
            for h, k in zip(halves, kernels, strict=True)
        ]
        return np.maximum(np.concatenate(y, -1) + bias, 0)

    def norm(x):
        towers = np.split(x, 2, -1)
        return np.concatenate([lrn(tower) for tower in towers], -1)

    def lrn(x):
        energy = np.zeros_like(x)
        for i in range(x.shape[-1]):
            energy[..., i] = (x[..., max(0, i - 2) : i + 3] ** 2).sum(-1)
        return x / (2 + 1e-4 * energy) ** 0.75

    def pool(x):
        return np.asarray(keras.ops.max_pool(x, 3, 2, "valid"))

    x = rng.normal(size=(2, 75, 67, 3), scale=20).astype("float32")
    y = pool(norm(conv(x, "conv1", 4, "valid", groups=1)))
    y = pool(norm(conv(y, "conv2")))
    y = conv(conv(conv(y, "conv3", groups=1), "conv4"), "conv5")
    y = pool(y).reshape(2, -1)
    for name in ("fc6", "fc7", "logits"):
        dense = model.get_layer(name)
        y = y @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        y = y if name == "logits" else np.maximum(y, 0)
    found = np.asarray(model(x))
    assert np.abs(found - y).max() <= 1e-5 * np.abs(y).max()


@pytest.mark.usefixtures("undrawn")
def test_the_dropout_rate_is_an_option():
    model = models.alexnet(input_shape=(67, 67, 3), classes=3, dropout=0.1)
    assert [model.get_layer(f"fc{i}_dropout").rate for i in (6, 7)] == [0.1, 0.1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (66, 67, 3)}, "alexnet takes .* at least 67"),
        ({"classes": 0}, "classes=1 or more"),
        ({"groups": 3}, "groups=1 or 2; given 3"),
    ],
)
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.alexnet(**options)


def test_zfnet_has_the_rows_and_maps_of_its_figure(undrawn):
    model = models.zfnet()
    stages = [x for x in model.layers if x.name.endswith(("_conv", "_pool"))]
    assert [x.output.shape[2:] for x in stages] == [
        *((110, 96), (55, 96), (26, 256), (13, 256)),
        *((13, 384), (13, 384), (13, 256), (6, 256)),
    ]


def test_zfnet_pools_before_it_normalizes(undrawn):
    model = models.zfnet(input_shape=(53, 53, 3), classes=3)
    for i in (1, 2):
        conv, pool, norm = (
            model.get_layer(f"conv{i}_{kind}") for kind in ("conv", "pool", "norm")
        )
        assert pool.input is conv.output
        assert norm.input is pool.output
        assert (norm.depth, norm.k, norm.alpha, norm.beta) == (5, 2, 1e-4, 0.75)
    for i in (3, 4, 5):
        assert model.get_layer(f"conv{i}_conv").activation is keras.activations.relu
