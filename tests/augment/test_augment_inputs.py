"""What the layers refuse, in one line."""

import keras
import numpy as np
import pytest

from cnnlib import augment
from cnnlib.augment import ColorShift, Crop, Elastic, Warp

X = np.full((2, 8, 9, 3), 0.5, "float32")


NAN = X.copy()


NAN[1, 2, 3, 0] = np.nan


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (X[:0], "at least one image"),
        (X[..., 0], "1 to 4 channels"),
        (X[0, 0], "1 to 4 channels"),
        (
            (X, X[:, :-1, :, 0]),
            "segmentation_masks of one channel and the images' size",
        ),
        (NAN, "finite images"),
        ({"segmentation_masks": X[..., 0]}, "dict with 'images'"),
        ({"images": X, "segmentation_masks": X}, "one channel"),
        ({"images": X, "segmentation_masks": X[:, :-1, :, 0]}, r"\(2, 8, 9, 1\)"),
        ({"images": X, "segmentation_masks": X[:1, ..., 0]}, r"\(2, 8, 9, 1\)"),
        ({"images": X, "weight_maps": NAN[..., 0]}, "finite weight_maps"),
    ],
)
@pytest.mark.parametrize("layer", [Warp(rotation=3), Crop(4)])
def test_what_does_not_fit_together_is_refused(layer, given, words):
    with pytest.raises(ValueError, match=words):
        layer(given)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Warp(rotation=-10), "rotation.*at least 0.*-10"),
        (lambda: Warp(rotation=(10, -10)), "rotation"),
        (lambda: Warp(shear=90), "shear.*below 90"),
        (lambda: Warp(translation=(0.1, 0.2, 0.3)), "translation"),
        (lambda: Warp(translation=float("nan")), "translation"),
        (lambda: Warp(zoom=-0.1), "zoom"),
        (lambda: Warp(zoom=(0, 1)), "zoom takes factors above 0"),
        (lambda: Warp(zoom="x"), "zoom takes a range.*given 'x'"),
        (lambda: Warp(zoom=None), "zoom takes a range.*given None"),
        (lambda: Warp(zoom=True), "zoom takes a range.*given True"),
        (lambda: Warp(rotation=True), "rotation takes a range.*given True"),
        (lambda: Warp(flip="horizontl"), "flip=None, 'horizontal', 'vert.*'horizontl'"),
        (lambda: Warp(interpolation="cubic"), "'bilinear' or 'bicubic'; given 'cubic'"),
        (lambda: Warp(fill_mode="reflct"), "'reflect' or 'mirror'; given 'reflct'"),
        (lambda: Warp(fill_value=float("inf")), "fill_value a finite number"),
        (lambda: Elastic(-1), "displacement from 0; given -1"),
        (lambda: Elastic(grid=1), "Elastic takes grid=2 or more; given 1"),
        (lambda: Crop(0), "Crop takes size in whole pixels from 1"),
        (lambda: Crop(4.5), "Crop takes size in whole pixels from 1"),
        (lambda: Crop((4, 5, 6)), "Crop takes size in whole pixels from 1"),
        (lambda: Crop(padding=-1), "Crop takes padding=0 or more; given -1"),
        (lambda: Crop(12)(X), "12×12 pixels out of images that are 8×9"),
        (lambda: ColorShift(-1), "strength from 0"),
        (lambda: ColorShift()(X[..., :1]), "takes RGB"),
        (lambda: augment.pipeline("cifer"), "nearest is 'cifar'"),
        (lambda: augment.pipeline("unet")({"labels": X}), "dict with 'images'"),
    ],
)
def test_impossible_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_values_out_of_the_declared_range_are_refused():
    unit = augment.pipeline("digits", value_range=(0, 1), seed=0)
    bytes_ = augment.pipeline("digits", seed=0)
    for given in (X * 255, X - 0.6, (X * 255).astype("uint8")):
        with pytest.raises(ValueError, match=r"value_range.*\(0, 1\)"):
            unit(given)
    ramp = X * np.linspace(0, 1, 9, dtype="float32")[:, None]
    with pytest.raises(ValueError, match=r"say value_range=\(0, 1\)"):
        bytes_(ramp)
    for given in (ramp * 600, -ramp * 255):
        with pytest.raises(ValueError, match=r"\(0, 255\); given"):
            bytes_(given)
    with pytest.raises(ValueError, match="finite images"):
        unit(NAN)
    bytes_(np.zeros((1, 8, 8, 1), "float32"))  # black is black in any range
    bytes_((X * 255).astype("uint8"))
    bytes_(ramp / ramp.max() * 1.5)  # dark, and no image from 0 to 1
    unit(ramp)


