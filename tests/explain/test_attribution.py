import explainable as nets
import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

from cnnlib import explain, models


def test_the_predicted_class_is_explained_by_default():
    model, x = nets.smooth_net(), nets.numbers(5, 6, 5, 3)
    predicted = ops.convert_to_numpy(model(x)).argmax(axis=1)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(
        explain.grad_cam(model, x), explain.grad_cam(model, x, classes=predicted)
    )
    other = (predicted + 1) % 3
    assert (
        np.abs(
            explain.grad_cam(model, x) - explain.grad_cam(model, x, classes=other)
        ).max()
        > 0.01
    )


def test_images_of_a_batch_do_not_touch_each_other():
    model, x = nets.smooth_net(), nets.numbers(3, 6, 5, 3)
    alone = [explain.grad_cam(model, x[i : i + 1], classes=1)[0] for i in range(3)]
    np.testing.assert_allclose(explain.grad_cam(model, x, classes=1), alone, atol=1e-6)


def by_hand(maps, slopes):
    """Grad-CAM at the maps' own size, from A (n, h, w, k) and the slopes of a logit."""
    weights = slopes.mean(axis=(1, 2))
    return np.maximum(np.einsum("nhwk,nk->nhw", maps, weights), 0)


def test_grad_cam_of_a_linear_model_by_hand():
    # 1×1 convolution: A = x W. Dense on the flattened maps: its weights are the slopes.
    model = nets.chain(
        layers.Conv2D(3, 1, use_bias=False, name="maps"),
        layers.Flatten(),
        layers.Dense(4, name="logits"),
        shape=(5, 7, 2),
    )
    x, classes = nets.numbers(3, 5, 7, 2), [3, 0, 1]
    kernel = np.array(model.layers[0].kernel)[0, 0]
    dense = np.array(model.layers[-1].kernel).reshape(5, 7, 3, 4)
    slopes = np.stack([dense[..., c] for c in classes])
    raw = by_hand(x @ kernel, slopes)
    assert (raw == 0).any()  # something is cut off
    found = explain.grad_cam(model, x, "maps", classes)
    assert found.dtype == "float32"
    np.testing.assert_allclose(
        found, raw / raw.max(axis=(1, 2), keepdims=True), atol=1e-5
    )


def test_grad_cam_is_drawn_up_bilinearly_and_then_normalized():
    model = nets.chain(
        layers.AveragePooling2D(3, name="maps"),
        layers.Flatten(),
        layers.Dense(2, name="logits"),
        shape=(9, 12, 2),
    )
    x = nets.numbers(1, 9, 12, 2)
    maps = x.reshape(1, 3, 3, 4, 3, 2).mean(axis=(2, 4))
    slopes = np.array(model.layers[-1].kernel).reshape(3, 4, 2, 2)[None, ..., 0]
    small = by_hand(maps, slopes)[0]
    large = np.asarray(
        Image.fromarray(small.astype("float32")).resize((12, 9), Image.BILINEAR)
    )
    found = explain.grad_cam(model, x, classes=0)[0]
    np.testing.assert_allclose(found, large / large.max(), atol=1e-5)
    assert found.max() == 1


def test_a_map_that_is_nowhere_positive_stays_zero():
    model = nets.chain(
        layers.Conv2D(1, 1, use_bias=False, name="maps"),
        layers.Flatten(),
        layers.Dense(1, name="logits"),
        shape=(3, 3, 1),
    )
    model.layers[0].kernel.assign(np.ones((1, 1, 1, 1)))
    model.layers[-1].kernel.assign(-np.ones((9, 1)))
    found = explain.grad_cam(model, np.ones((2, 3, 3, 1)), classes=1)
    np.testing.assert_array_equal(found, np.zeros((2, 3, 3)))


def stack(prefix=""):
    return [
        layers.Conv2D(4, 3, padding="same", activation="relu", name=f"{prefix}conv1"),
        layers.BatchNormalization(name=f"{prefix}norm"),
        layers.MaxPooling2D(2, name=f"{prefix}pool"),
        layers.Conv2D(6, 3, activation="relu", name=f"{prefix}conv2"),
    ]


def head():
    return [layers.GlobalAveragePooling2D(name="gap"), layers.Dense(5, name="logits")]


def run(x, stack):
    for layer in stack:
        x = layer(x)
    return x


def sequential_flat():
    return nets.chain(*stack(), *head(), shape=(16, 20, 3)), ""


def functional_flat():
    return nets.graph(lambda x: run(x, [*stack(), *head()]), (16, 20, 3)), ""


def functional_in_functional():
    body = nets.graph(lambda x: run(x, stack()), (16, 20, 3), name="body")
    return nets.graph(lambda x: run(x, [body, *head()]), (16, 20, 3)), "body/"


def sequential_in_sequential():
    body = nets.chain(*stack(), shape=(16, 20, 3), name="body")
    return nets.chain(body, *head(), shape=(16, 20, 3)), "body/"


def two_levels():
    inner = nets.chain(*stack(), shape=(16, 20, 3), name="inner")
    body = nets.graph(lambda x: run(x, [inner]), (16, 20, 3), name="body")
    return nets.graph(lambda x: run(x, [body, *head()]), (16, 20, 3)), "body/inner/"


