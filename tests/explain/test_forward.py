import explainable as nets
import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import explain, models


@pytest.mark.parametrize("name", ["outer/inner/conv", "inner/conv", "conv"])
def test_a_nested_layer_is_called_by_any_end_of_its_path(name):
    model, x = nets.nested_net(), nets.numbers(2, 12, 12, 2)
    expected = explain.activations(model, x)["outer/inner/conv"]
    found = explain.activations(model, x, [name])
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name], expected)
    assert explain.receptive_field(model, name).size == (5, 5)


def test_activations_are_those_of_models_cut_off_at_each_layer():
    model = models.mnist_cnn()
    x = nets.rng.random((3, 28, 28, 1)).astype("float32")
    found = explain.activations(model, x)
    computed = [layer for layer in model.layers if layer.name != "image"]
    assert list(found) == [layer.name for layer in computed]
    for layer in computed:
        cut = keras.Model(model.inputs[0], layer.output)
        expected = ops.convert_to_numpy(cut(x))
        assert type(found[layer.name]) is np.ndarray
        np.testing.assert_allclose(found[layer.name], expected, atol=1e-5)


def test_activations_of_nested_models_are_listed_by_path():
    model, x = nets.nested_net(), nets.numbers(2, 12, 12, 2)
    found = explain.activations(model, x)
    assert list(found) == nets.PATHS
    np.testing.assert_array_equal(found["outer/inner/pool"], found["outer"])
    np.testing.assert_allclose(
        found["logits"], ops.convert_to_numpy(model(x)), atol=1e-5
    )


def test_activations_come_in_the_order_they_were_asked_for():
    model, x = nets.nested_net(), nets.numbers(2, 12, 12, 2)
    assert list(explain.activations(model, x, ["logits", "first"])) == [
        "logits",
        "first",
    ]
    assert list(explain.activations(model, x, "first")) == ["first"]


def test_activations_take_any_single_input():
    model = nets.chain(layers.Dense(3, name="dense"), shape=(5,))
    assert explain.activations(model, nets.numbers(2, 5))["dense"].shape == (2, 3)


def test_activations_leave_out_what_is_called_twice():
    twice = layers.Conv2D(2, 3, padding="same", name="twice")
    model = nets.graph(
        lambda x: layers.ReLU(name="end")(twice(twice(x))), shape=(12, 12, 2)
    )
    assert list(explain.activations(model, nets.numbers(1, 12, 12, 2))) == ["end"]


def test_whole_numbers_from_0_to_255_are_taken_as_they_are():
    model = nets.chain(layers.Rescaling(1 / 255, name="scale"), shape=(4, 4, 1))
    x = nets.rng.integers(0, 256, (2, 4, 4, 1)).astype("uint8")
    found = explain.activations(model, x)["scale"]
    np.testing.assert_allclose(found, x / 255, rtol=1e-6)


class Noisy(layers.Layer):
    """A layer that takes no ``training`` itself, around one that does."""

    def __init__(self):
        super().__init__(name="noisy")
        self.noise = layers.Dropout(0.5)

    def call(self, x):
        return self.noise(x)


def test_activations_are_those_at_inference():
    def build(x):
        x = layers.RandomFlip(name="flip")(x)
        return layers.Dropout(0.5, name="always")(Noisy()(x), training=True)

    model, x = nets.graph(build), nets.numbers(6, 24, 28, 2)
    found = explain.activations(model, x)
    assert list(found) == ["flip", "noisy", "always"]
    for values in found.values():
        np.testing.assert_array_equal(values, x)
    np.testing.assert_array_equal(model(x, training=False), x)
