import importlib

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import models
from cnnlib.layers import Bilinear, CropLike
from cnnlib.models.fcn import convolutionalize, fcn
from cnnlib.models.vgg import vgg_stages

WIDTHS = (2, 3, 4, 5, 6)


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.fixture
def narrow(monkeypatch):
    """The same networks with few maps: 134 million weights are slow to draw."""
    # The files: ``models.vgg`` and ``models.fcn`` are builders.
    monkeypatch.setattr(importlib.import_module("cnnlib.models.vgg"), "WIDTHS", WIDTHS)
    monkeypatch.setattr(importlib.import_module("cnnlib.models.fcn"), "UNITS", 7)


@pytest.mark.parametrize(
    ("name", "trained", "kernels"),
    [
        ("fcn32s", 134_346_581, 64 * 64 * 21 * 21),
        ("fcn16s", 134_357_354, (4 * 4 + 32 * 32) * 21 * 21),
        ("fcn8s", 134_362_751, (4 * 4 + 4 * 4 + 16 * 16) * 21 * 21),
    ],
)
def test_the_catalogue_has_what_follows_from_vgg16(name, trained, kernels):
    vgg_less_its_last_layer = 138_357_544 - (4096 + 1) * 1000
    skips = {"fcn32s": (), "fcn16s": (512,), "fcn8s": (512, 256)}[name]
    scores = sum((maps + 1) * 21 for maps in (4096, *skips))
    entry = models.CATALOG[name]
    assert entry.trainable == trained == vgg_less_its_last_layer + scores
    assert entry.total == trained + kernels


@pytest.mark.parametrize("build", [models.fcn32s, models.fcn16s, models.fcn8s])
@pytest.mark.parametrize("learn", [False, True])
def test_narrow_ones_have_exactly_their_parameters(narrow, build, learn):
    if build is models.fcn32s and learn:
        return
    options = {} if build is models.fcn32s else {"learn_upsampling": learn}
    model = build(classes=3, **options)
    skips = {"fcn32s": 0, "fcn16s": 1, "fcn8s": 2}[model.name]
    trained, given = 0, 3
    for width, convs in zip(WIDTHS, (2, 2, 3, 3, 3), strict=True):
        for _ in range(convs):
            trained += 9 * given * width + width
            given = width
    trained += 49 * 6 * 7 + 7 + 7 * 7 + 7 + 8 * 3
    trained += sum((width + 1) * 3 for width in WIDTHS[3 : 3 - skips : -1])
    doubling, last = skips * 16 * 9, {0: 64, 1: 32, 2: 16}[skips] ** 2 * 9
    trained += doubling if learn else 0
    found = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert found == trained
    total = trained + last + (0 if learn else doubling)
    assert model.count_params() == total


@pytest.mark.parametrize("build", [models.fcn32s, models.fcn16s, models.fcn8s])
def test_any_size_comes_out_as_it_went_in(narrow, build):
    model = build(input_shape=(None, None, 3), classes=4)
    for rows, columns in ((1, 2), (31, 33), (64, 97)):
        x = numbers(1, rows, columns, 3)
        assert model(x).shape == (1, rows, columns, 4)
        fixed = build(input_shape=(rows, columns, 3), classes=4)
        assert fixed.output_shape == (None, rows, columns, 4)


def test_sizes_are_caffes(narrow):
    """At the 500×500 pixels of PASCAL VOC, as Caffe counts them."""
    model = models.fcn8s(input_shape=(500, 500, 3))

    def side(name):
        return model.get_layer(name).output.shape[1]

    assert side("conv1_1") == 698
    assert [side(f"conv{i}_pool") for i in range(1, 6)] == [349, 175, 88, 44, 22]
    assert (side("fc6"), side("fc7"), side("score")) == (16, 16, 16)
    assert (side("skip4_upscore"), side("skip4_add")) == (34, 34)
    assert (side("skip3_upscore"), side("skip3_add")) == (70, 70)
    assert (side("up_score"), side("logits")) == (568, 500)
    kernels = {
        x.name: (x.kernel_size[0], x.strides[0])
        for x in model.layers
        if isinstance(x, layers.Conv2DTranspose)
    }
    assert kernels == {
        "skip4_upscore": (4, 2),
        "skip3_upscore": (4, 2),
        "up_score": (16, 8),
    }
    drops = [x.rate for x in model.layers if isinstance(x, layers.Dropout)]
    assert drops == [0.5, 0.5]
    assert model.get_layer("fc6").activation is keras.activations.relu
    assert model.get_layer("fc7").activation is keras.activations.relu


