"""The catalogue: every network with its paper, its counts and what was published."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from cnnlib.models.alexnet import alexnet
from cnnlib.models.inception import googlenet, inception_v3
from cnnlib.models.inception_v4 import inception_resnet_v2, inception_v4
from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn
from cnnlib.models.vgg import vgg16, vgg19
from cnnlib.models.xception import xception


class Entry(NamedTuple):
    """A network of the catalogue, at its builder's defaults.

    ``paper`` is an arXiv id or a DOI, ``task`` one of classification, segmentation,
    series and video. ``trainable`` and ``total`` count the weights of the model built
    with ``input_shape`` and ``classes``, which are the builder's defaults; ``total``
    includes moving statistics. ``published`` is the parameter count as its ``source``
    states it, both None where none is stated. ``top1`` and ``top5`` are the published
    ImageNet validation errors in percent of one network, ``protocol`` says how they
    were measured and where they stand; all None where there are none.
    """

    builder: Callable[..., keras.Model]
    year: int
    paper: str
    task: str
    input_shape: tuple[int, ...]
    classes: int
    trainable: int
    total: int
    published: str | None = None
    source: str | None = None
    top1: float | None = None
    top5: float | None = None
    protocol: str | None = None


# One block of rows for each file of builders, in the talk's order.
CATALOG: dict[str, Entry] = {
    # lenet, mnist
    "lenet5": Entry(
        *(lenet5, 1998, "doi:10.1109/5.726791", "classification"),
        *((32, 32, 1), 10, 60_000, 60_000, "60,000", "section II.B"),
    ),
    "mlp": Entry(
        *(mlp, 2015, "Keras's mnist_mlp.py", "classification"),
        *((28, 28, 1), 10, 669_706, 669_706),
    ),
    "mnist_cnn": Entry(
        *(mnist_cnn, 2015, "Keras's mnist_cnn.py", "classification"),
        *((28, 28, 1), 10, 600_810, 600_810),
    ),
    # alexnet, vgg
    "alexnet": Entry(
        *(alexnet, 2012, "doi:10.1145/3065386", "classification"),
        *((227, 227, 3), 1000, 60_965_224, 60_965_224, "60 M", "abstract"),
        *(40.7, 18.2, "table 2: one network, mean over ten crops"),
    ),
    "vgg16": Entry(
        *(vgg16, 2014, "1409.1556", "classification"),
        *((224, 224, 3), 1000, 138_357_544, 138_357_544, "138 M", "table 2"),
        *(25.6, 8.1, "table 3: one scale, 384, dense evaluation"),
    ),
    "vgg19": Entry(
        *(vgg19, 2014, "1409.1556", "classification"),
        *((224, 224, 3), 1000, 143_667_240, 143_667_240, "144 M", "table 2"),
        *(25.5, 8.0, "table 3: one scale, 384, dense evaluation"),
    ),
    # inception
    "googlenet": Entry(
        *(googlenet, 2014, "1409.4842", "classification"),
        *(
            (224, 224, 3),
            1000,
            6_998_552,
            6_998_552,
            "12× fewer than AlexNet",
            "section 1",
        ),
        *(None, 10.07, "table 3: one network, one crop"),
    ),
    "inception_v3": Entry(
        *(inception_v3, 2015, "1512.00567", "classification"),
        *((299, 299, 3), 1000, 23_817_352, 23_851_784, "below 25 M", "abstract"),
        *(21.2, 5.6, "table 3: one crop"),
    ),
    "inception_v4": Entry(
        *(inception_v4, 2016, "1602.07261", "classification"),
        *((299, 299, 3), 1000, 42_679_816, 42_742_984, None, None),
        *(20.0, 5.0, "table 2: one crop"),
    ),
    "inception_resnet_v2": Entry(
        *(inception_resnet_v2, 2016, "1602.07261", "classification"),
        *((299, 299, 3), 1000, 55_813_192, 55_873_736, None, None),
        *(19.9, 4.9, "table 2: one crop"),
    ),
    # xception
    "xception": Entry(
        *(xception, 2016, "1610.02357", "classification"),
        *((299, 299, 3), 1000, 22_855_952, 22_910_480, "22,855,952", "table 3"),
        *(21.0, 5.5, "table 1: one crop"),
    ),
    # resnet
    # resnet_v2
    # highway, stochastic depth, fractalnet
    # densenet
    # fcn
    # unet
    # fc_densenet
    # series
    # video
}
