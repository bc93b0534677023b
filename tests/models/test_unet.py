import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import models

SMALL = {"depth": 2, "width": 3, "input_shape": (44, 52, 2), "classes": 3}


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def shuffle(model):
    rng = np.random.default_rng(1)
    for w in model.weights:
        w.assign(rng.normal(0, 0.2, w.shape).astype("float32"))


def count(depth, width, channels, classes):
    total = 0

    def conv(size, given, made):
        nonlocal total
        total += size * size * given * made + made

    def pair(given, made):
        conv(3, given, made)
        conv(3, made, made)

    for i in range(depth):
        pair(channels if i == 0 else width * 2 ** (i - 1), width * 2**i)
    pair(width * 2 ** (depth - 1), width * 2**depth)
    for i in reversed(range(depth)):
        conv(2, width * 2 ** (i + 1), width * 2**i)
        pair(width * 2 ** (i + 1), width * 2**i)
    conv(1, width, classes)
    return total


def test_the_catalogue_has_what_follows_from_figure_1():
    assert count(4, 64, 1, 2) == models.CATALOG["unet"].total == 31_030_658


@pytest.mark.parametrize(
    "options",
    [
        {"width": 3, "input_shape": (None, None, 1)},
        {"depth": 1, "width": 5, "input_shape": (18, 18, 3)},
        {"depth": 3, "width": 4, "input_shape": (None, None, 3)},
        {"depth": 2, "width": 6, "input_shape": (8, 4, 3), "padding": "same"},
    ],
)
def test_it_has_exactly_the_parameters(options):
    found = models.unet(**options).count_params()
    depth, width = options.get("depth", 4), options["width"]
    channels = options["input_shape"][2]
    assert found == count(depth, width, channels, 2)


def test_sizes_are_those_of_figure_1():
    model = models.unet(width=2)  # a 32nd of the maps
    assert model.output_shape == (None, 388, 388, 2)
    expected = {
        "down1_conv2": (568, 64),
        "down2_conv2": (280, 128),
        "down3_conv2": (136, 256),
        "down4_conv2": (64, 512),
        "bottom_conv2": (28, 1024),
        "up4_concat": (56, 1024),
        "up4_conv2": (52, 512),
        "up3_concat": (104, 512),
        "up2_concat": (200, 256),
        "up1_concat": (392, 128),
        "up1_conv2": (388, 64),
    }
    for name, (side, maps) in expected.items():
        shape = model.get_layer(name).output.shape[1:]
        assert shape == (side, side, maps // 32), name


def by_hand(model, x, depth, padding):
    """The network once more, op by op."""

    def conv(x, name):
        layer = model.get_layer(name)
        return ops.conv(x, layer.kernel, padding=padding) + layer.bias

    def crop(x, like):
        top, left = (x.shape[1] - like.shape[1]) // 2, (x.shape[2] - like.shape[2]) // 2
        return x[:, top : top + like.shape[1], left : left + like.shape[2]]

    def pair(x, name):
        return ops.relu(conv(ops.relu(conv(x, f"{name}_conv1")), f"{name}_conv2"))

    skips = []
    for i in range(1, depth + 1):
        x = pair(x, f"down{i}")
        skips.append(x)
        x = ops.max_pool(x, 2, 2)
    x = pair(x, "bottom")
    for i in reversed(range(1, depth + 1)):
        kernel, bias = model.get_layer(f"up{i}_upconv").get_weights()
        # Each pixel becomes a square of 2×2, and no two of them meet.
        n, rows, columns, _ = x.shape
        x = ops.einsum("nrcg,ijmg->nricjm", x, kernel)
        x = ops.relu(ops.reshape(x, (n, 2 * rows, 2 * columns, -1)) + bias)
        x = pair(ops.concatenate([crop(skips[i - 1], x), x], axis=-1), f"up{i}")
    return conv(x, "logits")


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_it_computes_what_the_paper_draws(padding):
    model = models.unet(padding=padding, **SMALL)
    shuffle(model)
    x = numbers(2, 44, 52, 2)
    found = ops.convert_to_numpy(model(x))
    assert found.shape[1:] == ((4, 12, 3) if padding == "valid" else (44, 52, 3))
    expected = ops.convert_to_numpy(by_hand(model, x, 2, padding))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_dropout_is_at_the_end_of_the_way_down():
    model = models.unet(**SMALL)
    drops = {x.name: x.rate for x in model.layers if isinstance(x, layers.Dropout)}
    assert drops == {"down2_dropout": 0.5, "bottom_dropout": 0.5}
    dropped = model.get_layer("down2_dropout").output
    assert model.get_layer("down2_pool").input is dropped
    assert model.get_layer("up2_crop").input[0] is dropped
    assert models.unet(dropout=0.1, **SMALL).get_layer("bottom_dropout").rate == 0.1


def test_kernels_start_as_he_says(assert_he_gaussian):
    convs = [x for x in models.unet(**SMALL).layers if hasattr(x, "kernel")]
    assert_he_gaussian(convs)


def test_output_sizes_agree_with_the_network():
    for depth in (1, 2, 3):
        for size in range(1, 110):
            try:
                rows = models.unet_output_size(size, depth=depth)
            except ValueError:
                continue
            layer = keras.Input((size, size, 1))
            for _ in range(depth):
                layer = layers.MaxPooling2D(2)(layers.Conv2D(1, 5)(layer))
            layer = layers.Conv2D(1, 5)(layer)
            for _ in range(depth):
                layer = layers.Conv2D(1, 5)(layers.UpSampling2D(2)(layer))
            assert layer.shape[1] == rows
    assert models.unet_output_size(572) == 388
    assert models.unet_output_size(64, padding="same") == 64


def test_any_size_may_be_left_open():
    model = models.unet(depth=1, width=2, input_shape=(None, None, 1))
    fixed = models.unet(depth=1, width=2, input_shape=(20, 24, 1))
    fixed.set_weights(model.get_weights())
    x = numbers(1, 20, 24, 1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)), ops.convert_to_numpy(fixed(x)), atol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (572, 570, 1)}, "570 rows or columns.*556 and 572"),
        ({"input_shape": (187, 188, 1)}, "at least 188"),
        ({"input_shape": (19, 18, 1), "depth": 1}, "valid.*19.*18 and 20"),
        ({"input_shape": (16, 40, 1), "padding": "same"}, "same.*40.*32 and 48"),
        ({"input_shape": (15, 16, 1), "padding": "same"}, "at least 16"),
        ({"depth": 0}, "unet takes depth=1 or more; given 0"),
        ({"width": 0}, "unet takes width=1 or more; given 0"),
        ({"padding": "full"}, "'valid' or 'same'; given 'full'"),
    ],
)
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.unet(**options)


def test_sizes_may_be_numpys():
    depth, width = np.array([1, 2])
    model = models.unet(depth=depth, width=width, input_shape=(np.int64(20), 24, 1))
    assert model.output_shape == (None, 4, 8, 2)


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (0, {}, "size=1 or more; given 0"),
        (572.0, {}, "size=1 or more; given 572.0"),
        (572, {"depth": 0}, "depth=1 or more; given 0"),
        (572, {"padding": "full"}, "padding='valid' or 'same'; given 'full'"),
    ],
)
def test_an_output_size_is_asked_for_as_a_network_is(size, options, message):
    with pytest.raises(ValueError, match=f"unet_output_size takes {message}"):
        models.unet_output_size(size, **options)


def test_a_size_below_all_is_told_the_smallest():
    with pytest.raises(ValueError, match="the nearest are 188"):
        models.unet_output_size(10)
