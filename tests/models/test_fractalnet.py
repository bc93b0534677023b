import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import models
from cnnlib.layers import ColumnChoice, FractalJoin

SOME = np.zeros((1, 1), "float32")
TINY = {"filters": (4, 6), "dropout": (0.0, 0.0), "input_shape": (8, 8, 2)}


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def shuffle(model):
    rng = np.random.default_rng(1)
    for w in model.weights:
        low, high = (
            (0.5, 1.5) if w.name in ("gamma", "moving_variance") else (-0.5, 0.5)
        )
        w.assign(rng.uniform(low, high, w.shape).astype("float32"))


def counts(filters, columns, classes=10, given=3):
    """By the paper's rule: a block of C columns has 2^C − 1 convolutions, C of them
    from the block's input."""
    trained = moving = 0
    for width in filters:
        number = 2**columns - 1
        trained += 9 * width * (columns * given + (number - columns) * width)
        trained += number * 2 * width
        moving += number * 2 * width
        given = width
    trained += (given + 1) * classes
    return trained, trained + moving


def test_the_catalogue_has_what_follows_from_the_paper():
    entry = models.CATALOG["fractalnet"]
    expected = counts((64, 128, 256, 512, 512), 3)
    assert (entry.trainable, entry.total) == (33_724_618, 33_745_226) == expected


@pytest.mark.parametrize(
    ("filters", "columns"),
    [
        ((4, 6), 1),
        ((4, 6, 8), 2),
        ((4, 6, 8), 3),
        ((4, 6), 5),
    ],
)
def test_it_has_exactly_the_parameters(filters, columns):
    model = models.fractalnet(
        filters=filters, columns=columns, dropout=(0.0,) * len(filters)
    )
    found = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (found, model.count_params()) == counts(filters, columns)
    convs = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    assert len(convs) == len(filters) * (2**columns - 1)
    assert {x.kernel_size for x in convs} == {(3, 3)}
    assert not any(x.use_bias for x in convs)


def unit(model, x, name):
    """Convolution, normalization, ReLU, once more op by op."""
    bn = model.get_layer(f"{name}_bn")
    y = ops.conv(x, model.get_layer(f"{name}_conv").kernel, padding="same")
    y = (y - bn.moving_mean) / ops.sqrt(bn.moving_variance + 1e-5)
    return ops.relu(y * bn.gamma + bn.beta)


def test_a_test_time_block_is_the_mean_of_its_columns():
    model = models.fractalnet(columns=3, **TINY)
    shuffle(model)
    x = y = numbers(2, 8, 8, 2)
    for b in (1, 2):

        def f(y, column, i, b=b):
            return unit(model, y, f"block{b}_column{column}_{i}")

        short = f(y, 1, 1)
        middle, deep = f(y, 2, 1), f(f(y, 3, 1), 3, 2)
        joined = (middle + deep) / 2
        middle, deep = f(joined, 2, 2), f(f(joined, 3, 3), 3, 4)
        # Each is pooled, and then they join: that is not the pool of the mean.
        y = sum(ops.max_pool(end, 2, 2) for end in (short, middle, deep)) / 3
    head = model.get_layer("logits")
    expected = ops.mean(y, axis=(1, 2)) @ head.kernel + head.bias
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)), ops.convert_to_numpy(expected), atol=1e-5
    )


def test_the_papers_network_block_by_block():
    model = models.fractalnet()
    for b, width in enumerate((64, 128, 256, 512, 512), start=1):
        side = 32 // 2**b
        assert model.get_layer(f"block{b}_join4").output.shape[1:] == (
            side,
            side,
            width,
        )
        assert model.get_layer(f"block{b}_join2").rate == 0.15
        rates = {
            x.rate
            for x in model.layers
            if isinstance(x, layers.Dropout) and x.name.startswith(f"block{b}_")
        }
        assert rates == {[0.0, 0.1, 0.2, 0.3, 0.4][b - 1]}
    order = [
        type(model.get_layer(f"block3_column2_1_{kind}")).__name__
        for kind in ("conv", "dropout", "bn", "relu")
    ]
    assert order == ["Conv2D", "Dropout", "BatchNormalization", "ReLU"]
    drop = model.get_layer("block3_column2_1_dropout")
    assert drop.input is model.get_layer("block3_column2_1_conv").output
    assert model.get_layer("block3_column2_1_bn").input is drop.output
    choice = model.get_layer("columns")
    assert (choice.columns, choice.ratio) == (3, 0.5)


