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
    pool,
    randomize,
    trainable,
)

from cnnlib import models
from cnnlib.models.pretrained import copy_from_keras

relu = keras.ops.relu

# Written out once more; that each network has its catalogue's counts is tested there.
COUNTS = {
    "resnet50_v2": (25_549_480, 25_595_048),
    "resnet101_v2": (44_541_608, 44_639_400),
    "resnet152_v2": (60_185_256, 60_329_128),
    "resnet200_v2": (64_666_280, 64_834_728),
    "resnet110_v2": (1_730_522, 1_738_618),
    "resnet164_v2": (1_703_258, 1_727_482),
    "resnet1001_v2": (10_327_706, 10_476_922),
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_catalogue_and_the_docstrings_have_the_exact_counts(name):
    entry = models.CATALOG[name]
    assert (entry.trainable, entry.total) == COUNTS[name]
    assert entry.builder.__name__ == name
    for count in COUNTS[name]:
        assert f"{count:,}" in entry.builder.__doc__


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("n", "width"), [(1, 16), (2, 5), (4, 16)])
def test_any_depth_has_the_parameters_of_layer_arithmetic(n, width):
    expected = {"bottleneck": 9 * 2 * width, "basic": 9 * 2 * width}
    before = {"bottleneck": width, "basic": width}
    for filters in (width, 2 * width, 4 * width):
        for i in range(n):
            c, wide = before["bottleneck"], 4 * filters
            expected["bottleneck"] += 2 * (c + 2 * filters)
            expected["bottleneck"] += filters * (c + 9 * filters + wide)
            expected["bottleneck"] += c * wide if i == 0 else 0
            b = before["basic"]
            expected["basic"] += 2 * (b + filters) + 9 * filters * (b + filters)
            expected["basic"] += b * filters if b != filters else 0
            before = {"bottleneck": wide, "basic": filters}
    for block, step in (("bottleneck", 9), ("basic", 6)):
        last = before[block]
        for scan in (False, True):
            model = models.cifar_resnet_v2(
                depth=step * n + 2,
                width=width,
                input_shape=(9, 9, 2),
                classes=7,
                scan=scan,
                block=block,
            )
            assert trainable(model) == expected[block] + 2 * last + 7 * last + 7


def unit(r, x, name, strides, block, project):
    """Figure 4(e) of arXiv:1603.05027; a projection takes the first activation."""
    a = relu(r.bn(x, f"{name}_a"))
    if project:
        x = r.conv(a, f"{name}_proj", strides)
    y = r.conv(a, f"{name}_a", strides)
    y = r.conv(relu(r.bn(y, f"{name}_b")), f"{name}_b")
    if block == "bottleneck":
        y = r.conv(relu(r.bn(y, f"{name}_c")), f"{name}_c")
    return x + y


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize(("block", "depth"), [("bottleneck", 20), ("basic", 14)])
def test_cifar_networks_compute_what_the_paper_draws(block, depth, side):
    model = models.cifar_resnet_v2(
        input_shape=(side, side, 3), depth=depth, width=4, block=block
    )
    r, image = Reference(randomize(model)), numbers(2, side, side, 3)
    x = r.conv(image, "conv1")
    for i, stage in enumerate(("conv2", "conv3", "conv4")):
        project = block == "bottleneck" or i > 0
        x = unit(r, x, f"{stage}_1", 2 if i else 1, block, project)
        x = unit(r, x, f"{stage}_2", 1, block, False)
    assert distance(model(image), r.logits(relu(r.bn(x, "end")))) < 1e-5


def test_imagenet_networks_compute_what_the_paper_draws():
    model = models.resnet50_v2(input_shape=(40, 40, 3), classes=5)
    r, image = Reference(randomize(model)), numbers(2, 40, 40, 3)
    x = pool(relu(r.bn(r.conv(image, "conv1", 2), "conv1")))
    for i, count in enumerate((3, 4, 6, 3)):
        for j in range(1, count + 1):
            strides = 2 if i and j == 1 else 1
            x = unit(r, x, f"conv{i + 2}_{j}", strides, "bottleneck", j == 1)
    assert distance(model(image), r.logits(relu(r.bn(x, "end")))) < 1e-5
    assert not any(getattr(x, "use_bias", False) for x in model.layers[:-1])
    assert_normalized(model, epsilon=1e-5, momentum=0.9)


