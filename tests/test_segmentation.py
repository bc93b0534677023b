"""Losses and metrics are judged by loops over pixels, tiles by the whole image."""

import math

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from cnnlib import segmentation
from cnnlib.segmentation import (
    CrossEntropy,
    CrossEntropyDice,
    Dice,
    IoU,
    MeanDice,
    MeanIoU,
    PixelAccuracy,
    SoftDice,
)

rng = np.random.default_rng(0)
START = rng.bit_generator.state


@pytest.fixture(autouse=True)
def _same_numbers():
    """Every test draws the same numbers, alone and among the others."""
    rng.bit_generator.state = START


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def case(i):
    """Labels, logits, classes, the ignored label, weights: some classes are empty.

    Of three shapes in all, since JAX compiles every operation anew for each.
    """
    shape, classes = (((2, 3, 4), 4), ((1, 5, 3), 2), ((3, 1, 2), 5))[i % 3]
    used = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    y = rng.choice(used, shape)
    ignored = (None, 0, 255, -1)[i % 4]
    if ignored is not None:
        y[rng.random(shape) < (0.3, 1.0)[i % 10 == 3]] = ignored
    weights = rng.random(shape) * (rng.random(shape) < 0.8)
    return y, 3 * rng.normal(size=(*shape, classes)), classes, ignored, weights


def softmax(z):
    e = [math.exp(v - max(z)) for v in z]
    return [v / sum(e) for v in e]


def slow_cross_entropy(y, logits, ignored, weights):
    total = whole = 0
    for place in np.ndindex(y.shape):
        if y[place] != ignored:
            p = softmax(logits[place])[y[place]]
            total -= weights[place] * math.log(p)
            whole += weights[place]
    return total / whole if whole else 0


def slow_dice(y, logits, ignored, weights, smooth):
    each = []
    for c in range(logits.shape[-1]):
        both = either = 0
        for place in np.ndindex(y.shape):
            if y[place] != ignored:
                p, t = softmax(logits[place])[c], float(y[place] == c)
                both += weights[place] * p * t
                either += weights[place] * (p + t)
        each.append((2 * both + smooth) / (either + smooth))
    return 1 - sum(each) / len(each)


# ----------------------------------------------------------------------------- losses


def test_losses_equal_loops_over_pixels():
    for i in range(24):
        y, logits, _, ignored, weights = case(i)
        ones = np.ones(y.shape)
        for given, used in ((None, ones), (weights, weights)):
            entropy = slow_cross_entropy(y, logits, ignored, used)
            dice = slow_dice(y, logits, ignored, used, 0.5)
            found = [
                float(loss(y, logits, given))
                for loss in (
                    CrossEntropy(ignored=ignored),
                    SoftDice(ignored=ignored, smooth=0.5),
                    CrossEntropyDice(ignored=ignored, smooth=0.5, dice=2),
                )
            ]
            np.testing.assert_allclose(
                found, [entropy, dice, entropy + 2 * dice], rtol=1e-4, atol=1e-5
            )


def test_class_weights_multiply_the_weights_of_their_pixels():
    for i in range(8):
        y, logits, classes, ignored, weights = case(i)
        of_class = rng.random(classes)
        inside = np.where((y >= 0) & (y < classes), y, 0)
        expected = slow_cross_entropy(y, logits, ignored, weights * of_class[inside])
        loss = CrossEntropy(ignored=ignored, class_weights=of_class)
        assert float(loss(y, logits, weights)) == pytest.approx(expected, abs=1e-4)


