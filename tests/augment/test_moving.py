"""What all layers that move pixels have in common."""

import keras
import numpy as np
import pytest
from moved import ALL, array, discs, pictures, rng, twin

from cnnlib.augment import Crop, Elastic, Warp


@pytest.mark.parametrize("layer", [Warp(), Elastic(0), Crop(), Warp(flip=None, zoom=0)])
def test_zero_ranges_are_the_identity_bit_for_bit(layer):
    x = pictures(3, 8, 11, 3) * 255
    np.testing.assert_array_equal(array(layer(x)), x)


@pytest.mark.parametrize(
    "layer",
    [Warp(**ALL, flip="vertical"), Elastic(3, rotation=9), Crop(padding=2, flip=None)],
)
def test_outside_of_training_nothing_moves(layer):
    x = pictures(2, 6, 7, 3)
    np.testing.assert_array_equal(array(layer(x, training=False)), x)
    assert (array(layer(x)) != x).any()


@pytest.mark.parametrize("make", [Warp, Crop])
def test_flips_are_exact_and_happen_half_of_the_time(make):
    x = np.repeat(pictures(1, 4, 5, 1), 400, axis=0)
    ways = {
        "horizontal": [x, x[:, :, ::-1]],
        "vertical": [x, x[:, ::-1]],
        "horizontal_and_vertical": [
            *(x, x[:, :, ::-1]),
            *(x[:, ::-1], x[:, ::-1, ::-1]),
        ],
    }
    for flip, results in ways.items():
        found = array(make(flip=flip, seed=1)(x))
        hits = np.array([(found == way).all((1, 2, 3)) for way in results])
        assert (hits.sum(axis=0) == 1).all()
        share = hits.mean(axis=1) * len(results)
        assert (abs(share - 1) < 0.3).all(), flip


def test_a_seed_gives_the_same_numbers_and_each_call_others():
    x = pictures(4, 9, 9, 1)
    layer = Warp(rotation=50, seed=3)
    first, second = array(layer(x)), array(layer(x))
    assert (first != second).any()
    np.testing.assert_array_equal(array(twin(layer)(x)), first)
    assert (array(Warp(rotation=50, seed=4)(x)) != first).any()


LAYERS = {
    "warp": Warp(flip="horizontal", **ALL, seed=5),
    "elastic": Elastic(8, rotation=20, seed=5),
    "crop": Crop(200, padding=3, flip="vertical", seed=5),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_mask_moves_with_its_image(layer):
    masks = discs(4, 256)
    given = {"segmentation_masks": masks, "images": (masks == 3).astype("float32")}
    given["images"] = given["images"][..., None]
    moved = twin(layer)(given)
    seen = array(moved["images"])[..., 0] > 0.5
    agree = (seen == (array(moved["segmentation_masks"]) == 3)).mean()
    assert agree >= 0.999
    assert (seen != (masks == 3)[:, : seen.shape[1], : seen.shape[2]]).mean() > 0.01


@pytest.mark.parametrize("kind", ["uint8", "int32", "float32"])
def test_masks_keep_their_type_and_no_label_is_invented(kind):
    masks = (rng.integers(0, 4, (4, 24, 24)) * 60).astype(kind)
    x = pictures(4, 24, 24, 3)
    layer = Elastic(3, rotation=90, fill_mode="constant", fill_label=240, seed=1)
    for shape in (masks.shape, (*masks.shape, 1)):
        moved = layer({"images": x, "segmentation_masks": masks.reshape(shape)})
        found = array(moved["segmentation_masks"])
        assert found.dtype == kind
        assert found.shape == shape
        assert set(np.unique(found)) == {0, 60, 120, 180, 240}


def test_weight_maps_move_as_images_do_and_weigh_nothing_outside():
    x = pictures(3, 15, 16, 1)
    layer = Warp(**ALL, fill_mode="constant", fill_value=7, seed=2)
    zero = Warp(**ALL, fill_mode="constant", fill_value=0, seed=2)
    moved = layer({"images": x, "weight_maps": x[..., 0]})
    np.testing.assert_allclose(
        array(moved["weight_maps"]), array(zero(x))[..., 0], atol=1e-6
    )
    assert array(moved["images"]).max() == pytest.approx(7)


def test_what_else_is_in_the_dict_is_handed_through_and_the_dict_left_alone():
    x = pictures(2, 8, 8, 1)
    given = {"images": x, "labels": np.array([3, 4])}
    moved = Warp(rotation=9)(given)
    assert set(moved) == set(given)
    np.testing.assert_array_equal(array(moved["labels"]), [3, 4])
    assert given["images"] is x


def test_one_image_goes_without_a_batch():
    x, mask = pictures(9, 8, 3), rng.integers(0, 3, (9, 8))
    layer = Warp(rotation=30, seed=1)
    alone = layer({"images": x, "segmentation_masks": mask})
    batch = twin(layer)({"images": x[None], "segmentation_masks": mask[None]})
    for key, value in alone.items():
        np.testing.assert_array_equal(array(value), array(batch[key])[0])
    assert array(Crop(4)(x)).shape == (4, 4, 3)


def test_images_of_whole_numbers_come_back_as_floats_of_the_same_range():
    x = rng.integers(0, 256, (2, 9, 9, 3)).astype("uint8")
    layer = Warp(rotation=30, seed=1)
    found = array(layer(x))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array(twin(layer)(x.astype("float32"))))


