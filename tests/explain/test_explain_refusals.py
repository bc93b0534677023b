import explainable as nets
import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import explain

FUNCTIONS = [
    lambda model, x, layer: explain.activations(model, x, [layer]),
    lambda model, x, layer: explain.grad_cam(model, x, layer),
    lambda model, x, layer: explain.receptive_field(model, layer),
    lambda model, x, layer: explain.measured_receptive_field(model, layer),
]


@pytest.mark.parametrize("name", ["pol", "polo", "outer/pool"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_unknown_layer_is_told_the_nearest_and_all_known(function, name):
    with pytest.raises(ValueError, match=f"'net' has no layer '{name}'") as error:
        function(nets.nested_net(), nets.numbers(2, 12, 12, 2), name)
    assert "the nearest is 'outer/inner/pool'" in str(error.value)
    assert str(error.value).endswith("Known: " + ", ".join(nets.PATHS))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_name_that_two_layers_share_is_refused_with_both(function):
    def branch(name):
        conv = layers.Conv2D(2, 3, name="conv")
        return nets.chain(conv, shape=(12, 12, 2), name=name)

    left, right = branch("left"), branch("right")
    model = nets.graph(lambda x: layers.Add()([left(x), right(x)]), shape=(12, 12, 2))
    with pytest.raises(
        ValueError, match="'conv' could be any of left/conv, right/conv"
    ):
        function(model, nets.numbers(1, 12, 12, 2), "conv")


def test_a_whole_path_goes_before_the_end_of_another():
    inner = nets.chain(
        layers.Conv2D(2, 3, name="conv"), shape=(12, 12, 2), name="inner"
    )
    model = nets.chain(inner, layers.Conv2D(2, 5, name="conv"), shape=(12, 12, 2))
    assert explain.receptive_field(model, "conv").size == (7, 7)
    assert explain.receptive_field(model, "inner/conv").size == (3, 3)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_layer_that_is_called_twice_is_refused(function):
    twice = layers.Conv2D(2, 3, padding="same", name="twice")
    model = nets.graph(lambda x: twice(twice(x)), shape=(12, 12, 2))
    with pytest.raises(ValueError, match="'twice' is called 2 times"):
        function(model, nets.numbers(1, 12, 12, 2), "twice")


# --- bad input ------------------------------------------------------------------------

EXPLAINERS = [explain.activations, explain.grad_cam]


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize("function", EXPLAINERS)
@pytest.mark.parametrize("shape", [(6, 5, 3), (2, 6, 6, 3), (2, 6, 5, 1), (0, 6, 5, 3)])
def test_a_batch_of_another_shape_is_refused(function, shape):
    with pytest.raises(ValueError, match=r"takes a batch of shape \(n, 6, 5, 3\)") as e:
        function(nets.smooth_net(), np.zeros(shape))
    assert str(e.value).startswith(function.__name__)
    assert str(e.value).endswith(f"given {shape}")


@pytest.mark.parametrize("function", EXPLAINERS)
def test_a_model_that_is_not_built_is_refused(function):
    model = keras.Sequential([layers.Conv2D(2, 3)], name="net")
    with pytest.raises(ValueError, match=r"'net' is not built.*keras\.Input"):
        function(model, np.zeros((1, 8, 8, 1)))
    with pytest.raises(ValueError, match="'net' is not built"):
        explain.receptive_field(model, "conv2d")
    with pytest.raises(ValueError, match="'net' is not built"):
        explain.measured_receptive_field(model, "conv2d")
    with pytest.raises(ValueError, match="'net' is not built"):
        explain.outline(model)


@pytest.mark.parametrize("function", EXPLAINERS)
def test_a_model_without_a_graph_is_refused(function):
    with pytest.raises(ValueError, match=r"Sequential and functional.*Subclassed"):
        function(Subclassed(), np.zeros((1, 8, 8, 1)))


@pytest.mark.parametrize("function", EXPLAINERS)
def test_a_model_of_two_inputs_is_refused(function):
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    model = keras.Model([left, right], layers.Add()([left, right]), name="pair")
    with pytest.raises(ValueError, match="one input; 'pair' has 2"):
        function(model, np.zeros((1, 8, 8, 1)))


@pytest.mark.parametrize("classes", [3, -1, [0, 3], np.array([-1, 0])])
def test_a_class_out_of_range_is_refused(classes):
    with pytest.raises(ValueError, match="grad_cam takes classes from 0 to 2; given"):
        explain.grad_cam(nets.smooth_net(), np.zeros((2, 6, 5, 3)), classes=classes)


@pytest.mark.parametrize("classes", [[0, 1, 2], 1.0, [[0], [1]], "1", True])
def test_classes_that_are_not_one_per_image_are_refused(classes):
    with pytest.raises(ValueError, match=r"one whole number, or one per image \(2\)"):
        explain.grad_cam(nets.smooth_net(), np.zeros((2, 6, 5, 3)), classes=classes)


def test_a_model_that_does_not_end_in_logits_is_refused():
    model = nets.chain(layers.Conv2D(2, 3), shape=(6, 5, 3))
    with pytest.raises(ValueError, match=r"'net' gives \(2, 4, 3, 2\)"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)), classes=0)
    image = keras.Input((6, 5, 3))
    flat = layers.Flatten()(layers.ReLU()(image))
    model = keras.Model(
        image, [layers.Dense(2)(flat), layers.Dense(3)(flat)], name="heads"
    )
    with pytest.raises(ValueError, match="'heads' gives several outputs"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)))


