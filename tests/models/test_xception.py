"""Xception: figure 5 of the paper, and the same logits as keras.applications."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import models
from cnnlib.models.xception import separable


def test_logits_are_those_of_keras(assert_same_logits):
    model = assert_same_logits("Xception", models.xception, 299, 71)
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (trainable, model.count_params()) == (22_855_952, 22_910_480)
    for number in ("22,855,952", "22,910,480"):
        assert number in models.xception.__doc__


@pytest.mark.usefixtures("undrawn")
def test_blocks_are_those_of_figure_5():
    model = models.xception(classes=3)
    names = {layer.name for layer in model.layers}
    expected = {
        "block1_1": (149, 32),
        "block1_2": (147, 64),
        "block2": (74, 128),
        "block3": (37, 256),
        "block4": (19, 728),
        **{f"block{i}": (19, 728) for i in range(5, 13)},
        "block13": (10, 1024),
        "block14_1": (10, 1536),
        "block14_2": (10, 2048),
    }
    for block, (side, maps) in expected.items():
        last = f"{block}_relu" if "_" in block else f"{block}_add"
        assert model.get_layer(last).output.shape[1:] == (side, side, maps)
    halving = {f"block{i}" for i in (2, 3, 4, 13)}
    for i in range(2, 14):
        block = f"block{i}"
        assert (f"{block}_shortcut_conv" in names) == (block in halving)
        assert (f"{block}_pool" in names) == (block in halving)
        assert (f"{block}_1_relu" in names) == (i > 2)
        assert (f"{block}_3_sepconv" in names) == (5 <= i <= 12)
    assert model.get_layer("block13_1_sepconv").filters == 728
    for name in halving:
        shortcut = model.get_layer(f"{name}_shortcut_conv")
        assert (shortcut.kernel_size, shortcut.strides) == ((1, 1), (2, 2))
        assert f"{name}_shortcut_relu" not in names
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-3, 0.99)
        if isinstance(layer, (layers.SeparableConv2D, layers.Conv2D)):
            assert not layer.use_bias
    assert model.get_layer("dropout").rate == 0.5
    small = models.xception(input_shape=(7, 7, 3), classes=2, dropout=0.2)
    assert small.get_layer("dropout").rate == pytest.approx(0.2)
    assert small.output_shape == (None, 2)


def test_a_separable_convolution_goes_by_maps_first_and_has_nothing_in_between():
    image = keras.Input((6, 7, 3))
    model = keras.Model(image, separable(image, 5, name="unit"))
    rng = np.random.default_rng(0)
    norm = model.get_layer("unit_bn")
    norm.set_weights([rng.uniform(0.5, 1.5, 5) for _ in range(4)])
    gamma, beta, mean, variance = norm.get_weights()
    depthwise, pointwise = model.get_layer("unit_sepconv").get_weights()
    assert depthwise.shape == (3, 3, 3, 1)
    assert pointwise.shape == (1, 1, 3, 5)
    x = rng.normal(size=(2, 6, 7, 3)).astype("float32")
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    y = np.einsum("nhwcij,ijc->nhwc", windows, depthwise[..., 0]) @ pointwise[0, 0]
    y = (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(np.asarray(model(x)), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (6, 7, 3)}, "xception takes .* at least 7"),
        ({"classes": 0}, "classes=1 or more"),
    ],
)
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.xception(**options)
