"""What holds for all labels, logits and weights, and however they are cut up."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from labelled import array

from cnnlib import segmentation
from cnnlib.segmentation import CrossEntropy, CrossEntropyDice

SEEDS = st.integers(0, 2**32 - 1)
METRICS = {
    kind.NAME: kind
    for kind in (
        segmentation.MeanIoU,
        segmentation.MeanDice,
        segmentation.PixelAccuracy,
    )
}
LOSSES = {"entropy": CrossEntropy, "dice": CrossEntropyDice}
SHAPE, CLASSES = (6, 3, 5), 4
EMPTY = CLASSES  # a label that is left out


def labels(rng, classes=CLASSES):
    """Of some classes only, to have empty ones."""
    return rng.choice(rng.permutation(classes)[: rng.integers(1, classes + 1)], SHAPE)


def scored(kind, pairs, ignored=None):
    metric = METRICS[kind](CLASSES, ignored=ignored)
    for y, logits in pairs:
        metric.update_state(y, logits)
    return float(metric.result())


def sure(y):
    """Logits that take every pixel for its label."""
    return np.eye(CLASSES, dtype="float32")[y]


@given(seed=SEEDS)
def test_metrics_are_parts_of_one_in_their_order_and_do_not_tell_who_is_right(seed):
    rng = np.random.default_rng(seed)
    true, taken = labels(rng), labels(rng)
    found = {kind: scored(kind, [(true, sure(taken))]) for kind in METRICS}
    assert 0 <= found["mean_iou"] <= found["mean_dice"] <= 1
    assert 0 <= found["pixel_accuracy"] <= 1
    turned = rng.permutation(CLASSES)
    for kind, value in found.items():
        same = pytest.approx(value, rel=1e-5)
        assert scored(kind, [(taken, sure(true))]) == same
        assert scored(kind, [(turned[true], sure(turned[taken]))]) == same
        assert scored(kind, [(true, sure(true))]) == pytest.approx(1)


@pytest.mark.parametrize("kind", METRICS)
@given(seed=SEEDS, cuts=st.sets(st.integers(1, SHAPE[0] - 1)))
def test_metrics_do_not_depend_on_batches_and_their_order(kind, seed, cuts):
    rng = np.random.default_rng(seed)
    y, logits = labels(rng, CLASSES + 1), rng.normal(size=(*SHAPE, CLASSES))
    whole = scored(kind, [(y, logits)], EMPTY)
    order, edges = rng.permutation(SHAPE[0]), sorted(cuts)
    pieces = zip(np.split(y[order], edges), np.split(logits[order], edges), strict=True)
    np.testing.assert_equal(scored(kind, pieces, EMPTY), whole)


@pytest.mark.parametrize("kind", LOSSES)
@given(seed=SEEDS, shift=st.floats(-50, 50), factor=st.floats(0.01, 100))
def test_a_loss_knows_differences_of_logits_and_parts_of_weights(
    kind, seed, shift, factor
):
    """And nothing of the pixels that are left out."""
    rng = np.random.default_rng(seed)
    loss = LOSSES[kind](ignored=EMPTY, **({"smooth": 1e-6} if kind == "dice" else {}))
    y, logits = labels(rng, CLASSES + 1), 3 * rng.normal(size=(*SHAPE, CLASSES))
    y[0, 0] = 0  # one at least counts
    weights = rng.random(SHAPE)
    found = float(loss(y, logits, weights))
    assert found >= 0
    same = pytest.approx(found, rel=1e-3, abs=1e-4)
    assert float(loss(y, logits + shift, weights)) == same
    assert float(loss(y, logits, factor * weights)) == same
    other = np.where((y == EMPTY)[..., None], rng.normal(size=logits.shape), logits)
    assert float(loss(y, other, weights)) == same
    turned = rng.permutation(CLASSES)
    renamed = np.append(turned, EMPTY)[y]
    assert float(loss(renamed, logits[..., np.argsort(turned)], weights)) == same


@given(seed=SEEDS, cut=st.integers(1, SHAPE[0] - 1))
def test_the_cross_entropy_of_a_whole_is_the_mean_of_its_parts_by_weight(seed, cut):
    rng = np.random.default_rng(seed)
    y, logits = labels(rng), rng.normal(size=(*SHAPE, CLASSES))
    weights = rng.random(SHAPE) + 0.01
    parts = [slice(cut), slice(cut, None)]
    each = [float(CrossEntropy()(y[p], logits[p], weights[p])) for p in parts]
    share = weights[:cut].sum() / weights.sum()
    expected = share * each[0] + (1 - share) * each[1]
    whole = float(CrossEntropy()(y, logits, weights))
    assert whole == pytest.approx(expected, rel=1e-4)


@given(
    seed=SEEDS,
    w0=st.floats(0, 20),
    sigma=st.floats(0.5, 6),
    turns=st.integers(0, 3),
)
def test_a_weight_map_turns_with_its_cells_and_knows_no_numbers(seed, w0, sigma, turns):
    rng = np.random.default_rng(seed)
    cells = rng.integers(1, 6, (9, 12)) * (rng.random((9, 12)) < 0.2)
    settings = {"w0": w0, "sigma": sigma, "balance": False}
    found = segmentation.weight_map(cells, **settings)
    assert (found[cells > 0] == 1).all()
    assert (found >= 1).all()
    assert (found <= (1 + w0) * (1 + 1e-6)).all()
    renamed = np.append(0, 10 + rng.permutation(5))[cells][:, ::-1]
    turned = segmentation.weight_map(np.rot90(renamed, turns), **settings)
    same = np.rot90(turned, -turns)[:, ::-1]
    np.testing.assert_allclose(same, found, atol=1e-5 * (1 + w0))
    balanced = segmentation.weight_map(cells, **settings | {"balance": True, "w0": 0})
    if 0 < (cells > 0).sum() < cells.size:  # both classes weigh the same in all
        half = pytest.approx(cells.size / 2, rel=1e-5)
        assert balanced[cells > 0].sum() == half
        assert balanced[cells == 0].sum() == half


WINDOWS = st.sampled_from(
    [
        (layers.Conv2D, {"filters": 2, "kernel_size": 3}),
        (layers.Conv2D, {"filters": 3, "kernel_size": (1, 3), "activation": "relu"}),
        (layers.DepthwiseConv2D, {"kernel_size": 3, "dilation_rate": 2}),
        (layers.MaxPooling2D, {"pool_size": 2}),
        (layers.AveragePooling2D, {"pool_size": (2, 1)}),
        (layers.UpSampling2D, {"size": 2}),
        (layers.Conv2DTranspose, {"filters": 2, "kernel_size": 2, "strides": 2}),
    ]
)


@given(
    stack=st.lists(WINDOWS, min_size=1, max_size=4),
    tile=st.tuples(st.integers(8, 16), st.integers(8, 16)),
    more=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_what_is_said_of_tiles_is_what_a_network_does(stack, tile, more):
    """Which tiles fit, what they give, and by how much they can be moved."""
    image = keras.Input((None, None, 1))
    x = image
    for kind, settings in stack:
        x = kind(**settings)(x)
    model = keras.Model(image, layers.Conv2D(2, 1)(x), name="net")
    try:
        tile, output, period = segmentation.tiling(model, tile)
    except ValueError as refused:
        assert "do not fit" in str(refused)  # noqa: PT017
        return
    rng = np.random.default_rng(0)
    moves = [p * n for p, n in zip(period, more, strict=True)]
    sides = [n + move for n, move in zip(tile, moves, strict=True)]
    picture = rng.normal(size=(1, *sides, 1)).astype("float32")
    whole = array(model(picture))
    last = array(model(picture[:, moves[0] :, moves[1] :]))
    assert last.shape == (1, *output, 2)
    np.testing.assert_allclose(last, whole[:, moves[0] :, moves[1] :], atol=1e-5)


NET = keras.Sequential(
    [
        keras.Input((None, None, 1)),
        layers.Conv2D(3, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(2, 3, activation="relu"),
        layers.UpSampling2D(2),
        layers.Conv2D(2, 1),
    ]
)


@given(
    sides=st.tuples(st.integers(4, 30), st.integers(4, 30)),
    tiles=st.permutations([(12, 12), (12, 18), (18, 18)]),
    data=st.data(),
)
def test_an_image_is_predicted_alike_by_all_tiles_strides_and_margins(
    sides, tiles, data
):
    """Margins of whole periods: others begin between pixels that are pooled."""
    image = np.random.default_rng(0).normal(size=(1, *sides, 1)).astype("float32")
    found = []
    for tile in tiles[:2]:
        margin = 2 * data.draw(st.integers(0, (min(tile) - 8) // 4), "half a margin")
        room = [side - 6 - 2 * margin for side in tile]
        stride = tuple(
            2 * data.draw(st.integers(1, side // 2), "half a stride") for side in room
        )
        found.append(
            segmentation.predict_tiles(
                NET, image, tile=tile, margin=margin, stride=stride
            )
        )
    np.testing.assert_allclose(*found, atol=1e-5)
