import ast
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import cnnlib
from cnnlib import graph, models

PRIVATE = {"_inbound_nodes", "_outbound_nodes", "_keras_history", "_operations"}
PRIVATE |= {"_functional", "_nodes", "_nodes_by_depth", "_run_through_graph"}
PRIVATE |= {"_flatten_layers", "_operations_by_depth", "_inputs_struct"}
ROOT = Path(cnnlib.__file__).parent


def nested_net():
    """net / (outer / (first, inner / (conv, pool)), flatten, logits)."""
    inner = keras.Sequential(
        [
            keras.Input((10, 10, 2)),
            layers.Conv2D(3, 3, name="conv"),
            layers.MaxPooling2D(2, name="pool"),
        ],
        name="inner",
    )
    image = keras.Input((12, 12, 2), name="image")
    x = layers.Conv2D(2, 3, name="first")(image)
    outer = keras.Model(image, inner(inputs=x), name="outer")
    rest = [layers.Flatten(name="flatten"), layers.Dense(4, name="logits")]
    return keras.Sequential([keras.Input((12, 12, 2)), outer, *rest], name="net")


def two_paths():
    """A nested model beside a layer that is called twice, and bare operations."""
    image = keras.Input((8, 8, 2), name="image")
    side = keras.Sequential(
        [keras.Input((8, 8, 2)), layers.Conv2D(2, 1, name="narrow")], name="side"
    )
    twice = layers.Conv2D(2, 3, padding="same", name="twice")
    x = layers.Concatenate(name="joined")([side(image), twice(image), image])
    x = layers.Conv2D(2, 1, name="mix")(x)
    return keras.Model(image, ops.relu(twice(x) + x), name="net")


# --- layers and steps -----------------------------------------------------------------


def test_layers_are_listed_by_path_nested_ones_before_what_holds_them():
    found = graph.layers(nested_net())
    assert list(found) == [
        "outer/first",
        "outer/inner/conv",
        "outer/inner/pool",
        "outer/inner",
        "outer",
        "flatten",
        "logits",
    ]
    assert found["outer/inner/pool"].name == "pool"


def test_steps_tell_what_each_layer_reads_and_gives():
    steps = list(graph.steps(two_paths()))
    told = {(step.name, step.reads): step.outputs[0].shape for step in steps}
    assert [step.name for step in steps].count("twice") == 2
    assert told[("side", ("image",))] == (None, 8, 8, 2)
    assert told[("joined", ("side", "twice", "image"))] == (None, 8, 8, 6)
    assert told[("twice", ("mix",))] == (None, 8, 8, 2)
    *_, total, end = steps
    assert (type(total.layer).__name__, total.reads) == ("Add", ("twice", "mix"))
    assert (type(end.layer).__name__, end.reads) == ("Relu", (total.name,))
    assert end.inputs == total.outputs


def test_steps_come_after_all_that_they_read():
    given = {"image"}
    for step in graph.steps(two_paths()):
        assert given.issuperset(step.reads)
        given.add(step.name)


def test_depth_first_joins_paths_in_the_order_of_their_sum():
    model = two_paths()
    names = [layer.name for layer in graph.depth_first(model)]
    assert names[:4] == ["narrow", "twice", "joined", "mix"]
    assert len(names) == len(set(names))  # what is called twice is there once


def test_depth_first_unfolds_models_and_stands_a_thousand_layers():
    names = [layer.name for layer in graph.depth_first(nested_net())]
    assert names == ["first", "conv", "pool", "flatten", "logits"]
    image = x = keras.Input((1,))
    for _ in range(400):
        x = layers.ReLU()(x)
    assert len(graph.depth_first(keras.Model(image, x))) == 400


# --- names ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv", "inner/conv", "outer/inner/conv"])
def test_a_layer_is_found_by_any_end_of_its_path(name):
    assert graph.find(nested_net(), name) == "outer/inner/conv"


def test_an_unknown_name_is_told_the_nearest_and_all():
    with pytest.raises(ValueError, match="'net' has no layer 'pol'") as error:
        graph.find(nested_net(), "pol")
    assert "the nearest is 'outer/inner/pool'" in str(error.value)
    assert str(error.value).endswith(", ".join(graph.layers(nested_net())))


def test_a_name_of_two_layers_is_refused_unless_it_is_a_whole_path():
    pair = [
        keras.Sequential(
            [keras.Input((2,)), layers.Dense(2, name="dense")], name=f"model{i}"
        )
        for i in range(2)
    ]
    model = keras.Sequential([keras.Input((2,)), *pair])
    with pytest.raises(ValueError, match="any of model0/dense, model1/dense"):
        graph.find(model, "dense")
    model = keras.Sequential([keras.Input((2,)), *pair, layers.Dense(2, name="dense")])
    assert graph.find(model, "dense") == "dense"


