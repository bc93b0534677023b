"""What is not said: the default of every argument of the public functions, on record.

A default is part of what a paper, a docstring or a notebook relies on, and a test that
says all of its settings does not see it. Builders' are in ``models/starts.csv``. None
is left out, and so is what is empty, zero or false.
"""

import importlib
import inspect

import pytest

RECORD = """
augment.ColorShift strength=0.1 value_range=(0, 255)
augment.Crop fill_mode='constant'
augment.Elastic displacement=10.0 grid=3
augment.Pipeline value_range=(0, 255)
augment.examples count=16
augment.matrices flip=(1, 1) zoom=1 translation=(0, 0)
augment.moving.Moving interpolation='bilinear' fill_mode='reflect'
augment.pipeline value_range=(0, 255)
augment.sample fill_mode='reflect'
bands.band digits=3
bands.differ most=1e-06
datasets.centre_crop size=224 part=0.875
datasets.cylinder_bell_funnel train=30 test=300 length=128
datasets.image_folder split=0.2 channels=3
datasets.membranes size=128 cell=26
datasets.moving_digits train=600 test=200 frames=6 size=20 step=2
fooling.AdversarialTraining alpha=0.5 bounds=(0.0, 1.0)
fooling.CPPN nodes=16 rate=0.15 strength=0.7
fooling.Direct rate=0.1 crossover=0.5
fooling.distortion bounds=(0.0, 1.0)
fooling.evolve encoding='direct' generations=400 population=200 until=0.9999 \
bounds=(0.0, 1.0)
fooling.fgsm loss='cross-entropy' bounds=(0.0, 1.0) batch_size=256
fooling.lbfgs searches=6 rounds=20 lead=0.01 bounds=(0.0, 1.0) batch_size=256
fooling.linearity loss='margin' bounds=(0.0, 1.0)
fooling.pgd norm='linf' steps=20 loss='cross-entropy' bounds=(0.0, 1.0) batch_size=256
fooling.robustness epsilons=(0.05, 0.1, 0.2) bounds=(0.0, 1.0)
layers.ColumnChoice ratio=0.5
layers.FractalJoin rate=0.15
layers.LocalResponseNormalization depth=5 k=2.0 alpha=0.0001 beta=0.75
layers.PaddedIdentity strides=1
plots.augmented count=15 columns=8
plots.bands height=4.5
plots.bars height=3
plots.diagram columns=5
plots.dots height=4.5
plots.filters columns=8
plots.grids height=4
plots.images columns=8
plots.lines height=4.5
plots.masked columns=4 strength=0.45
plots.mistakes columns=4
plots.overlay columns=8
plots.points height=5.4
plots.series columns=3
plots.windows stride=1 padding=(0, 0) dilation=1 frames=4 height=3.9
segmentation.CrossEntropy name='cross_entropy'
segmentation.CrossEntropyDice smooth=1.0 dice=1.0 name='cross_entropy_dice'
segmentation.predict_tiles batch_size=4
segmentation.weight_map w0=10.0 sigma=5.0 balance=True
training.OneCycle warmup=0.3 start=0.04 end=0.0001
training.SGD learning_rate=0.01
training.TimeToAccuracy monitor='val_accuracy'
"""
ROOMS = "augment datasets explain fooling gradients layers plots segmentation training"
FOREIGN = {"layers.FixedConv2DTranspose"}  # Keras's own, but for what is trained


def defaults(name):
    """Those of a function or class, as text; "" if there is none."""
    room, _, own = name.rpartition(".")
    value = getattr(importlib.import_module(f"cnnlib.{room}"), own)
    if not callable(value):
        return ""
    said = inspect.signature(value).parameters.values()
    told = [p for p in said if p.default is not p.empty and p.default]
    return " ".join(f"{p.name}={p.default!r}" for p in told)


LINES = [line.partition(" ") for line in RECORD.strip().splitlines()]


@pytest.mark.parametrize(("name", "_", "told"), LINES, ids=[name for name, *_ in LINES])
def test_a_default_is_the_one_on_record(name, _, told):
    assert defaults(name) == told


def test_every_default_is_on_record():
    found = set()
    for room in ROOMS.split():
        for public in importlib.import_module(f"cnnlib.{room}").__all__:
            value = getattr(importlib.import_module(f"cnnlib.{room}"), public)
            error = isinstance(value, type) and issubclass(value, BaseException)
            if callable(value) and not error and defaults(f"{room}.{public}"):
                found.add(f"{room}.{public}")
    tuples = {"datasets.Membranes"}  # its class names are tested with the images
    others = {"augment.moving.Moving", "bands.band", "bands.differ"}
    assert found - FOREIGN - tuples == {name for name, *_ in LINES} - others
