"""What is computed from the layers of a network is what the network does."""

import explainable as nets
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from cnnlib import explain
from cnnlib.explain.receptive import view

PADDINGS = st.sampled_from(["valid", "same"])


def windows(kind, **settings):
    return st.tuples(st.just(kind), st.fixed_dictionaries(settings))


def pairs(most):
    return st.tuples(st.integers(1, most), st.integers(1, most))


WINDOWS = st.one_of(
    windows(
        layers.Conv2D,
        filters=st.just(2),
        kernel_size=pairs(4),
        strides=st.integers(1, 2),
        padding=PADDINGS,
    ),
    windows(
        layers.Conv2D,
        filters=st.just(2),
        kernel_size=st.integers(1, 3),
        dilation_rate=pairs(3),
        padding=PADDINGS,
    ),
    windows(layers.DepthwiseConv2D, kernel_size=st.integers(1, 4), padding=PADDINGS),
    windows(
        layers.MaxPooling2D,
        pool_size=pairs(3),
        strides=st.integers(1, 3),
        padding=PADDINGS,
    ),
    windows(layers.AveragePooling2D, pool_size=st.integers(1, 3), padding=PADDINGS),
)
STACKS = st.lists(WINDOWS, min_size=1, max_size=4)
SIDES = st.tuples(st.integers(40, 60), st.integers(40, 60))


def network(stack, sides):
    made = [kind(**settings) for kind, settings in stack]
    end = layers.Activation("relu", name="end")
    return nets.chain(*made, end, shape=(*sides, 1))


@given(stack=STACKS, sides=SIDES)
def test_computed_receptive_fields_are_those_that_gradients_find(stack, sides):
    model = network(stack, sides)
    computed = explain.receptive_field(model, "end").size
    assert explain.measured_receptive_field(model, "end") == computed


@given(stack=STACKS, sides=SIDES)
def test_computed_sizes_are_kerass_and_fields_lie_around_the_image(stack, sides):
    model = network(stack, sides)
    rows, columns = view(model, "end", sides).axes
    assert (rows.places, columns.places) == model.output_shape[1:3]
    for axis, side in zip((rows, columns), sides, strict=True):
        last = axis.start + (axis.places - 1) * axis.stride
        assert axis.start <= 0
        assert last < side
        # No unit sees the padding alone.
        assert axis.start + axis.size > 0


@given(one=STACKS, other=STACKS)
def test_a_field_behind_another_network_is_made_of_both(one, other):
    """Their strides multiply; the sizes beyond one pixel add up in these steps."""
    first, second, whole = (
        explain.receptive_field(network(stack, (200, 200)), "end")
        for stack in (one, other, one + other)
    )
    for axis in range(2):
        assert whole.stride[axis] == first.stride[axis] * second.stride[axis]
        beyond = (second.size[axis] - 1) * first.stride[axis]
        assert whole.size[axis] == first.size[axis] + beyond
