"""SciPy is the judge of geometry: its affine_transform and zoom, and matrices composed
one by one in NumPy."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from cnnlib import augment
from cnnlib.augment import ColorShift, Crop, Elastic, Pipeline, Warp

rng = np.random.default_rng(0)
START = rng.bit_generator.state
# Ours, and what SciPy calls them.
MODES = {
    "constant": "grid-constant",
    "nearest": "nearest",
    "wrap": "grid-wrap",
    "reflect": "reflect",
    "mirror": "mirror",
}
ALL = {"rotation": 40, "zoom": 0.4, "translation": 0.3, "shear": 20}


@pytest.fixture(autouse=True)
def _same_numbers():
    """Every test draws the same numbers, alone and among the others."""
    rng.bit_generator.state = START


def pictures(*shape):
    return rng.random(shape, "float32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def twin(layer):
    """Another layer that draws the same numbers."""
    return type(layer).from_config(layer.get_config())


def discs(n, side):
    """Images (n, side, side) of three large discs: 1 to 3 on 0, far from each other."""
    y, x = np.mgrid[:side, :side] / side
    masks = np.zeros((n, side, side), "int32")
    for label, (a, b, r) in enumerate([(0.3, 0.3, 0.17), (0.35, 0.75, 0.15)], 1):
        masks[:, (y - a) ** 2 + (x - b) ** 2 < r**2] = label
    masks[:, (y - 0.75) ** 2 + (x - 0.5) ** 2 < 0.2**2] = 3
    return masks


# --------------------------------------------------------------------------- the warp


def by_hand(height, width, flip, rotation, zoom, translation, shear):
    """From input to output, one matrix for each step, in (row, column)."""
    t, s = np.deg2rad(rotation), np.tan(np.deg2rad(shear))
    middle = np.eye(3)
    middle[:2, 2] = (height - 1) / 2, (width - 1) / 2
    shift = np.eye(3)
    shift[:2, 2] = translation[0] * height, translation[1] * width
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]
    lean = np.array([[1, 0, 0], [s, 1, 0], [0, 0, 1]])
    steps = [np.diag([*flip, 1]), lean, np.diag([zoom, zoom, 1]), turn, shift]
    whole = np.linalg.inv(middle)
    for step in steps:
        whole = step @ whole
    return middle @ whole


def test_the_matrices_are_the_composition_of_flip_shear_zoom_turn_and_shift():
    for _ in range(50):
        height, width = rng.integers(1, 40, 2)
        settings = {
            "flip": rng.choice([-1.0, 1.0], 2),
            "rotation": rng.uniform(-180, 180),
            "zoom": rng.uniform(0.3, 3),
            "translation": rng.uniform(-1, 1, 2),
            "shear": rng.uniform(-60, 60),
        }
        expected = np.linalg.inv(by_hand(height, width, **settings))[:2]
        settings["rotation"] = np.array([settings["rotation"]], "float32")
        found = array(augment.matrices(height, width, **settings))
        assert found.shape == (1, 2, 3)
        np.testing.assert_allclose(found[0], expected, atol=3e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [0, 1])
def test_sampling_is_scipys_in_every_mode(mode, order):
    x = pictures(2, 7, 10, 3)
    rows = rng.uniform(-15, 22, (2, 6, 5)).astype("float32")
    columns = rng.uniform(-22, 32, (2, 6, 5)).astype("float32")
    how = ("nearest", "bilinear")[order]
    found = array(augment.sample(x, rows, columns, how, mode, 0.25))
    for i in range(2):
        for c in range(3):
            expected = ndimage.map_coordinates(
                *(x[i, ..., c], [rows[i], columns[i]]),
                order=order,
                mode=MODES[mode],
                cval=0.25,
            )
            np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-4)


def test_bicubic_sampling_is_keys_kernel():
    def keys(t):
        t = abs(t)
        if t <= 1:
            return 1.5 * t**3 - 2.5 * t**2 + 1
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0

    x = pictures(1, 8, 9, 1)
    rows = rng.uniform(2, 5, (1, 4, 6)).astype("float32")
    columns = rng.uniform(2, 6, (1, 4, 6)).astype("float32")
    found = array(augment.sample(x, rows, columns, "bicubic"))
    for place in np.ndindex(4, 6):
        r, c = rows[0][place], columns[0][place]
        expected = sum(
            x[0, i, j, 0] * keys(r - i) * keys(c - j) for i, j in np.ndindex(8, 9)
        )
        assert found[0][place][0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_bicubic_sampling_goes_on_beyond_the_border_as_the_other_modes_do(mode):
    x = pictures(1, 4, 5, 1)
    # SciPy's padding knows the modes by NumPy's names.
    how = dict(zip(MODES, ("constant", "edge", "wrap", "symmetric", "reflect")))  # noqa: B905
    padded = np.pad(x, ((0, 0), (9, 9), (9, 9), (0, 0)), how[mode])
    rows = rng.uniform(-6, 9, (1, 5, 5)).astype("float32")
    columns = rng.uniform(-6, 9, (1, 5, 5)).astype("float32")
    found = array(augment.sample(x, rows, columns, "bicubic", mode))
    expected = array(augment.sample(padded, rows + 9, columns + 9, "bicubic", mode))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("interpolation", augment.INTERPOLATIONS)
def test_sampling_at_the_pixels_is_exact(interpolation):
    x = pictures(2, 5, 7, 2) * 300
    rows, columns = (np.stack([a, a]) for a in np.mgrid[:5.0, :7.0].astype("float32"))
    for mode in MODES:
        found = augment.sample(x, rows, columns, interpolation, mode, 9)
        np.testing.assert_array_equal(array(found), x)


def test_an_image_of_one_pixel_can_be_sampled_anywhere():
    x = np.full((1, 1, 1, 1), 3, "float32")
    rows = np.array([[[-2.5, 0, 1, 7]]], "float32")
    for mode in set(MODES) - {"constant"}:
        for how in augment.INTERPOLATIONS:
            found = array(augment.sample(x, rows, rows, how, mode))
            np.testing.assert_allclose(found, 3, rtol=1e-6)


@pytest.mark.parametrize("mode", ["constant", "mirror"])
def test_a_warp_equals_scipys_affine_transform(mode):
    layer = Warp(
        flip="horizontal_and_vertical", **ALL, fill_mode=mode, fill_value=0.5, seed=4
    )
    x = pictures(6, 13, 17, 2)
    drawn = array(twin(layer).draw(6, 13, 17))
    assert len({m.tobytes() for m in drawn}) == 6
    found = array(layer(x))
    for i, c in np.ndindex(6, 2):
        m = drawn[i]
        expected = ndimage.affine_transform(
            *(x[i, ..., c], m[:, :2], m[:, 2]), order=1, mode=MODES[mode], cval=0.5
        )
        np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-4)


def test_positive_settings_turn_left_enlarge_and_move_down_and_right():
    x = np.zeros((1, 9, 9, 1), "float32")
    x[0, 4, 6] = 1  # right of the middle

    def found(**ranges):
        moved = array(Warp(**ranges, fill_mode="constant")(x))[0, ..., 0]
        return tuple(int(i) for i in np.unravel_index(moved.argmax(), moved.shape))

    assert found(rotation=(90, 90)) == (2, 4)
    assert found(zoom=(2, 2)) == (4, 8)
    assert found(translation=(2 / 9, 2 / 9)) == (6, 8)
    x = np.roll(x, -2, axis=1)  # above the middle, too
    assert found(shear=(45, 45)) == (2, 4)


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


def test_numbers_fill_their_ranges_and_are_drawn_on_their_own():
    def drawn(**ranges):
        return array(Warp(**ranges, seed=2).draw(3000, 11, 21))

    def fills(numbers, low, high):
        assert low - 1e-4 <= numbers.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < numbers.max() <= high + 1e-4
        assert np.mean(numbers) == pytest.approx(
            (low + high) / 2, abs=(high - low) / 50
        )

    m = drawn(rotation=(-10, 50))
    fills(np.rad2deg(np.arctan2(m[:, 0, 1], m[:, 0, 0])), -10, 50)
    m = drawn(zoom=0.5)
    fills(-np.log(m[:, 0, 0]), -np.log(1.5), np.log(1.5))
    m = drawn(zoom=(1, 2))
    fills(-np.log(m[:, 0, 0]), 0, np.log(2))
    m = drawn(shear=30)
    fills(np.rad2deg(np.arctan(-m[:, 1, 0])), -30, 30)
    m = drawn(translation=0.25)
    down, right = -m[:, 0, 2] / 11, -m[:, 1, 2] / 21
    fills(down, -0.25, 0.25)
    fills(right, -0.25, 0.25)
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.06


def test_a_seed_gives_the_same_numbers_and_each_call_others():
    x = pictures(4, 9, 9, 1)
    layer = Warp(rotation=50, seed=3)
    first, second = array(layer(x)), array(layer(x))
    assert (first != second).any()
    np.testing.assert_array_equal(array(twin(layer)(x)), first)
    assert (array(Warp(rotation=50, seed=4)(x)) != first).any()


# ------------------------------------------------------------- masks and weight maps

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


# ------------------------------------------------------------------------- elastic


@pytest.mark.parametrize(("height", "width", "grid"), [(31, 44, 3), (20, 9, 5)])
def test_the_elastic_field_is_scipys_spline(height, width, grid):
    layer = Elastic(10, grid, seed=3)
    drawn = layer.draw(2, height, width)
    vectors = array(drawn[1])
    assert vectors.shape == (2, grid, grid, 2)
    places = [array(p) for p in layer.places(drawn, height, width)]
    for i in range(2):
        for axis in (0, 1):
            expected = ndimage.zoom(
                vectors[i, ..., axis], (height / grid, width / grid), order=3
            )
            field = places[axis][i] - np.mgrid[:height, :width][axis]
            np.testing.assert_allclose(field, expected, atol=1e-3)


def test_elastic_vectors_are_normal_and_independent():
    vectors = array(Elastic(4, seed=0).draw(1500, 9, 9)[1])
    flat = vectors.reshape(1500, -1)
    assert flat.std() == pytest.approx(4, rel=0.02)
    assert abs(flat.mean()) < 0.1
    assert (np.abs(flat) < 4).mean() == pytest.approx(0.683, abs=0.02)
    assert np.abs(np.corrcoef(flat.T) - np.eye(18)).max() < 0.12


def test_elastic_reads_each_pixel_at_its_place_in_the_warp_plus_its_vector():
    settings = {"rotation": 25, "translation": 0.1}
    layer = Elastic(2, **settings, seed=6)
    drawn = twin(layer).draw(2, 16, 18)
    rows, columns = (array(p) for p in layer.places(drawn, 16, 18))
    plain = Warp(**settings).places(drawn[0], 16, 18)
    still = Elastic(2).places(
        (np.float32([[[1, 0, 0], [0, 1, 0]]] * 2), drawn[1]), 16, 18
    )
    bent = [array(p) - grid for p, grid in zip(still, np.mgrid[:16, :18], strict=True)]
    np.testing.assert_allclose(rows, array(plain[0]) + bent[0], atol=1e-4)
    np.testing.assert_allclose(columns, array(plain[1]) + bent[1], atol=1e-4)
    x = pictures(2, 16, 18, 1)
    found = array(layer(x))
    for i in range(2):
        expected = ndimage.map_coordinates(
            x[i, ..., 0], [rows[i], columns[i]], order=1, mode="reflect"
        )
        np.testing.assert_allclose(found[i, ..., 0], expected, atol=1e-4)


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


# ------------------------------------------------------------------------- crops


def test_crops_are_windows_of_the_padded_image_each_at_its_own_place():
    x = np.repeat(pictures(1, 6, 7, 2), 300, axis=0)
    found = array(Crop((4, 5), padding=2, seed=0, fill_value=0.5)(x))
    assert found.shape == (300, 4, 5, 2)
    padded = np.pad(x[0], ((2, 2), (2, 2), (0, 0)), constant_values=0.5)
    windows = {
        padded[i : i + 4, j : j + 5].tobytes(): (i, j)
        for i in range(7)
        for j in range(7)
    }
    places = [windows[crop.tobytes()] for crop in found]
    assert set(places) == set(np.ndindex(7, 7))  # every place is found, and early
    rows, columns = np.array(places).T
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.15


def test_pad_and_crop_keeps_the_size_and_pads_as_asked():
    x = pictures(50, 6, 6, 1)
    for mode, name in (("constant", "constant"), ("reflect", "symmetric")):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), name)
        for i, crop in enumerate(array(Crop(padding=1, fill_mode=mode, seed=2)(x))):
            assert crop.shape == (6, 6, 1)
            windows = [
                padded[i, a : a + 6, b : b + 6] for a in range(3) for b in range(3)
            ]
            assert any((crop == window).all() for window in windows)


def test_outside_of_training_a_crop_is_the_middle():
    x = pictures(2, 9, 12, 1)
    found = array(Crop((5, 4), flip="horizontal")(x, training=False))
    np.testing.assert_array_equal(found, x[:, 2:7, 4:8])


# -------------------------------------------------------------- colours and pipelines


def test_the_colour_shift_is_alexnets():
    x = pictures(2000, 2, 2, 3)
    moved = array(ColorShift(0.1, value_range=(0, 1), seed=0)(x)) - x
    np.testing.assert_allclose(moved[:, :1, :1] + 0 * moved, moved, atol=1e-6)
    covariance = np.cov(moved[:, 0, 0].T)
    values, vectors = np.linalg.eigh(covariance)
    expected = (0.1 * np.array([0.0045, 0.0188, 0.2175])) ** 2
    np.testing.assert_allclose(values, expected, rtol=0.15)
    assert abs(vectors[:, 2] @ [-0.5675, -0.5808, -0.5836]) > 0.999
    assert abs(vectors[:, 1] @ [0.7192, -0.0045, -0.6948]) > 0.99
    turn = np.array(ColorShift.COMPONENTS)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=2e-3)
    large = array(ColorShift(0.1, value_range=(0, 255), seed=0)(x)) - x
    np.testing.assert_allclose(large, 255 * moved, atol=1e-3)
    layer = ColorShift(seed=0)
    np.testing.assert_array_equal(array(layer(x, training=False)), x)
    assert array(layer(x[0])).shape == (2, 2, 3)


SIZES = {"alexnet": {"size": 20}}


@pytest.mark.parametrize("name", augment.PIPELINES)
def test_pipelines_augment_in_training_and_rest_otherwise(name):
    x = pictures(3, 24, 24, 3)
    settings = SIZES.get(name, {})
    made = augment.pipeline(name, value_range=(0, 1), seed=1, **settings)
    moved, rest = array(made(x)), array(made(x, training=False))
    np.testing.assert_array_equal(rest, x[:, 2:22, 2:22] if settings else x)
    assert moved.shape == rest.shape
    assert all((a != b).mean() > 0.2 for a, b in zip(moved, rest, strict=True))
    again = augment.pipeline(name, value_range=(0, 1), seed=1, **settings)
    np.testing.assert_array_equal(array(again(x)), moved)
    loaded = Pipeline.from_config(made.get_config())
    np.testing.assert_array_equal(array(loaded(x)), moved)


def test_pipelines_do_what_the_papers_say():
    layers = {n: augment.pipeline(n, seed=0).layers for n in augment.PIPELINES}
    (crop,) = layers["cifar"]
    assert (crop.size, crop.padding, crop.flip) == (None, 4, "horizontal")
    crop, color = layers["alexnet"]
    assert (crop.size, crop.flip, color.strength) == ((224, 224), "horizontal", 0.1)
    elastic = layers["unet"][0]
    assert (elastic.displacement, elastic.grid) == (10, 3)
    assert elastic.fill_mode == "mirror"
    (digits,) = layers["digits"]
    assert digits.flip is None
    assert digits.rotation < 20
    assert augment.pipeline("unet", displacement=2).layers[0].displacement == 2


def test_no_two_layers_of_seeded_pipelines_draw_alike():
    made = [augment.pipeline("unet", seed=seed).layers for seed in (0, 1, 2)]
    assert len({layer.seed for layers in made for layer in layers}) == 9


def test_a_pipeline_moves_masks_and_shows_keras_layers_the_images_alone():
    x = pictures(4, 16, 16, 3)
    masks = rng.integers(0, 3, (4, 16, 16)).astype("uint8")
    grey = keras.layers.RandomGrayscale(factor=1.0)  # fails on a dict by itself
    made = Pipeline([Warp(rotation=90, seed=1), grey], value_range=(0, 1))
    moved = made({"images": x, "segmentation_masks": masks})
    alone = Warp(rotation=90, seed=1)({"images": x, "segmentation_masks": masks})
    np.testing.assert_array_equal(
        array(moved["segmentation_masks"]), array(alone["segmentation_masks"])
    )
    assert array(moved["segmentation_masks"]).dtype == np.uint8
    assert np.ptp(array(moved["images"]), axis=-1).max() < 1e-5


@pytest.mark.parametrize("make", [keras.layers.CutMix, keras.layers.MixUp])
def test_a_pipeline_mixes_labels_with_images(make):
    x, labels = pictures(6, 12, 12, 3), np.eye(6, dtype="float32")
    made = Pipeline([make(seed=1), Crop(10, seed=0)], value_range=(0, 1))
    mixed = made({"images": x, "labels": labels})
    assert array(mixed["images"]).shape == (6, 10, 10, 3)
    assert (array(mixed["labels"]) != labels).any()
    np.testing.assert_allclose(array(mixed["labels"]).sum(axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="mixes labels too"):
        made(x)
    with pytest.raises(ValueError, match="one-hot"):
        made({"images": x, "labels": np.arange(6)})
    with pytest.raises(ValueError, match="without their masks"):
        made({"images": x, "labels": labels, "segmentation_masks": x[..., 0]})


def test_rand_augment_works_on_images_and_is_refused_beside_masks():
    x = pictures(2, 12, 12, 3)
    made = Pipeline(
        [keras.layers.RandAugment(value_range=(0, 1), seed=0)], value_range=(0, 1)
    )
    assert array(made({"images": x, "labels": np.arange(2)})["images"]).shape == x.shape
    with pytest.raises(ValueError, match=r"RandAugment.*Warp, Elastic or Crop"):
        made({"images": x, "weight_maps": x[..., 0]})


# ------------------------------------------------------------------------- examples


def test_examples_are_what_the_layer_makes_and_leave_it_where_it_was():
    image = rng.integers(0, 256, (9, 9, 3)).astype("uint8")
    layer = Warp(rotation=40, seed=3)
    made = augment.examples(layer, image, 5)
    np.testing.assert_array_equal(augment.examples(layer, image, 5), made)
    expected = array(layer(np.repeat(image[None], 5, axis=0)))
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.rint(expected))
    assert len({x.tobytes() for x in made}) == 5


def test_examples_move_a_mask_and_take_keras_layers():
    image, mask = pictures(9, 9, 1), rng.integers(0, 3, (9, 9))
    layer = Warp(rotation=40, seed=3)
    images, masks = augment.examples(layer, image, 2, mask)
    moved = twin(layer)(
        {"images": np.stack([image] * 2), "segmentation_masks": np.stack([mask] * 2)}
    )
    np.testing.assert_array_equal(images, array(moved["images"]))
    np.testing.assert_array_equal(masks, array(moved["segmentation_masks"]))
    bright = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=1)
    assert augment.examples(bright, image, 3).shape == (3, 9, 9, 1)
    for bad in ((image[..., 0], 2), (image, 0)):
        with pytest.raises(ValueError, match="examples takes"):
            augment.examples(layer, *bad)


# ------------------------------------------------------------------------ bad input

X = np.full((2, 8, 9, 3), 0.5, "float32")
NAN = X.copy()
NAN[1, 2, 3, 0] = np.nan


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (X[:0], "at least one image"),
        (X[..., 0], "1 to 4 channels"),
        (X[0, 0], "1 to 4 channels"),
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
        (lambda: Warp(flip="horizontl"), "nearest is 'horizontal'"),
        (lambda: Warp(interpolation="cubic"), "nearest is 'bicubic'"),
        (lambda: Warp(fill_mode="reflct"), "nearest is 'reflect'"),
        (lambda: Warp(fill_value=float("inf")), "finite fill_value"),
        (lambda: Elastic(-1), "displacement of at least 0"),
        (lambda: Elastic(grid=1), "at least 2 nodes"),
        (lambda: Crop(0), "Crop takes a size"),
        (lambda: Crop(4.5), "Crop takes a size"),
        (lambda: Crop((4, 5, 6)), "Crop takes a size"),
        (lambda: Crop(padding=-1), "Crop takes a size"),
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
        with pytest.raises(ValueError, match=r"\(0, 255\); given values from"):
            bytes_(given)
    with pytest.raises(ValueError, match="finite images"):
        unit(NAN)
    bytes_(np.zeros((1, 8, 8, 1), "float32"))  # black is black in any range
    bytes_((X * 255).astype("uint8"))
    unit(ramp)


def test_a_setting_that_a_pipeline_lacks_is_refused():
    with pytest.raises(TypeError, match="displacement"):
        augment.pipeline("cifar", displacement=3)


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