# --- run ------------------------------------------------------------------------------


def test_values_take_the_place_of_tensors_and_can_be_changed_on_the_way():
    seen = []

    def look(path, value):
        seen.append((path, value))
        return -value if path == "outer/inner/conv" else value

    def count(path, layer, value):
        return value + 1

    assert graph.run(nested_net(), [0], count, look) == 1
    assert seen == [
        ("outer/first", 1),
        ("outer/inner/conv", 2),
        ("outer/inner/pool", -1),
        ("outer/inner", -1),
        ("outer", -1),
        ("flatten", 0),
        ("logits", 1),
    ]


def test_a_model_run_by_its_layers_is_the_model():
    model = two_paths()
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    calls = []

    def call(path, layer, *args):
        calls.append(path)
        return layer(*args)

    np.testing.assert_array_equal(graph.run(model, [x], call), model(x))
    assert calls.count("twice") == 2
    assert "side/narrow" in calls


def test_several_inputs_and_outputs_keep_their_structure():
    left, right = keras.Input((2,)), keras.Input((2,))
    total = layers.Add()([left, right])
    model = keras.Model([left, right], {"sum": total, "left": layers.ReLU()(left)})

    def add(path, layer, values):
        return sum(values) if isinstance(values, list) else values

    assert graph.run(model, [1, 2], add) == {"sum": 3, "left": 1}


# --- what is refused ------------------------------------------------------------------


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    "function",
    [
        graph.of,
        graph.layers,
        graph.depth_first,
        lambda model: list(graph.steps(model)),
        lambda model: graph.find(model, "dense"),
        lambda model: graph.run(model, [0], None),
        lambda model: graph.image_shape("it", model),
    ],
)
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Subclassed(name="own"), r"only Sequential and functional.*'own' \(Subclassed"),
        (keras.Sequential([layers.Dense(1)], name="net"), "'net' is not built: start"),
        ("vgg16", "only Sequential and functional.*given a str"),
    ],
)
def test_a_model_without_a_graph_is_refused_in_one_line(function, model, words):
    with pytest.raises(ValueError, match=words) as error:
        function(model)
    assert "\n" not in str(error.value)


def test_the_shape_of_images_is_told_and_of_all_else_refused():
    image = keras.Input((None, None, 3))
    free = keras.Model(image, layers.Conv2D(1, 1)(image), name="net")
    assert graph.image_shape("it", free) == (None, None, 3)
    two = keras.Model([image, keras.Input((2,))], layers.ReLU()(image), name="two")
    with pytest.raises(ValueError, match="it takes a model with one input; 'two' has"):
        graph.image_shape("it", two)
    video = keras.Sequential([keras.Input((None, 4, 4, 3)), layers.ReLU()], name="net")
    with pytest.raises(ValueError, match=r"of images.*'net' takes \(n, any, 4, 4, 3\)"):
        graph.image_shape("it", video)
    assert graph.input_shape("it", video) == (None, 4, 4, 3)


# --- windows --------------------------------------------------------------------------


