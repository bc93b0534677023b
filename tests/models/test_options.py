"""What a builder is told reaches its layers: every rate of dropout, a part of maps."""

import inspect
from collections.abc import Sequence

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import models

# Those that take one rate: how small they can be made, and how often it is used.
RATES = {
    "mlp": ({}, 2),
    "alexnet": ({"input_shape": (67, 67, 3)}, 2),
    "zfnet": ({"input_shape": (53, 53, 3)}, 2),
    "xception": ({"input_shape": (32, 32, 3)}, 1),
    # On the image, behind two pools, before the dense layer.
    "highway": ({"input_shape": (8, 8, 3), "units": (1, 1, 1)}, 4),
    # Behind each convolution of three blocks of one layer, and of the transitions.
    "cifar_densenet": ({"input_shape": (8, 8, 3), "depth": 7, "growth": 2}, 5),
    # Two in each layer with a bottleneck.
    "densenet": ({"input_shape": (32, 32, 3), "blocks": (1, 2), "growth": 2}, 7),
    "efficientnet_lite0": ({"input_shape": (32, 32, 3)}, 1),
    "efficientnet_lite1": ({"input_shape": (32, 32, 3)}, 1),
    "unet": ({"input_shape": (None, None, 1), "width": 2}, 2),
    # At the end of each block or unit.
    "fc_resnet": ({"input_shape": (32, 32, 1), "blocks": (1, 2), "width": 2}, 6),
    # Down, its transition, at the bottom, up.
    "fc_densenet": ({"blocks": (1, 1, 1), "growth": 2, "width": 2}, 4),
}


# One head serves these; ``test_inception`` asks it for a rate.
HEADS = {"googlenet", "inception_v3", "inception_v4"}
HEADS |= {"inception_resnet_v1", "inception_resnet_v2"}


def takes_a_rate(name):
    builder = getattr(models, name)
    entry = getattr(builder, "entry", None)
    parameters = inspect.signature(builder).parameters
    told = "dropout" in parameters and isinstance(parameters["dropout"].default, float)
    return told and (entry is None or entry.family is None)


def test_every_builder_with_a_rate_is_looked_at():
    builders = {*models.CATALOG, *models.FAMILIES}
    assert {name for name in builders if takes_a_rate(name)} == HEADS | set(RATES)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", RATES)
def test_a_rate_of_dropout_reaches_every_layer(name):
    options, count = RATES[name]
    model = getattr(models, name)(dropout=0.125, classes=3, **options)
    own = [x for x in model.layers if isinstance(x, layers.Dropout)]
    assert [x.rate for x in own] == [0.125] * count
    keras.backend.clear_session()


@pytest.mark.usefixtures("undrawn")
def test_a_compression_that_is_no_whole_number_of_maps_is_rounded_down():
    options = {"depth": 10, "growth": 7, "bottleneck": True, "compression": 0.75}
    model = models.cifar_densenet(input_shape=(8, 8, 3), **options)
    # (14 + 7) · 0.75 = 15.75, then (15 + 7) · 0.75 = 16.5
    widths = [model.get_layer(f"transition{i}_conv").filters for i in (1, 2)]
    assert widths == [15, 16]


@pytest.mark.parametrize("name", ["vgg16", "resnet34", "densenet121", "fcn8s"])
def test_a_variant_is_said_to_be_where_its_family_is(name):
    builder = getattr(models, name)
    assert builder.__module__ == builder.entry.family.__module__
    assert builder.__qualname__ == builder.__name__ == name


def test_a_refused_network_leaves_keras_as_it_was_configured():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="given 0"):
            models.mlp(classes=0)
        assert keras.config.image_data_format() == "channels_first"
        model = models.mnist_cnn()
        assert model.get_layer("conv1").data_format == "channels_last"
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format(before)


# What no argument of that kind may be.
WRONG = {
    int: [0, -1, 1.5, "2", True, (), float("nan")],
    float: ["1", None, True, float("nan"), float("inf"), (0.5,)],
    bool: [None, 1, "yes", ()],
    Sequence[int]: [3, "33", None, (1, 0), (1.5, 2), [True, 1], ("1", "2")],
    Sequence[float]: [0.1, None, (float("nan"),), ("0.1",)],
}
NAMES = sorted({*models.CATALOG, *models.FAMILIES})


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_of_another_kind_is_refused_by_name(name):
    builder = getattr(models, name)
    entry = getattr(builder, "entry", None)
    who = entry.family.__name__ if entry and entry.family else name
    for key, parameter in inspect.signature(builder).parameters.items():
        if key in ("input_shape", "classes"):
            continue
        for value in WRONG.get(parameter.annotation, ()):
            with pytest.raises(ValueError, match=f"^{who} takes {key}[ =]"):
                builder(**{key: value})


@pytest.mark.parametrize("name", [*RATES, *sorted(HEADS)])
@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_a_rate_is_from_zero_to_below_one(name, rate):
    with pytest.raises(ValueError, match=f"^{name} takes dropout from 0 to below 1"):
        getattr(models, name)(dropout=rate)


def test_the_rates_of_blocks_are_rates_each():
    with pytest.raises(
        ValueError, match=r"^fractalnet takes dropout from 0 to below 1"
    ):
        models.fractalnet(dropout=(0, 0.1, 0.2, 0.3, 1))


def test_rows_may_be_lists_or_numpys():
    rows = [[2, 3], np.array([2, 3]), (np.int64(2), 3)]
    counts = {
        models.mlp(input_shape=(2, 2, 1), units=row).count_params() for row in rows
    }
    assert len(counts) == 1
