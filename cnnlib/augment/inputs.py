"""What the layers are given: images, masks and weight maps that fit together."""

import numpy as np
from keras import ops

from cnnlib import checks

MOVED = ("images", "segmentation_masks", "weight_maps")


def images_of(who: str, inputs, *others):
    """The images, alone or from a dict.

    Raises:
        ValueError: images and masks come as a tuple, or a dict has no images.
    """
    if others or isinstance(inputs, (tuple, list)):
        raise ValueError(
            f"{who} takes images, or a dict such as {{'images': images, "
            "'segmentation_masks': masks}; given several tensors one after the other"
        )
    if not isinstance(inputs, dict):
        return inputs
    if "images" not in inputs:
        raise ValueError(
            f"{who} takes images or a dict with 'images'; given {sorted(inputs)}"
        )
    return inputs["images"]


def check_inputs(who: str, inputs) -> None:
    """Refuse images, masks and weight maps that do not fit together.

    Raises:
        ValueError: they are of the wrong shapes, none, of unknown size or not finite.
    """
    shape = tuple(np.shape(images_of(who, inputs)))
    single = len(shape) == 3 and shape[-1] in (1, 2, 3, 4)
    if not single and len(shape) != 4:
        raise ValueError(
            f"{who} takes images (n, height, width, channels), or one (height, width, "
            f"channels) of 1 to 4 channels; given shape {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{who} takes at least one image; given shape {shape}")
    if None in shape[-3:]:
        raise ValueError(
            f"{who} takes images of known height and width; given shape {shape}"
        )
    tensors = inputs if isinstance(inputs, dict) else {"images": inputs}
    for key in tensors.keys() & set(MOVED):
        own = tuple(np.shape(tensors[key]))
        if key != "images" and own not in (shape[:-1], (*shape[:-1], 1)):
            raise ValueError(
                f"{who} takes {key} of one channel and the images' size, "
                f"{(*shape[:-1], 1)}; given {own}"
            )
        values = checks.visible(tensors[key])
        if values is not None:
            checks.finite(who, key, values)


def as_batches(inputs) -> dict:
    """What is to be moved, each (n, height, width, channels)."""
    tensors = inputs if isinstance(inputs, dict) else {"images": inputs}
    rank = len(tensors["images"].shape)
    moved = {}
    for key in tensors.keys() & set(MOVED):
        x = ops.convert_to_tensor(tensors[key])
        x = x[..., None] if len(x.shape) < rank else x
        moved[key] = x[None] if rank == 3 else x
    return moved


def in_form_of(inputs, moved: dict):
    """What was moved, in the form of the inputs."""
    tensors = inputs if isinstance(inputs, dict) else {"images": inputs}
    rank = len(tensors["images"].shape)
    results = {}
    for key, x in moved.items():
        x = x[..., 0] if len(tensors[key].shape) < rank else x
        results[key] = x[0] if rank == 3 else x
    return {**inputs, **results} if isinstance(inputs, dict) else results["images"]
