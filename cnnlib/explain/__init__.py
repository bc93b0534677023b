"""What a network looks at: its layers, activations, receptive fields, Grad-CAM.

Numbers only; ``plots`` draws them. Models are Sequential or functional, of images,
with one input (n, height, width, channels), and may contain other such models as
layers. A layer within a nested model is called by its path, "backbone/conv5", or by any
end of it that no other layer has: "conv5". Another model, a batch that does not fit it,
and a layer that is not there, is called twice or has no places (n, rows, columns, maps)
are a ``ValueError``.
"""

from cnnlib.explain.attribution import grad_cam
from cnnlib.explain.boxes import Box, outline
from cnnlib.explain.forward import activations
from cnnlib.explain.measured import measured_receptive_field
from cnnlib.explain.receptive import ReceptiveField, receptive_field

__all__ = [
    "Box",
    "ReceptiveField",
    "activations",
    "grad_cam",
    "measured_receptive_field",
    "outline",
    "receptive_field",
]
