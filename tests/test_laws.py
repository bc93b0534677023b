"""What holds for all settings of what has no room of its own, or for several rooms."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from cnnlib import augment, gradients, layers, segmentation
from cnnlib.training import SGD, OneCycle

PARTS = st.floats(0, 1, width=32)
CYCLES = st.fixed_dictionaries(
    {
        "peak": st.floats(1e-4, 10),
        "steps": st.integers(2, 2000),
        "warmup": st.floats(0.05, 0.95),
        "start": PARTS,
        "end": PARTS,
    }
)


@given(settings=CYCLES)
def test_a_cycle_rises_to_its_peak_and_falls_whatever_its_settings(settings):
    rate = OneCycle(**settings)
    peak, steps = settings["peak"], settings["steps"]
    places = np.linspace(0, steps, 101, dtype="float32")
    rates = ops.convert_to_numpy(rate(places)) / peak
    slack = 1e-4
    np.testing.assert_allclose(rates[0], settings["start"], atol=slack)
    np.testing.assert_allclose(rates[-1], settings["end"], atol=slack)
    assert rates.max() <= 1 + slack
    assert rates.min() >= min(settings["start"], settings["end"]) - slack
    rising = places <= settings["warmup"] * steps
    assert (np.diff(rates[rising]) >= -slack).all()
    assert (np.diff(rates[~rising]) <= slack).all()
    beyond = ops.convert_to_numpy(rate(np.float32([steps, 2 * steps])))
    assert beyond[0] == beyond[1]
    # A peak is a unit, and a longer training is slower, nothing else.
    longer = OneCycle(**settings | {"peak": 2 * peak, "steps": 3 * steps})
    slow = ops.convert_to_numpy(longer(3 * places)) / (2 * peak)
    np.testing.assert_allclose(slow, rates, atol=slack)


def whole(least, most):
    """Python's and NumPy's, which count as integers everywhere."""
    numbers = st.integers(least, most)
    return numbers | numbers.map(np.int64)


def real(least, most):
    numbers = st.floats(least, most, width=32)
    return numbers | numbers.map(np.float32)


SEED = st.none() | whole(0, 99)
RANGE = st.just((0, 1)) | st.just([np.float32(0), np.float32(255)])
FLIP = st.sampled_from([None, "horizontal", "vertical", "horizontal_and_vertical"])
FILL = {
    "fill_mode": st.sampled_from(["constant", "nearest", "reflect", "mirror"]),
    "fill_value": real(-1, 1),
    "fill_label": whole(0, 255),
    "flip": FLIP,
    "seed": SEED,
}
AFFINE = {
    "rotation": real(0, 180) | st.tuples(real(-9, 0), real(0, 9)),
    "zoom": real(0, 1) | st.tuples(real(0.5, 1), real(1, 2)),
    "translation": real(0, 1),
    "shear": real(0, 60),
    "interpolation": st.sampled_from(["nearest", "bilinear", "bicubic"]),
}
COUNTED = {"classes": whole(2, 9), "ignored": st.none() | whole(-1, 255)}
THINGS = {
    layers.CropLike: {"offset": st.none() | whole(0, 9)},
    layers.ColumnChoice: {"columns": whole(1, 9), "ratio": real(0, 1), "seed": SEED},
    layers.FractalJoin: {"rate": real(0, 1), "seed": SEED},
    layers.GaussianUnits: {"units": whole(1, 9)},
    layers.LocalResponseNormalization: {
        "depth": st.sampled_from([1, 3, np.int64(5)]),
        "k": real(1, 2),
        "alpha": real(0, 1),
        "beta": real(0, 1),
    },
    layers.PaddedIdentity: {"filters": whole(1, 9), "strides": whole(1, 3)},
    layers.RadialBasis: {
        "codes": st.lists(st.tuples(real(-1, 1), real(-1, 1)), min_size=1)
    },
    layers.SurvivalGate: {"survival": real(0.125, 1), "seed": SEED},
    layers.TableConv2D: {
        "table": st.lists(st.lists(whole(0, 9), min_size=1), min_size=1, max_size=4),
        "kernel_size": whole(1, 5),
    },
    augment.Warp: AFFINE | FILL,
    augment.Elastic: AFFINE | FILL | {"displacement": real(0, 9), "grid": whole(2, 9)},
    augment.Crop: FILL
    | {
        "size": st.none() | whole(1, 9) | st.tuples(whole(1, 9), whole(1, 9)),
        "padding": whole(0, 9),
    },
    augment.ColorShift: {"strength": real(0, 1), "value_range": RANGE, "seed": SEED},
    segmentation.CrossEntropy: {
        "ignored": st.none() | whole(-1, 255),
        "class_weights": st.none()
        | st.lists(real(0, 9), min_size=2, max_size=4)
        | st.lists(real(0, 9), min_size=2, max_size=4).map(np.array),
    },
    segmentation.CrossEntropyDice: {
        "ignored": st.none() | whole(-1, 255),
        "smooth": real(0.125, 9),
        "dice": real(0, 9),
    },
    segmentation.MeanIoU: COUNTED,
    segmentation.MeanDice: COUNTED,
    segmentation.PixelAccuracy: COUNTED,
    SGD: {
        "learning_rate": st.floats(0.125, 1, width=32),
        "momentum": st.floats(0, 1, width=32),
        "nesterov": st.booleans(),
        "l2": real(0, 1),
    },
    OneCycle: {
        "peak": real(0.125, 9),
        "steps": whole(1, 999),
        "warmup": real(0.125, 0.5),
        "start": real(0, 1),
        "end": real(0, 1),
    },
}


def plain(config):
    """Settings as JSON has them: NumPy's numbers as Python's, tuples as lists."""
    return json.loads(json.dumps(config, default=lambda value: value.tolist()))


@pytest.mark.parametrize("kind", THINGS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_is_written_to_a_file_comes_back_with_all_its_settings(kind, data):
    settings = data.draw(st.fixed_dictionaries({}, optional=THINGS[kind]), "settings")
    try:
        thing = kind(**settings)
    except TypeError as error:  # a setting without a default was not drawn
        assert "missing" in str(error)  # noqa: PT017
        return
    text = json.dumps(keras.saving.serialize_keras_object(thing))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(again) is kind
    config = plain(again.get_config())
    assert config == plain(thing.get_config())
    for name, value in plain(settings).items():
        assert config[name] == value or (name == "size" and config[name] == [value] * 2)


def test_every_object_of_a_file_with_settings_is_tried():
    rooms = ("cnnlib.augment", "cnnlib.layers", "cnnlib.segmentation", "cnnlib.train")
    registered = keras.saving.get_custom_objects().values()
    ours = {kind for kind in registered if kind.__module__.startswith(rooms)}
    without = {
        layers.Bilinear,
        layers.FixedConv2DTranspose,
        layers.GatedSum,
        layers.RepeatedUnit,
        layers.Subsampling2D,
        augment.Pipeline,
    }
    assert ours - without == set(THINGS)


@given(
    seed=st.integers(0, 2**32 - 1),
    a=st.floats(-3, 3, width=32),
    b=st.floats(-3, 3, width=32),
)
def test_gradients_are_linear_and_follow_the_chain(seed, a, b):
    x, w = np.random.default_rng(seed).normal(size=(2, 3, 4)).astype("float32")

    def f(x):
        return ops.sum(ops.sin(w * x))

    def g(x):
        return ops.sum(x * x * w)

    slopes = [gradients.gradient(function, x) for function in (f, g)]
    both = gradients.gradient(lambda x: a * f(x) + b * g(x), x)
    np.testing.assert_allclose(both, a * slopes[0] + b * slopes[1], atol=1e-4)
    scaled = gradients.gradient(lambda x: f(a * x), x)
    inner = gradients.gradient(f, a * x)
    np.testing.assert_allclose(scaled, a * inner, atol=1e-4)
    product = gradients.gradient(lambda x: f(x) * g(x), x)
    values = [float(function(ops.convert_to_tensor(x))) for function in (f, g)]
    expected = slopes[0] * values[1] + slopes[1] * values[0]
    np.testing.assert_allclose(product, expected, rtol=1e-3, atol=1e-3)
