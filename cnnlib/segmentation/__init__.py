"""Segmentation: losses on logits, streaming metrics, U-Net's weight map and tiles.

Labels are whole numbers from 0 of shape (n, height, width), or (n, height, width, 1);
logits are (n, height, width, classes). One channel of logits is that of class 1 beside
a class 0 whose logit is 0, as under a sigmoid. Pixels of the label ``ignored`` don't
count. Shapes that don't fit together, numbers out of their range and labels that are no
class are a ``ValueError``; where values can't be seen, as in ``fit``, such a label ends
the run with the same sentence, or the result is NaN.
"""

from cnnlib.segmentation.losses import CrossEntropy, CrossEntropyDice
from cnnlib.segmentation.metrics import MeanDice, MeanIoU, PixelAccuracy
from cnnlib.segmentation.tiles import predict_tiles, tiling
from cnnlib.segmentation.weights import weight_map

__all__ = [
    "CrossEntropy",
    "CrossEntropyDice",
    "MeanDice",
    "MeanIoU",
    "PixelAccuracy",
    "predict_tiles",
    "tiling",
    "weight_map",
]
