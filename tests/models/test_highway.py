import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import explain, models


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def shuffle(model):
    rng = np.random.default_rng(1)
    for w in model.weights:
        w.assign(rng.normal(0, 0.3, w.shape).astype("float32"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("widths", "units"), [((32, 80, 128), (4, 5, 5)), ((5, 7), (1, 3)), ((8,), (2,))]
)
def test_convolutional_networks_have_exactly_their_parameters(widths, units):
    model = models.highway(widths=widths, units=units, input_shape=(8, 8, 3))
    count, given = 0, 3
    for width, number in zip(widths, units, strict=True):
        count += 9 * given * width + width + number * 2 * (9 * width * width + width)
        given = width
    count += (given + 1) * 10 + (10 + 1) * 10
    assert model.count_params() == count
    if len(widths) == 3:
        assert count == 2_244_328


@pytest.mark.parametrize(("depth", "width"), [(10, 50), (100, 50), (2, 7)])
def test_dense_networks_have_exactly_their_parameters(depth, width):
    model = models.highway_mlp(depth=depth, width=width)
    layer = width * width + width
    expected = 785 * width + (depth - 1) * 2 * layer + (width + 1) * 10
    assert model.count_params() == expected
    if (depth, width) == (10, 50):
        assert expected == 85_660
        plain = models.mlp(units=(71,) * 10, dropout=0)  # the paper's beside it
        assert plain.count_params() == 102_463


def test_nineteen_layers_in_three_stages():
    model = models.highway()
    kernels = [x for x in model.layers if isinstance(x, (layers.Conv2D, layers.Dense))]
    assert sum(not x.name.endswith("_gate") for x in kernels) == 19

    def shape(name):
        return model.get_layer(name).output.shape[1:]

    assert shape("stage1_4_mix") == (32, 32, 32)
    assert shape("stage2_5_mix") == (16, 16, 80)
    assert shape("stage3_5_mix") == (8, 8, 128)
    assert shape("head_conv") == (8, 8, 10)
    assert "stage3_pool" not in {x.name for x in model.layers}
    drops = [x for x in model.layers if isinstance(x, layers.Dropout)]
    assert [x.rate for x in drops] == [0.2] * 4


def test_a_dense_highway_computes_the_papers_equation():
    model = models.highway_mlp(input_shape=(3, 3, 1), depth=4, width=6, classes=2)
    shuffle(model)
    x = numbers(4, 3, 3, 1)

    def dense(y, name):
        kernel, bias = model.get_layer(name).get_weights()
        return y @ kernel + bias

    y = np.maximum(dense(x.reshape(4, 9), "layer1"), 0)
    for i in (2, 3, 4):
        gate = sigmoid(dense(y, f"layer{i}_gate"))
        y = gate * np.maximum(dense(y, f"layer{i}_h"), 0) + (1 - gate) * y
        found = explain.activations(model, x, [f"layer{i}_gate", f"layer{i}_mix"])
        np.testing.assert_allclose(found[f"layer{i}_gate"], gate, atol=1e-5)
        np.testing.assert_allclose(found[f"layer{i}_mix"], y, atol=1e-4)
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)), dense(y, "logits"), atol=1e-4
    )


def test_a_convolutional_highway_computes_the_papers_equation():
    model = models.highway(widths=(4, 6), units=(1, 1), input_shape=(6, 4, 2))
    shuffle(model)
    x = numbers(2, 6, 4, 2)

    def conv(y, name):
        kernel, bias = model.get_layer(name).get_weights()
        return ops.conv(y, kernel, padding="same") + bias

    y = x
    for i in (1, 2):
        y = ops.relu(conv(y, f"stage{i}_conv"))
        gate = ops.sigmoid(conv(y, f"stage{i}_1_gate"))
        y = gate * ops.relu(conv(y, f"stage{i}_1_h")) + (1 - gate) * y
        if i == 1:
            y = ops.max_pool(y, 2, 2)
    y = ops.mean(ops.relu(conv(y, "head_conv")), axis=(1, 2))
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)),
        ops.convert_to_numpy(y) @ kernel + bias,
        atol=1e-4,
    )


@pytest.mark.parametrize("bias", [-1.0, -2.0, -4.0])
def test_gates_start_where_they_are_told_to(bias):
    for model in (
        models.highway(input_shape=(4, 4, 1), gate_bias=bias),
        models.highway_mlp(input_shape=(4, 4, 1), gate_bias=bias),
    ):
        gates = [x for x in model.layers if x.name.endswith("_gate")]
        assert len(gates) == (14 if model.name == "highway" else 9)
        for gate in gates:
            np.testing.assert_array_equal(np.asarray(gate.bias), bias)
            assert gate.activation is keras.activations.sigmoid
        # With no image there is nothing but the bias.
        blank = np.zeros((1, 4, 4, 1), "float32")
        first = gates[0].name
        found = explain.activations(model, blank, [first])[first]
        np.testing.assert_allclose(found, sigmoid(bias), rtol=1e-5)


def test_closed_gates_carry_the_input_through_a_hundred_layers():
    model = models.highway_mlp(input_shape=(5, 5, 1), depth=100, gate_bias=-40.0)
    x = numbers(3, 5, 5, 1)
    found = explain.activations(model, x, ["layer1", "layer100_mix"])
    assert found["layer1"].max() > 0.1
    np.testing.assert_allclose(found["layer100_mix"], found["layer1"], atol=1e-5)


def test_defaults_are_the_authors():
    assert np.unique(np.asarray(models.highway().get_layer("stage1_1_gate").bias)) == -2


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.highway, {"input_shape": (3, 32, 3)}, "at least 4"),
        (models.highway, {"widths": (8,)}, r"given widths=\(8,\), units=\(4, 5, 5\)"),
        (models.highway, {"widths": (), "units": ()}, "given widths"),
        (models.highway, {"widths": (0,), "units": (1,)}, "widths=1 or more; given 0"),
        (models.highway_mlp, {"depth": 1}, "depth=2 or more; given 1"),
        (models.highway_mlp, {"depth": 10.0}, "depth=1 or more; given 10.0"),
    ],
)
def test_impossible_networks_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_a_convolutional_highway_starts_as_the_authors(assert_he_gaussian):
    model = models.highway()
    assert_he_gaussian([x for x in model.layers if isinstance(x, layers.Conv2D)])
    assert model.get_layer("logits").kernel_initializer.stddev == 0.05