def everything_in_one():
    whole = nets.graph(lambda x: run(x, [*stack(), *head()]), (16, 20, 3), name="whole")
    return nets.chain(whole, shape=(16, 20, 3)), "whole/"


def built_for_any_size():
    body = nets.chain(*stack(), shape=(None, None, 3), name="body")
    return nets.chain(body, *head(), shape=(16, 20, 3)), "body/"


@pytest.mark.parametrize("layer", ["conv1", "pool", "conv2", None])
@pytest.mark.parametrize(
    "network",
    [
        *(functional_flat, functional_in_functional, sequential_in_sequential),
        *(two_levels, everything_in_one, built_for_any_size),
    ],
)
def test_grad_cam_is_the_same_nested_and_flat(network, layer):
    flat, _ = sequential_flat()
    model, prefix = network()
    for weight in flat.weights:
        if "moving_variance" not in weight.name:
            weight.assign(nets.numbers(*weight.shape))
    model.set_weights(flat.get_weights())
    x = nets.numbers(3, 16, 20, 3)
    expected = explain.grad_cam(flat, x, layer, [0, 3, 4])
    assert expected.min() < 0.5 < expected.max() == 1
    found = explain.grad_cam(model, x, layer and prefix + layer, [0, 3, 4])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_default_layer_is_the_last_of_more_than_one_place():
    model = models.lenet5()
    x = nets.rng.random((2, 32, 32, 1)).astype("float32")
    np.testing.assert_array_equal(
        explain.grad_cam(model, x), explain.grad_cam(model, x, "S4_squash")
    )
    cnn = models.mnist_cnn()
    x = nets.rng.random((2, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(
        explain.grad_cam(cnn, x), explain.grad_cam(cnn, x, "dropout1")
    )


def test_two_places_are_more_than_one():
    parts = [layers.Conv2D(3, 2, name="two"), layers.Conv2D(3, (1, 2), name="one")]
    model = keras.Sequential([keras.Input((2, 3, 1)), *parts, layers.Flatten()])
    x = nets.rng.random((2, 2, 3, 1)).astype("float32")
    np.testing.assert_array_equal(
        explain.grad_cam(model, x), explain.grad_cam(model, x, "two")
    )


def test_grad_cam_of_a_layer_on_one_of_two_paths():
    def build(x):
        side = layers.Conv2D(2, 1, use_bias=False, name="side")(x)
        return layers.Dense(1, use_bias=False)(
            layers.Flatten()(layers.Add()([x, side]))
        )

    model, x = nets.graph(build, (4, 4, 2)), nets.numbers(1, 4, 4, 2)
    maps = explain.activations(model, x)["side"]
    slopes = np.array(model.layers[-1].kernel).reshape(1, 4, 4, 2)
    raw = by_hand(maps, slopes)
    found = explain.grad_cam(model, x, "side", 1)
    np.testing.assert_allclose(found, raw / max(raw.max(), 1e-12), atol=1e-5)


def test_grad_cam_works_in_half_precision():
    model = nets.chain(
        layers.Conv2D(3, 3, dtype="mixed_bfloat16", name="maps"),
        layers.GlobalAveragePooling2D(dtype="mixed_bfloat16"),
        layers.Dense(2, dtype="float32"),
        shape=(8, 8, 1),
    )
    found = explain.grad_cam(model, nets.numbers(2, 8, 8, 1))
    assert found.dtype == "float32"
    assert found.shape == (2, 8, 8)


def test_one_logit_is_that_of_class_1_beside_a_zero():
    def head(units):
        stack = [layers.Conv2D(3, 3, name="maps"), layers.GlobalAveragePooling2D()]
        return nets.chain(*stack, layers.Dense(units, name="logits"), shape=(6, 5, 3))

    one, two = head(1), head(2)
    kernel, bias, weights, shift = one.get_weights()
    padded = [np.pad(weights, [(0, 0), (1, 0)]), np.pad(shift, (1, 0))]
    two.set_weights([kernel, bias, *padded])
    x = nets.numbers(8, 6, 5, 3)
    answers = ops.convert_to_numpy(one(x))[:, 0] > 0
    assert 0 < answers.sum() < 8
    for classes in (None, 0, 1):
        found = explain.grad_cam(one, x, classes=classes)
        expected = explain.grad_cam(two, x, classes=classes)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not explain.grad_cam(one, x, classes=0).any()
    assert explain.grad_cam(one, x, classes=1).any()
    with pytest.raises(ValueError, match="classes from 0 to 1; given 2"):
        explain.grad_cam(one, x, classes=2)


def test_a_model_that_begins_with_augmentation_is_explained_at_inference():
    stack = [layers.Conv2D(3, 3, name="maps"), layers.Flatten(), layers.Dense(2)]
    plain = nets.chain(*stack, shape=(6, 5, 3))
    random = nets.chain(
        layers.RandomFlip(), layers.Dropout(0.5), plain, shape=(6, 5, 3)
    )
    x = nets.numbers(4, 6, 5, 3)
    np.testing.assert_array_equal(
        explain.grad_cam(random, x, "maps", 1), explain.grad_cam(plain, x, "maps", 1)
    )
