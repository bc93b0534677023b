import math
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import models
from cnnlib.models.pretrained import copy_from_keras


def arithmetic(blocks, growth, stem, width, bottleneck, theta, classes):
    """Trained and all parameters, from the paper's description alone."""
    trained = moving = 0

    def convolve(size, given, made):
        nonlocal trained
        trained += size * size * given * made

    def normalize(maps):
        nonlocal trained, moving
        trained, moving = trained + 2 * maps, moving + 2 * maps

    convolve(stem, 3, width)
    if stem == 7:
        normalize(width)
    for b, units in enumerate(blocks):
        for _ in range(units):
            normalize(width)
            if bottleneck:
                convolve(1, width, 4 * growth)
                normalize(4 * growth)
            convolve(3, 4 * growth if bottleneck else width, growth)
            width += growth
        normalize(width)
        if b < len(blocks) - 1:
            convolve(1, width, math.floor(width * theta))
            width = math.floor(width * theta)
    trained += (width + 1) * classes
    return trained, trained + moving


def counts(model):
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return trained, model.count_params()


@pytest.mark.parametrize(
    ("depth", "growth", "bottleneck", "trained", "total"),
    [
        (40, 12, False, 1_019_722, 1_037_818),
        (100, 12, False, 6_979_642, 7_096_858),
        (100, 24, False, 27_249_082, 27_480_346),
        (100, 12, True, 769_162, 793_150),
        (250, 24, True, 15_324_406, 15_582_382),
        (190, 40, True, 25_624_430, 25_881_390),
        (7, 1, False, None, None),
        (22, 5, False, None, None),
        (16, 7, True, None, None),
        (40, 48, True, None, None),
    ],
)
def test_cifar_networks_have_exactly_the_papers_parameters(
    depth, growth, bottleneck, trained, total
):
    with keras.StatelessScope(initialize_variables=False):  # the shapes alone
        model = models.cifar_densenet(depth=depth, growth=growth, bottleneck=bottleneck)
    units = (depth - 4) // (6 if bottleneck else 3)
    width, theta = (2 * growth, 0.5) if bottleneck else (16, 1)
    expected = arithmetic((units,) * 3, growth, 3, width, bottleneck, theta, 10)
    assert counts(model) == expected
    assert expected == (trained, total) or trained is None
    # The depth counts the convolutions and the dense layer.
    kernels = [x for x in model.layers if isinstance(x, (layers.Conv2D, layers.Dense))]
    assert len(kernels) == depth
    keras.backend.clear_session()


@pytest.mark.parametrize(
    ("name", "blocks", "trained", "total"),
    [
        ("densenet121", (6, 12, 24, 16), 7_978_856, 8_062_504),
        ("densenet169", (6, 12, 32, 32), 14_149_480, 14_307_880),
        ("densenet201", (6, 12, 48, 32), 20_013_928, 20_242_984),
        ("densenet264", (6, 12, 64, 48), 33_337_704, 33_736_232),
    ],
)
def test_the_catalogue_has_what_follows_from_the_papers_table(
    name, blocks, trained, total
):
    entry = models.CATALOG[name]
    expected = arithmetic(blocks, 32, 7, 64, True, 0.5, 1000)
    assert (entry.trainable, entry.total) == (trained, total) == expected


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("blocks", "growth", "theta", "trained"),
    [
        ((6, 12, 24, 16), 32, 0.5, 7_978_856),
        ((6, 12, 36, 24), 48, 0.5, 28_681_000),  # DenseNet-161, as torchvision counts
        ((2, 3), 9, 0.7, None),
    ],
)
def test_other_tables_of_blocks_have_exactly_their_parameters(
    blocks, growth, theta, trained
):
    model = models.densenet(
        input_shape=(32, 32, 3), blocks=blocks, growth=growth, compression=theta
    )
    expected = arithmetic(blocks, growth, 7, 2 * growth, True, theta, 1000)
    assert counts(model) == expected
    assert expected[0] == trained or trained is None
    keras.backend.clear_session()


