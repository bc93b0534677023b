import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import models


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def shuffle(model):
    rng = np.random.default_rng(1)
    for w in model.weights:
        low, high = (
            (0.5, 1.5) if w.name in ("gamma", "moving_variance") else (-0.3, 0.3)
        )
        w.assign(rng.uniform(low, high, w.shape).astype("float32"))


def counts(model):
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return trained, model.count_params()


@pytest.mark.parametrize(("channels", "classes"), [(1, 3), (9, 6)])
def test_networks_for_series_have_exactly_their_parameters(channels, classes):
    def conv(size, given, made):
        return size * given * made + made

    fully = conv(8, channels, 128) + conv(5, 128, 256) + conv(3, 256, 128)
    norms = 128 + 256 + 128
    trained = fully + 2 * norms + 129 * classes
    model = models.fcn_series(input_shape=(40, channels), classes=classes)
    assert counts(model) == (trained, trained + 2 * norms)
    if channels == 1:
        assert counts(model) == (265_091, 266_115)

    residual, norms, given = 0, 0, channels
    for width in (64, 128, 128):
        residual += (
            conv(8, given, width) + conv(5, width, width) + conv(3, width, width)
        )
        residual += conv(1, given, width) if given != width else 0
        norms += 4 * width
        given = width
    trained = residual + 2 * norms + 129 * classes
    model = models.resnet_series(input_shape=(40, channels), classes=classes)
    assert counts(model) == (trained, trained + 2 * norms)
    if channels == 1:
        assert counts(model) == (504_387, 506_947)


def convolve(model, x, name, activation=True):
    """Convolution, normalization and ReLU, once more op by op."""
    if activation is not None:
        layer = model.get_layer(f"{name}_conv")
        x = ops.conv(x, layer.kernel, padding="same") + layer.bias
    bn = model.get_layer(f"{name}_bn")
    assert (bn.epsilon, bn.momentum) == (1e-3, 0.99)
    x = (x - bn.moving_mean) / ops.sqrt(bn.moving_variance + 1e-3)
    x = x * bn.gamma + bn.beta
    return ops.relu(x) if activation else x


def head(model, x):
    layer = model.get_layer("logits")
    return ops.convert_to_numpy(ops.mean(x, axis=1) @ layer.kernel + layer.bias)


def test_the_fully_convolutional_network_computes_what_the_paper_says():
    model = models.fcn_series(input_shape=(None, 2), filters=(4, 5, 6), classes=3)
    shuffle(model)
    x = y = numbers(2, 11, 2)
    for i, size in enumerate((8, 5, 3), start=1):
        assert model.get_layer(f"conv{i}_conv").kernel_size == (size,)
        y = convolve(model, y, f"conv{i}")
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)), head(model, y), atol=1e-4
    )


def test_the_residual_network_computes_what_the_paper_says():
    model = models.resnet_series(input_shape=(13, 2), filters=(4, 6, 6), classes=3)
    shuffle(model)
    x = y = numbers(2, 13, 2)
    for i in (1, 2, 3):
        short = convolve(model, y, f"block{i}_shortcut", None if i == 3 else False)
        for j, size in enumerate((8, 5, 3), start=1):
            assert model.get_layer(f"block{i}_{j}_conv").kernel_size == (size,)
            y = convolve(model, y, f"block{i}_{j}", j < 3)
        y = ops.relu(y + short)
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)), head(model, y), atol=1e-4
    )


@pytest.mark.parametrize(
    ("shape", "classes", "width", "dense", "flat"),
    [
        ((16, 112, 112, 3), 487, 64, 4096, 512 * 1 * 4 * 4),
        ((16, 112, 112, 3), 101, 64, 4096, 512 * 1 * 4 * 4),
        ((16, 32, 32, 1), 4, 8, 20, 64 * 1 * 1 * 1),
        ((20, 48, 33, 2), 5, 4, 7, 32 * 2 * 2 * 2),
    ],
)
def test_c3d_has_exactly_its_parameters(shape, classes, width, dense, flat):
    total, given = 0, shape[-1]
    for multiple in (1, 2, 4, 4, 8, 8, 8, 8):
        total += 27 * given * multiple * width + multiple * width
        given = multiple * width
    total += (flat + 1) * dense + (dense + 1) * dense + (dense + 1) * classes
    published = {487: 79_991_015, 101: 78_409_573}
    assert published.get(classes, total) == total
    if width < 64:
        model = models.c3d(input_shape=shape, classes=classes, width=width, dense=dense)
        assert model.count_params() == total
    elif classes == 487:
        assert models.CATALOG["c3d"].total == total


def test_c3d_is_figure_3():
    model = models.c3d(width=2, dense=5)

    def shape(name):
        return model.get_layer(name).output.shape[1:]

    assert shape("conv1_a") == (16, 112, 112, 2)
    assert shape("conv1_pool") == (16, 56, 56, 2)
    assert shape("conv2_pool") == (8, 28, 28, 4)
    assert shape("conv3_pool") == (4, 14, 14, 8)
    assert shape("conv4_pool") == (2, 7, 7, 16)
    assert shape("conv5_pool") == (1, 4, 4, 16)
    convs = [x for x in model.layers if isinstance(x, layers.Conv3D)]
    names = "conv1_a conv2_a conv3_a conv3_b conv4_a conv4_b conv5_a conv5_b"
    assert [x.name for x in convs] == names.split()
    assert {x.kernel_size for x in convs} == {(3, 3, 3)}
    dense = [model.get_layer(f"fc{i}") for i in (6, 7)]
    for layer in (*convs, *dense):
        assert layer.activation is keras.activations.relu
    drops = [x for x in model.layers if isinstance(x, layers.Dropout)]
    assert [(x.name, x.rate) for x in drops] == [
        ("fc6_dropout", 0.5),
        ("fc7_dropout", 0.5),
    ]


def test_the_fifth_pooling_pads_behind_only():
    model = models.c3d(width=1, dense=2)
    pool = model.get_layer("conv5_pool")
    x = numbers(1, 2, 7, 7, 8) - 10  # below zero, so that padding must not count
    y = ops.convert_to_numpy(pool(x))
    for row in range(4):
        for column in range(4):
            window = x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_allclose(y[:, 0, row, column], window.max((1, 2, 3)))


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.fcn_series, {"input_shape": (10, 2, 1)}, r"\(length, channels\)"),
        (models.resnet_series, {"input_shape": (0, 1)}, "length of at least 1"),
        (
            models.fcn_series,
            {"sizes": (8, 5)},
            r"as many filters as sizes; given.*sizes=\(8, 5\)",
        ),
        (models.c3d, {"input_shape": (112, 112, 3)}, r"\(frames, height, width, "),
        (models.c3d, {"input_shape": (None, 112, 112, 3)}, "given"),
        (models.c3d, {"width": 0}, "c3d takes width=1 or more; given 0"),
        (models.c3d, {"dense": 0}, "c3d takes dense=1 or more; given 0"),
    ],
)
def test_impossible_networks_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
