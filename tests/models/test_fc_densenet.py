import keras
import numpy as np
import pytest
from counting import Count
from keras import layers, ops

from cnnlib import models

TINY = {"blocks": (2, 1, 3), "growth": 3, "width": 4, "classes": 3}


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def arithmetic(blocks, growth, classes=11, width=48):
    """Trained and all parameters by the paper's rule."""
    count = Count()
    conv, norm = count.conv, count.norm

    def block(units, maps):
        for i in range(units):
            norm(maps + i * growth)
            conv(3, maps + i * growth, growth)
        return maps + units * growth

    pools, maps, skips = len(blocks) // 2, width, []
    conv(3, 3, width)
    for units in blocks[:pools]:
        maps = block(units, maps)
        skips.append(maps)
        norm(maps)
        conv(1, maps, maps)
    maps = block(blocks[pools], maps)
    for before, units in zip(blocks[pools:], blocks[pools + 1 :], strict=False):
        conv(3, before * growth, before * growth)
        maps = block(units, skips.pop() + before * growth)
    conv(1, maps, classes)
    return count.trained, count.total


@pytest.mark.parametrize(
    ("name", "blocks", "growth", "trained", "total"),
    [
        ("fc_densenet56", (4,) * 11, 12, 1_376_795, 1_397_963),
        ("fc_densenet67", (5,) * 11, 16, 3_463_243, 3_502_923),
        (
            "fc_densenet103",
            (4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4),
            16,
            9_322_091,
            9_425_163,
        ),
    ],
)
def test_the_catalogue_has_what_follows_from_the_papers_table(
    name, blocks, growth, trained, total
):
    entry = models.CATALOG[name]
    assert (entry.trainable, entry.total) == (trained, total)
    assert (trained, total) == arithmetic(blocks, growth)


@pytest.mark.parametrize(
    ("blocks", "growth", "width"),
    [((2, 1, 3), 3, 4), ((4,) * 11, 12, 48), ((2,), 5, 7)],
)
def test_any_table_has_exactly_its_parameters(blocks, growth, width):
    with keras.StatelessScope(initialize_variables=False):  # the shapes alone
        model = models.fc_densenet(
            blocks=blocks, growth=growth, width=width, input_shape=(32, 32, 3)
        )
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    expected = arithmetic(blocks, growth, width=width)
    assert (trained, model.count_params()) == expected
    kernels = [x for x in model.layers if hasattr(x, "kernel")]
    if len(blocks) == 11:  # the name says how many convolutions there are
        assert len(kernels) == 56


def test_it_computes_what_the_paper_says():
    model = models.fc_densenet(input_shape=(7, 6, 2), **TINY)
    rng = np.random.default_rng(1)
    for w in model.weights:
        low, high = (
            (0.5, 1.5) if w.name in ("gamma", "moving_variance") else (-0.5, 0.5)
        )
        w.assign(rng.uniform(low, high, w.shape).astype("float32"))

    def conv(x, name):
        layer = model.get_layer(name)
        return ops.conv(x, layer.kernel, padding="same") + layer.bias

    def layer(x, name):
        bn = model.get_layer(f"{name}_bn")
        y = (x - bn.moving_mean) / ops.sqrt(bn.moving_variance + 1e-4)
        return conv(ops.relu(y * bn.gamma + bn.beta), f"{name}_conv")

    def join(*tensors):
        return ops.concatenate(tensors, axis=-1)

    x = numbers(2, 7, 6, 2)
    y = conv(x, "conv1_conv")
    y = join(y, layer(y, "down1_1"))
    skip = join(y, layer(y, "down1_2"))
    y = ops.max_pool(layer(skip, "transition1"), 2, 2)
    new = layer(y, "bottom_1")  # only this is enlarged
    up = model.get_layer("up1_upconv")
    assert up.kernel.shape == (3, 3, 3, 3)
    up = ops.conv_transpose(new, up.kernel, 2, "valid") + up.bias
    y = join(up[:, :7, :6], skip)
    for i in (1, 2, 3):
        y = join(y, layer(y, f"up1_{i}"))
    expected = conv(y, "logits")
    found = ops.convert_to_numpy(model(x))
    assert found.shape == (2, 7, 6, 3)
    np.testing.assert_allclose(found, ops.convert_to_numpy(expected), atol=1e-4)


def test_layers_are_the_papers():
    with keras.StatelessScope(initialize_variables=False):  # the shapes alone
        model = models.fc_densenet103()
        other = models.fc_densenet56(dropout=0.1)

    def shape(name):
        return model.get_layer(name).output.shape[1:]

    assert shape("conv1_conv") == (224, 224, 48)
    # Table 2: 112, 192, 304, 464, 656; 896; 1088, 816, 578 (576 by its own rule), 384,
    # 256 maps behind each block.
    for i, maps in enumerate((112, 192, 304, 464, 656), start=1):
        assert shape(f"transition{i}_conv")[-1] == maps
    assert shape("bottom_14_concat") == (7, 7, 896 - 16)
    tops = {5: 1088, 4: 816, 3: 576, 2: 384, 1: 256}
    for i, maps in tops.items():
        units = (4, 5, 7, 10, 12)[i - 1]
        assert shape(f"up{i}_{units - 1}_concat")[-1] == maps - 16
    kinds = (layers.Conv2D, layers.Conv2DTranspose)
    convs = [x for x in model.layers if type(x) in kinds]
    assert len(convs) == 103
    assert {type(x.kernel_initializer).__name__ for x in convs} == {"HeUniform"}
    drops = [x for x in model.layers if isinstance(x, layers.Dropout)]
    assert {x.rate for x in drops} == {0.2}
    assert len(drops) == 103 - 1 - 5 - 1  # not the first, the enlarging, the last
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    assert {(x.epsilon, x.momentum) for x in norms} == {(1e-4, 0.9)}
    assert other.get_layer("up1_1_dropout").rate == 0.1
    keras.backend.clear_session()


@pytest.mark.parametrize("side", [2, 3, 9, 10])
def test_any_size_comes_out_as_it_went_in(side):
    model = models.fc_densenet(input_shape=(None, None, 3), **TINY)
    assert model.output_shape == (None, None, None, 3)
    assert model(numbers(1, side, side + 3, 3)).shape == (1, side, side + 3, 3)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.fc_densenet, {"blocks": (4, 4)}, r"odd number.*given \(4, 4\)"),
        (models.fc_densenet, {"blocks": (4, 0, 4)}, "blocks=1 or more; given 0"),
        (models.fc_densenet103, {"input_shape": (31, 32, 3)}, "103.*at least 32"),
    ],
)
def test_impossible_networks_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
