import keras
import numpy as np
import pytest
from keras import layers
from residual import (
    Reference,
    assert_normalized,
    assert_scan_changes_nothing,
    distance,
    numbers,
    option_a,
    pool,
    randomize,
    trainable,
)

from cnnlib import models
from cnnlib.models.pretrained import copy_from_keras
from cnnlib.models.resnet import UNITS

relu = keras.ops.relu


# Written out once more; that each network has its catalogue's counts is tested there.
COUNTS = {
    "plain20": (269_722, 271_098),
    "plain56": (853_018, 857_082),
    "resnet20": (269_722, 271_098),
    "resnet32": (464_154, 466_426),
    "resnet44": (658_586, 661_754),
    "resnet56": (853_018, 857_082),
    "resnet110": (1_727_962, 1_736_058),
    "resnet1202": (19_421_274, 19_510_906),
    "resnet18": (11_689_512, 11_699_112),
    "resnet34": (21_797_672, 21_814_696),
    "resnet50": (25_557_032, 25_610_152),
    "resnet101": (44_549_160, 44_654_504),
    "resnet152": (60_192_808, 60_344_232),
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_catalogue_and_the_docstrings_have_the_exact_counts(name):
    entry = models.CATALOG[name]
    assert (entry.trainable, entry.total) == COUNTS[name]
    assert entry.builder.__name__ == name
    for count in COUNTS[name]:
        assert f"{count:,}" in entry.builder.__doc__


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("build", [models.cifar_plain, models.cifar_resnet])
@pytest.mark.parametrize(("n", "width"), [(1, 16), (2, 5), (4, 16)])
def test_any_depth_has_the_parameters_of_layer_arithmetic(build, n, width):
    expected = 9 * 2 * width + 2 * width + 4 * width * 7 + 7
    before = width
    for filters in (width, 2 * width, 4 * width):
        for _ in range(n):
            expected += 9 * filters * (before + filters) + 4 * filters
            before = filters
    for scan in (False, True):
        model = build(
            depth=6 * n + 2,
            width=width,
            input_shape=(9, 9, 2),
            classes=7,
            scan=scan,
        )
        assert trainable(model) == expected


def test_cifar_layers_are_the_papers(assert_he_gaussian):
    model = models.resnet32()
    convs = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    assert len(convs) == 6 * 5 + 1
    assert {c.kernel_size for c in convs} == {(3, 3)}
    strided = [c.name for c in convs if c.strides != (1, 1)]
    assert strided == ["conv3_1_a_conv", "conv4_1_a_conv"]
    shapes = [model.get_layer(f"conv{i}_5_relu").output.shape[1:] for i in (2, 3, 4)]
    assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert_normalized(model, epsilon=1e-5, momentum=0.9)
    assert not any(c.use_bias for c in convs)
    assert_he_gaussian(convs)
    adds = [x for x in model.layers if isinstance(x, layers.Add)]
    assert len(adds) == 15
    assert not any(isinstance(x, layers.Add) for x in models.plain20().layers)


def unit(r, x, kind, name, filters, strides, first):
    """Figure 4 of arXiv:1603.05027, line by line."""
    a, b = f"{name}_a", f"{name}_b"
    y, short = x, option_a(x, filters, strides)
    if kind == "plain":
        return relu(r.bn(r.conv(relu(r.bn(r.conv(y, a, strides), a)), b), b))
    if kind == "original":
        y = r.bn(r.conv(relu(r.bn(r.conv(y, a, strides), a)), b), b)
        return relu(short + y)
    if kind == "bn_after_addition":
        y = r.conv(relu(r.bn(r.conv(y, a, strides), a)), b)
        return relu(r.bn(short + y, name))
    if kind == "relu_before_addition":
        y = r.bn(r.conv(relu(r.bn(r.conv(y, a, strides), a)), b), b)
        return short + relu(y)
    if kind == "relu_only_preactivation":
        y = r.conv(y if first else relu(y), a, strides)
        return short + r.bn(r.conv(relu(r.bn(y, a)), b), b)
    if first:  # full pre-activation; conv1's normalization and ReLU were its first
        return short + r.conv(relu(r.bn(r.conv(y, a, strides), a)), b)
    y = r.conv(relu(r.bn(y, a)), a, strides)
    return short + r.conv(relu(r.bn(y, b)), b)


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("kind", ["plain", *UNITS])
def test_units_compute_what_the_papers_draw(kind, side):
    shape = {"input_shape": (side, side, 3), "depth": 14, "width": 4}
    if kind == "plain":
        model = models.cifar_plain(**shape)
    else:
        model = models.cifar_resnet(**shape, unit=kind)
    r, image = Reference(randomize(model)), numbers(2, side, side, 3)
    x = relu(r.bn(r.conv(image, "conv1"), "conv1"))
    for i, stage in enumerate(("conv2", "conv3", "conv4")):
        for j in (1, 2):
            strides = 2 if i and j == 1 else 1
            first = i == 0 and j == 1
            x = unit(r, x, kind, f"{stage}_{j}", 4 * 2**i, strides, first)
    if kind == "relu_only_preactivation":
        x = relu(x)
    if kind == "full_preactivation":
        x = relu(r.bn(x, "end"))
    assert distance(model(image), r.logits(x)) < 1e-5


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("kind", UNITS)
def test_the_five_units_have_as_many_parameters(kind):
    model = models.cifar_resnet(depth=110, unit=kind, scan=True)
    assert (trainable(model), model.count_params()) == (1_727_962, 1_736_058)


@pytest.mark.parametrize("kind", UNITS)
def test_scanning_over_units_changes_nothing(kind):
    if keras.backend.backend() != "tensorflow" and kind != "original":
        pytest.skip("a unit is scanned alike on every backend; op by op it takes long")

    def build(scan):
        return models.cifar_resnet(
            input_shape=(8, 8, 2),
            classes=3,
            depth=20,
            width=3,
            unit=kind,
            scan=scan,
        )

    assert_scan_changes_nothing(build)


def test_networks_are_scanned_from_200_layers_on():
    small = {"input_shape": (8, 8, 1), "width": 1}
    assert models.cifar_resnet(**small, depth=200).get_layer("conv4_33_add")
    deep = models.cifar_resnet(**small, depth=206)
    assert deep.get_layer("conv4_2to34").count == 33
    assert models.cifar_plain(**small, depth=206).get_layer("conv4_2to34")
    assert models.cifar_resnet(**small, depth=206, scan=False).get_layer("conv4_34_add")


def test_a_deep_untrained_network_does_not_overflow():
    model = models.resnet1202(input_shape=(4, 4, 1))
    stack = model.get_layer("conv2_2to200")
    variances = [w for w in stack.weights if w.name.endswith("variance")]
    first, second = (np.asarray(w) for w in variances)
    np.testing.assert_array_equal(first[:, 3], np.arange(2, 201))
    assert (second == 1).all()
    assert np.isfinite(model.predict(numbers(2, 4, 4, 1), verbose=0)).all()


# --- ImageNet -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "depth", [50, *(pytest.param(n, marks=pytest.mark.every_depth) for n in (101, 152))]
)
def test_it_equals_keras_applications(depth, kernels_at_zero):
    """At 64×64, and one of them at 224×224; biases are folded."""
    twin = getattr(keras.applications, f"ResNet{depth}")
    twin = randomize(twin(weights=None, classifier_activation=None))
    with kernels_at_zero():
        model = getattr(models, f"resnet{depth}")()
    copy_from_keras(twin, model)
    images = [numbers(2, 64, 64, 3)]
    if depth == 50:
        images.append(numbers(1, 224, 224, 3))
    for image in images:
        assert distance(model.call(image), twin.call(image)) < 1e-5
    assert_normalized(model, epsilon=1e-5, momentum=0.9)
    keras.backend.clear_session(free_memory=True)


