import keras
import numpy as np
import pytest
from scipy import signal

from cnnlib import models
from cnnlib.models.lenet import C3_TABLE, codes, squash


# Written out once more, so that the catalogue cannot drift along with a builder.
@pytest.mark.parametrize(
    ("build", "options", "count"),
    [
        (models.lenet5, {}, 60_000),
        (models.mlp, {}, 669_706),
        (models.mlp, {"units": ()}, 7_850),
        (models.mlp, {"units": (128,), "input_shape": (8, 8, 1)}, 9_610),
        (models.mnist_cnn, {}, 600_810),
        (models.mnist_cnn, {"filters": (32, 64)}, 1_199_882),
        (models.mnist_cnn, {"input_shape": (32, 32, 3), "classes": 100}, 825_988),
        (models.mnist_cnn, {"dense": 64}, 305_194),
        (models.mnist_cnn, {"filters": np.array([32, 64])}, 1_199_882),
        (models.mlp, {"units": np.array([128]), "input_shape": (8, 8, 1)}, 9_610),
    ],
)
def test_parameters_are_counted_exactly(build, options, count):
    assert build(**options).count_params() == count


def test_lenet_has_the_papers_parameters_layer_by_layer():
    counts = {layer.name: layer.count_params() for layer in models.lenet5().layers}
    expected = {"C1": 156, "S2": 12, "C3": 1_516, "S4": 32, "C5": 48_120, "F6": 10_164}
    assert {name: counts[name] for name in expected} == expected


def test_mnist_cnn_is_keras_example_layer_by_layer():
    model = models.mnist_cnn()
    assert [(layer.name, layer.output.shape[1:]) for layer in model.layers[1:]] == [
        ("conv1", (26, 26, 32)),
        ("conv2", (24, 24, 32)),
        ("pool", (12, 12, 32)),
        ("dropout1", (12, 12, 32)),
        ("flatten", (4608,)),
        ("dense", (128,)),
        ("dropout2", (128,)),
        ("logits", (10,)),
    ]
    rates = [model.get_layer(f"dropout{i}").rate for i in (1, 2)]
    assert rates == [0.25, 0.5]
    activations = {
        name: model.get_layer(name).activation.__name__
        for name in ("conv1", "conv2", "dense", "logits")
    }
    assert activations.pop("logits") == "linear"
    assert set(activations.values()) == {"relu"}
    assert isinstance(model.get_layer("pool"), keras.layers.MaxPooling2D)


def test_mlp_is_keras_example_layer_by_layer():
    model = models.mlp()
    names = ["flatten", "dense1", "dropout1", "dense2", "dropout2", "logits"]
    assert [layer.name for layer in model.layers[1:]] == names
    assert [model.get_layer(f"dropout{i}").rate for i in (1, 2)] == [0.2, 0.2]
    assert model.get_layer("dense2").activation.__name__ == "relu"
    assert model.get_layer("logits").activation.__name__ == "linear"
    tanh = models.mlp(activation="tanh", dropout=0.5, units=(7,))
    assert tanh.get_layer("dense1").activation.__name__ == "tanh"
    assert tanh.get_layer("dense1").units == 7
    assert tanh.get_layer("dropout1").rate == 0.5