def shuffle(model, seed=0):
    """Weights at random, normalization included, that keep signals near one."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for w in layer.weights:
            if w.name in ("moving_variance", "gamma"):
                value = rng.uniform(0.5, 1.5, w.shape)
            elif w.name in ("beta", "bias", "moving_mean"):
                value = rng.normal(0, 0.3, w.shape)
            else:
                value = rng.standard_normal(w.shape, "float32")
                value *= math.sqrt(2 / np.prod(w.shape[:-1]))
            w.assign(value)


def at_inference(model):
    """A model's call, by JAX in one: op by op it compiles hundreds of programs."""
    call = partial(model.call, training=False)
    if keras.backend.backend() != "jax":
        return call
    import jax

    return jax.jit(call)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "depth",
    [121, *(pytest.param(n, marks=pytest.mark.every_depth) for n in (169, 201))],
)
def test_it_computes_what_keras_applications_does(depth):
    kind = getattr(keras.applications, f"DenseNet{depth}")
    twin = kind(weights=None, classifier_activation=None)
    shuffle(twin)
    model = models.build(f"densenet{depth}")
    copy_from_keras(twin, model)
    shapes = [(45, 61, 3)]  # `call` takes images of any size
    if depth == 121:  # the deeper ones run through the same lines
        shapes.append((224, 224, 3))
    for shape in shapes:
        x = np.random.default_rng(1).normal(size=(1, *shape)).astype("float32")
        expected = ops.convert_to_numpy(at_inference(twin)(x))
        found = ops.convert_to_numpy(at_inference(model)(x))
        assert np.abs(expected).max() > 0.1
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    keras.backend.clear_session()


def test_normalization_and_initial_weights_are_the_papers(assert_he_gaussian):
    model = models.densenet121(input_shape=(32, 32, 3))
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    assert {(x.epsilon, x.momentum) for x in norms} == {(1e-5, 0.9)}
    convs = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    assert not any(x.use_bias for x in convs)
    assert_he_gaussian(convs)


def test_a_unit_reads_all_before_it_and_adds_its_maps_behind():
    """A DenseNet-BC of one bottleneck unit a block, once more op by op."""
    model = models.cifar_densenet(
        depth=10, growth=3, bottleneck=True, input_shape=(9, 6, 2), classes=4
    )
    shuffle(model)
    x = np.random.default_rng(2).normal(size=(2, 9, 6, 2)).astype("float32")

    def conv(x, name):
        return ops.conv(x, model.get_layer(f"{name}_conv").kernel, padding="same")

    def norm(x, name):
        bn = model.get_layer(f"{name}_bn")
        y = (x - bn.moving_mean) / ops.sqrt(bn.moving_variance + 1e-5)
        return ops.relu(y * bn.gamma + bn.beta)

    y = conv(x, "conv1")
    assert y.shape[-1] == 6
    for b in (1, 2, 3):
        new = conv(norm(y, f"block{b}_1_a"), f"block{b}_1_a")
        assert new.shape[-1] == 12
        new = conv(norm(new, f"block{b}_1_b"), f"block{b}_1_b")
        y = ops.concatenate([y, new], axis=-1)
        if b < 3:
            y = conv(norm(y, f"transition{b}"), f"transition{b}")
            y = ops.average_pool(y, 2, 2)
    head = model.get_layer("logits")
    y = ops.mean(norm(y, "final"), axis=(1, 2)) @ head.kernel + head.bias
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(x)), ops.convert_to_numpy(y), atol=1e-4
    )


