import keras
import numpy as np
import pytest
from counting import Count
from keras import layers, ops

from cnnlib import models

TINY = {"blocks": (1, 2), "width": 2, "classes": 3}


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def shapes_alone(**options):
    with keras.StatelessScope(initialize_variables=False):
        return models.fc_resnet(**options)


def arithmetic(blocks, width, channels=1, classes=1, short=True, long=True):
    """Trained and all parameters by the paper's table."""
    count = Count()
    conv, norm = count.conv, count.norm

    def stage(maps, units, narrow):
        for _ in range(units):
            for size, given, made in (
                (1, maps, narrow),
                (3, narrow, narrow),
                (1, narrow, 4 * narrow),
            ):
                norm(given)
                conv(size, given, made)
            if short and maps != 4 * narrow:
                conv(1, maps, 4 * narrow)
            maps = 4 * narrow
        return maps

    def join(maps, skip):
        if long and maps != skip:
            conv(1, maps, skip)
        return skip if long else maps

    def simple(maps):
        norm(maps)
        conv(3, maps, width)
        if short and maps != width:
            conv(1, maps, width)
        return width

    conv(3, channels, width)
    skips = [width, simple(width)]
    widths = [width * 2**i for i in range(len(blocks))]
    for units, narrow in zip(blocks[:-1], widths[:-1], strict=True):
        skips.append(stage(skips[-1], units, narrow))
    maps = stage(skips[-1], blocks[-1], widths[-1])
    for units, narrow in zip(blocks[-2::-1], widths[-2::-1], strict=True):
        maps = stage(join(maps, skips.pop()), units, narrow)
    maps = simple(join(maps, skips.pop()))
    maps = join(maps, skips.pop())
    norm(maps)
    conv(3, maps, width)
    conv(1, width, classes)
    return count.trained, count.total


def counted(model):
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return trained, model.count_params()


def test_the_catalogue_has_what_follows_from_the_papers_table():
    entry = models.CATALOG["fc_resnet"]
    assert (entry.trainable, entry.total) == arithmetic((3, 8, 10, 3), 32)


@pytest.mark.parametrize("blocks", [(1, 2), (2, 1, 1), (2,)])
@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("long", [True, False])
def test_any_table_has_exactly_its_parameters(blocks, short, long):
    model = shapes_alone(
        blocks=blocks,
        width=3,
        input_shape=(32, 32, 2),
        classes=5,
        short_skips=short,
        long_skips=long,
    )
    assert counted(model) == arithmetic(blocks, 3, 2, 5, short, long)


def test_layers_are_the_papers():
    model = shapes_alone()
    # Table 1: rows and maps behind each block.
    table = {
        "conv1_conv": (512, 32),
        "down1_add": (256, 32),
        "down2_3_add": (128, 128),
        "down3_8_add": (64, 256),
        "down4_10_add": (32, 512),
        "across_3_add": (32, 1024),
        "up4_10_add": (64, 512),
        "up3_8_add": (128, 256),
        "up2_3_add": (256, 128),
        "up1_add": (512, 32),
        "last_conv": (512, 32),
        "logits": (512, 1),
    }
    shapes = {name: model.get_layer(name).output.shape for name in table}
    assert shapes == {name: (None, n, n, maps) for name, (n, maps) in table.items()}
    kernels = [x for x in model.layers if hasattr(x, "kernel")]
    bypass = [x for x in kernels if x.name.endswith(("_shortcut_conv", "_adapt_conv"))]
    assert (len(kernels), len(bypass)) == (148, 8)  # 140 one behind the other
    drops = [x.rate for x in model.layers if isinstance(x, layers.Dropout)]
    assert drops == [0.1] * (2 + 2 * (3 + 8 + 10) + 3)
    keras.backend.clear_session()


