"""What holds for every network of the catalogue, at small inputs where it can."""

import contextlib
import importlib
import inspect
import os

import keras
import numpy as np
import pytest
from keras import ops

from cnnlib import models
from cnnlib.gradients import weight_gradients

fcn = importlib.import_module("cnnlib.models.fcn")  # a function has that name, too


# Their dense layers' sizes follow the input, or were cut down by `built`: they are
# counted at the full size.
FULL = (
    "lenet5",
    "mlp",
    "mnist_cnn",
    "alexnet",
    "vgg16",
    "vgg19",
    "c3d",
    "highway",
    "highway_mlp",
    "fcn32s",
    "fcn16s",
    "fcn8s",
    "zfnet",
    pytest.param("stochastic_depth1202", marks=pytest.mark.every_depth),
)
SMALL = {
    "lenet5": (32, 32, 1),
    "mlp": (8, 8, 1),
    "mnist_cnn": (8, 8, 1),
    "alexnet": (67, 67, 3),
    "zfnet": (53, 53, 3),
    "inception_v3": (75, 75, 3),
    "inception_v4": (107, 107, 3),
    "inception_resnet_v1": (75, 75, 3),
    "inception_resnet_v2": (75, 75, 3),
    "unet": (188, 188, 1),
}
# Op by op JAX takes minutes for a deep network: there, one of each kind.
JAX = (
    *("lenet5", "mlp", "mnist_cnn", "alexnet", "vgg16", "googlenet", "resnet20"),
    *("resnet110_v2", "stochastic_depth", "highway", "highway_mlp", "fractalnet"),
    *("densenet40", "fcn8s", "fc_densenet56", "fcn_series", "resnet_series", "c3d"),
)
# Other rows of a table whose lines another network of the catalogue runs through.
RELATIVES = (
    *("plain56", "resnet32", "resnet44", "resnet110", "resnet101", "resnet152"),
    *("resnet101_v2", "resnet152_v2", "resnet200_v2", "vgg19", "densenet190_bc"),
    *("densenet169", "densenet201", "densenet264", "fc_densenet67", "resnet1202"),
    *("fcn16s", "fcn32s", "resnet56", "resnet34", "fc_densenet103", "densenet161"),
    "efficientnet_lite1",
)
# Where no other network of the catalogue runs through the lines: fewer or narrower
# layers of the same family, two units in a row wherever the network has a row of them.
SHORT = {
    "inception_resnet_v2": (models.inception_resnet_v2, {"units": (2, 2, 2)}),
    "inception_resnet_v1": (models.inception_resnet_v1, {"units": (2, 2, 2)}),
    "resnet110_preactivation": (
        models.cifar_resnet,
        {"depth": 20, "unit": "full_preactivation"},
    ),
    "resnet110_v2": (models.cifar_resnet_v2, {"depth": 14, "block": "basic"}),
    "resnet164_v2": (models.cifar_resnet_v2, {"depth": 20}),
    "resnet1001_v2": (models.cifar_resnet_v2, {"depth": 29, "scan": True}),
    "stochastic_depth": (models.stochastic_depth, {"depth": 20}),
    "densenet100_bc": (models.cifar_densenet, {"depth": 22, "bottleneck": True}),
    "densenet121": (models.densenet, {"blocks": (2, 2, 2, 2)}),
    "unet": (models.unet, {"width": 16}),
    "fc_resnet": (models.fc_resnet, {"blocks": (2, 1, 1, 2)}),
    "c3d": (models.c3d, {"width": 16, "dense": 64}),
}
# Their dense layers or codes need a certain number of places.
FIXED = (
    *("lenet5", "mlp", "mnist_cnn", "alexnet", "vgg16", "vgg19", "highway_mlp", "c3d"),
    "zfnet",
)
TENSORFLOW = keras.backend.backend() == "tensorflow"


def small(name):
    """The smallest sensible input of a network."""
    entry = models.CATALOG[name]
    default = {1: (16,), 2: (32, 32), 3: (16, 32, 32)}[len(entry.input_shape) - 1]
    return SMALL.get(name, (*default, entry.input_shape[-1]))


def built(name, short=False, change=lambda builder, options: options):
    """A network of the catalogue, or what ``SHORT`` has in its place."""
    builder, options = models.CATALOG[name].builder, {}
    if short and name in SHORT:
        builder, options = SHORT[name]
    options = change(builder, {"input_shape": small(name), **options})
    keras.utils.set_random_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcn, "UNITS", 64)  # of 4096, in 120 of 134 million parameters
        return builder(**options)


