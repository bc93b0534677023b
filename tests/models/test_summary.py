"""Stages add up, and multiply-adds are what a loop over the places would count."""

import keras
import pytest
from keras import layers

from cnnlib import models
from cnnlib.layers import RepeatedUnit
from cnnlib.models.summary import multiply_adds, stages, summary, table


def placed(layer, *shape):
    """The layer, once called on an input of this shape."""
    layer(keras.Input(shape))
    return layer


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (layers.Dense(7), (5,), 35),
        (layers.Dense(7), (4, 5), 4 * 35),
        (layers.Conv2D(8, 3), (6, 7, 2), 4 * 5 * 9 * 2 * 8),
        (layers.Conv2D(8, 3, 2, "same"), (7, 6, 2), 4 * 3 * 9 * 2 * 8),
        (layers.Conv2D(8, 3, groups=2), (6, 7, 4), 4 * 5 * 9 * 2 * 8),
        (layers.Conv1D(3, 5), (9, 2), 5 * 5 * 2 * 3),
        (layers.Conv3D(3, 2), (3, 4, 5, 2), 2 * 3 * 4 * 8 * 2 * 3),
        (layers.DepthwiseConv2D(3), (6, 7, 4), 4 * 5 * 9 * 4),
        (layers.SeparableConv2D(6, 3), (6, 7, 4), 4 * 5 * (9 * 4 + 4 * 6)),
        (layers.Conv2DTranspose(3, 4, 2), (5, 6, 2), 5 * 6 * 16 * 2 * 3),
        (layers.Conv1DTranspose(3, 4, 2), (5, 2), 5 * 4 * 2 * 3),
        (layers.BatchNormalization(), (5, 6, 2), 0),
        (layers.MaxPooling2D(2), (5, 6, 2), 0),
        (layers.Flatten(), (5, 6, 2), 0),
    ],
)
def test_multiply_adds_of_a_layer(layer, shape, count):
    assert multiply_adds(placed(layer, *shape)) == count


class Projection(layers.Dense):
    """A user's own layer, which may use its kernel as it likes."""


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.LSTM(3, name="mine"), (9, 2)),
        (layers.MultiHeadAttention(2, 4, name="mine"), (9, 2)),
        (layers.EinsumDense("abc,cde->abde", (9, 4, 5), name="mine"), (9, 2)),
        (layers.TimeDistributed(layers.Conv2D(3, 2), name="mine"), (4, 6, 5, 2)),
        (layers.Conv2D(3, 2, data_format="channels_first", name="mine"), (2, 6, 5)),
        (Projection(3, name="mine"), (9, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_use_their_kernels_otherwise_are_refused_by_name(layer, shape):
    image = keras.Input(shape)
    attends = isinstance(layer, layers.MultiHeadAttention)
    model = keras.Model(image, layer(image, image) if attends else layer(image))
    for ask in (stages, multiply_adds, lambda model: multiply_adds(model.layers[-1])):
        with pytest.raises(ValueError, match=r"does not know how 'mine' \("):
            ask(model)


def test_every_call_of_a_shared_layer_counts_and_its_weights_once():
    image = keras.Input((8, 8, 2))
    conv = layers.Conv2D(2, 3, name="a_conv")
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Dense(2)], name="b_inner")
    x = conv(conv(image))
    model = keras.Model(image, inner(inner(x)) + x)
    shared, nested = stages(model)
    assert shared == ("a", 1, (4, 4, 2), 38, (36 + 16) * 9 * 2 * 2)
    assert nested == ("b", 1, (4, 4, 2), 6, 2 * 16 * 2 * 2)
    assert multiply_adds(model) == shared.multiply_adds + nested.multiply_adds
    assert multiply_adds(conv) == 36 * 9 * 2 * 2  # of its first call


def test_a_repeated_unit_counts_its_unit_each_time():
    unit = keras.Sequential(
        [keras.Input((5, 4, 3)), layers.Conv2D(3, 3, padding="same")]
    )
    layer = placed(RepeatedUnit(unit, 7), 5, 4, 3)
    assert multiply_adds(layer) == 7 * 5 * 4 * 9 * 3 * 3


def test_a_nested_model_of_any_size_is_refused():
    inner = keras.Sequential(
        [keras.Input((None, None, 1)), layers.Conv2D(2, 3, name="a")]
    )
    model = keras.Sequential([keras.Input((8, 8, 1)), inner])
    with pytest.raises(ValueError, match="'a' takes any size: build it for a certain"):
        stages(model)


def test_lenets_multiply_adds_are_those_of_its_table():
    found = {stage.name: stage for stage in stages(models.lenet5())}
    assert found["C1"].multiply_adds == 28 * 28 * 25 * 6
    assert found["C3"].multiply_adds == 10 * 10 * 25 * 60  # 60 connections, not 96
    assert found["S2"].layers == 2  # the pooling and its squashing
    assert found["S2"].output == (14, 14, 6)
    assert found["S2"].parameters == 12


def test_a_nested_model_is_one_layer_with_all_that_is_in_it():
    inner = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Conv2D(3, 3)], name="a_b"
    )
    model = keras.Sequential([inner, layers.Flatten(name="a_flat")])
    (stage,) = stages(model)
    assert stage == ("a", 2, (48,), 20 + 57, 36 * 9 * 2 + 16 * 9 * 2 * 3)


def test_a_summary_has_a_line_per_stage_and_one_of_totals():
    lines = summary(models.mnist_cnn()).splitlines()
    names = "stage conv1 conv2 pool dropout1 flatten dense dropout2 logits all"
    assert [line.split()[0] for line in lines] == names.split()
    assert lines[2].split() == [*"conv2 1 24 × 24 × 32 9,248 5,308,416".split()]
    adds = 26 * 26 * 9 * 32 + 24 * 24 * 9 * 32 * 32 + 4608 * 128 + 1280
    assert lines[-1].split() == ["all", "8", "600,810", f"{adds:,}"]


def test_an_unbuilt_model_is_refused():
    with pytest.raises(ValueError, match="'unbuilt' has no shapes yet"):
        stages(keras.Sequential([layers.Dense(3)], name="unbuilt"))
    anything = keras.Sequential([keras.Input((None, 3)), layers.ReLU()], name="any")
    with pytest.raises(ValueError, match="'any' takes any size"):
        stages(anything)


def test_a_tables_columns_are_aligned():
    rows = [("a", "1", "b"), ("ccc", "22", "d")]
    assert table(rows, left=(0, 2)) == "a     1  b\nccc  22  d"
    assert table(rows, left=()) == "  a   1  b\nccc  22  d"