def test_it_computes_what_the_paper_says():
    model = models.fc_resnet(input_shape=(9, 11, 2), **TINY)
    rng = np.random.default_rng(1)
    for w in model.weights:
        positive = w.name in ("gamma", "moving_variance")
        low, high = (0.5, 1.5) if positive else (-0.5, 0.5)
        w.assign(rng.uniform(low, high, w.shape).astype("float32"))

    def conv(x, name, stride=1):
        layer = model.get_layer(name)
        return ops.conv(x, layer.kernel, stride, padding="same") + layer.bias

    def active(x, name):
        bn = model.get_layer(f"{name}_bn")
        y = (x - bn.moving_mean) / ops.sqrt(bn.moving_variance + 1e-3)
        return ops.relu(y * bn.gamma + bn.beta)

    def twice(x):
        return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)

    def bottleneck(x, name, stride=1, enlarge=lambda x: x):
        y = conv(active(x, f"{name}_1"), f"{name}_1_conv", stride)
        y = conv(active(y, f"{name}_2"), f"{name}_2_conv")
        y = conv(enlarge(active(y, f"{name}_3")), f"{name}_3_conv")
        return y, enlarge(x[:, ::stride, ::stride])

    x = numbers(2, 9, 11, 2)
    first = conv(x, "conv1_conv")
    pooled = ops.max_pool(active(first, "down1"), 2, 2, "same")
    second = conv(pooled, "down1_conv") + first[:, ::2, ::2]
    assert second.shape == (2, 5, 6, 2)
    y, bypass = bottleneck(second, "down2_1", stride=2)
    third = y + conv(bypass, "down2_1_shortcut_conv")
    y, bypass = bottleneck(third, "across_1", stride=2)
    across = y + conv(bypass, "across_1_shortcut_conv")
    y, bypass = bottleneck(across, "across_2", enlarge=twice)
    across = (y + bypass)[:, :3, :3]
    y = conv(across, "up2_adapt_conv") + third
    y, bypass = bottleneck(y, "up2_1", enlarge=twice)
    y = conv((y + bypass)[:, :5, :6], "up1_adapt_conv") + second
    y = twice(conv(active(y, "up1"), "up1_conv")) + twice(y)
    y = y[:, :9, :11] + first
    expected = conv(conv(active(y, "last"), "last_conv"), "logits")
    found = ops.convert_to_numpy(model(x, training=False))
    assert found.shape == (2, 9, 11, 3)
    np.testing.assert_allclose(found, ops.convert_to_numpy(expected), atol=1e-3)
    assert np.ptp(found) > 1


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("side", [8, 9, 18])
def test_any_size_comes_out_as_it_went_in(side, long):
    model = models.fc_resnet(input_shape=(None, None, 1), long_skips=long, **TINY)
    assert model.output_shape == (None, None, None, 3)
    x = numbers(1, side, side + 3, 1)
    assert model(x, training=False).shape == (1, side, side + 3, 3)


def sums(**options):
    model = shapes_alone(input_shape=(32, 32, 1), **TINY, **options)
    return {x.name for x in model.layers if isinstance(x, layers.Add)}


def test_either_kind_of_skips_can_be_left_out():
    short = {f"{name}_add" for name in ("down1", "down2_1", "across_1", "across_2")}
    short |= {"up2_1_add", "up1_add"}
    long = {"up2_sum", "up1_sum", "last_sum"}
    assert sums() == short | long
    assert sums(short_skips=False) == long
    assert sums(long_skips=False) == short
    assert sums(short_skips=False, long_skips=False) == set()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": ()}, r"takes one block or more; given \(\)"),
        ({"blocks": (3, 0)}, "blocks=1 or more; given 0"),
        ({"input_shape": (31, 32, 1)}, "fc_resnet.*at least 32"),
        ({"input_shape": (64, 3, 1), "blocks": (1, 1)}, "fc_resnet.*at least 8"),
        ({"width": 0}, "fc_resnet takes width"),
        ({"dropout": 1}, "fc_resnet takes dropout"),
        ({"long_skips": "sum"}, "long_skips"),
    ],
)
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.fc_resnet(**options)
