"""Arguments of another kind are refused in one line, and never taken for a value.

A word where True or False is meant would count as True; a seed of None would give
other numbers each time; NaN would pass through to the result.
"""

import math

import keras
import numpy as np
import pytest

from cnnlib import (
    augment,
    datasets,
    explain,
    fooling,
    gradients,
    layers,
    models,
    plots,
    segmentation,
    training,
)

IMAGES = np.linspace(0, 1, 2 * 8 * 8).reshape(2, 8, 8, 1).astype("float32")
MASKS = np.ones((2, 8, 8), int)
WAYS = {"alt": "A picture."}
AXES = {"xlabel": "x", "ylabel": "y", **WAYS}


def small():
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, name="conv")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(3)(x))


def loss(y, z):
    return keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True)


SEEDS = {
    "pgd": lambda seed: fooling.pgd(small(), IMAGES, [0, 1], 0.1, seed=seed),
    "evolve": lambda seed: fooling.evolve(small(), seed=seed),
    "membranes": lambda seed: datasets.membranes(1, 32, seed=seed),
    "cylinder_bell_funnel": lambda seed: datasets.cylinder_bell_funnel(seed=seed),
    "moving_digits": lambda seed: datasets.moving_digits(seed=seed),
    "measured_receptive_field": lambda seed: explain.measured_receptive_field(
        small(), "conv", seed
    ),
}


@pytest.mark.parametrize("who", SEEDS)
@pytest.mark.parametrize("seed", [None, -1, 1.5, True, "1", [1, 2]])
def test_a_seed_is_a_whole_number(who, seed):
    with pytest.raises(ValueError, match=f"{who} takes seed=0 or more; given"):
        SEEDS[who](seed)


def test_the_seed_of_a_pipeline_may_be_none_and_nothing_else_but_a_whole_number():
    augment.pipeline("digits", seed=None)
    with pytest.raises(ValueError, match="pipeline takes seed=0 or more; given True"):
        augment.pipeline("digits", seed=True)


FLAGS = {
    "pgd takes random_start=": lambda flag: fooling.pgd(
        small(), IMAGES, [0, 1], 0.1, random_start=flag
    ),
    "cifar_densenet takes bottleneck=": lambda flag: models.cifar_densenet(
        bottleneck=flag
    ),
    "googlenet takes auxiliary=": lambda flag: models.googlenet(auxiliary=flag),
    "fcn takes learn_upsampling=": lambda flag: models.fcn8s(learn_upsampling=flag),
    "resnet_v2 takes as_keras=": lambda flag: models.resnet50_v2(as_keras=flag),
    "weight_map takes balance=": lambda flag: segmentation.weight_map(
        MASKS[0], balance=flag
    ),
    "TimeToAccuracy takes stop=": lambda flag: training.TimeToAccuracy(0.9, stop=flag),
    "weight_gradients takes training=": lambda flag: gradients.weight_gradients(
        small(), loss, IMAGES, np.array([0, 1]), training=flag
    ),
    "bars takes log=": lambda flag: plots.bars({"a": 1}, xlabel="x", log=flag, **WAYS),
    "points takes log=": lambda flag: plots.points(
        {"a": {"b": (1, 2)}}, log=flag, **AXES
    ),
    "bands takes log=": lambda flag: plots.bands(
        [1, 2], {"a": np.ones((2, 2))}, log=flag, **AXES
    ),
}


@pytest.mark.parametrize("said", FLAGS)
@pytest.mark.parametrize("flag", ["no", 1, None, math.nan])
def test_a_flag_is_true_or_false(said, flag):
    with pytest.raises(ValueError, match=f"{said}False or True; given {flag!r}"):
        FLAGS[said](flag)


def test_numpys_flags_are_flags():
    assert len(models.cifar_densenet(depth=10, bottleneck=np.True_).layers) > 0
    assert training.TimeToAccuracy(0.9, stop=np.True_).stop is True


def test_whether_units_are_scanned_may_be_left_open():
    for scan in (None, True, False):
        models.cifar_plain(depth=8, width=1, scan=scan)
    said = "cifar_resnet takes scan=False, True or None; given 'never'"
    with pytest.raises(ValueError, match=said):
        models.resnet20(scan="never")


PLOTS = {
    "images": lambda **how: plots.images(IMAGES, **how),
    "masked": lambda **how: plots.masked(IMAGES, MASKS, **how),
    "overlay": lambda **how: plots.overlay(IMAGES, MASKS, **how),
    "mistakes": lambda **how: plots.mistakes(
        IMAGES, MASKS, MASKS, label=1, name="cell", **how
    ),
    "series": lambda **how: plots.series(np.ones((2, 9)), **how),
    "diagram": lambda **how: plots.diagram(small(), **how),
    "augmented": lambda **how: plots.augmented(
        augment.Warp(rotation=5), IMAGES[0], count=2, **how
    ),
}


