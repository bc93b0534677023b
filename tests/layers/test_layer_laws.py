"""What holds for every input of a layer, and for every size of it."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnlib import layers

SEEDS = st.integers(0, 2**32 - 1)
TABLE = [[0], [1, 2], [0, 2], [0, 1, 2]]


def fixed():
    return layers.FixedConv2DTranspose(
        *(3, 4), strides=2, padding="same", kernel_initializer=layers.Bilinear()
    )


# Layers that slide over an image: how they are made, by how many pixels the image moves
# for one place of the step, by how many their output then moves, and how many of its
# places at each side see the border.
SLIDING = {
    "table": (lambda: layers.TableConv2D(TABLE, 3), 1, 1, 0),
    "subsampling": (layers.Subsampling2D, 2, 1, 0),
    "response": (lambda: layers.LocalResponseNormalization(3, 1, 0.5, 0.4), 1, 1, 0),
    "padded": (lambda: layers.PaddedIdentity(5, 2), 2, 1, 0),
    "transposed": (fixed, 1, 2, 1),
}
LINEAR = sorted(SLIDING.keys() - {"response"})
BUILT = {name: make() for name, (make, *_) in SLIDING.items()}


def called(layer, x):
    return keras.ops.convert_to_numpy(layer(x))


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("name", SLIDING)
@given(seed=SEEDS, steps=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_what_moves_in_the_image_moves_in_the_output(name, seed, steps):
    _, period, moved, border = SLIDING[name]
    layer, x = BUILT[name], numbers(seed, 1, 12, 16, 3)
    down, right = (period * step for step in steps)
    whole, part = called(layer, x), called(layer, x[:, down:, right:])
    expected = whole[:, steps[0] * moved :, steps[1] * moved :]
    inside = slice(border, -border or None)
    np.testing.assert_allclose(
        part[:, inside, inside], expected[:, inside, inside], atol=1e-5
    )
    assert part.shape == expected.shape


@pytest.mark.parametrize("name", LINEAR)
@given(seed=SEEDS, a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_a_convolution_is_linear_but_for_its_bias(name, seed, a, b):
    layer = BUILT[name]
    x, y = numbers(seed, 2, 1, 12, 16, 3)
    bias = called(layer, np.zeros_like(x))
    found = called(layer, np.float32(a) * x + np.float32(b) * y) - bias
    each = [called(layer, image) - bias for image in (x, y)]
    np.testing.assert_allclose(found, a * each[0] + b * each[1], atol=1e-4)


@given(seed=SEEDS, factor=st.floats(0.1, 10))
def test_a_response_keeps_its_sign_and_is_made_smaller_by_its_neighbours(seed, factor):
    layer, x = BUILT["response"], numbers(seed, 1, 12, 16, 3)
    y, larger = called(layer, x), called(layer, np.float32(1 + factor) * x)
    np.testing.assert_allclose(called(layer, -x), -y, atol=1e-6)
    assert (np.abs(y) <= np.abs(x)).all()
    # It grows with its input, by less.
    assert (np.abs(larger) <= (1 + factor) * np.abs(y) * (1 + 1e-5)).all()
    assert (np.abs(larger) >= np.abs(y) * (1 - 1e-5)).all()


@given(seed=SEEDS)
def test_of_radial_codes_the_nearest_scores_most_and_an_exact_one_nothing(seed):
    codes, x = numbers(seed, 5, 7), numbers(seed + 1, 4, 7)
    scores = called(layers.RadialBasis(codes), np.concatenate([x, codes]))
    assert (scores <= 0).all()
    distances = np.linalg.norm(x[:, None] - codes, axis=-1)
    np.testing.assert_array_equal(scores[:4].argmax(1), distances.argmin(1))
    np.testing.assert_array_equal(np.diag(scores[4:]), np.zeros(5))


@given(seed=SEEDS, away=st.floats(0, 5))
def test_a_gaussian_unit_answers_by_the_distance_from_its_centre(seed, away):
    layer = layers.GaussianUnits(3)
    layer.build((None, 6))
    centres = np.asarray(layer.centres)
    direction = numbers(seed, 6)
    direction /= np.linalg.norm(direction)
    answers = called(layer, centres + np.float32(away) * direction)
    expected = np.exp(-((np.asarray(layer.precision) * away) ** 2))
    np.testing.assert_allclose(np.diag(answers), expected, atol=1e-5)
    assert (answers <= 1).all()
    assert (answers >= 0).all()


@given(seed=SEEDS, gate=st.floats(0, 1))
def test_a_gated_sum_lies_between_what_it_is_made_of(seed, gate):
    h, x = numbers(seed, 2, 3, 4)
    found = called(layers.GatedSum(), [h, np.full_like(h, gate), x])
    assert (found >= np.minimum(h, x) - 1e-6).all()
    assert (found <= np.maximum(h, x) + 1e-6).all()


@given(seed=SEEDS, paths=st.integers(1, 4), alone=st.integers(0, 4))
def test_a_join_is_a_mean_of_some_of_its_paths(seed, paths, alone):
    """Of one alone, where a column is; else of at least one."""
    assume(alone <= paths)
    given = numbers(seed, paths, 2, 3)
    choice = np.eye(paths + 1, dtype="float32")[None, alone, :paths]
    join = layers.FractalJoin(0.5, seed=seed % 1000)
    found = called_in_training(join, [choice, *given])
    subsets = np.array(list(np.ndindex(*[2] * paths))[1:])
    if alone < paths:
        subsets = np.eye(paths)[None, alone]
    means = np.einsum("sp,pij->sij", subsets, given) / subsets.sum(1)[:, None, None]
    assert np.abs(means - found).max((1, 2)).min() < 1e-5
    np.testing.assert_allclose(called(join, [choice, *given]), given.mean(0), atol=1e-6)


def called_in_training(layer, inputs):
    return keras.ops.convert_to_numpy(layer(inputs, training=True))


@given(
    have=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    want=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_a_crop_leaves_out_as_much_at_both_sides_and_what_is_odd_at_the_end(have, want):
    x = np.arange(np.prod(have), dtype="float32").reshape(1, *have, 1)
    found = called(layers.CropLike(), [x, np.zeros((1, *want, 2), "float32")])
    top, left = np.argwhere(x[0, ..., 0] == found[0, 0, 0, 0])[0]
    np.testing.assert_array_equal(
        found, x[:, top : top + want[0], left : left + want[1]]
    )
    for start, side, kept in zip((top, left), have, want, strict=True):
        assert 0 <= side - kept - 2 * start <= 1


@given(
    side=st.integers(1, 9),
    stride=st.sampled_from([2, 4]),
    maps=st.integers(1, 3),
    seed=SEEDS,
)
def test_bilinear_enlargement_keeps_constants_and_lines(side, stride, maps, seed):
    """Inside of the borders, which a transposed convolution pads with zeros."""
    layer = layers.FixedConv2DTranspose(
        maps,
        2 * stride,
        strides=stride,
        padding="same",
        kernel_initializer=layers.Bilinear(),
    )
    start, slope = numbers(seed, 2, maps)
    line = start + slope * np.arange(side + 2, dtype="float32")[:, None]
    x = np.broadcast_to(line[:, None], (side + 2, side + 2, maps))[None]
    found = called(layer, x)[0]
    # The middle of each place of the output, in places of the input.
    places = (np.arange(len(found)) + 0.5) / stride - 0.5
    expected = start + slope * places[:, None]
    inside = slice(stride, -stride)
    np.testing.assert_allclose(
        found[inside, inside],
        np.broadcast_to(expected[inside, None], found[inside, inside].shape),
        atol=1e-4,
    )
