"""Transformations that keep the label: of images, with their masks and weight maps.

The layers here move pixels; how they look is the business of Keras's photometric
layers. Each takes images alone, (n, height, width, channels) or one (height, width,
channels of 1 to 4); or, in a row, images and their masks, and weight maps, or images
and labels, as a set of pairs holds them; or a dict of

- ``images``: any number type; come back in the layer's float type, in their range;
- ``segmentation_masks``: labels, (n, height, width) with or without an axis of one
  channel; moved to the nearest pixel, so that no label is invented, type kept;
- ``weight_maps``: shaped likewise, moved and given back as the images are; weight 0
  where a constant fills the picture, since nothing is known there;
- anything else, such as ``labels``: handed through.

They work as layers of a model, at rest outside of training, and, with Keras on
TensorFlow, in ``tf.data``: ``dataset.map(layer)``. A setting out of its range, and in a
call tensors that do not fit together, an empty batch or values that are not finite, are
a ``ValueError``; what is wrong with values that are seen only when compiled code runs
ends it with the same sentence.
"""

from cnnlib.augment.crop import Crop
from cnnlib.augment.pipeline import PIPELINES, ColorShift, Pipeline, examples, pipeline
from cnnlib.augment.sampling import sample
from cnnlib.augment.warp import Elastic, Warp, matrices

__all__ = [
    "PIPELINES",
    "ColorShift",
    "Crop",
    "Elastic",
    "Pipeline",
    "Warp",
    "examples",
    "matrices",
    "pipeline",
    "sample",
]