def test_a_last_axis_of_one_and_a_weight_per_image_are_understood():
    y, logits = rng.integers(0, 3, (4, 5, 6)), rng.normal(size=(4, 5, 6, 3))
    weights = rng.random(4)
    expected = slow_cross_entropy(
        y, logits, None, np.broadcast_to(weights[:, None, None], y.shape)
    )
    loss = CrossEntropy()
    assert float(loss(y, logits, weights)) == pytest.approx(expected, abs=1e-5)
    pixels = np.broadcast_to(weights[:, None, None, None], (4, 5, 6, 1))
    found = float(loss(y[..., None], logits, pixels))
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("loss", [CrossEntropy(), SoftDice(), CrossEntropyDice()])
def test_one_channel_is_the_logit_of_class_one(loss):
    y, logits = rng.integers(0, 2, (2, 4, 4)), rng.normal(size=(2, 4, 4, 1))
    both = np.concatenate([0 * logits, logits], axis=-1)
    assert float(loss(y, logits)) == pytest.approx(float(loss(y, both)), abs=1e-6)


def test_a_class_rightly_left_out_costs_nothing():
    y = np.zeros((1, 8, 8), int)
    logits = np.zeros((1, 8, 8, 3))
    logits[..., 0] = 30
    assert float(SoftDice()(y, logits)) == pytest.approx(0, abs=1e-6)
    logits[0, :4, :, 2] = 60
    assert float(SoftDice()(y, logits)) > 0.3


def test_nothing_counted_costs_nothing():
    y, logits = np.full((1, 3, 3), 255), rng.normal(size=(1, 3, 3, 2))
    for loss in (CrossEntropy, SoftDice, CrossEntropyDice):
        assert float(loss(ignored=255)(y, logits)) == 0
    assert float(CrossEntropy()(0 * y, logits, np.zeros((1, 3, 3)))) == 0


def test_losses_train_a_model_with_weight_maps():
    x = rng.normal(size=(16, 6, 6, 1)).astype("float32")
    y = (x[..., 0] > 0).astype("int32")
    y[0, 0, 0] = 255
    weights = rng.random(y.shape).astype("float32")
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 1)])
    loss = CrossEntropyDice(ignored=255)
    model.compile(
        keras.optimizers.Adam(0.1),
        loss,
        metrics=[IoU(("off", "on"), ignored=255), MeanIoU(2, ignored=255)],
    )
    before = float(loss(y, model(x), weights))
    log = model.evaluate(x, y, sample_weight=weights, return_dict=True, verbose=0)
    assert log["loss"] == pytest.approx(before, abs=1e-4)
    model.fit(x, y, sample_weight=weights, epochs=20, verbose=0)
    log = model.evaluate(x, y, return_dict=True, verbose=0)
    assert log["mean_iou"] > 0.9
    assert (log["iou/off"] + log["iou/on"]) / 2 == pytest.approx(log["mean_iou"])


def test_a_strange_label_makes_a_compiled_loss_and_metric_nan():
    x = np.zeros((2, 3, 3, 1), "float32")
    y = np.zeros((2, 3, 3), "int32")
    model = keras.Sequential([keras.Input((3, 3, 1)), layers.Conv2D(2, 1)])
    model.compile("sgd", CrossEntropy(), metrics=[MeanIoU(2)])
    for label in (2, -1):
        y[1, 2, 2] = label
        log = model.evaluate(x, y, return_dict=True, verbose=0)
        assert np.isnan(log["loss"])
        assert np.isnan(log["mean_iou"])
    y[1, 2, 2] = 1
    log = model.evaluate(x, y, return_dict=True, verbose=0)
    assert np.isfinite(log["loss"])
    assert np.isfinite(log["mean_iou"])


# ---------------------------------------------------------------------------- metrics


def slow_scores(batches, classes, ignored):
    pairs = [
        (int(t), int(p))
        for y, logits in batches
        for t, p in zip(y.ravel(), logits.argmax(-1).ravel(), strict=True)
        if t != ignored
    ]
    iou, dice = [], []
    for c in range(classes):
        both = sum(t == c and p == c for t, p in pairs)
        either = sum(t == c or p == c for t, p in pairs)
        each = sum((t == c) + (p == c) for t, p in pairs)
        iou.append(both / either if either else math.nan)
        dice.append(2 * both / each if each else math.nan)
    right = sum(t == p for t, p in pairs)
    return iou, dice, right / len(pairs) if pairs else math.nan


