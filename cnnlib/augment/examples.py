"""What a layer makes of one image."""

import numpy as np
from keras import ops

from cnnlib import checks


def examples(layer, image: np.ndarray, count: int = 16, mask=None):
    """What a layer makes of one image, again and again: for a picture of it.

    A copy of the layer does it, started from its seed, so that the same seed gives the
    same examples and the layer itself is left where it was.

    Args:
        layer: of this room, a ``Pipeline``, or one of Keras's that take images.
        image: (height, width, channels), uint8 or float.
        count: how many.
        mask: (height, width) labels, to be moved along.

    Returns:
        (count, height, width, channels) of the image's type, whole numbers rounded;
        with a mask, a pair of that and (count, height, width) labels.

    Raises:
        ValueError: the image or the mask has another shape, or ``count`` is below 1.
    """
    image = np.asarray(image)
    checks.integer("examples", "count", count)
    if image.ndim != 3:
        raise ValueError(
            f"examples takes one image (height, width, channels); given {image.shape}"
        )
    copy = type(layer).from_config(layer.get_config())
    images = np.repeat(image[None], count, axis=0)
    if mask is None:
        return _as(image.dtype, copy(images, training=True))
    masks = np.repeat(np.asarray(mask)[None], count, axis=0)
    moved = copy({"images": images, "segmentation_masks": masks}, training=True)
    masks = ops.convert_to_numpy(moved["segmentation_masks"])
    return _as(image.dtype, moved["images"]), masks


def _as(dtype, images) -> np.ndarray:
    """The images in their old type: whole numbers are rounded, and kept in range."""
    images = ops.convert_to_numpy(images)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        images = np.rint(images).clip(info.min, info.max)
    return images.astype(dtype)