@pytest.mark.parametrize(("depth", "counts"), [(18, (2, 2, 2, 2)), (34, (3, 4, 6, 3))])
def test_basic_units_compute_what_the_paper_draws(depth, counts):
    model = getattr(models, f"resnet{depth}")(input_shape=(40, 40, 3), classes=5)
    r, image = Reference(randomize(model)), numbers(2, 40, 40, 3)
    x = pool(relu(r.bn(r.conv(image, "conv1", 2), "conv1")))
    for i, count in enumerate(counts):
        for j in range(1, count + 1):
            name, strides = f"conv{i + 2}_{j}", 2 if i and j == 1 else 1
            y = relu(r.bn(r.conv(x, f"{name}_a", strides), f"{name}_a"))
            y = r.bn(r.conv(y, f"{name}_b"), f"{name}_b")
            if strides == 2:
                x = r.bn(r.conv(x, f"{name}_proj", 2), f"{name}_proj")
            x = relu(x + y)
    assert distance(model(image), r.logits(x)) < 1e-5
    assert_normalized(model, epsilon=1e-5, momentum=0.9)


@pytest.mark.usefixtures("undrawn")
def test_bottlenecks_stride_in_their_first_convolution():
    model = models.resnet50(input_shape=(64, 64, 3))
    shapes = [model.get_layer(f"conv{i}_3_relu").output.shape[1:] for i in range(2, 6)]
    assert shapes == [(16, 16, 256), (8, 8, 512), (4, 4, 1024), (2, 2, 2048)]
    convs = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    strided = {x.name for x in convs if x.strides == (2, 2)}
    assert strided == {"conv1_conv"} | {
        f"conv{i}_1_{x}_conv" for i in (3, 4, 5) for x in ("a", "proj")
    }
    assert not any(x.use_bias for x in convs)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.cifar_resnet, {"depth": 21}, r"6n\+2.*given 21.*20 and 26"),
        (models.cifar_plain, {"depth": 2}, "plain2 has.*8 and 14"),
        (models.cifar_resnet, {"depth": 8, "width": 0}, "width=1 or more.*given 0"),
        (
            models.cifar_resnet,
            {"depth": 8, "unit": "pre"},
            "'full_preactivation'; given",
        ),
        (models.cifar_resnet, {"input_shape": (32, 32)}, r"given \(32, 32\)"),
        (models.resnet20, {"classes": 0}, "resnet20 takes classes"),
        (models.resnet50, {"classes": 0}, "resnet50 takes classes"),
        (models.resnet50, {"weights": "mine"}, "given 'mine'"),
        (models.resnet18, {"input_shape": (0, 1, 3)}, "at least 1"),
        (
            models.resnet18,
            {"weights": "imagenet"},
            "no ImageNet .* 'resnet18'",
        ),
        (models.resnet, {"depth": 51}, "resnet takes depth=18, 34, 50, 101 or 152"),
        (models.resnet, {"depth": 101, "weights": "mine"}, "given 'mine'"),
    ],
)
def test_bad_input_is_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_smallest_input_is_one_pixel():
    for build in (models.resnet20, models.resnet18):
        assert build(input_shape=(1, 1, 1), classes=2).output_shape == (None, 2)


