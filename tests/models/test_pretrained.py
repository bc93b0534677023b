"""Published weights: copied layer by layer, and what happens without a network."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.utils import file_utils

from cnnlib import models
from cnnlib.models import pretrained
from cnnlib.models.pretrained import copy_from_keras, weighted_layers


def set_at_random(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.2, 1.2, weight.shape))


def little(name, *, bias, epsilon=1e-3, filters=4, swap=False, pad=False, scale=True):
    """Two branches of convolution and normalization, joined, and a dense layer."""
    x = image = keras.Input((6, 6, 3), name=f"{name}_image")
    if pad:  # layers without weights do not matter
        x = layers.Cropping2D(1)(layers.ZeroPadding2D(1)(x))
    norm = {"epsilon": epsilon, "scale": scale}
    a = layers.Conv2D(filters, 1, use_bias=bias, name=f"{name}_a")(x)
    a = layers.BatchNormalization(**norm, name=f"{name}_a_bn")(a)
    b = layers.Conv2D(filters, 1, use_bias=bias, name=f"{name}_b")(x)
    b = layers.BatchNormalization(**norm, name=f"{name}_b_bn")(b)
    b = layers.Conv2D(filters, 1, use_bias=bias, name=f"{name}_c")(b)
    b = layers.BatchNormalization(**norm, name=f"{name}_c_bn")(b)
    x = layers.Concatenate()([b, a] if swap else [a, b])
    x = layers.Dense(2, name=f"{name}_dense")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x, name=name)


IMAGES = np.random.default_rng(1).normal(size=(3, 6, 6, 3)).astype("float32")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("epsilon", [1e-3, 0.05])
def test_copying_keeps_the_outputs(bias, epsilon):
    """Biases and another epsilon are folded into the normalization."""
    source = little("source", bias=bias, epsilon=epsilon)
    set_at_random(source)
    model = little("model", bias=False, pad=True)
    copy_from_keras(source, model)
    expected = np.asarray(source(IMAGES))
    assert np.ptp(expected) > 0.1
    found = np.asarray(model(IMAGES))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_layers_come_in_the_order_of_the_graph():
    found = [layer.name for layer in weighted_layers(little("m", bias=True, pad=True))]
    a, b = ["m_a", "m_a_bn"], ["m_b", "m_b_bn", "m_c", "m_c_bn"]
    assert found == [*a, *b, "m_dense"]
    found = weighted_layers(little("m", bias=True, swap=True))
    assert [layer.name for layer in found] == [*b, *a, "m_dense"]


def test_nested_models_are_unfolded():
    inner = little("inner", bias=False)
    image = keras.Input((6, 6, 3))
    model = keras.Model(image, layers.Dense(3, name="last")(inner(image)))
    found = [layer.name for layer in weighted_layers(model)]
    assert found[0] == "inner_a"
    assert found[-2:] == ["inner_dense", "last"]


def test_a_layer_that_does_not_fit_is_named():
    source = little("source", bias=False)
    with pytest.raises(ValueError, match=r"model_a has .*5.* but source_a has .*4"):
        copy_from_keras(source, little("model", bias=False, filters=5))
    with pytest.raises(ValueError, match=r"model_a has .*bias.* but source_a has"):
        copy_from_keras(source, little("model", bias=True))
    with pytest.raises(ValueError, match=r"model_a_bn has .* but source_a_bn has"):
        copy_from_keras(source, little("model", bias=False, scale=False))
    shorter = keras.Model(source.input, source.get_layer("source_b_bn").output)
    with pytest.raises(
        ValueError, match=r"source has 3 layers of kind Conv2D, .* has 1"
    ):
        copy_from_keras(source, shorter)


def test_a_bias_that_no_normalization_takes_up_is_refused():
    def plain(name, bias):
        image = keras.Input((6, 6, 3))
        x = layers.Conv2D(4, 1, use_bias=bias, name=f"{name}_conv")(image)
        # the bias reaches the sum beside the normalization, too
        y = layers.BatchNormalization()(x)
        return keras.Model(image, layers.Add()([x, y]), name=name)

    with pytest.raises(ValueError, match="model_conv has no bias, source_conv has one"):
        copy_from_keras(plain("source", True), plain("model", False))


@pytest.fixture
def no_network(monkeypatch):
    def fail(fname, origin, *args, **kwargs):
        raise Exception(f"URL fetch failure on {origin}: None -- no route to host")

    monkeypatch.setattr(file_utils, "get_file", fail)


def test_published_weights_are_loaded(monkeypatch, tmp_path):
    """The whole way, with a file of Keras's own network in place of the download."""
    twin = keras.applications.Xception(weights=None)
    rng = np.random.default_rng(0)
    for weight in twin.weights:
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    path = tmp_path / "published.weights.h5"
    twin.save_weights(path)
    asked = []

    def get_file(fname, *args, **kwargs):
        asked.append(fname)
        return str(path)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    model = models.xception(input_shape=(71, 71, 3), weights="imagenet")
    assert asked == ["xception_weights_tf_dim_ordering_tf_kernels.h5"]
    pairs = zip(weighted_layers(model), weighted_layers(twin), strict=True)
    for ours, theirs in pairs:
        for mine, given in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, given)
    keras.backend.clear_session()


