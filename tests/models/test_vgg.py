"""VGG: table 1 of the paper, and the same logits as keras.applications."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import models
from cnnlib.models.vgg import vgg, vgg_stages

TOTAL = {"vgg16": 138_357_544, "vgg19": 143_667_240}


@pytest.mark.parametrize(
    ("kind", "build"), [("VGG16", models.vgg16), ("VGG19", models.vgg19)]
)
@pytest.mark.parametrize("side", [32, 96])  # one place for fc6, and three by three
def test_logits_are_those_of_keras(assert_same_logits, kind, build, side):
    assert_same_logits(kind, build, side)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("build", [models.vgg16, models.vgg19])
def test_it_has_exactly_the_papers_parameters(build):
    model = build()
    assert model.count_params() == TOTAL[model.name]
    assert f"{TOTAL[model.name]:,}" in build.__doc__


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("build", "convs"),
    [(models.vgg16, (2, 2, 3, 3, 3)), (models.vgg19, (2, 2, 4, 4, 4))],
)
def test_stages_are_those_of_table_1(build, convs):
    model = build(input_shape=(64, 96, 3), classes=5)
    widths = (64, 128, 256, 512, 512)
    for stage, (number, width) in enumerate(zip(convs, widths, strict=True), start=1):
        inside = [x for x in model.layers if x.name.startswith(f"conv{stage}_")]
        assert len(inside) == number + 1
        for conv in inside[:-1]:
            assert conv.kernel_size == (3, 3)
            assert conv.strides == (1, 1)
            assert conv.padding == "same"
            assert conv.use_bias
            assert conv.activation is keras.activations.relu
        pool = inside[-1]
        assert isinstance(pool, layers.MaxPooling2D)
        assert pool.pool_size == pool.strides == (2, 2)
        assert pool.output.shape[1:] == (64 >> stage, 96 >> stage, width)
    assert not any(isinstance(x, layers.BatchNormalization) for x in model.layers)
    head = [layer.name for layer in model.layers[-6:]]
    assert head == ["flatten", "fc6", "fc6_dropout", "fc7", "fc7_dropout", "logits"]
    assert [model.get_layer(f"fc{i}_dropout").rate for i in (6, 7)] == [0.5, 0.5]
    assert [model.get_layer(f"fc{i}").units for i in (6, 7)] == [4096, 4096]
    relu = keras.activations.relu
    assert all(model.get_layer(f"fc{i}").activation is relu for i in (6, 7))


@pytest.mark.usefixtures("undrawn")
def test_dense_layers_follow_the_input_and_the_classes():
    convs = 14_714_688  # of VGG-16, at any size
    for side, classes in ((32, 10), (64, 7)):
        model = models.vgg16(input_shape=(side, side, 3), classes=classes)
        flat = (side // 32) ** 2 * 512
        head = (flat + 1) * 4096 + 4097 * 4096 + 4097 * classes
        assert model.count_params() == convs + head


def test_stages_of_an_odd_image_round_down_or_up():
    image = keras.Input((45, 33, 3))
    down = [x.shape[1:3] for x in vgg_stages(image, 16)]
    assert down == [(22, 16), (11, 8), (5, 4), (2, 2), (1, 1)]
    up = [x.shape[1:3] for x in vgg_stages(image, 16, pool_padding="same")]
    assert up == [(23, 17), (12, 9), (6, 5), (3, 3), (2, 2)]


def test_dropout_acts_in_training_alone():
    model = models.vgg16(input_shape=(32, 32, 3), classes=4)
    x = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    still = [np.asarray(model(x)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    moving = [np.asarray(model(x, training=True)) for _ in range(2)]
    assert np.abs(moving[0] - moving[1]).max() > 0


@pytest.mark.parametrize("build", [models.vgg16, models.vgg19])
def test_too_small_an_input_is_refused(build):
    with pytest.raises(ValueError, match=rf"{build.__name__} takes .* at least 32"):
        build(input_shape=(31, 32, 3))
    with pytest.raises(ValueError, match="classes=1 or more; given 0"):
        build(classes=0)


def test_a_depth_has_to_be_of_table_1():
    with pytest.raises(ValueError, match="vgg takes depth=16 or 19; given 11"):
        vgg(depth=11)
    assert vgg(depth=np.int64(16), input_shape=(32, 32, 3)).name == "vgg16"