def test_squeeze_and_excitation_gates_each_map():
    model = models.resnet(depth=50, squeeze=16, input_shape=(32, 32, 3), classes=2)
    assert model.name == "se_resnet50"
    layer = {name: model.get_layer(f"conv3_2_{name}") for name in ("reduce", "excite")}
    assert layer["reduce"].kernel.shape == (512, 32)
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    names = ("c_bn", "scale", "add")
    maps = [model.get_layer(f"conv3_2_{name}").output for name in names]
    shortcut = model.get_layer("conv3_2_add").input[0]
    found = keras.Model(model.inputs, [*maps, shortcut])([x])
    branch, scaled, total, shortcut = (np.asarray(t) for t in found)

    def dense(y, name):
        kernel, bias = layer[name].get_weights()
        return y @ kernel + bias

    hidden = np.maximum(dense(branch.mean((1, 2)), "reduce"), 0)
    gate = 1 / (1 + np.exp(-dense(hidden, "excite")))
    np.testing.assert_allclose(scaled, branch * gate[:, None, None], atol=1e-5)
    np.testing.assert_allclose(total, shortcut + scaled, atol=1e-5)
    with pytest.raises(ValueError, match=r"no ImageNet .* 'se_resnet50'"):
        models.se_resnet50(weights="imagenet")
