"""The catalogue: every network with its paper, its counts and what was published."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn
from cnnlib.models.vgg import vgg16, vgg19


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
    # xception
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