def stand_in(name, channels=3, classes=1000):
    image = keras.Input((8, 8, channels))
    x = layers.Dense(classes)(layers.GlobalAveragePooling2D()(image))
    return keras.Model(image, x, name=name)


@pytest.mark.parametrize("name", pretrained.TWINS)
def test_without_a_network_one_error_names_file_and_folder(
    no_network, monkeypatch, name
):
    monkeypatch.setenv("KERAS_HOME", "/home/keras")
    built = []

    def build(**options):
        built.append(options)
        file_utils.get_file("some.h5", "https://host/some.h5")

    monkeypatch.setattr(keras.applications, pretrained.TWINS[name][0], build)
    with pytest.raises(OSError, match=r"some\.h5.*no route.*/home/keras/models"):
        pretrained.load(stand_in(name), "imagenet")
    assert built == [{"weights": "imagenet", "classifier_activation": None}]


def test_keras_itself_names_the_file(no_network):
    with pytest.raises(
        OSError, match=r"xception_weights_tf_dim_ordering_tf_kernels\.h5"
    ):
        models.xception(weights="imagenet")
    keras.backend.clear_session()


def test_no_weights_leave_the_model_alone(no_network):
    model = stand_in("no such network")
    before = model.get_weights()
    assert pretrained.load(model, None) is model
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        (("vgg16", 3, 10), "imagenet", "3 channels and 1000 classes; .* has 3 and 10"),
        (("vgg16", 1, 1000), "imagenet", "the model has 1 and 1000"),
        (("vgg16",), "imagenet21k", "None or 'imagenet'; given 'imagenet21k'"),
        (("alexnet",), "imagenet", "no ImageNet weights for 'alexnet'; .*vgg16"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_any_download(
    no_network, model, weights, message
):
    with pytest.raises(ValueError, match=message):
        pretrained.load(stand_in(*model), weights)


BUILDERS = [
    (models.vgg16, {"input_shape": (32, 32, 3)}),
    (models.vgg19, {"input_shape": (32, 32, 3)}),
    (models.inception_v3, {"input_shape": (75, 75, 3)}),
    (models.inception_resnet_v2, {"input_shape": (75, 75, 3), "units": (1, 1, 1)}),
    (models.xception, {"input_shape": (7, 7, 3)}),
    (models.resnet50, {"input_shape": (64, 64, 3)}),
    (models.resnet50_v2, {"input_shape": (64, 64, 3)}),
    (models.densenet121, {"input_shape": (64, 64, 3)}),
]


@pytest.mark.parametrize("build", [build for build, _ in BUILDERS])
def test_builders_refuse_weights_before_they_build(monkeypatch, build):
    monkeypatch.setattr(keras, "Input", None)  # nothing can be built
    for options, told in [
        ({"classes": 2, "weights": "imagenet"}, "have 3 channels and 1000 classes"),
        ({"weights": "imagenet21k"}, "None or 'imagenet'; given 'imagenet21k'"),
    ]:
        with pytest.raises(ValueError, match=told):
            build(name="mine", **options)


@pytest.mark.parametrize(("build", "options"), BUILDERS)
def test_a_model_by_a_name_of_its_own_has_its_networks_weights(
    monkeypatch, build, options
):
    copied = []
    monkeypatch.setattr(pretrained, "_download", lambda fetch, **how: fetch.__name__)
    monkeypatch.setattr(
        pretrained, "copy_from_keras", lambda source, model: copied.append(source)
    )
    model = build(name="mine", weights="imagenet", **options)
    assert model.name == "mine"
    assert copied == [pretrained.TWINS[build.__name__][0]]
    keras.backend.clear_session()


@pytest.mark.parametrize("name", pretrained.TWINS)
def test_each_builder_with_a_twin_has_an_option_for_weights(name):
    option = inspect.signature(getattr(models, name)).parameters["weights"]
    assert option.default is None


def test_every_name_is_a_network_of_keras_and_has_its_preprocessing():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3), "uint8")
    modules = {
        "vgg16": keras.applications.vgg16,
        "vgg19": keras.applications.vgg19,
        "inception_v3": keras.applications.inception_v3,
        "inception_resnet_v2": keras.applications.inception_resnet_v2,
        "xception": keras.applications.xception,
        **{f"resnet{d}": keras.applications.resnet for d in (50, 101, 152)},
        **{f"resnet{d}_v2": keras.applications.resnet_v2 for d in (50, 101, 152)},
        **{f"densenet{d}": keras.applications.densenet for d in (121, 169, 201)},
    }
    assert set(modules) == set(pretrained.TWINS)
    for name, module in modules.items():
        kind = pretrained.TWINS[name][0]
        assert getattr(module, kind) is getattr(keras.applications, kind)
        found = models.preprocess(name, images)
        assert found.dtype == np.float32
        expected = module.preprocess_input(images.astype("float32"))
        np.testing.assert_array_equal(found, expected)