def nanmean(values):
    there = [v for v in values if not math.isnan(v)]
    return sum(there) / len(there) if there else math.nan


def test_streaming_metrics_equal_loops_over_all_pixels():
    for i in range(12):
        y, logits, classes, ignored, _ = case(i)
        batches = [(y, logits), (y[:1], rng.normal(size=logits[:1].shape))]
        made = [
            metric(classes, ignored=ignored)
            for metric in (IoU, Dice, MeanIoU, MeanDice, PixelAccuracy)
        ]
        for batch in batches:
            for metric in made:
                metric.update_state(*batch)
        iou, dice, accuracy = slow_scores(batches, classes, ignored)
        each, both, mean_iou, mean_dice, right = (metric.result() for metric in made)
        assert list(each) == [f"iou/{c}" for c in range(classes)]
        assert list(both) == [f"dice/{c}" for c in range(classes)]
        same = np.testing.assert_allclose
        same([float(v) for v in each.values()], iou, rtol=1e-5)
        same([float(v) for v in both.values()], dice, rtol=1e-5)
        same(float(mean_iou), nanmean(iou), rtol=1e-5)
        same(float(mean_dice), nanmean(dice), rtol=1e-5)
        same(float(right), accuracy, rtol=1e-5)


def test_metrics_start_anew_and_tell_their_confusion():
    metric = MeanIoU(("a", "b", "c"))
    assert np.isnan(float(metric.result()))
    logits = np.eye(3)[[[[0, 0, 1, 2]]]]
    metric.update_state(np.array([[[0, 1, 1, 1]]]), logits)
    found = metric.confusion()
    np.testing.assert_array_equal(found, [[1, 0, 0], [1, 1, 1], [0, 0, 0]])
    assert found.dtype == "int64"
    metric.reset_state()
    assert not metric.confusion().any()


def test_counts_stay_exact_where_floats_would_not():
    metric = PixelAccuracy(2)
    metric.counts.assign(np.array([[2**24, 0], [0, 0], [0, 0]]))
    metric.update_state(np.zeros((1, 1, 1), int), np.array([[[[1.0, 0]]]]))
    assert metric.confusion()[0, 0] == 2**24 + 1


def test_a_metric_of_one_channel_asks_whether_the_logit_is_positive():
    y = np.array([[[0, 1, 1, 0]]])
    metric = PixelAccuracy(2)
    metric.update_state(y, np.array([-0.4, 0.4, -0.1, 0.3]).reshape(1, 1, 4, 1))
    np.testing.assert_array_equal(metric.confusion(), [[1, 1], [1, 1]])


# ------------------------------------------------------------------------- bad input

Y, Z = np.zeros((2, 4, 5), int), np.zeros((2, 4, 5, 3))
TWO = np.full((2, 4, 5), 3)