@pytest.mark.parametrize(
    "depth", [50, *(pytest.param(n, marks=pytest.mark.every_depth) for n in (101, 152))]
)
def test_it_equals_keras_applications(depth, kernels_at_zero):
    """At 64×64, and one of them at 224×224."""
    twin = getattr(keras.applications, f"ResNet{depth}V2")
    twin = randomize(twin(weights=None, classifier_activation=None))
    with kernels_at_zero():
        model = getattr(models, f"resnet{depth}_v2")(as_keras=True)
    copy_from_keras(twin, model)
    assert_normalized(model, epsilon=1.001e-5, momentum=0.99)
    assert model.count_params() == twin.count_params()
    images = [numbers(2, 64, 64, 3)]
    if depth == 50:
        images.append(numbers(1, 224, 224, 3))
    for image in images:
        assert distance(model.call(image), twin.call(image)) < 1e-5
    keras.backend.clear_session(free_memory=True)


def test_cifar_layers_are_the_papers(assert_he_gaussian):
    model = models.resnet164_v2()
    assert_normalized(model, epsilon=1e-5, momentum=0.9)
    convs = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    assert len(convs) == 163 + 3  # all but the dense layer, and three projections
    assert_he_gaussian(convs)
    strided = {c.name for c in convs if c.strides != (1, 1)}
    assert strided == {f"conv{i}_1_{x}_conv" for i in (3, 4) for x in ("a", "proj")}
    shapes = [model.get_layer(f"conv{i}_18_add").output.shape[1:] for i in (2, 3, 4)]
    assert shapes == [(32, 32, 64), (16, 16, 128), (8, 8, 256)]


@pytest.mark.parametrize(("block", "depth"), [("bottleneck", 29), ("basic", 20)])
def test_scanning_over_units_changes_nothing(block, depth):
    def build(scan):
        return models.cifar_resnet_v2(
            input_shape=(8, 8, 2),
            classes=3,
            depth=depth,
            width=3,
            block=block,
            scan=scan,
        )

    assert_scan_changes_nothing(build)


def test_a_thousand_layers_are_trained_saved_and_loaded(tmp_path):
    model = models.resnet1001_v2(input_shape=(8, 8, 1), classes=3, width=2)
    assert len(model.layers) < 60
    stacks = [model.get_layer(f"conv{i}_2to111") for i in (2, 3, 4)]
    assert [stack.count for stack in stacks] == [110, 110, 110]
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), entropy)
    before = model.get_weights()
    x, y = numbers(4, 8, 8, 1), np.array([0, 1, 2, 0])
    assert np.isfinite(model.predict(x, verbose=0)).all()
    assert np.isfinite(model.fit(x, y, epochs=3, verbose=0).history["loss"]).all()
    for weight, old in zip(model.weights, before, strict=True):
        moved = np.abs(np.asarray(weight) - old)
        stacked = "to" in weight.path.split("/")[-2]  # each of its units moves
        moved = moved.max(axis=tuple(range(int(stacked), moved.ndim)))
        assert (moved > 0).all() or "beta" in weight.name or "logits" in weight.path

    model.save(tmp_path / "deep.keras")
    again = keras.saving.load_model(tmp_path / "deep.keras")
    np.testing.assert_array_equal(
        again.predict(x, verbose=0), model.predict(x, verbose=0)
    )


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.cifar_resnet_v2, {"depth": 112}, r"9n\+2.*given 112.*110 and 119"),
        (models.cifar_resnet_v2, {"depth": 1}, r"9n\+2.*11 and 20"),
        (models.cifar_resnet_v2, {"depth": 21, "block": "basic"}, "20 and 26"),
        (
            models.cifar_resnet_v2,
            {"block": "wide"},
            "'bottleneck' or 'basic'; given",
        ),
        (models.cifar_resnet_v2, {"width": 2.5}, "width=1 or more"),
        (models.resnet164_v2, {"classes": 0}, "resnet164_v2 takes classes"),
        (models.resnet50_v2, {"classes": 0}, "resnet50_v2 takes classes"),
        (models.resnet50_v2, {"weights": "mine"}, "given 'mine'"),
        (models.resnet200_v2, {"weights": "imagenet"}, "weights for 'resnet200_v2'"),
        (models.resnet_v2, {"depth": 34}, "resnet_v2 takes depth=50, 101, 152 or 200"),
    ],
)
def test_bad_input_is_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_smallest_input_is_one_pixel():
    for build in (models.resnet110_v2, models.resnet50_v2):
        assert build(input_shape=(1, 1, 1), classes=2).output_shape == (None, 2)