def crops(model):
    return {x.name: x.offset for x in model.layers if isinstance(x, CropLike)}


def test_crops_are_the_authors(narrow):
    assert crops(models.fcn32s()) == {"logits": 19}
    assert crops(models.fcn16s()) == {"skip4_crop": 5, "logits": 27}
    assert crops(models.fcn8s()) == {"skip4_crop": 5, "skip3_crop": 9, "logits": 31}


def test_scores_are_added_as_the_paper_draws(narrow):
    """FCN-8s from its poolings on, once more op by op."""
    model = models.fcn8s(input_shape=(40, 33, 3), classes=2)
    rng = np.random.default_rng(1)
    for w in model.weights:
        w.assign(rng.normal(0, 0.3, w.shape).astype("float32"))
    names = ["score", "conv4_pool", "conv3_pool"]
    layer_of = {name: model.get_layer(name).output for name in names}
    inner = keras.Model(model.inputs, list(layer_of.values()))
    x = numbers(1, 40, 33, 3)
    score, pool4, pool3 = inner([x])

    def conv(x, name):
        layer = model.get_layer(name)
        return ops.conv(x, layer.kernel, padding="valid") + layer.bias

    def up(x, name, stride):
        return ops.conv_transpose(x, model.get_layer(name).kernel, stride, "valid")

    y = up(score, "skip4_upscore", 2)
    rows, columns = y.shape[1:3]
    y = y + conv(pool4, "skip4_score")[:, 5 : 5 + rows, 5 : 5 + columns]
    y = up(y, "skip3_upscore", 2)
    rows, columns = y.shape[1:3]
    y = y + conv(pool3, "skip3_score")[:, 9 : 9 + rows, 9 : 9 + columns]
    y = up(y, "up_score", 8)[:, 31:71, 31:64]
    found = ops.convert_to_numpy(model(x))
    scale = np.abs(found).max()
    np.testing.assert_allclose(found, ops.convert_to_numpy(y), atol=1e-5 * scale)


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_a_bilinear_kernel_continues_a_ramp(factor):
    ramp = np.add.outer(3.0 * np.arange(5), np.arange(6)).astype("float32")
    x = np.stack([ramp, -2 * ramp + 1], axis=-1)[None]
    layer = layers.Conv2DTranspose(
        2, 2 * factor, factor, use_bias=False, kernel_initializer=Bilinear()
    )
    y = ops.convert_to_numpy(layer(x))[0]
    assert y.shape[:2] == (6 * factor, 7 * factor)
    # A coarse pixel's window is centred f − 1/2 fine pixels behind its start.
    rows = (np.arange(6 * factor) - factor + 0.5) / factor
    columns = (np.arange(7 * factor) - factor + 0.5) / factor
    plane = np.add.outer(3 * rows, columns)
    inside = (slice(factor, -factor),) * 2
    np.testing.assert_allclose(y[inside][..., 0], plane[inside], atol=1e-4)
    np.testing.assert_allclose(y[inside][..., 1], 1 - 2 * plane[inside], atol=1e-3)


def test_a_bilinear_kernel_is_caffes():
    kernel = ops.convert_to_numpy(Bilinear()((4, 4, 2, 2)))
    tent = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(kernel[:, :, 0, 0], np.outer(tent, tent))
    np.testing.assert_allclose(kernel[:, :, 1, 1], np.outer(tent, tent))
    assert not kernel[:, :, 0, 1].any()
    assert not kernel[:, :, 1, 0].any()
    odd = ops.convert_to_numpy(Bilinear()((3, 3, 1, 1)))[:, :, 0, 0]
    np.testing.assert_allclose(odd, np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))
    asked = keras.backend.standardize_dtype(Bilinear()((2, 2, 1, 1), "float16").dtype)
    assert asked == "float16"