@pytest.mark.parametrize("plot", PLOTS)
def test_sizes_of_figures_are_positive_and_alternatives_are_words(plot):
    for columns in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="takes columns=1 or more; given"):
            PLOTS[plot](columns=columns, **WAYS)
    for height in (0, -1, math.nan, math.inf, "3"):
        with pytest.raises(ValueError, match="takes height above 0; given"):
            PLOTS[plot](height=height, **WAYS)
    with pytest.raises(ValueError, match="a figure takes alt= as text; given None"):
        PLOTS[plot](alt=None)


def test_filters_stand_in_whole_columns():
    with pytest.raises(ValueError, match="filters takes columns=1 or more; given 0"):
        plots.filters(np.ones((3, 3, 1, 2)), columns=0, **WAYS)


LABELLED = {
    "lines": lambda values: plots.lines([1, 2], values, **AXES),
    "bands": lambda values: plots.bands([1, 2], values, **AXES),
    "bars": lambda values: plots.bars(values, xlabel="x", **WAYS),
    "dots": lambda values: plots.dots(values, ylabel="y", **WAYS),
    "grids": lambda values: plots.grids(values, **WAYS),
    "points": lambda values: plots.points(values, **AXES),
}


@pytest.mark.parametrize("plot", LABELLED)
@pytest.mark.parametrize("values", [{}, [1, 2], None, "ab", np.ones((2, 2))])
def test_values_come_by_label(plot, values):
    with pytest.raises(ValueError, match=f"{plot} takes a dict, label: values; given"):
        LABELLED[plot](values)


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("images takes limits", lambda: plots.images(IMAGES, limits=(1, 0), **WAYS)),
        (
            "masked takes strength from 0 to 1; given 2",
            lambda: plots.masked(IMAGES, MASKS, strength=2, **WAYS),
        ),
        (
            "mistakes takes label=0 or more; given 'cell'",
            lambda: plots.mistakes(
                IMAGES, MASKS, MASKS, label="cell", name="cell", **WAYS
            ),
        ),
        (
            "bars takes digits=0 or more; given 1.5",
            lambda: plots.bars({"a": 1}, xlabel="x", digits=1.5, **WAYS),
        ),
        (
            "grids takes digits=0 or more; given None",
            lambda: plots.grids({"a": np.eye(2)}, digits=None, **WAYS),
        ),
        (
            "sample takes interpolation='nearest', 'bilinear' or 'bicubic'; given 'lin",
            lambda: augment.sample(IMAGES, MASKS, MASKS, "linear"),
        ),
        (
            "sample takes fill_mode=.*; given 'wrap'",
            lambda: augment.sample(IMAGES, MASKS, MASKS, "nearest", "wrap"),
        ),
        ("examples takes a layer; given None", lambda: augment.examples(None, MASKS)),
        ("takes a range", lambda: augment.Warp(rotation=True)),
        ("takes a range", lambda: augment.Warp(zoom=math.nan)),
        ("takes a range", lambda: augment.Warp(shear="steep")),
        (
            "TimeToAccuracy takes monitor= as text; given None",
            lambda: training.TimeToAccuracy(0.9, monitor=None),
        ),
        ("RadialBasis takes codes", lambda: layers.RadialBasis([1.0, 2.0])),
        ("takes finite codes", lambda: layers.RadialBasis([[1.0, math.nan]])),
        ("CropLike takes offset=0 or more", lambda: layers.CropLike(offset=-1)),
        ("takes count=1 or more", lambda: layers.RepeatedUnit(small(), 1.5)),
        ("RepeatedUnit takes a built model", lambda: layers.RepeatedUnit(None, 2)),
        ("evolve takes a model", lambda: fooling.evolve(None)),
        (
            "weight_gradients takes a built model",
            lambda: gradients.weight_gradients("model", loss, IMAGES, MASKS),
        ),
        ("takes depth=1 or more", lambda: layers.LocalResponseNormalization(2.5)),
        ("takes k above 0", lambda: layers.LocalResponseNormalization(k=0)),
        ("takes alpha from 0", lambda: layers.LocalResponseNormalization(alpha=-1)),
        ("takes beta from 0", lambda: layers.LocalResponseNormalization(beta=math.nan)),
    ],
)
def test_what_is_of_another_kind_is_told(said, call):
    with pytest.raises(ValueError, match=said):
        call()
