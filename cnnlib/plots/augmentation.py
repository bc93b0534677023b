"""What augmentation makes of an image."""

import numpy as np

from cnnlib import augment
from cnnlib.plots.overlays import masked
from cnnlib.plots.pictures import images
from cnnlib.plots.style import Figure


def augmented(
    layer,
    image: np.ndarray,
    *,
    alt: str,
    count: int = 15,
    mask: np.ndarray | None = None,
    columns: int = 8,
    height: float | None = None,
) -> Figure:
    """An image, and ``count`` examples of what a layer of ``augment`` makes of it.

    The layer is left as it was, and its seed gives the same picture each time.

    Args:
        layer: of ``augment``, or one of Keras's that take images.
        image: (height, width, 1 or 3), uint8, or float from 0 to 1.
        mask: (height, width) labels, moved along and drawn over the images.
    """
    image = np.asarray(image)
    made = augment.examples(layer, image, count, mask)
    made, masks = (made, None) if mask is None else made
    if made.dtype != np.uint8:
        made = made.clip(0, 1)
    # A crop is shown beside the middle of the image, as large as itself.
    cut = tuple(
        slice((n - m) // 2, (n - m) // 2 + m)
        for n, m in zip(image.shape[:2], made.shape[1:3], strict=True)
    )
    x = np.concatenate([image[cut][None], made])
    titles = ["original"] + [""] * count
    how = {"alt": alt, "columns": columns, "height": height}
    if mask is None:
        limits = None if x.shape[-1] == 3 else (0, 255 if x.dtype == np.uint8 else 1)
        return images(x, titles, limits=limits, **how)
    masks = np.concatenate([np.asarray(mask)[cut][None], masks])
    return masked(x, masks, titles, **how)
