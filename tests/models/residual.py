"""What the tests of residual networks share: random weights, and slow references."""

import keras
import numpy as np
from keras import layers, ops

rng = np.random.default_rng(0)


def numbers(*shape):
    return rng.normal(size=shape).astype("float32")


def randomize(model):
    """Draw all that starts at 0 or 1, so that activations stay of order 1."""
    ranges = {"gamma": (0.3, 0.8), "moving_variance": (0.5, 1.5)}
    for weight in model.weights:
        kind = next((k for k in ranges if weight.name.endswith(k)), None)
        if kind:
            weight.assign(rng.uniform(*ranges[kind], size=weight.shape))
        elif not weight.name.endswith("kernel"):
            weight.assign(0.3 * numbers(*weight.shape))
    return model


def assert_normalized(model, *, epsilon, momentum):
    found = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    assert {(x.epsilon, x.momentum) for x in found} == {(epsilon, momentum)}


def distance(found, expected):
    found, expected = (ops.convert_to_numpy(x) for x in (found, expected))
    return np.abs(found - expected).max() / np.abs(expected).max()


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


class Reference:
    """Layers by name, from a model's weights, with paddings as papers mean them."""

    def __init__(self, model, epsilon=1e-5):
        self.w = {
            (layer.name, w.name): np.asarray(w)
            for layer in model.layers
            for w in layer.weights
        }
        self.epsilon = epsilon

    def conv(self, x, name, strides=1):
        kernel = self.w[f"{name}_conv", "kernel"]
        p = kernel.shape[0] // 2
        x = ops.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        return ops.conv(x, kernel, strides, "valid")

    def bn(self, x, name):
        w = {k: v for (layer, k), v in self.w.items() if layer == f"{name}_bn"}
        x = (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + self.epsilon)
        return x * w["gamma"] + w["beta"]

    def logits(self, x):
        w = self.w["logits", "kernel"], self.w["logits", "bias"]
        return ops.matmul(ops.mean(x, (1, 2)), w[0]) + w[1]


def option_a(x, filters, strides):
    x = x[:, ::strides, ::strides]
    return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))


def pool(x):
    """3×3 maxima at stride 2, one row and column of zeros on every side."""
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return ops.max_pool(x, 3, 2, "valid")


def copy_flat_to_scanned(flat, scanned):
    """Stack the weights of units 2, 3, … as the scanned network holds them."""
    for layer in scanned.layers:
        if "to" not in layer.name:
            layer.set_weights(flat.get_layer(layer.name).get_weights())
            continue
        stage = layer.name.split("_")[0]
        for weight in layer.weights:
            inner, _, own = weight.name.removeprefix("unit_").rpartition(
                "_moving_" if "moving" in weight.name else "_"
            )
            own = f"moving_{own}" if "moving" in weight.name else own
            rows = [
                next(w for w in flat.get_layer(name).weights if w.name == own)
                for name in (f"{stage}_{i}_{inner}" for i in range(2, layer.count + 2))
            ]
            weight.assign(np.stack([np.asarray(w) for w in rows]))


def by_name(model, arrays):
    """Arrays, one for each trainable weight, by the flat network's names."""
    found = {}
    for weight, array in zip(model.trainable_weights, arrays, strict=True):
        layer, own = weight.path.split("/")[-2:]
        if "to" not in layer:
            found[f"{layer}_{own}"] = np.asarray(array)
            continue
        for i, row in enumerate(np.asarray(array), start=2):
            found[f"{layer.split('_')[0]}_{i}_{own.removeprefix('unit_')}"] = row
    return found


def assert_scan_changes_nothing(build):
    """Logits, gradients and moving statistics agree with the unrolled network's."""
    from cnnlib.gradients import weight_gradients

    flat, scanned = randomize(build(scan=False)), build(scan=True)
    copy_flat_to_scanned(flat, scanned)
    assert len(scanned.layers) < len(flat.layers)
    assert trainable(scanned) == trainable(flat)
    assert scanned.count_params() == flat.count_params()
    x = 2 * numbers(4, *flat.input_shape[1:]) + 1
    y = np.array([0, 1, 2, 0])
    assert distance(scanned(x), flat(x)) < 1e-5

    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for training in (False, True):
        grads = [
            by_name(m, weight_gradients(m, entropy, x, y, training=training).values())
            for m in (flat, scanned)
        ]
        assert grads[0].keys() == grads[1].keys()
        largest = max(np.abs(g).max() for g in grads[0].values())
        for name, gradient in grads[0].items():
            assert np.abs(gradient - grads[1][name]).max() < 1e-4 * largest, name

    start = scanned.get_weights()
    outputs = [m(x, training=True) for m in (flat, scanned)]
    assert distance(outputs[1], outputs[0]) < 1e-4
    moved = [np.asarray(w) for w in scanned.weights]
    expected = build(scan=True)
    copy_flat_to_scanned(flat, expected)
    for weight, before, after in zip(expected.weights, start, moved, strict=True):
        np.testing.assert_allclose(after, weight, rtol=1e-4, atol=1e-4)
        assert ("moving" in weight.name) == (np.abs(after - before).max() > 1e-3)
