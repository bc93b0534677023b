"""Fully convolutional networks (Long, Shelhamer, Darrell 2014, arXiv:1411.4038).

VGG-16 whose dense layers have become convolutions gives a coarse map of scores;
transposed convolutions bring it back to the size of the image, with finer maps from
earlier stages added on the way.
"""

import math
from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from cnnlib import checks
from cnnlib.layers import Bilinear, CropLike, FixedConv2DTranspose
from cnnlib.models.blocks import HE_GAUSSIAN, he_conv, inputs
from cnnlib.models.entry import builder, variant
from cnnlib.models.vgg import vgg_stages

# The poolings whose scores are added (stage: rows and columns to leave out), and what
# is left out at last; the numbers are those of the authors' networks.
SKIPS = {32: {}, 16: {4: 5}, 8: {4: 5, 3: 9}}
LAST_CROP = {32: 19, 16: 27, 8: 31}
# Units of VGG's dense layers, and so maps of fc6 and fc7.
UNITS = 4096


def _upscore(x, classes: int, factor: int, learn: bool, **options):
    """A transposed convolution that starts as bilinear interpolation."""
    kind = layers.Conv2DTranspose if learn else FixedConv2DTranspose
    kind = partial(kind, use_bias=False, kernel_initializer=Bilinear())
    return kind(classes, 2 * factor, factor, **options)(x)


@builder
def fcn(
    *,
    stride: int = 8,
    input_shape: Sequence[int | None] = (224, 224, 3),
    classes: int = 21,
    learn_upsampling: bool = False,
) -> keras.Model:
    """A VGG-16 that scores every pixel, from features at 1/32, 1/16 or 1/8 of its size.

    Section 4, with the layers and numbers of the authors' network for PASCAL VOC: an
    image padded by 100, fc6 and fc7 as convolutions of 7×7 and 1×1 with dropout 0.5,
    scores at 1/32 of the size, one transposed convolution that interpolates between
    them, and from that a window as large as the image.

    At stride 16 the scores are first doubled in size, and scores of the fourth stage's
    pool are added; at stride 8 once more, with the third stage's. The added scores
    start from zero, as in the paper: at first the network says what one of stride 32
    would say. What is not trained are the kernels that interpolate, fixed and bilinear.

    Logits are (n, height, width, classes), at any size. The authors subtract the mean
    colour from 0 to 255.

    Where it is not theirs: they start from ImageNet's weights (``convolutionalize``
    copies those of a ``vgg16``) and the scores from zero; here, that a network without
    such weights learns too, convolutions start from a Gaussian (1502.01852) and the
    scores from ``glorot_uniform``. Poolings round up, as Caffe's do.

    Args:
        stride: 32, 16 or 8: of the finest scores.
        classes: maps of logits, the background's included.
        learn_upsampling: learn the doubling, as in the paper's text; the code fixes it.
    """
    checks.choice("fcn", "stride", stride, SKIPS)
    name = f"fcn{stride}s"
    image, classes = inputs(name, input_shape, classes)
    # The authors pad the first convolution by 100; one of these is the VGG's own.
    x = layers.ZeroPadding2D(99, name="conv1_pad")(image)
    pools = vgg_stages(x, 16, pool_padding="same", initializer=HE_GAUSSIAN)
    x = pools[-1]
    for i, size in ((6, 7), (7, 1)):
        x = he_conv(UNITS, size, name=f"fc{i}")(x)
        x = layers.Dropout(0.5, name=f"fc{i}_dropout")(x)
    score = partial(layers.Conv2D, classes, 1)
    x = score(name="score")(x)
    for stage, offset in SKIPS[stride].items():
        fine = score(kernel_initializer="zeros", name=f"skip{stage}_score")
        fine = fine(pools[stage - 1])
        x = _upscore(x, classes, 2, learn_upsampling, name=f"skip{stage}_upscore")
        fine = CropLike(offset, name=f"skip{stage}_crop")([fine, x])
        x = layers.Add(name=f"skip{stage}_add")([x, fine])
    x = _upscore(x, classes, stride, False, name="up_score", dtype="float32")
    x = CropLike(LAST_CROP[stride], name="logits", dtype="float32")([x, image])
    return keras.Model(image, x, name=name)


_row = partial(variant, fcn, year=2014, paper="1411.4038", task="segmentation")
fcn32s = _row(
    "fcn32s", {"stride": 32, "learn_upsampling": False}, 134_346_581, 136_152_917
)
fcn16s = _row("fcn16s", {"stride": 16}, 134_357_354, 134_815_994)
fcn8s = _row("fcn8s", {"stride": 8}, 134_362_751, 134_489_759)


def convolutionalize(classifier: keras.Model, network: keras.Model) -> None:
    """Copy the weights of a ``vgg16`` into an FCN: its dense layers as convolutions.

    A dense layer on a map of 7×7 is a convolution with a kernel of 7×7 that fits at one
    place only; so are fc6's weights taken. The 1000 classes are left behind.

    Args:
        classifier: a ``vgg16`` for images of 224×224 (or whose last map is 7×7).
        network: ``fcn32s``, ``fcn16s`` or ``fcn8s``.

    Raises:
        ValueError: the classifier's dense layers do not fit the network, which is left
            as it was.
    """
    copies = []  # only once all fit
    for layer in classifier.layers:
        if layer.weights and layer.name != "logits":
            twin = network.get_layer(layer.name)
            kernel, bias = layer.get_weights()
            shape = tuple(twin.kernel.shape)
            if kernel.size != math.prod(shape):
                raise ValueError(
                    f"{layer.name} has a kernel of {kernel.shape}, not {shape}: "
                    "convolutionalize takes a vgg16 for 224×224"
                )
            copies.append((twin, [kernel.reshape(shape), bias]))
    for twin, weights in copies:
        twin.set_weights(weights)