@pytest.mark.parametrize(
    "function",
    [
        lambda model: explain.grad_cam(model, np.zeros((2, 5))),
        lambda model: explain.receptive_field(model, "dense"),
        lambda model: explain.measured_receptive_field(model, "dense"),
    ],
)
def test_a_model_of_no_images_is_refused(function):
    with pytest.raises(ValueError, match=r"images.*'net' takes \(n, 5\)"):
        function(nets.chain(layers.Dense(3, name="dense"), shape=(5,)))


def test_a_layer_without_places_has_no_map():
    model, x = nets.smooth_net(), np.zeros((2, 6, 5, 3))
    with pytest.raises(ValueError, match=r"'logits' gives \(2, 3\)"):
        explain.grad_cam(model, x, "logits")
    with pytest.raises(ValueError, match=r"'logits' gives \(4, 3\)"):
        explain.measured_receptive_field(model, "logits")
    with pytest.raises(ValueError, match=r"'logits' has no receptive field.*Flatten"):
        explain.receptive_field(model, "logits")


def test_a_model_without_maps_has_no_grad_cam():
    model = nets.chain(layers.Flatten(), layers.Dense(3), shape=(6, 5, 3))
    with pytest.raises(ValueError, match="more than one place; 'net' has none"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)))


@pytest.mark.parametrize(
    ("count", "end"), [(3, "softmax"), (1, "sigmoid"), (3, "sigmoid")]
)
def test_the_map_of_probabilities_is_refused(count, end):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras remembers what came out of a softmax on TensorFlow alone")
    head = layers.Dense(count, activation=end)
    model = nets.chain(layers.Conv2D(2, 3), layers.Flatten(), head, shape=(6, 5, 3))
    with pytest.raises(ValueError, match=r"^grad_cam takes logits; given what"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)))


def test_the_map_of_a_model_that_has_diverged_is_refused():
    model = nets.smooth_net()
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    with pytest.raises(ValueError, match=r"^grad_cam takes finite logits of '\w+'"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)))


def test_a_map_from_a_gradient_that_is_no_number_is_refused():
    root = layers.Activation(lambda x: keras.ops.sqrt(x * x))  # at 0, 0 times infinity
    stack = layers.Conv2D(2, 3, name="conv"), root, layers.Flatten(), layers.Dense(2)
    model = nets.chain(*stack, shape=(6, 5, 3))
    with pytest.raises(ValueError, match=r"^grad_cam takes finite gradients of '\w+'"):
        explain.grad_cam(model, np.zeros((2, 6, 5, 3)), "conv")


@pytest.mark.parametrize(
    "before",
    [
        lambda x: x * layers.Conv2D(2, 12)(x),  # a gate for all places of this size
        lambda x: layers.Reshape((12, 12, 1))(layers.Dense(144)(layers.Flatten()(x))),
    ],
)
def test_layers_that_fix_the_size_of_what_is_measured_are_told_in_one_line(before):
    def build(x):
        return layers.Conv2D(2, 3, name="end")(before(x))

    model = nets.graph(build, shape=(12, 12, 2))
    told = r"runs all layers up to 'end' on images of \d+×\d+, and one does not take"
    with pytest.raises(ValueError, match=told) as error:
        explain.measured_receptive_field(model, "end")
    assert "\n" not in str(error.value)