@pytest.mark.parametrize("what", [CrossEntropy(), SoftDice(), MeanIoU(3)])
@pytest.mark.parametrize(
    ("y", "logits", "words"),
    [
        (Y[:, :3], Z, r"labels of shape \(2, 4, 5\)"),
        (Z, Z, r"labels of shape \(2, 4, 5\)"),
        (Y[:0], Z[:0], "at least one pixel"),
        (TWO, Z, "from 0 to 2; given 3 to 3"),
        (Y - 1, Z, "from 0 to 2; given -1 to -1"),
        (np.where(Y == 0, np.nan, 0), Z, "from 0 to 2; given nan"),
    ],
)
def test_labels_that_do_not_fit_are_refused(what, y, logits, words):
    with pytest.raises(ValueError, match=words):
        what(y, logits)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CrossEntropy()(Y, Z, np.ones((2, 4))), "weight per pixel"),
        (lambda: CrossEntropy()(Y, Z, -np.ones((2, 4, 5))), "finite weights from 0"),
        (lambda: CrossEntropy()(Y, Z, np.full(2, np.nan)), "finite weights from 0"),
        (lambda: CrossEntropy(class_weights=[1, 2])(Y, Z), "2 class weights for 3"),
        (lambda: CrossEntropy(ignored=9)(TWO, Z), "or 9 to be ignored"),
        (lambda: SoftDice(smooth=0), "smooth above 0"),
        (lambda: CrossEntropyDice(dice=-1), "dice from 0"),
        (lambda: MeanIoU(1), "two classes or more"),
        (lambda: MeanIoU(2)(Y, Z), "for 2 classes; the logits are of 3"),
        (lambda: MeanIoU(3)(Y, Z, np.ones((2, 4, 5))), "no weights"),
        (lambda: segmentation.weight_map(np.zeros((3, 3))), "whole numbers"),
        (lambda: segmentation.weight_map(np.zeros(3, int)), "whole numbers"),
        (lambda: segmentation.weight_map(np.zeros((0, 3), int)), "whole numbers"),
        (lambda: segmentation.weight_map(Y - 1), "labels from 0"),
        (lambda: segmentation.weight_map(Y, sigma=0), "sigma above 0"),
        (lambda: segmentation.weight_map(Y, w0=-1), "w0 from 0"),
    ],
)
def test_impossible_settings_are_refused(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "thing",
    [
        CrossEntropy(ignored=3, class_weights=[1, 2]),
        SoftDice(ignored=3, smooth=2.0),
        CrossEntropyDice(ignored=3, smooth=2.0, dice=0.5),
        IoU(("a", "b"), ignored=3),
        MeanDice(2, name="mine"),
    ],
)
def test_losses_and_metrics_come_back_from_their_config(thing):
    data = keras.saving.serialize_keras_object(thing)
    again = keras.saving.deserialize_keras_object(data)
    assert type(again) is type(thing)
    assert again.get_config() == thing.get_config()
    assert again.get_config()["ignored"] == thing.ignored


# --------------------------------------------------------------------- the weight map


def cells(height, width, count):
    """Blobs that touch the background only: (height, width), some numbers left out."""
    labels = np.zeros((height, width), int)
    y, x = np.mgrid[:height, :width]
    for number in rng.choice(np.arange(1, 3 * count), count, replace=False):
        a, b, r = rng.integers(0, height), rng.integers(0, width), rng.integers(2, 6)
        labels[(y - a) ** 2 + (x - b) ** 2 < r**2] = number
    return labels


def slow_weights(labels, w0, sigma, balance):
    cell = labels > 0
    weights = np.ones(labels.shape)
    if balance:
        weights = np.where(cell, 1 / max(cell.mean(), 1e-9), 1 / (1 - cell.mean())) / 2
    numbers = [n for n in np.unique(labels) if n]
    if len(numbers) > 1:
        each = [ndimage.distance_transform_edt(labels != n) for n in numbers]
        d1, d2 = np.sort(each, axis=0)[:2]
        seam = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
        weights = weights + np.where(cell, 0, seam)
    return weights


def test_the_weight_map_is_the_papers_formula():
    for i in range(12):
        labels = cells(40 + i, 45, (0, 1, 2, 9, 15)[i % 5])
        settings = {
            "w0": (10, 3)[i % 2],
            "sigma": (5, 1.5, 8)[i % 3],
            "balance": i % 4 > 0,
        }
        found = segmentation.weight_map(labels, **settings)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, slow_weights(labels, **settings), atol=1e-4)


def test_weight_maps_of_a_batch_are_those_of_its_images():
    labels = np.stack([cells(20, 24, 3), cells(20, 24, 5)])
    found = segmentation.weight_map(labels)
    for one, each in zip(labels, found, strict=True):
        np.testing.assert_array_equal(segmentation.weight_map(one), each)