def test_types_are_checked_within_tf_data():
    tf = pytest.importorskip("tensorflow", reason="tf.data needs TensorFlow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("in tf.data the layers need Keras on TensorFlow")
    batches = tf.data.Dataset.from_tensors(np.zeros((2, 8, 8, 1), "uint8"))
    with pytest.raises(ValueError, match="whole numbers"):
        batches.map(augment.pipeline("digits", value_range=(0, 1)))
    sizeless = batches.map(
        lambda x: tf.ensure_shape(
            tf.py_function(lambda x: x, [x], "uint8"), (None, None, None, 1)
        )
    )
    with pytest.raises(ValueError, match="known height and width"):
        sizeless.map(Warp())


LAYERS = [
    lambda: Warp(rotation=30, seed=3),
    lambda: augment.Pipeline([Crop(4, seed=3)], value_range=(0, 1)),
]
MASKS = np.random.default_rng(0).integers(3, size=(2, 8, 9))
MAPS = np.linspace(0, 1, MASKS.size, dtype="float32").reshape(MASKS.shape)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize(
    ("names", "row"),
    [
        (("images", "segmentation_masks"), (X, MASKS)),
        (("images", "segmentation_masks"), (X, MASKS[..., None])),
        (("images", "segmentation_masks"), (X[0], MASKS[0])),
        (("images", "segmentation_masks", "weight_maps"), (X, MASKS, MAPS)),
        (("images", "labels"), (X, np.arange(2))),
        (("images", "labels"), (X, np.eye(2))),
        (("images", "labels", "sample_weight"), (X, np.arange(2), np.ones(2))),
        (("images",), (X,)),
    ],
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_things_in_a_row_are_moved_as_those_of_a_dict(make, names, row, one_by_one):
    found = make()(*row) if one_by_one and len(row) > 1 else make()(row)
    wanted = make()(dict(zip(names, row, strict=True)))
    assert isinstance(found, tuple)
    assert len(found) == len(row)
    for name, value in zip(names, found, strict=True):
        np.testing.assert_array_equal(value, wanted[name])


def test_pairs_of_a_data_set_are_moved_together():
    tf = pytest.importorskip("tensorflow", reason="tf.data needs TensorFlow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("in tf.data the layers need Keras on TensorFlow")
    images = np.repeat(MASKS[..., None], 3, axis=-1).astype("uint8")
    pairs = tf.data.Dataset.from_tensor_slices((images, MASKS)).batch(2)
    layer = Warp(translation=0.3, interpolation="nearest", seed=1)
    ((moved, masks),) = pairs.map(layer)
    np.testing.assert_array_equal(moved[..., 0], masks)
    assert (np.asarray(masks) != MASKS).any()


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("row", [(X, MASKS, MAPS, MAPS), (X, {"labels": 1}), (X, True)])
def test_other_things_in_a_row_are_refused(make, row):
    with pytest.raises(ValueError, match=rf"a dict such as .*given {len(row)} things"):
        make()(*row)


@pytest.mark.parametrize(
    ("layer", "images", "told"),
    [
        (Warp(rotation=3), NAN, "takes finite images"),
        (Crop(4), NAN, "takes finite images"),
        (
            augment.pipeline("digits", value_range=(0, 1)),
            X * 300,
            "value_range of this",
        ),
        (augment.pipeline("digits"), X * np.linspace(0, 1, 9)[:, None], "value_range"),
    ],
)
def test_values_are_checked_within_a_model_too(layer, images, told):
    model = keras.Sequential(
        [keras.Input(images.shape[1:]), layer, keras.layers.Flatten()]
    )
    model.compile("sgd", "mse")
    with pytest.raises(Exception, match=told):  # an error of the backend's own
        model.fit(images, np.zeros((len(images), 1)), verbose=0)


def test_the_ends_of_what_is_not_finite_are_told_in_their_order():
    x = X.astype("float32")
    x[0, 2, 3] = np.inf
    with pytest.raises(ValueError, match=r"takes finite images; given 0.5 to inf"):
        Warp(rotation=3)(x, training=True)


@pytest.mark.parametrize("label", [-1, 256, 0.5])
def test_a_label_that_masks_cannot_hold_is_refused_where_it_would_be_used(label):
    masks = np.ones((2, 8, 9), "uint8")
    pair = {"images": X, "segmentation_masks": masks}
    layer = Warp(translation=(0.4, 0.4), fill_mode="constant", fill_label=label)
    with pytest.raises(ValueError, match=f"masks of uint8 can hold; given {label}"):
        layer(pair)
    signed = {"images": X, "segmentation_masks": masks.astype("float32")}
    assert label in np.asarray(layer(signed)["segmentation_masks"])
    Warp(translation=0.4, fill_label=label)(pair)  # nothing is filled
