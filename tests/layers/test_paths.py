import keras
import numpy as np
import pytest
from arrays import numbers

from cnnlib.layers import (
    ColumnChoice,
    FractalJoin,
    GatedSum,
    PaddedIdentity,
    SurvivalGate,
)


@pytest.mark.parametrize("strides", [1, 2, 3])
def test_padded_identity_takes_every_other_place_and_adds_empty_maps(strides):
    layer = PaddedIdentity(5, strides)
    x = numbers(2, 7, 8, 3)
    y = np.asarray(layer(x))
    assert y.shape == (2, -(-7 // strides), -(-8 // strides), 5)
    np.testing.assert_array_equal(y[..., :3], x[:, ::strides, ::strides])
    assert (y[..., 3:] == 0).all()
    free = layer(keras.Input((None, 8, 3)))
    assert free.shape == (None, None, *y.shape[2:])
    with pytest.raises(ValueError, match=r"makes 5 maps.*the input has 6"):
        PaddedIdentity(5)(numbers(1, 2, 2, 6))


def test_survival_gate_draws_once_for_the_batch_and_as_often_as_told():
    gate = SurvivalGate(0.3, seed=1)
    x = numbers(5, 4)
    np.testing.assert_allclose(np.asarray(gate(x)), 0.3 * x, rtol=1e-6)
    kept = 0
    for _ in range(400):
        y = np.asarray(gate(x, training=True))
        assert (y == 0).all() or (y == x).all()
        kept += (y == x).all()
    assert abs(kept - 120) < 4 * np.sqrt(400 * 0.3 * 0.7)
    assert (np.asarray(SurvivalGate(1)(x, training=True)) == x).all()
    for wrong in (0, 1.1, -1):
        with pytest.raises(ValueError, match="survival above 0"):
            SurvivalGate(wrong)


def test_a_gate_lets_through_and_carries_the_rest():
    h, x = numbers(3, 4), numbers(3, 4)
    gate = np.float32([[0, 1, 0.25, 0.5]]).repeat(3, axis=0)
    layer = GatedSum()
    expected = gate * h + (1 - gate) * x
    np.testing.assert_allclose(np.asarray(layer([h, gate, x])), expected, atol=1e-6)
    np.testing.assert_allclose(expected[:, 0], x[:, 0])  # closed: the input
    assert layer.compute_output_shape([(3, 4)] * 3) == (3, 4)


def test_no_column_is_alone_outside_training():
    layer = ColumnChoice(4, ratio=1, seed=0)
    x = np.ones((2, 3), "float32")
    assert np.asarray(layer(x, training=True)).sum() == 1
    np.testing.assert_array_equal(layer(x, training=False), np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("layer", "shapes", "given"),
    [
        (GatedSum(), [(2, 3), (2, 1), (2, 3)], r"\(2, 3\), \(2, 1\), \(2, 3\)"),
        (GatedSum(), [(2, 1), (2, 3), (2, 3)], "GatedSum takes tensors of one shape"),
        (FractalJoin(), [(1, 2), (2, 4, 4, 3), (2, 4, 4, 1)], "FractalJoin takes"),
        (FractalJoin(), [(1, 2), (2, 3), (2, 4, 3)], r"given \(2, 3\), \(2, 4, 3\)"),
    ],
)
def test_paths_that_would_be_broadcast_are_refused(layer, shapes, given):
    with pytest.raises(ValueError, match=given):
        layer([numbers(*shape) for shape in shapes])


def test_paths_of_unknown_and_known_sides_may_meet():
    known, unknown = keras.Input((4, 4, 3)), keras.Input((None, None, 3))
    assert GatedSum()([known, unknown, unknown]).shape == (None, 4, 4, 3)