@pytest.mark.usefixtures("undrawn")
def test_stages_are_the_papers():
    model = models.densenet121(dropout=0.2)

    def shape(name):
        return model.get_layer(name).output.shape[1:]

    assert shape("conv1_conv") == (112, 112, 64)
    assert shape("conv1_pool") == (56, 56, 64)
    assert shape("block1_6_concat") == (56, 56, 256)
    assert shape("transition1_conv") == (56, 56, 128)
    assert shape("transition1_pool") == (28, 28, 128)
    assert shape("block2_12_concat") == (28, 28, 512)
    assert shape("block3_24_concat") == (14, 14, 1024)
    assert shape("block4_16_concat") == (7, 7, 1024)
    assert shape("block4_16_a_conv") == (7, 7, 128)
    assert shape("block4_16_b_conv") == (7, 7, 32)
    assert model.get_layer("conv1_conv").strides == (2, 2)


@pytest.mark.usefixtures("undrawn")
def test_dropout_follows_every_convolution_but_the_first():
    plain = models.cifar_densenet(depth=16, bottleneck=True)
    assert not [x for x in plain.layers if isinstance(x, layers.Dropout)]
    model = models.cifar_densenet(depth=16, bottleneck=True, dropout=0.2)
    followers = {
        x.name: type(x._outbound_nodes[0].operation).__name__
        for x in model.layers
        if isinstance(x, layers.Conv2D)
    }
    assert followers.pop("conv1_conv") != "Dropout"
    assert set(followers.values()) == {"Dropout"}
    assert len(followers) == 14
    drops = [x for x in model.layers if isinstance(x, layers.Dropout)]
    assert {x.rate for x in drops} == {0.2}
    for name in ("densenet40", "densenet121"):
        model = models.build(name, input_shape=(32, 32, 3), dropout=0.1)
        assert model.get_layer("block1_1_b_dropout").rate == 0.1


@pytest.mark.usefixtures("undrawn")
def test_the_deepest_are_built_saved_and_loaded_within_few_frames(tmp_path):
    """Half of Python's recursion limit is enough, which leaves room for Jupyter's."""
    import inspect
    import sys

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 500)
    try:
        model = models.densenet264(input_shape=(29, 29, 3), classes=2, dropout=0.2)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
    finally:
        sys.setrecursionlimit(limit)
    assert again.count_params() == model.count_params()


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.cifar_densenet, {"depth": 41}, r"3n\+4 .*given 41.*40 and 43"),
        (
            models.cifar_densenet,
            {"depth": 102, "bottleneck": True},
            r"6n\+4 .*given 102.*100 and 106",
        ),
        (models.cifar_densenet, {"input_shape": (3, 9, 3)}, "at least 4"),
        (models.cifar_densenet, {"growth": 0}, "growth=1 or more; given 0"),
        (
            models.cifar_densenet,
            {"compression": 1.5},
            "above 0 to 1; given 1.5",
        ),
        (models.cifar_densenet, {"compression": 0}, "above 0.*given 0"),
        (models.cifar_densenet, {"dropout": 1}, "below 1; given 1"),
        (models.densenet, {"blocks": ()}, r"one block or more; given \(\)"),
        (models.densenet, {"blocks": (2, 0)}, "blocks=1 or more; given 0"),
        (models.densenet, {"growth": -1}, "growth=1 or more"),
        (models.densenet121, {"input_shape": (28, 64, 3)}, "densenet121.*at least 29"),
        (models.densenet121, {"weights": "imagenets"}, "None or 'imagenet'"),
        (models.densenet264, {"weights": "imagenet"}, "weights for 'densenet264'"),
        (models.densenet, {"blocks": (1,), "weights": "imagenet"}, "for 'densenet'"),
        (
            models.densenet121,
            {"weights": "imagenet", "classes": 5},
            "1000 classes; the model has 3 and 5",
        ),
    ],
)
def test_impossible_networks_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_smallest_inputs_work():
    for model in (
        models.densenet(input_shape=(29, 29, 3), blocks=(1, 1, 1, 1)),
        models.cifar_densenet(input_shape=(4, 4, 3), depth=7),
    ):
        pools = [x for x in model.layers if "pool" in x.name]
        assert pools[-2].output.shape[1:3] == (1, 1)
