"""Pictures to be moved, the same in every test, and what else the tests share."""

import keras
import numpy as np

rng = np.random.default_rng(0)
START = rng.bit_generator.state
# Ours, and what SciPy calls them.
MODES = {
    "constant": "grid-constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "mirror": "mirror",
}
ALL = {"rotation": 40, "zoom": 0.4, "translation": 0.3, "shear": 20}


def pictures(*shape):
    return rng.random(shape, "float32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def twin(layer):
    """Another layer that draws the same numbers."""
    return type(layer).from_config(layer.get_config())


def discs(n, side):
    """Images (n, side, side) of three large discs: 1 to 3 on 0, far from each other."""
    y, x = np.mgrid[:side, :side] / side
    masks = np.zeros((n, side, side), "int32")
    for label, (a, b, r) in enumerate([(0.3, 0.3, 0.17), (0.35, 0.75, 0.15)], 1):
        masks[:, (y - a) ** 2 + (x - b) ** 2 < r**2] = label
    masks[:, (y - 0.75) ** 2 + (x - 0.5) ** 2 < 0.2**2] = 3
    return masks
