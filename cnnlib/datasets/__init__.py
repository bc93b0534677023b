"""Arrays in: the embedded sets, the real ones wherever they are found, own folders.

>>> digits = load("digits28")
>>> digits.x_train.shape, digits.x_train.dtype
((1415, 28, 28, 1), dtype('uint8'))

A number or a name that is not accepted is a ``ValueError``, a file that is missing a
``FileNotFoundError`` that says where to put it, one whose content is not the published
one a ``ChecksumError``; ``$CNNLIB_DATA`` that is no folder is a ``NotADirectoryError``.
"""

from cnnlib import checks
from cnnlib.datasets.catalogue import Dataset
from cnnlib.datasets.downloaded import SETS, ChecksumError, data_folder
from cnnlib.datasets.downloaded import load as _load_downloaded
from cnnlib.datasets.drawn import Membranes, membranes
from cnnlib.datasets.embedded import DIGITS, PHOTOGRAPHS, photograph
from cnnlib.datasets.folder import image_folder
from cnnlib.datasets.micrographs import isbi2012
from cnnlib.datasets.pictures import centre_crop, picture
from cnnlib.datasets.sequences import cylinder_bell_funnel, gunpoint, moving_digits

NAMES = (*DIGITS, *SETS)

__all__ = [
    "NAMES",
    "PHOTOGRAPHS",
    "ChecksumError",
    "Dataset",
    "Membranes",
    "centre_crop",
    "cylinder_bell_funnel",
    "data_folder",
    "gunpoint",
    "image_folder",
    "isbi2012",
    "load",
    "membranes",
    "moving_digits",
    "photograph",
    "picture",
]


def load(name: str) -> Dataset:
    """Load one data set, whole.

    ================= ========================= ================ ======
    name              images                    train + test     classes
    ================= ========================= ================ ======
    ``digits``        8×8×1, values 0 to 16     1,415 + 382      10
    ``digits28``      28×28×1, values 0 to 255  1,415 + 382      10
    ``mnist``         28×28×1, values 0 to 255  60,000 + 10,000  10
    ``fashion_mnist`` 28×28×1, values 0 to 255  60,000 + 10,000  10
    ``cifar10``       32×32×3, values 0 to 255  50,000 + 10,000  10
    ``cifar100``      32×32×3, values 0 to 255  50,000 + 10,000  100
    ================= ========================= ================ ======

    The two sets of digits come with scikit-learn and need no file. The others are
    looked for in ``data_folder()``, in every container they are usually found in, then
    in Keras's own cache, and are then downloaded from where ``keras.datasets`` takes
    them. Their content is verified by checksum each time; ``data/README.md`` lists
    sources, containers, checksums and terms.

    Args:
        name: one of ``NAMES``.

    Returns:
        A ``Dataset``: images uint8 of shape (n, height, width, channels), labels int32
        of shape (n,), and the class names.
    """
    checks.named("data set", name, NAMES)
    return DIGITS[name]() if name in DIGITS else _load_downloaded(name)
