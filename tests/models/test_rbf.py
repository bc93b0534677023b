import keras
import numpy as np
import pytest

from cnnlib.layers import GaussianUnits
from cnnlib.models import rbf_network

rng = np.random.default_rng(0)
TEMPLATES = rng.uniform(size=(7, 4, 5, 1)).astype("float32")


def network(templates=TEMPLATES):
    return rbf_network(templates, input_shape=(4, 5, 1), classes=3)


def test_a_unit_answers_by_its_distance():
    layer = GaussianUnits(3)
    x = rng.normal(size=(5, 4)).astype("float32")
    layer.build(x.shape)
    centres = rng.normal(size=(3, 4)).astype("float32")
    widths = np.float32([0.5, 1, 0.1])
    layer.set_weights([centres, widths])
    squares = ((x[:, None] - centres) ** 2).sum(axis=-1)
    found = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found, np.exp(-(widths**2) * squares), atol=1e-5)
    assert layer(keras.Input((4,))).shape == (None, 3)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.units == 3


def test_units_start_at_the_templates_as_wide_as_these_are_apart():
    model = network()
    centres, widths = model.get_layer("units").get_weights()
    np.testing.assert_array_equal(centres, TEMPLATES.reshape(7, -1))
    pairs = ((centres[:, None] - centres) ** 2).sum(axis=-1)
    np.testing.assert_allclose(widths**-2, pairs.mean(), rtol=1e-4)
    assert model.count_params() == 7 * 20 + 7 + 7 * 3 + 3
    assert model.output_shape == (None, 3)


def test_far_from_all_templates_only_the_bias_is_left():
    model = network()
    model.get_layer("logits").bias.assign([1.0, 2.0, 3.0])
    found = keras.ops.convert_to_numpy(model(np.full((1, 4, 5, 1), 50.0, "float32")))
    np.testing.assert_allclose(found, [[1, 2, 3]], atol=1e-6)


def test_centres_and_widths_are_trained():
    model = network()
    before = model.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss)
    model.fit(TEMPLATES, np.arange(7) % 3, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.abs(old - new).max() > 0


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        (TEMPLATES[0], r"templates of shape \(units, 4, 5, 1\); given \(4, 5, 1\)"),
        (TEMPLATES[:, :3], "templates of shape"),
        (TEMPLATES[:1], "at least two different templates"),
        (TEMPLATES[[0, 0]], "at least two different templates"),
        (TEMPLATES[:0], "at least two different templates"),
    ],
)
def test_templates_that_are_none_are_refused(templates, message):
    with pytest.raises(ValueError, match=message):
        network(templates)


@pytest.mark.parametrize("shape", [(4, 5), (None, None, 1), (None, 5, 1)])
def test_shapes_that_are_none_are_refused(shape):
    with pytest.raises(ValueError, match=r"rbf_network takes .*input_shape"):
        rbf_network(TEMPLATES, input_shape=shape, classes=3)


def test_without_a_shape_it_takes_digits():
    model = rbf_network(rng.random((4, 28, 28, 1)))
    assert (model.input_shape, model.output_shape) == ((None, 28, 28, 1), (None, 10))
