"""Every layer, loss and metric of the library is saved and comes back."""

import json

import keras
import numpy as np
import pytest
from keras import layers as kl

from cnnlib import augment, layers, segmentation

rng = np.random.default_rng(0)
X = rng.random((2, 8, 8, 3), "float32")
RANGE = {"value_range": (0, 1)}


def unit():
    image = keras.Input((8, 8, 3))
    return keras.Model(image, kl.Add()([image, kl.Conv2D(3, 3, padding="same")(image)]))


# How each is made, with settings other than the defaults, and a layer's input. Made
# anew for every test: layers change when they are called.
LAYERS = [
    (lambda: layers.TableConv2D([[0], [1, 2]], 3), [X]),
    (lambda: layers.Subsampling2D(), [X]),
    (lambda: layers.RadialBasis(np.eye(3, dtype="float32")), [X[:, 0, 0]]),
    (lambda: layers.GaussianUnits(4), [X[:, 0, 0]]),
    (lambda: layers.LocalResponseNormalization(3, 1.0, 0.5, 0.3), [X]),
    (lambda: layers.PaddedIdentity(5, 2), [X]),
    (lambda: layers.SurvivalGate(0.4, seed=1), [X]),
    (lambda: layers.GatedSum(), [X, X, 2 * X]),
    (lambda: layers.ColumnChoice(4, 0.25, seed=3), [X]),
    (lambda: layers.FractalJoin(0.4, seed=2), [np.zeros((1, 2), "float32"), X, 2 * X]),
    (lambda: layers.RepeatedUnit(unit(), 3), [X]),
    (lambda: layers.CropLike(2), [X, X[:, :4, :5]]),
    (lambda: layers.FixedConv2DTranspose(2, 4, strides=2, padding="same"), [X]),
    (lambda: augment.Warp(rotation=(5, 20), zoom=0.2, fill_mode="mirror", seed=1), [X]),
    (lambda: augment.Elastic(2, 4, shear=3, flip="vertical", seed=1), [X]),
    (lambda: augment.Crop((4, 5), padding=1, fill_value=0.5, seed=1), [X]),
    (lambda: augment.ColorShift(0.3, **RANGE, seed=1), [X]),
    (lambda: augment.pipeline("unet", **RANGE, seed=1), [X]),
]
OTHERS = [
    lambda: layers.Bilinear(),
    lambda: segmentation.CrossEntropy(ignored=3, class_weights=[1, 2]),
    lambda: segmentation.CrossEntropyDice(ignored=3, smooth=2.0, dice=0.5, name="mine"),
    lambda: segmentation.MeanIoU(3, ignored=0),
    lambda: segmentation.MeanDice(2, name="mine"),
    lambda: segmentation.PixelAccuracy(2, ignored=1),
]
EVERY = [make for make, _ in LAYERS] + OTHERS


def called(make):
    """What a test of a thing is called; pytest names the inputs."""
    return type(make()).__name__ if callable(make) else None


def settings(thing):
    """What a thing remembers: its plain public attributes, JSON's lists as tuples."""
    plain = (str, int, float, bool, type(None))
    return {
        key: value
        for key, value in vars(thing).items()
        if not key.startswith("_")
        and key != "name"
        and all(isinstance(leaf, plain) for leaf in keras.tree.flatten(value))
    }


@pytest.mark.parametrize("make", EVERY, ids=called)
def test_what_it_was_made_with_comes_back(make):
    thing = make()
    data = json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))
    again = keras.saving.deserialize_keras_object(data)
    assert type(again) is type(thing)
    assert keras.saving.get_registered_name(type(thing)) == f"cnnlib>{called(make)}"
    assert json.dumps(settings(again)) == json.dumps(settings(thing))
    once_more = type(thing).from_config(thing.get_config())
    assert settings(once_more) == settings(thing)


@pytest.mark.parametrize(("make", "inputs"), LAYERS, ids=called)
def test_a_saved_layer_computes_the_same(make, inputs, tmp_path):
    layer = make()
    symbols = [keras.Input(batch_shape=(None, *x.shape[1:])) for x in inputs]
    several = symbols if len(symbols) > 1 else symbols[0]
    model = keras.Model(several, layer(several))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    values = inputs if len(inputs) > 1 else inputs[0]
    # A draw of each, then at rest: seeds and weights have come back.
    for training in (True, False):
        expected = keras.ops.convert_to_numpy(model(values, training=training))
        found = keras.ops.convert_to_numpy(again(values, training=training))
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(params=["bfloat16", "float64"])
def another_default(request):
    """Another default precision for numbers, once what it is used for is called."""

    def begin():
        keras.config.set_floatx(request.param)

    yield begin
    keras.config.set_floatx("float32")


# The last has layers of Keras's, which draw in the default precision.
@pytest.mark.parametrize(("make", "inputs"), LAYERS[:-1], ids=called)
def test_a_layer_computes_and_draws_in_its_own_precision(make, inputs, another_default):
    layer = make()
    values = inputs if len(inputs) > 1 else inputs[0]
    layer(values)  # which makes its weights
    saved = json.dumps(keras.saving.serialize_keras_object(layer))
    weights = layer.get_weights()

    def outputs():
        again = keras.saving.deserialize_keras_object(json.loads(saved))
        again(values)
        again.set_weights(weights)
        found = [again(values, training=training) for training in (False, *[True] * 9)]
        return [keras.ops.convert_to_numpy(x) for x in found]

    expected = outputs()
    another_default()
    for one, other in zip(outputs(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", OTHERS[1:], ids=called)
def test_a_loss_or_a_metric_computes_in_its_own_precision(make, another_default):
    thing = make()
    classes = getattr(thing, "classes", 2)
    logits = rng.normal(size=(2, 4, 4, classes)).astype("float32")
    labels = rng.integers(0, 2, (2, 4, 4))

    def value():
        again = type(thing).from_config(thing.get_config())
        return float(again(labels, logits))

    expected = value()
    another_default()
    assert value() == expected


def test_every_object_that_keras_must_find_in_a_file_is_tried():
    rooms = ("cnnlib.augment", "cnnlib.layers", "cnnlib.segmentation")
    registered = keras.saving.get_custom_objects().values()
    ours = {kind for kind in registered if kind.__module__.startswith(rooms)}
    assert ours == {type(make()) for make in EVERY}
