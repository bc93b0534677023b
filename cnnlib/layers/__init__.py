"""The few layers that the talk's networks need and Keras lacks."""

from cnnlib.layers.early import (
    GaussianUnits,
    LocalResponseNormalization,
    RadialBasis,
    Subsampling2D,
    TableConv2D,
)
from cnnlib.layers.paths import (
    ColumnChoice,
    FractalJoin,
    GatedSum,
    PaddedIdentity,
    SurvivalGate,
)
from cnnlib.layers.repeated import RepeatedUnit
from cnnlib.layers.resampling import Bilinear, CropLike, FixedConv2DTranspose

__all__ = [
    "Bilinear",
    "ColumnChoice",
    "CropLike",
    "FixedConv2DTranspose",
    "FractalJoin",
    "GatedSum",
    "GaussianUnits",
    "LocalResponseNormalization",
    "PaddedIdentity",
    "RadialBasis",
    "RepeatedUnit",
    "Subsampling2D",
    "SurvivalGate",
    "TableConv2D",
]