@pytest.mark.parametrize(
    "layer", [Elastic(3, seed=0), Warp(**ALL, seed=0), Crop(9, padding=3, seed=0)]
)
def test_batches_of_unknown_size_work_in_tf_data(layer):
    tf = pytest.importorskip("tensorflow", reason="tf.data needs TensorFlow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("in tf.data the layers need Keras on TensorFlow")
    if isinstance(layer, Crop):
        layer.fill_mode = "reflect"
    # Image i is i everywhere: none may turn into another.
    numbers = np.arange(7, dtype="float32")[:, None, None, None]
    given = {
        "images": np.broadcast_to(numbers, (7, 12, 14, 1)),
        "segmentation_masks": np.broadcast_to(numbers, (7, 12, 14, 1)).astype("int32"),
    }
    batches = tf.data.Dataset.from_tensor_slices(given).batch(3).map(layer)
    moved = list(batches.as_numpy_iterator())
    assert [len(batch["images"]) for batch in moved] == [3, 3, 1]
    for key in given:
        found = np.concatenate([batch[key] for batch in moved])
        assert found.dtype == given[key].dtype
        side = 9 if isinstance(layer, Crop) else 12
        expected = np.broadcast_to(numbers, (7, side, found.shape[2], 1))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_layer_works_in_a_model_and_rests_when_it_predicts(tmp_path):
    x = pictures(5, 8, 8, 1)
    image = keras.Input((8, 8, 1))
    moved = Elastic(2, rotation=20, seed=1)(Warp(flip="vertical", seed=2)(image))
    head = keras.layers.Dense(2)(keras.layers.Flatten()(moved))
    model = keras.Model(image, [moved, head])
    np.testing.assert_array_equal(model.predict(x, verbose=0)[0], x)
    assert (array(model(x, training=True)[0]) != x).any()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[2].get_config() == model.layers[2].get_config()
    np.testing.assert_array_equal(again.predict(x, verbose=0)[0], x)
    trained = keras.Model(image, head)
    trained.compile("sgd", "mse")
    trained.fit(x, np.zeros((5, 2)), batch_size=2, verbose=0)


@pytest.mark.parametrize("channels", [5, 12])
def test_images_of_many_channels_move_channel_by_channel(channels):
    x = pictures(2, 9, 8, channels)
    layer = Warp(**ALL, seed=1)
    each = [array(twin(layer)(x[..., c : c + 1])) for c in range(channels)]
    found = array(twin(layer)(x))
    np.testing.assert_allclose(found, np.concatenate(each, axis=-1), atol=1e-6)


@pytest.mark.parametrize("kind", ["uint8", "int32", "bool", "float16"])
def test_weight_maps_of_any_type_are_moved_as_numbers_between_theirs(kind):
    x, maps = pictures(2, 9, 8, 3), rng.integers(0, 2, (2, 9, 8))
    layer = Warp(rotation=30, fill_mode="nearest", seed=2)
    wanted = twin(layer)({"images": x, "weight_maps": maps.astype("float32")})
    moved = layer({"images": x, "weight_maps": maps.astype(kind)})["weight_maps"]
    np.testing.assert_allclose(array(moved), array(wanted["weight_maps"]), atol=1e-6)
    assert ((array(moved) > 0.2) & (array(moved) < 0.8)).any()
