"""The pieces that the networks share: convolution, normalization, activation, head.

Each takes a tensor and a name and returns a tensor; the layers it makes carry that
name, so that a summary reads like the paper's table.
"""

from keras import layers


def conv_bn(
    x,
    filters: int,
    kernel_size=3,
    strides=1,
    *,
    name: str,
    padding: str = "same",
    activation: str | None = "relu",
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    scale: bool = True,
    use_bias: bool = False,
    initializer: str = "he_normal",
):
    """Convolution, batch normalization, activation: ``name_conv``, ``_bn``, ``_relu``.

    No bias by default: the normalization's shift does its work. ``activation=None``
    leaves the last step out. ``epsilon`` and ``momentum`` are those of most papers'
    code (1e-5, and 0.9 in Keras's sense); pass others where the source has others.
    """
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        use_bias=use_bias,
        kernel_initializer=initializer,
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(
        momentum=momentum, epsilon=epsilon, scale=scale, name=f"{name}_bn"
    )(x)
    if activation is None:
        return x
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def bn_relu(x, *, name: str, epsilon: float = 1e-5, momentum: float = 0.9):
    """Batch normalization and ReLU ahead of a convolution: ``name_bn``, ``_relu``."""
    x = layers.BatchNormalization(
        momentum=momentum, epsilon=epsilon, name=f"{name}_bn"
    )(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def logits(x, classes: int):
    """Mean over all places, then a dense layer: ``pool`` and ``logits``."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(classes, name="logits")(x)
