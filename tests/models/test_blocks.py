"""The shared pieces: layers in the order that is asked for, with names of their own."""

import keras
import numpy as np
import pytest

from cnnlib.models.blocks import logits, steps


def names(*shape, order, **options):
    x = keras.Input(shape, name="x")
    y = steps(x, order, 4, name="a", **options)
    return [layer.name for layer in keras.Model(x, y).layers[1:]]


def test_steps_come_in_the_order_asked_for():
    assert names(8, 8, 3, order="conv bn relu") == ["a_conv", "a_bn", "a_relu"]
    assert names(8, 8, 3, order="bn relu conv") == ["a_bn", "a_relu", "a_conv"]
    found = names(8, 8, 3, order="conv dropout bn")
    assert found == ["a_conv", "a_dropout", "a_bn"]
    assert names(8, 3, order="conv") == ["a_conv"]


def test_padding_is_centred_where_a_convolution_strides():
    assert names(8, 8, 3, order="conv", strides=2) == ["a_pad", "a_conv"]
    same = names(8, 8, 3, order="conv", strides=2, padding="same")
    assert same == names(8, 8, 3, order="conv", strides=2, kernel_size=1) == ["a_conv"]
    x = keras.Input((4, 4, 1))
    y = steps(x, "conv", 1, strides=2, name="a", initializer="ones")
    image = np.zeros((1, 4, 4, 1), "float32")
    image[0, 3, 3] = 1  # of the last row's window: centred, not below and to the right
    found = keras.ops.convert_to_numpy(keras.Model(x, y)(image))
    np.testing.assert_array_equal(found[0, :, :, 0], [[0, 0], [0, 1]])
    image[0, 3, 3], image[0, 1, 1] = 0, 1
    found = keras.ops.convert_to_numpy(keras.Model(x, y)(image))
    np.testing.assert_array_equal(found[0, :, :, 0], np.ones((2, 2)))


def test_steps_that_are_none_are_refused():
    with pytest.raises(ValueError, match="relu or dropout; given 'rlu'"):
        names(8, 8, 3, order="conv rlu")


def test_steps_take_keras_padding_and_a_normalization_of_their_own():
    x = keras.Input((9, 9, 3))
    norm = {"epsilon": 0.1, "momentum": 0.9, "scale": False}
    y = steps(x, "conv bn", 4, 3, 2, name="a", padding="valid", norm=norm)
    model = keras.Model(x, y)
    assert [layer.name for layer in model.layers[1:]] == ["a_conv", "a_bn"]
    assert model.output_shape == (None, 4, 4, 4)
    norm = model.get_layer("a_bn")
    assert (norm.epsilon, norm.momentum, norm.scale) == (0.1, 0.9, False)


@pytest.mark.parametrize("shape", [(5, 2), (5, 6, 2)])
def test_the_head_takes_the_mean_over_all_places(shape):
    x = keras.Input(shape)
    model = keras.Model(x, logits(x, 3))
    assert [layer.name for layer in model.layers[1:]] == ["pool", "logits"]
    assert model.layers[1].output.shape == (None, 2)
