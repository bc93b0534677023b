"""The catalogue: every network with its paper, its counts and what was published."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from cnnlib.models.alexnet import alexnet
from cnnlib.models.densenet import (
    densenet40,
    densenet100_bc,
    densenet121,
    densenet169,
    densenet190_bc,
    densenet201,
    densenet264,
)
from cnnlib.models.fc_densenet import fc_densenet56, fc_densenet67, fc_densenet103
from cnnlib.models.fcn import fcn8s, fcn16s, fcn32s
from cnnlib.models.fractalnet import fractalnet
from cnnlib.models.highway import highway, highway_mlp
from cnnlib.models.inception import googlenet, inception_v3
from cnnlib.models.inception_v4 import inception_resnet_v2, inception_v4
from cnnlib.models.lenet import lenet5
from cnnlib.models.mnist import mlp, mnist_cnn
from cnnlib.models.resnet import (
    plain20,
    plain56,
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
    resnet50_v2,
    resnet101_v2,
    resnet110_v2,
    resnet152_v2,
    resnet164_v2,
    resnet200_v2,
    resnet1001_v2,
)
from cnnlib.models.series import fcn_series, resnet_series
from cnnlib.models.stochastic import stochastic_depth
from cnnlib.models.unet import unet
from cnnlib.models.vgg import vgg16, vgg19
from cnnlib.models.video import c3d
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
    "plain20": Entry(
        *(plain20, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 269_722, 271_098),
    ),
    "plain56": Entry(
        *(plain56, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 853_018, 857_082),
    ),
    "resnet20": Entry(
        *(resnet20, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 269_722, 271_098, ".27 M", "table 6"),
    ),
    "resnet32": Entry(
        *(resnet32, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 464_154, 466_426, ".46 M", "table 6"),
    ),
    "resnet44": Entry(
        *(resnet44, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 658_586, 661_754, ".66 M", "table 6"),
    ),
    "resnet56": Entry(
        *(resnet56, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 853_018, 857_082, ".85 M", "table 6"),
    ),
    "resnet110": Entry(
        *(resnet110, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 1_727_962, 1_736_058, "1.7 M", "table 6"),
    ),
    "resnet1202": Entry(
        *(resnet1202, 2015, "1512.03385", "classification"),
        *((32, 32, 3), 10, 19_421_274, 19_510_906, "19.4 M", "table 6"),
    ),
    "resnet18": Entry(
        *(resnet18, 2015, "1512.03385", "classification"),
        *((224, 224, 3), 1000, 11_689_512, 11_699_112),
        **{"top1": 27.88, "top5": None, "protocol": "table 2: ten crops"},
    ),
    "resnet34": Entry(
        *(resnet34, 2015, "1512.03385", "classification"),
        *((224, 224, 3), 1000, 21_797_672, 21_814_696),
        **{"top1": 24.52, "top5": 7.46, "protocol": "table 3: ten crops, B"},
    ),
    "resnet50": Entry(
        *(resnet50, 2015, "1512.03385", "classification"),
        *((224, 224, 3), 1000, 25_557_032, 25_610_152),
        **{"top1": 22.85, "top5": 6.71, "protocol": "table 3: ten crops"},
    ),
    "resnet101": Entry(
        *(resnet101, 2015, "1512.03385", "classification"),
        *((224, 224, 3), 1000, 44_549_160, 44_654_504),
        **{"top1": 21.75, "top5": 6.05, "protocol": "table 3: ten crops"},
    ),
    "resnet152": Entry(
        *(resnet152, 2015, "1512.03385", "classification"),
        *((224, 224, 3), 1000, 60_192_808, 60_344_232),
        **{"top1": 21.43, "top5": 5.71, "protocol": "table 3: ten crops"},
    ),
    # resnet_v2
    "resnet50_v2": Entry(
        *(resnet50_v2, 2016, "1603.05027", "classification"),
        *((224, 224, 3), 1000, 25_549_480, 25_595_048),
    ),
    "resnet101_v2": Entry(
        *(resnet101_v2, 2016, "1603.05027", "classification"),
        *((224, 224, 3), 1000, 44_541_608, 44_639_400),
    ),
    "resnet152_v2": Entry(
        *(resnet152_v2, 2016, "1603.05027", "classification"),
        *((224, 224, 3), 1000, 60_185_256, 60_329_128),
        **{"top1": 21.1, "top5": 5.5, "protocol": "table 5: one crop of 320"},
    ),
    "resnet200_v2": Entry(
        *(resnet200_v2, 2016, "1603.05027", "classification"),
        *((224, 224, 3), 1000, 64_666_280, 64_834_728),
        **{"top1": 20.7, "top5": 5.3, "protocol": "table 5: one crop of 320"},
    ),
    "resnet110_v2": Entry(
        *(resnet110_v2, 2016, "1603.05027", "classification"),
        *((32, 32, 3), 10, 1_730_522, 1_738_618),
    ),
    "resnet164_v2": Entry(
        *(resnet164_v2, 2016, "1603.05027", "classification"),
        *((32, 32, 3), 10, 1_703_258, 1_727_482, "1.7 M", "table 4"),
    ),
    "resnet1001_v2": Entry(
        *(resnet1001_v2, 2016, "1603.05027", "classification"),
        *((32, 32, 3), 10, 10_327_706, 10_476_922, "10.2 M", "table 4"),
    ),
    # highway, stochastic depth, fractalnet
    "stochastic_depth": Entry(
        *(stochastic_depth, 2016, "1603.09382", "classification"),
        *((32, 32, 3), 10, 1_727_962, 1_736_058),
    ),
    "highway": Entry(
        *(highway, 2015, "1505.00387", "classification"),
        *((32, 32, 3), 10, 2_244_328, 2_244_328, "2.3 M", "table 1, Highway 2"),
    ),
    "highway_mlp": Entry(
        *(highway_mlp, 2015, "1505.00387", "classification"),
        *((28, 28, 1), 10, 80_560, 80_560),
    ),
    "fractalnet": Entry(
        *(fractalnet, 2016, "1605.07648", "classification"),
        *((32, 32, 3), 10, 33_724_618, 33_745_226),
    ),
    # densenet
    "densenet40": Entry(
        *(densenet40, 2016, "1608.06993", "classification"),
        *((32, 32, 3), 10, 1_019_722, 1_037_818, "1.0 M", "table 2"),
    ),
    "densenet100_bc": Entry(
        *(densenet100_bc, 2016, "1608.06993", "classification"),
        *((32, 32, 3), 10, 769_162, 793_150, "0.8 M", "table 2"),
    ),
    "densenet190_bc": Entry(
        *(densenet190_bc, 2016, "1608.06993", "classification"),
        *((32, 32, 3), 10, 25_624_430, 25_881_390, "25.6 M", "table 2"),
    ),
    "densenet121": Entry(
        *(densenet121, 2016, "1608.06993", "classification"),
        *((224, 224, 3), 1000, 7_978_856, 8_062_504, None, None),
        *(25.02, 7.71, "single crop, table 3"),
    ),
    "densenet169": Entry(
        *(densenet169, 2016, "1608.06993", "classification"),
        *((224, 224, 3), 1000, 14_149_480, 14_307_880, None, None),
        *(23.80, 6.85, "single crop, table 3"),
    ),
    "densenet201": Entry(
        *(densenet201, 2016, "1608.06993", "classification"),
        *((224, 224, 3), 1000, 20_013_928, 20_242_984, None, None),
        *(22.58, 6.34, "single crop, table 3"),
    ),
    "densenet264": Entry(
        *(densenet264, 2016, "1608.06993", "classification"),
        *((224, 224, 3), 1000, 33_337_704, 33_736_232, None, None),
        *(22.15, 6.12, "single crop, table 3"),
    ),
    # fcn
    "fcn32s": Entry(
        *(fcn32s, 2014, "1411.4038", "segmentation"),
        *((224, 224, 3), 21, 134_346_581, 136_152_917),
    ),
    "fcn16s": Entry(
        *(fcn16s, 2014, "1411.4038", "segmentation"),
        *((224, 224, 3), 21, 134_357_354, 134_815_994),
    ),
    "fcn8s": Entry(
        *(fcn8s, 2014, "1411.4038", "segmentation"),
        *((224, 224, 3), 21, 134_362_751, 134_489_759),
    ),
    # unet
    "unet": Entry(
        *(unet, 2015, "1505.04597", "segmentation"),
        *((572, 572, 1), 2, 31_030_658, 31_030_658),
    ),
    # fc_densenet
    "fc_densenet56": Entry(
        *(fc_densenet56, 2016, "1611.09326", "segmentation"),
        *((224, 224, 3), 11, 1_376_795, 1_397_963, "1.5 M", "table 3"),
    ),
    "fc_densenet67": Entry(
        *(fc_densenet67, 2016, "1611.09326", "segmentation"),
        *((224, 224, 3), 11, 3_463_243, 3_502_923, "3.5 M", "table 3"),
    ),
    "fc_densenet103": Entry(
        *(fc_densenet103, 2016, "1611.09326", "segmentation"),
        *((224, 224, 3), 11, 9_322_091, 9_425_163, "9.4 M", "table 3"),
    ),
    # series
    "fcn_series": Entry(
        *(fcn_series, 2016, "1611.06455", "series"),
        *((128, 1), 3, 265_091, 266_115),
    ),
    "resnet_series": Entry(
        *(resnet_series, 2016, "1611.06455", "series"),
        *((128, 1), 3, 504_387, 506_947),
    ),
    # video
    "c3d": Entry(
        *(c3d, 2014, "1412.0767", "video"),
        *((16, 112, 112, 3), 487, 79_991_015, 79_991_015),
    ),
}