def test_the_weight_of_a_seam_at_its_narrowest():
    labels = np.zeros((9, 30), int)
    labels[:, :10], labels[:, 11:] = 4, 7
    found = segmentation.weight_map(labels, balance=False)
    np.testing.assert_allclose(found[:, 10], 1 + 10 * np.exp(-4 / 50), rtol=1e-6)
    np.testing.assert_array_equal(np.delete(found, 10, axis=1), 1)
    full = segmentation.weight_map(np.array([[1, 2], [1, 2]]))
    np.testing.assert_allclose(full, 0.5)  # no background at all


# --------------------------------------------------------------------------- the tiles


def unet(depth, sides, crops=None, seed=0):
    """Valid convolutions, random weights; and what is cropped from the skips."""
    crops = list(crops or [])
    keras.utils.set_random_seed(seed)
    x = image = keras.Input((*sides, 1))
    skips = []
    for level in range(depth):
        x = layers.Conv2D(4 + level, 3, activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(6, 3, activation="relu")(x)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(4, 2, strides=2)(x)
        if sides[0]:
            crops.append((skips[level].shape[1] - x.shape[1]) // 2)
        crop = crops[depth - 1 - level]
        skip = layers.Cropping2D(crop)(skips[level])
        x = layers.Conv2D(4, 3, activation="relu")(layers.Concatenate()([x, skip]))
    return keras.Model(image, layers.Conv2D(3, 1)(x), name="net"), crops


def lost(depth):
    """How much smaller the output of such a network is."""
    return 4 * sum(2**level for level in range(depth)) + 2 * 2**depth


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_tiles_give_what_the_whole_image_gives(depth):
    period = 2**depth
    tile = lost(depth) + 2 * period + 2  # only such sides stay even down to the bottom
    model, _ = unet(depth, (tile, tile))
    found = segmentation.tiling(model)
    output = tile - lost(depth)
    assert found == ((tile, tile), (output, output), (period, period))
    height, width = output + 5, 2 * output + 1
    images = rng.normal(size=(2, height, width, 1)).astype("float32")
    # The whole: mirrored, and as much larger as the network can do.
    sides = [-(-n // period) * period + 2 + lost(depth) for n in (height, width)]
    before = lost(depth) // 2
    pads = [
        (before, s - n - before) for s, n in zip(sides, (height, width), strict=True)
    ]
    whole, _ = unet(depth, tuple(sides))
    whole.set_weights(model.get_weights())
    mirrored = np.pad(images, [(0, 0), *pads, (0, 0)], mode="reflect")
    expected = array(whole(mirrored))[:, :height, :width]
    assert expected.std() > 1e-3
    for stride in (None, period):
        if stride == period and depth > 2:
            continue
        tiled = segmentation.predict_tiles(model, images, stride=stride)
        assert tiled.dtype == np.float32
        np.testing.assert_allclose(tiled, expected, atol=1e-6)


def test_a_stride_that_breaks_it_is_refused_with_those_that_do_not():
    model, _ = unet(2, (38, 38))
    image = np.zeros((1, 40, 40, 1))
    for stride in (6, 3, 20, (16, 14)):
        with pytest.raises(ValueError, match=r"valid are 4, 8, 12, 16$"):
            segmentation.predict_tiles(model, image, stride=stride)
    assert segmentation.predict_tiles(model, image, stride=(16, 8)).shape[1:3] == (
        40,
        40,
    )


def test_a_model_of_any_size_takes_tiles_that_fit_and_lists_them():
    fixed, crops = unet(2, (38, 38))
    free, _ = unet(2, (None, None), crops)
    image = rng.normal(size=(1, 31, 33, 1)).astype("float32")
    free.set_weights(fixed.get_weights())
    expected = segmentation.predict_tiles(fixed, image)
    for tile in (30, (34, 46)):
        found = segmentation.predict_tiles(free, image, tile=tile)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match="say which tile"):
        segmentation.predict_tiles(free, image)
    with pytest.raises(ValueError, match=r"37×37.*these sides fit: 30, 34, 38, 42$"):
        segmentation.predict_tiles(free, image, tile=37)
    with pytest.raises(ValueError, match="38×38 pixels only; given 42×42"):
        segmentation.predict_tiles(fixed, image, tile=42)


def test_nested_strided_and_upsampled_networks_are_traced():
    inner = keras.Sequential(
        [
            keras.Input((20, 24, 2)),
            layers.Conv2D(2, 2, strides=2),
            layers.AveragePooling2D((1, 3)),
        ]
    )
    image = keras.Input((20, 24, 2))
    x = layers.UpSampling2D((2, 6))(inner(image))
    model = keras.Model(image, layers.Dense(2)(layers.Activation("relu")(x)))
    assert segmentation.tiling(model) == ((20, 24), (20, 24), (2, 6))
    resized = keras.Model(image, layers.Resizing(20, 24)(inner(image)))
    assert segmentation.tiling(resized) == ((20, 24), (20, 24), (2, 6))
    with pytest.raises(ValueError, match=r"one for every pixel"):
        segmentation.tiling(inner)
    plain = keras.Sequential([keras.Input((9, 9, 1)), layers.MaxPooling2D(2)])
    with pytest.raises(ValueError, match="loses 1 pixels at its stride"):
        segmentation.tiling(plain)


def test_a_margin_hides_the_seams_of_zero_padding():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(2, 3, padding="same"),
        ]
    )
    whole = keras.Sequential(
        [
            keras.Input((34, 41, 1)),
            *(layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(2, 3)),
        ]
    )
    whole.set_weights(model.get_weights())
    image = rng.normal(size=(1, 30, 37, 1)).astype("float32")
    mirrored = np.pad(image, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    expected = array(whole(mirrored))
    found = segmentation.predict_tiles(model, image, margin=2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    smallest = keras.Sequential([keras.Input((5, 5, 1)), *model.layers])
    found = segmentation.predict_tiles(smallest, image, margin=2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    seams = segmentation.predict_tiles(model, image)
    assert np.abs(seams - expected).max() > 1e-3


def test_an_image_as_large_as_a_tile_is_one_tile(capsys):
    model, _ = unet(1, (16, 16))
    image = rng.normal(size=(3, 8, 8, 1)).astype("float32")
    found = segmentation.predict_tiles(model, image, batch_size=2, verbose=1)
    mirrored = np.pad(image, [(0, 0), (4, 4), (4, 4), (0, 0)], mode="reflect")
    np.testing.assert_allclose(found, array(model(mirrored)), atol=1e-6)
    assert "3/3" in capsys.readouterr().out
    segmentation.predict_tiles(model, image)
    assert capsys.readouterr().out == ""


IMAGE = np.zeros((1, 20, 20, 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"images": IMAGE[:, :7]}, "8×8 pixels are larger than the image, 7×20"),
        ({"images": IMAGE[0]}, r"\(n, height, width, 1\)"),
        ({"images": np.repeat(IMAGE, 3, axis=-1)}, r"\(n, height, width, 1\)"),
        ({"images": IMAGE[:0]}, "n at least 1"),
        ({"images": IMAGE + np.nan}, "finite images"),
        ({"margin": -1}, "margin from 0"),
        ({"margin": 4}, "leaves nothing"),
        ({"batch_size": 0}, "batch_size from 1"),
        ({"stride": 0}, "whole pixels from 1"),
        ({"tile": (16, 16, 1)}, "whole pixels from 1"),
        ({"model": keras.Sequential([layers.Conv2D(2, 3)])}, "built Sequential"),
        (
            {
                "model": keras.Sequential(
                    [keras.Input((16, 16, 1)), layers.Conv2D(2, 2)]
                )
            },
            "15×15 pixels, which is no middle",
        ),
        (
            {"model": keras.Sequential([keras.Input((4,)), layers.Dense(2)])},
            "of images",
        ),
    ],
)
def test_what_cannot_be_tiled_is_refused(settings, words):
    given = {"model": unet(1, (16, 16))[0], "images": IMAGE, **settings}
    with pytest.raises(ValueError, match=words) as caught:
        segmentation.predict_tiles(**given)
    assert "\n" not in str(caught.value)