def chain(*stack, shape=(9, 11, 4)):
    return keras.Sequential([keras.Input(shape), *stack])


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (
            layers.Conv2D(2, (3, 5), dilation_rate=2, padding="same"),
            ((3, 5), (1, 1), (2, 2), "same"),
        ),
        (layers.DepthwiseConv2D(3, 2), ((3, 3), (2, 2), (1, 1), "valid")),
        (layers.SeparableConv2D(2, 3), ((3, 3), (1, 1), (1, 1), "valid")),
        (layers.MaxPooling2D((2, 3)), ((2, 3), (2, 3), (1, 1), "valid")),
        (
            layers.AveragePooling2D(3, 1, padding="same"),
            ((3, 3), (1, 1), (1, 1), "same"),
        ),
        (layers.BatchNormalization(), graph.Window()),
        (layers.LayerNormalization(), graph.Window()),
        (layers.Softmax(), graph.Window()),
        (layers.Dense(3), graph.Window()),
        (layers.RandomFlip(), graph.Window()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_windows_are_told(layer, expected):
    chain(layer)
    assert graph.window(layer) == expected


ALONE = [
    *(layers.Activation("tanh"), layers.ActivityRegularization(), layers.ELU()),
    *(layers.AlphaDropout(0.5), layers.BatchNormalization(), layers.Dense(3)),
    *(layers.Dropout(0.5), layers.GaussianDropout(0.5), layers.GaussianNoise(0.5)),
    *(layers.Identity(), layers.LayerNormalization(), layers.LeakyReLU()),
    *(layers.PReLU(), layers.RMSNormalization(), layers.RandomBrightness(0.5)),
    *(layers.RandomContrast(0.5), layers.RandomFlip(), layers.RandomRotation(0.5)),
    *(layers.RandomTranslation(0.5, 0.5), layers.RandomZoom(0.5), layers.ReLU()),
    *(layers.Rescaling(2.0), layers.Softmax(), layers.SpatialDropout2D(0.5)),
    layers.UnitNormalization(),
]
JOINED = [
    *(layers.Add(), layers.Average(), layers.Concatenate(), layers.Maximum()),
    *(layers.Minimum(), layers.Multiply(), layers.Subtract()),
]


@pytest.mark.parametrize("layer", [*ALONE, *JOINED], ids=lambda layer: layer.name)
def test_what_is_said_to_act_pointwise_moves_one_place_at_inference(layer):
    image = keras.Input((5, 6, 3))
    given = [image, layers.Rescaling(0.5)(image)] if layer in JOINED else image
    model = keras.Model(image, layer(given))
    assert graph.window(layer) == graph.Window()
    x = np.random.default_rng(0).random((1, 5, 6, 3), "float32")
    changed = x.copy()
    changed[0, 2, 4] += (0.3, 0.5, 0.9)
    before, after = (model(batch, training=False) for batch in (x, changed))
    moved = ops.convert_to_numpy(before != after).any(axis=(0, 3))
    assert np.argwhere(moved).tolist() == [[2, 4]]


@pytest.mark.parametrize("kind", [layers.LayerNormalization, layers.Softmax])
def test_along_the_maps_is_pointwise_and_along_a_side_is_not(kind):
    for axis, pointwise in ((-1, True), (3, True), (1, False), (2, False)):
        found = graph.window(kind(axis=axis))
        assert found == (graph.Window() if pointwise else None), axis


def test_every_layer_that_is_said_to_act_pointwise_is_tried():
    tried = {type(layer).__name__ for layer in ALONE + JOINED}
    said = {name for name in graph.POINTWISE if hasattr(layers, name)}
    assert said | (graph.POINTWISE_ON_LAST - {"Split"}) == tried
    assert all(
        hasattr(ops, name.lower()) or name in ("LeakyRelu", "TrueDivide")
        for name in graph.POINTWISE - said
    )


@pytest.mark.parametrize(
    "layer",
    [
        layers.GroupNormalization(2),
        layers.LayerNormalization(axis=(1, 2, 3)),
        layers.Softmax(axis=1),
        layers.Flatten(),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.UpSampling2D(),
        layers.ZeroPadding2D(),
        layers.Conv2DTranspose(2, 2),
        layers.Permute((2, 1, 3)),
        layers.MaxPooling2D(data_format="channels_first"),
        layers.Activation(ops.cumsum),
        layers.Activation(lambda x: x - ops.mean(x)),
        layers.Conv2D(2, 3, activation=layers.Softmax(axis=1)),
        layers.Dense(2, activation=partial(ops.softmax, axis=1)),
    ],
    ids=lambda layer: layer.name,
)
def test_what_mixes_places_has_no_window(layer):
    chain(layer)
    assert graph.window(layer) is None


def test_keras_activations_act_pointwise_by_name_function_or_layer():
    names = "gelu leaky_relu log_softmax relu selu silu softmax swish tanh".split()
    for name in names:
        assert graph.window(layers.Activation(name)) == graph.Window(), name
        function = getattr(keras.activations, name)
        assert graph.window(layers.Conv2D(2, 1, activation=function)) == graph.Window()
    for layer in (layers.PReLU(), layers.Softmax()):
        assert graph.window(layers.Dense(2, activation=layer)) == graph.Window()


def test_operations_between_tensors_act_pointwise_or_are_unknown():
    image = keras.Input((4, 4, 2))
    plain = keras.Model(image, ops.relu(0.5 * image + image))
    assert {graph.window(step.layer) for step in graph.steps(plain)} == {graph.Window()}
    mixed = keras.Model(image, ops.flip(image, axis=1))
    assert [graph.window(step.layer) for step in graph.steps(mixed)] == [None]


def test_the_networks_of_the_catalogue_can_be_walked():
    for model in (models.lenet5(), models.mnist_cnn(), models.cifar_resnet(depth=8)):
        walked = {step.layer for step in graph.steps(model)}
        assert walked == set(graph.layers(model).values())
        assert walked == set(graph.depth_first(model))


# --- the one room ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_other_room_touches_what_keras_keeps_private(path):
    if path == ROOT / "graph.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(node, "attr", None) or getattr(node, "value", None)
        assert not (isinstance(name, str) and name in PRIVATE), name
