"""Builders for the talk's networks, and the catalogue of them.

A builder is one function with the field's name and keyword-only arguments. It returns
an uncompiled ``keras.Model`` with named layers that emits **logits**::

    model = models.mnist_cnn(input_shape=(28, 28, 1), classes=10)
    model = models.build("lenet5")
    model = models.build("cifar_resnet", depth=74)
"""

import keras

from cnnlib import checks
from cnnlib.models.alexnet import alexnet
from cnnlib.models.catalogue import CATALOG, FAMILIES
from cnnlib.models.densenet import (
    cifar_densenet,
    densenet,
    densenet40,
    densenet100_bc,
    densenet121,
    densenet169,
    densenet190_bc,
    densenet201,
    densenet264,
)
from cnnlib.models.entry import Entry, check_options
from cnnlib.models.fc_densenet import (
    fc_densenet,
    fc_densenet56,
    fc_densenet67,
    fc_densenet103,
)
from cnnlib.models.fcn import convolutionalize, fcn, fcn8s, fcn16s, fcn32s
from cnnlib.models.fractalnet import fractalnet
from cnnlib.models.highway import highway, highway_mlp
from cnnlib.models.inception import googlenet, inception_v3
from cnnlib.models.inception_v4 import inception_resnet_v2, inception_v4
from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn
from cnnlib.models.pretrained import decode, preprocess
from cnnlib.models.rbf import rbf_network
from cnnlib.models.resnet import (
    cifar_plain,
    cifar_resnet,
    plain20,
    plain56,
    resnet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
    resnet1202,
)
from cnnlib.models.resnet_v2 import (
    cifar_resnet_v2,
    resnet50_v2,
    resnet101_v2,
    resnet110_v2,
    resnet152_v2,
    resnet164_v2,
    resnet200_v2,
    resnet1001_v2,
    resnet_v2,
)
from cnnlib.models.series import fcn_series, resnet_series
from cnnlib.models.stochastic import stochastic_depth
from cnnlib.models.unet import unet, unet_output_size
from cnnlib.models.vgg import vgg, vgg16, vgg19
from cnnlib.models.video import c3d
from cnnlib.models.xception import xception

# Public are all networks and families, and these.
__all__ = [
    *CATALOG,
    *FAMILIES,
    "CATALOG",
    "FAMILIES",
    "Entry",
    "build",
    "convolutionalize",
    "decode",
    "preprocess",
    "unet_output_size",
]


def build(name: str, /, **options) -> keras.Model:
    """Build a network of the catalogue, or one of a family, by name.

    Args:
        name: a key of ``CATALOG`` or of ``FAMILIES``.
        **options: what its builder takes, such as ``depth=74`` for "cifar_resnet".

    Raises:
        ValueError: no network has that name, or an option's value is refused.
        TypeError: the builder has no such option.
    """
    checks.named("network", name, [*CATALOG, *FAMILIES])
    builder = CATALOG[name].builder if name in CATALOG else FAMILIES[name]
    check_options(builder, options)
    return builder(**options)