def test_fixed_kernels_stay_and_learned_ones_do_not(narrow):
    fixed, learned = models.fcn16s(), models.fcn16s(learn_upsampling=True)
    for model in (fixed, learned):  # frozen and thawed
        model.trainable = False
        model.trainable = True
    assert not fixed.get_layer("skip4_upscore").trainable_weights
    assert learned.get_layer("skip4_upscore").trainable_weights
    for model in (fixed, learned):
        assert not model.get_layer("up_score").trainable_weights
        assert not np.asarray(model.get_layer("skip4_score").kernel).any()
        assert np.asarray(model.get_layer("score").kernel).any()


def test_signals_neither_fade_nor_grow_where_it_learns_from_scratch(
    narrow, assert_he_gaussian
):
    model = models.fcn32s()
    names = ["conv1_1", "conv3_2", "conv5_3", "fc6", "fc7"]
    assert_he_gaussian([model.get_layer(n) for n in names])
    assert type(model.get_layer("score").kernel_initializer).__name__ == "GlorotUniform"


def test_a_convolution_does_what_the_dense_layer_did(narrow, monkeypatch):
    """fc7 of the classifier, and of the convolution at the one place that it has."""
    image = keras.Input((224, 224, 3))
    x = layers.Flatten(name="flatten")(vgg_stages(image, 16)[-1])
    for i in (6, 7):
        x = layers.Dense(7, activation="relu", name=f"fc{i}")(x)
    classifier = keras.Model(image, layers.Dense(9, name="logits")(x), name="vgg16")
    rng = np.random.default_rng(1)
    for w in classifier.weights:
        w.assign(rng.normal(0.02, 0.2, w.shape).astype("float32"))
    network = models.fcn32s(input_shape=(None, None, 3))
    convolutionalize(classifier, network)
    pool = classifier.get_layer("conv5_pool").output
    dense = keras.Model(image, [pool, classifier.get_layer("fc7").output])
    maps, expected = dense(numbers(1, 224, 224, 3))
    y = network.get_layer("fc7")(network.get_layer("fc6")(maps))
    assert y.shape == (1, 1, 1, 7)
    expected = ops.convert_to_numpy(expected)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(
        ops.convert_to_numpy(y)[0, 0], expected, rtol=1e-4, atol=1e-4
    )
    for name in ("conv1_1", "conv5_3"):
        np.testing.assert_array_equal(
            np.asarray(network.get_layer(name).kernel),
            np.asarray(classifier.get_layer(name).kernel),
        )


def test_a_classifier_of_another_size_is_refused(narrow):
    image = keras.Input((7, 7, 3))
    x = layers.Conv2D(WIDTHS[0], 3, padding="same", name="conv1_1")(image)
    x = layers.Flatten()(x)
    wrong = keras.Model(image, layers.Dense(8, name="fc6")(x))
    network = models.fcn32s()
    before = network.get_layer("conv1_1").get_weights()
    with pytest.raises(ValueError, match=r"fc6 has a kernel of \(98, 8\), not"):
        convolutionalize(wrong, network)
    for was, kept in zip(
        before, network.get_layer("conv1_1").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(was, kept)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (0, 3, 3)}, "at least 1"),
        ({"input_shape": (None, None, None)}, "given"),
        ({"classes": 0}, "classes=1 or more"),
    ],
)
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.fcn8s(**options)


def test_a_stride_has_to_be_of_the_paper(narrow):
    with pytest.raises(ValueError, match="fcn takes stride=32, 16 or 8; given 4"):
        fcn(stride=4)
    assert fcn(stride=np.int64(16)).name == "fcn16s"
    with pytest.raises(TypeError, match=r"fcn32s.*learn_upsampling"):
        models.fcn32s(learn_upsampling=True)