def test_lenet_computes_what_the_paper_says():
    """The whole forward pass of section II.B once more, in plain NumPy."""
    rng = np.random.default_rng(1)
    model = models.lenet5()
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape, scale=0.2))
    w = {weight.path: np.asarray(weight) for weight in model.weights}
    x = rng.normal(size=(32, 32))

    def f(a):
        return 1.7159 * np.tanh(2 / 3 * a)

    def correlate(image, kernel):
        return signal.correlate2d(image, kernel, "valid")

    def pool(maps, name):
        side = maps.shape[1] // 2
        total = maps.reshape(len(maps), side, 2, side, 2).sum((2, 4))
        shape = (-1, 1, 1)
        scale, bias = w[f"{name}/coefficient"], w[f"{name}/bias"]
        return f(total * scale.reshape(shape) + bias.reshape(shape))

    kernel, bias = w["C1/kernel"], w["C1/bias"]
    maps = np.stack([f(correlate(x, kernel[:, :, 0, o]) + bias[o]) for o in range(6)])
    maps = pool(maps, "S2")
    kernel, bias, used = w["C3/kernel"], w["C3/bias"], 0
    c3 = []
    for o, row in enumerate(C3_TABLE):
        total = bias[o]
        for i in row:
            total = total + correlate(maps[i], kernel[:, :, used])
            used += 1
        c3.append(f(total))
    maps = pool(np.stack(c3), "S4")
    c5 = f(np.einsum("ihw,hwio->o", maps, w["C5/kernel"]) + w["C5/bias"])
    f6 = f(c5 @ w["F6/kernel"] + w["F6/bias"])
    expected = [-np.sum((f6 - code) ** 2) for code in codes(10)]

    found = np.asarray(model(x[None, ..., None].astype("float32")))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_lenet_table_is_the_papers():
    assert [len(row) for row in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_TABLE)) == 16
    # Each map of S2 feeds ten maps of C3.
    assert [sum(i in row for row in C3_TABLE) for i in range(6)] == [10] * 6
    # Three in a row and four in a row, going round; then the discontinuous ones.
    assert set(C3_TABLE[:6]) == {
        tuple(sorted((i + j) % 6 for j in range(3))) for i in range(6)
    }
    assert set(C3_TABLE[6:12]) == {
        tuple(sorted((i + j) % 6 for j in range(4))) for i in range(6)
    }
    assert set(C3_TABLE[12:15]) == {(0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)}


def test_lenet_codes_are_bitmaps_that_differ_and_random_ones_are_fixed():
    digits = codes(10)
    assert digits.shape == (10, 84)
    assert digits.dtype == np.float32
    assert set(np.unique(digits)) == {-1, 1}
    apart = ((digits[:, None] != digits).sum(-1) + 84 * np.eye(10)).min()
    assert apart >= 8
    bitmaps = digits.reshape(10, 12, 7)
    assert (bitmaps[:, 0] == -1).all()  # a border above, as in the paper's figure
    one = bitmaps[1]
    assert (one[1:10, 3:5] == 1).all()  # the stem of the 1
    assert (bitmaps[8] == bitmaps[8][:, ::-1]).all()  # the 8 is symmetric
    np.testing.assert_array_equal(codes(4), codes(4))
    assert codes(4).shape == (4, 84)
    assert set(codes(4).ravel()) == {-1, 1}


def test_lenet_squashes_plus_one_to_plus_one():
    np.testing.assert_allclose(
        np.asarray(squash(np.float32([-1, 0, 1]))), [-1, 0, 1], atol=1e-4
    )


def test_build_names_the_nearest_network():
    with pytest.raises(ValueError, match=r"'lenet'.*'lenet5'.*Known:.*mnist_cnn"):
        models.build("lenet")


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.mnist_cnn, {"input_shape": (28, 28)}, r"given \(28, 28\)"),
        (models.mnist_cnn, {"input_shape": (5, 28, 1)}, "at least 6"),
        (models.mnist_cnn, {"input_shape": (28, 28, 0)}, "given"),
        (models.mnist_cnn, {"input_shape": 28}, "given 28"),
        (models.mnist_cnn, {"classes": 0}, "classes=1 or more"),
        (models.mnist_cnn, {"classes": True}, "classes=1 or more"),
        (models.mlp, {"classes": 2.0}, "classes=1 or more"),
        (models.mlp, {"input_shape": (None, 28, 1)}, "given"),
        (models.lenet5, {"input_shape": (28, 28, 1)}, "at least 32"),
        (models.lenet5, {"input_shape": (64, 64, 1)}, "32×32"),
        (models.mlp, {"units": (5, 0)}, "mlp takes units=1 or more; given 0"),
        (models.mnist_cnn, {"filters": (3,)}, r"two layers; given \(3,\)"),
        (models.mnist_cnn, {"filters": (3, 0.5)}, "filters=1 or more; given 0.5"),
        (models.mnist_cnn, {"dense": 0}, "mnist_cnn takes dense=1 or more; given 0"),
    ],
)
def test_impossible_shapes_and_classes_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_lenets_c3_starts_by_the_maps_that_each_map_sees():
    layer = models.lenet5().get_layer("C3")
    kernel, used = np.asarray(layer.kernel), 0
    for row in C3_TABLE:
        widest = np.abs(kernel[:, :, used : used + len(row)]).max()
        used += len(row)
        assert 0.8 < widest / (3 / (25 * len(row))) ** 0.5 <= 1