@pytest.mark.parametrize("column", [1, 2, 3])
def test_a_column_alone_is_what_global_drop_path_trains(column):
    whole = models.fractalnet(columns=3, **TINY)
    alone = models.fractalnet(columns=3, column=column, **TINY)
    shuffle(whole)
    for layer in alone.layers:
        layer.set_weights(whole.get_layer(layer.name).get_weights())
    convs = [x for x in alone.layers if isinstance(x, layers.Conv2D)]
    assert len(convs) == 2 * 2 ** (column - 1)
    assert not [x for x in alone.layers if isinstance(x, (FractalJoin, ColumnChoice))]
    # The whole in training, with that column drawn; normalization as at test time.
    for layer in whole.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    x = numbers(2, 8, 8, 2)
    expected = ops.convert_to_numpy(alone(x))
    outputs = [ops.convert_to_numpy(whole(x, training=True)) for _ in range(30)]
    same = [np.abs(y - expected).max() < 1e-5 for y in outputs]
    # A half of the batches, a third of these.
    assert 1 <= sum(same) <= 12
    other = ops.convert_to_numpy(whole(x))
    assert np.abs(other - expected).max() > 1e-3


def test_a_column_is_drawn_for_half_of_the_batches_and_each_as_often():
    layer = ColumnChoice(3, seed=1)
    draws = np.stack([np.asarray(layer(SOME, training=True))[0] for _ in range(600)])
    assert set(draws.sum(axis=1)) == {0, 1}
    assert abs(draws.sum() / 600 - 0.5) < 0.06
    np.testing.assert_allclose(draws.mean(axis=0), 1 / 6, atol=0.05)
    np.testing.assert_array_equal(np.asarray(layer(SOME, training=False)), [[0, 0, 0]])
    always = ColumnChoice(2, ratio=1.0, seed=2)
    assert (
        np.mean([np.asarray(always(SOME, training=True)).sum() for _ in range(50)]) == 1
    )
    never = ColumnChoice(2, ratio=0.0, seed=2)
    assert (
        np.mean([np.asarray(never(SOME, training=True)).sum() for _ in range(50)]) == 0
    )


@pytest.mark.parametrize(("paths", "rate"), [(2, 0.15), (3, 0.5), (2, 1.0)])
def test_local_drop_path_keeps_at_least_one(paths, rate):
    layer = FractalJoin(rate, seed=3)
    alone = np.zeros(paths, "float32")
    masks = np.stack([np.asarray(layer.survivors(alone)) for _ in range(500)])
    assert set(np.unique(masks)) <= {0, 1}
    assert masks.sum(axis=1).min() == 1
    # Kept of itself, or as the one that survives when all are hit.
    kept = (1 - rate) + rate**paths / paths
    np.testing.assert_allclose(masks.mean(axis=0), kept, atol=0.08)
    every = (masks.sum(axis=1) == paths).mean()
    assert abs(every - (1 - rate) ** paths) < 0.08


def test_a_join_is_the_mean_of_those_that_survive():
    a, b, c = (10.0**i * (2 + numbers(1, 2, 2, 3)) for i in range(3))
    none = np.zeros((1, 4), "float32")
    layer = FractalJoin(0.5, seed=4)
    mean = np.asarray(layer([none, a, b, c], training=False))
    np.testing.assert_allclose(mean, (a + b + c) / 3, rtol=1e-5)
    possible = [a, b, c, (a + b) / 2, (a + c) / 2, (b + c) / 2, (a + b + c) / 3]
    seen = set()
    for _ in range(80):
        y = np.asarray(layer([none, a, b, c], training=True))
        close = [np.allclose(y, p, rtol=1e-4) for p in possible]
        assert sum(close) == 1
        seen.add(close.index(True))
    assert seen == set(range(7))
    # Joins have the last columns; of the first of four, they know nothing.
    second = np.float32([[0, 1, 0, 0]])
    for _ in range(10):
        y = np.asarray(layer([second, a, b, c], training=True))
        np.testing.assert_allclose(y, a, atol=1e-6)
    first = np.float32([[1, 0, 0, 0]])
    ys = [np.asarray(layer([first, a, b, c], training=True)) for _ in range(20)]
    assert np.ptp(np.stack(ys), axis=0).max() > 1


def test_a_batch_is_drawn_as_one():
    """The paper samples a subnetwork for each mini-batch, not for each image."""
    model = models.fractalnet(columns=2, **TINY)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    x = np.repeat(numbers(1, 8, 8, 2), 6, axis=0)
    for _ in range(10):
        y = ops.convert_to_numpy(model(x, training=True))
        np.testing.assert_allclose(y, y[:1].repeat(6, axis=0), atol=1e-6)


def test_drop_path_comes_back_from_a_file(tmp_path):
    model = models.fractalnet(
        columns=2, drop_path=0.3, global_ratio=0.25, **TINY, classes=3
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("columns").ratio == 0.25
    assert again.get_layer("columns").columns == 2
    assert again.get_layer("block2_join2").rate == 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (31, 32, 3)}, "at least 32"),
        ({"columns": 0}, "columns=1 or more; given 0"),
        ({"column": 4}, "column=1, 2 or 3; given 4"),
        ({"column": 0}, "column=1, 2 or 3; given 0"),
        ({"dropout": (0.1,)}, r"as many filters as dropout; given .*dropout=\(0.1,\)"),
    ],
)
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.fractalnet(**options)
