import contextlib

import keras
import numpy as np
import pytest

from cnnlib.models.pretrained import copy_from_keras


def draw(weight, rng):
    """Random values by a weight's part, such that activations stay near 1."""
    shape = tuple(weight.shape)
    if weight.name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape)
    if weight.name in ("beta", "moving_mean", "bias"):
        return rng.uniform(-0.3, 0.3, shape)
    fan_in = np.prod(shape[:2] if "depthwise" in weight.name else shape[:-1])
    return rng.standard_normal(shape, "float32") * np.float32((2 / fan_in) ** 0.5)


@pytest.fixture
def kernels_at_zero():
    """``with kernels_at_zero():`` build what is only counted, or filled later.

    To draw a hundred million numbers takes longer than all that is tested then.
    """

    def zeros(self, shape, dtype=None):
        return np.zeros(shape, dtype)  # JAX compiles its own for every shape

    @contextlib.contextmanager
    def patched():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
            patch.setattr(keras.initializers.RandomNormal, "__call__", zeros)
            yield

    return patched


@pytest.fixture
def undrawn(kernels_at_zero):
    with kernels_at_zero():
        yield


@pytest.fixture
def assert_same_logits(kernels_at_zero):
    """Our network against its twin of keras.applications, all weights drawn at random.

    Logits, not probabilities: a softmax would hide nearly every difference. The twin
    must answer differently to different images, or the comparison is worth nothing.
    """

    if keras.backend.backend() != "tensorflow":
        pytest.skip("a layer computes alike on every backend; op by op this takes long")

    def compare(kind, build, *sides, **options):
        rng = np.random.default_rng(0)
        shape = (sides[0], sides[0], 3)
        with kernels_at_zero():
            twin = getattr(keras.applications, kind)(
                weights=None, input_shape=shape, classifier_activation=None
            )
            model = build(input_shape=shape, **options)
        for weight in twin.weights:
            weight.assign(draw(weight, rng))
        copy_from_keras(twin, model)
        for side in sides:  # `call` takes images of any size, without dense layers
            n = 2 if side == sides[-1] else 1
            x = rng.normal(size=(n, side, side, 3)).astype("float32")
            theirs = np.asarray(twin.call(x, training=False))
            ours = np.asarray(model.call(x, training=False))
            largest = np.abs(theirs).max()
            assert np.abs(ours - theirs).max() <= 1e-5 * largest
        # Means over a large map of noise are much alike: the smallest image tells.
        assert np.ptp(theirs, axis=0).max() > 0.03 * largest
        return model

    yield compare
    keras.backend.clear_session()


@pytest.fixture
def assert_he_gaussian():
    """That kernels start as 1502.01852 says, each from numbers of its own."""

    def check(convs):
        for conv in convs:
            start = conv.kernel_initializer
            found = (start.scale, start.mode, start.distribution)
            assert found == (2, "fan_in", "untruncated_normal"), conv.name
        firsts = [np.asarray(x.kernel).ravel()[:2].tobytes() for x in convs]
        assert len(set(firsts)) == len(firsts)

    return check