def numpys(value):
    """``value`` with NumPy's integers in place of Python's."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(numpys, value))
    plain = isinstance(value, int) and not isinstance(value, bool)
    return np.int64(value) if plain else value


def otherwise(name, short):
    """The network as few build it: it has to be the same.

    In half precision, with Keras configured for channels first, by another name, with
    all integers NumPy's, and with its sides left open where it can take any.
    """

    def change(builder, options):
        if name not in FIXED:
            *sides, channels = options["input_shape"]
            options["input_shape"] = (*(None for _ in sides), channels)
        parameters = inspect.signature(builder).parameters.items()
        defaults = {key: p.default for key, p in parameters}
        options = {key: numpys(value) for key, value in {**defaults, **options}.items()}
        return {**options, "name": "half"}

    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_image_data_format("channels_first")
    try:
        return built(name, short, change)
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")


@pytest.fixture
def configured_for_channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def answers(model, x):
    """The logits of a batch; on JAX compiled in one, a tenth of op by op."""
    return ops.convert_to_numpy(model(x)) if TENSORFLOW else model.predict_on_batch(x)


def batch(model, n=2):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, *model.input_shape[1:])).astype("float32")
    classes = max(model.output_shape[-1], 2)  # one logit tells two
    return x, rng.integers(0, classes, (n, *model.output_shape[1:-1]))


# Its 540 nested units take long to build: test_stochastic has such units.
BUILT = [name for name in models.CATALOG if name != "stochastic_depth1202"]


@pytest.fixture(scope="module", params=BUILT if TENSORFLOW else JAX)
def network(request, whole):
    """One network at a time, built once for all tests of this file."""
    if request.param in RELATIVES and not whole:  # it is counted, and not called
        shapes_alone = keras.StatelessScope(initialize_variables=False)
    else:
        shapes_alone = contextlib.nullcontext()
    with shapes_alone:
        model = built(request.param)
    yield model
    keras.backend.clear_session(free_memory=True)


@pytest.fixture(scope="module")
def whole(request):
    return request.config.getoption("--every-depth")


@pytest.fixture(scope="module")
def short(network, whole):
    """The network, or for what takes long a shorter one of the same lines."""
    if whole:
        return network
    if network.name in RELATIVES:
        pytest.skip("a relative runs through these lines; --every-depth runs it too")
    return built(network.name, short=True) if network.name in SHORT else network


def loss(y, logits):
    if logits.shape[-1] == 1:
        y = ops.cast(ops.expand_dims(y, -1), logits.dtype)
        return ops.mean(ops.binary_crossentropy(y, logits, from_logits=True))
    return ops.mean(
        keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
    )


def test_it_emits_logits_and_is_not_compiled(network):
    assert network.output_shape[0] is None
    assert network.input.shape == network.input_shape
    assert network.output.shape == network.output_shape
    assert network.output_shape[-1] == models.CATALOG[network.name].classes
    assert not network.compiled
    activation = getattr(network.layers[-1], "activation", keras.activations.linear)
    assert activation is keras.activations.linear


def test_its_logits_follow_from_its_input(short):
    x, _ = batch(short)
    logits = answers(short, x)
    assert logits.shape == (2, *short.output_shape[1:])
    assert np.isfinite(logits).all()
    assert not np.allclose(logits.sum(axis=-1), 1)  # no softmax
    assert np.ptp(logits, axis=0).max() > 0


def test_its_layers_are_named(network):
    names = [layer.name for layer in network.layers]
    assert network.inputs[0].name in ("image", "series", "video")
    assert names[-1].startswith("logits")
    for layer in network.layers:  # Keras calls the third one of a kind conv2d_2
        kind = type(layer).__name__.lower()
        word, _, number = layer.name.rpartition("_")
        auto = number.isdigit() and word.replace("_", "") == kind
        assert not auto, f"{layer.name} was left without a name"


@pytest.mark.skipif(not TENSORFLOW, reason="op by op, JAX takes minutes for this")
def test_a_train_step_lowers_the_loss_and_reaches_the_first_layer(short):
    x, y = batch(short, n=4)
    found = weight_gradients(short, loss, x, y, training=True)
    gradients = list(found.values())
    assert all(np.isfinite(g).all() for g in gradients)
    assert np.abs(gradients[0]).max() > 0
    weights = [variable.value for variable in short.trainable_variables]
    fixed = [variable.value for variable in short.non_trainable_variables]

    def after(step):  # with the same random numbers
        moved = [w - step * g for w, g in zip(weights, gradients, strict=True)]
        logits, _ = short.stateless_call(moved, fixed, x, training=True)
        return float(loss(y, logits))

    before = after(0)
    square = sum(float((g**2).sum()) for g in gradients)
    # Where normalization bends the loss a lot, only the smaller step is small enough.
    assert any(after(size * before / square) < before for size in (0.02, 0.002))


def test_its_fixed_weights_stay_fixed_when_it_is_frozen_and_thawed(network):
    trained = [id(weight) for weight in network.trainable_weights]
    network.trainable = False
    assert not network.trainable_weights
    network.trainable = True
    assert [id(weight) for weight in network.trainable_weights] == trained


@pytest.mark.parametrize("name", FIXED)
def test_a_network_of_a_certain_size_refuses_to_leave_it_open(name):
    *sides, channels = models.CATALOG[name].input_shape
    with pytest.raises(ValueError, match=f"^{name} takes input_shape=.*None"):
        models.build(name, input_shape=(*(None for _ in sides), channels))


@pytest.mark.usefixtures("undrawn", "configured_for_channels_first")
def test_built_otherwise_it_is_the_same_and_is_saved_and_loaded_whole(
    network, short, whole, tmp_path
):
    half = otherwise(network.name, short=not whole)
    image = keras.Input(short.input_shape[1:], name="image")
    both = keras.Model(image, [short(image), half(image)])
    assert {short.name, "half"} < {layer.name for layer in both.layers}
    half.set_weights(short.get_weights())
    assert {w.dtype for w in half.trainable_weights} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in half.layers}
    x, _ = batch(short)
    exact, near = answers(short, x), answers(half, x)
    assert near.dtype == half.output.dtype == "float32"
    assert np.abs(near - exact).max() < 0.2 * np.abs(exact).max()

    half.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    again = answers(loaded, x)
    np.testing.assert_array_equal(again, near)
    assert loaded.name == "half"
    assert len(loaded.trainable_weights) == len(short.trainable_weights)


def counted(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_it_has_exactly_the_catalogues_parameters(network):
    entry = models.CATALOG[network.name]
    if network.name not in FULL:
        assert counted(network) == entry.trainable
        assert network.count_params() == entry.total


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", FULL)
def test_it_has_exactly_the_catalogues_parameters_at_full_size(name):
    entry = models.CATALOG[name]
    model = entry.builder()
    assert model.input_shape[1:] == entry.input_shape
    assert model.output_shape[-1] == entry.classes
    assert counted(model) == entry.trainable
    assert model.count_params() == entry.total
    del model
    keras.backend.clear_session(free_memory=True)


def test_defaults_are_the_catalogues():
    for name, entry in models.CATALOG.items():
        parameters = inspect.signature(entry.builder).parameters
        assert tuple(parameters["input_shape"].default) == entry.input_shape, name
        assert parameters["classes"].default == entry.classes, name


@pytest.mark.parametrize("entry", models.CATALOG.values(), ids=models.CATALOG)
def test_its_builder_takes_keywords_and_says_what_it_builds(entry):
    parameters = inspect.signature(entry.builder).parameters
    assert {"input_shape", "classes"} <= set(parameters)
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    documentation = inspect.getdoc(entry.builder)
    assert f"{entry.trainable:,}" in documentation or f"{entry.total:,}" in (
        documentation
    )
    assert 1980 < entry.year < 2030
    assert entry.task in ("classification", "segmentation", "series", "video")
    assert (entry.published is None) == (entry.source is None)
    errors = {entry.top1, entry.top5, entry.cifar10}
    assert (entry.protocol is None) == (errors == {None})


@pytest.mark.parametrize("name", models.CATALOG)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "classes=1 or more; given 0"),
        ({"input_shape": (1, 1, 1, 1, 1)}, "takes input_shape="),
        ({"input_shape": 3}, "given 3"),
    ],
)
def test_it_refuses_what_no_network_has(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, **options)


def test_python_s_recursion_limit_is_left_alone():
    import sys

    assert sys.getrecursionlimit() <= int(os.environ.get("RECURSION_LIMIT", 1000))
