"""Electron micrographs to segment: the ISBI 2012 challenge, if its files are there."""

import numpy as np
from scipy import ndimage

from cnnlib.datasets.downloaded import ChecksumError, data_folder, verify
from cnnlib.datasets.drawn import Membranes
from cnnlib.datasets.pictures import opened

COUNT, SIDE = 30, 512
# SHA-256 of all pixels, image after image.
ISBI2012 = {
    "image": "200da3d452d726e6c9ca1ce04b869d4edb727320d23b516d01cce707dc8c4760",
    "label": "a7cb64000a1a7e542682927e19c91339f58f9f178e0bcce4e207371116f0ca36",
}


def isbi2012() -> Membranes:
    """The 30 labelled slices of the ISBI 2012 challenge, on which U-Net was shown.

    Serial sections of a fly larva's nerve cord, 512×512 pixels each (Arganda-Carreras
    et al. 2015, doi:10.3389/fnana.2015.00142). They follow each other in one small
    volume, so neighbours are alike: hold out slices in a row. The labels of the
    challenge's test set are not public. Not downloaded: ``train/image/0.png`` to
    ``29.png`` and their ``train/label/`` are looked for in ``data_folder()``, in
    ``isbi2012/`` of it. Instances are the connected parts of the cells.
    """
    images, labels = (_stack(part) for part in ISBI2012)
    masks = (labels > 127).astype("int32")
    instances = np.stack([ndimage.label(mask)[0] for mask in masks])
    return Membranes(images[..., None], masks, instances.astype("int32"))


def _stack(part: str) -> np.ndarray:
    folder = data_folder() / "isbi2012" / "train" / part
    paths = [folder / f"{i}.png" for i in range(COUNT)]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise FileNotFoundError(
            f"{missing[0]} is not in {folder}: take the labelled stack of the ISBI "
            f"2012 challenge and put its slices there, 0.png to {COUNT - 1}.png"
        )
    slices = []
    for path in paths:
        with opened(path) as image:
            slices.append(np.asarray(image.convert("L")))
        if slices[-1].shape != (SIDE, SIDE):
            raise ChecksumError(
                f"{path} is not the challenge's: it has the shape {slices[-1].shape}, "
                f"{(SIDE, SIDE)} is expected"
            )
    stack = np.stack(slices)
    verify(str(folder), stack.tobytes(), ISBI2012[part])
    return stack
