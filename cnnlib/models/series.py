"""Two networks for time series (Wang, Yan, Oates 2016, arXiv:1611.06455).

They take (n, length, channels), with None as the length for any, and have filters and
``sizes`` of kernels: of each convolution, or of each block and those in it. The authors
standardize series by the training set's mean and deviation.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.models.blocks import inputs, logits, steps
from cnnlib.models.entry import entry

# The authors' code has biases, and Keras's defaults for normalization.
NORM = {"epsilon": 1e-3, "momentum": 0.99}
_steps = partial(steps, use_bias=True, initializer="glorot_uniform", norm=NORM)
_inputs = partial(inputs, name="series", dimensions=1)
_row = partial(entry, year=2016, paper="1611.06455", task="series")


@_row(trainable=265_091, total=266_115)
def fcn_series(
    *,
    input_shape: Sequence[int | None] = (128, 1),
    classes: int = 3,
    filters: Sequence[int] = (128, 256, 128),
    sizes: Sequence[int] = (8, 5, 3),
) -> keras.Model:
    """The fully convolutional network for time series, with 266,115 parameters.

    arXiv:1611.06455, section II.B: three convolutions without pooling between them, the
    mean over time, a dense layer: which is what class activation maps need.
    """
    series, classes = _inputs("fcn_series", input_shape, classes)
    checks.as_many("fcn_series", filters=filters, sizes=sizes)
    x = series
    for i, (width, size) in enumerate(zip(filters, sizes, strict=True), start=1):
        x = _steps(x, "conv bn relu", width, size, name=f"conv{i}")
    return keras.Model(series, logits(x, classes), name="fcn_series")


@_row(trainable=504_387, total=506_947)
def resnet_series(
    *,
    input_shape: Sequence[int | None] = (128, 1),
    classes: int = 3,
    filters: Sequence[int] = (64, 128, 128),
    sizes: Sequence[int] = (8, 5, 3),
) -> keras.Model:
    """The residual network for time series, 506,947 parameters: three blocks of three.

    arXiv:1611.06455, section II.C: around the three convolutions of a block goes a
    shortcut, through a 1×1 convolution where the number of maps changes, always through
    batch normalization; the sum passes a ReLU. As in the code that most comparisons use
    (arXiv:1809.04356), the input itself is not normalized, as it is in the authors'.
    """
    series, classes = _inputs("resnet_series", input_shape, classes)
    x = series
    for i, width in enumerate(filters, start=1):
        y = x
        for j, size in enumerate(sizes, start=1):
            order = "conv bn relu" if j < len(sizes) else "conv bn"
            y = _steps(y, order, width, size, name=f"block{i}_{j}")
        order = "bn" if x.shape[-1] == width else "conv bn"
        x = _steps(x, order, width, 1, name=f"block{i}_shortcut")
        x = layers.Add(name=f"block{i}_add")([x, y])
        x = layers.ReLU(name=f"block{i}_relu")(x)
    return keras.Model(series, logits(x, classes), name="resnet_series")
