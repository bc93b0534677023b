"""A radial basis function network, as a contrast: nothing in it is linear in x."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from cnnlib.layers import GaussianUnits
from cnnlib.models.blocks import chain, inputs, scores
from cnnlib.models.entry import builder


@builder
def rbf_network(
    templates: np.ndarray,
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
) -> keras.Model:
    """Gaussian units around template images, and a dense layer on them.

    Broomhead and Lowe, "Multivariable functional interpolation and adaptive networks"
    (1988); arXiv:1412.6572 contrasts them with networks that are nearly linear. Images
    are 0 to 1. Centres and widths are trained with the rest.

    Args:
        templates: at least two different images that the units start from, (units,
            *input_shape); each width starts at the mean squared distance between them.
    """
    image, classes = inputs("rbf_network", input_shape, classes, any_size=False)
    shape, templates = image.shape[1:], np.asarray(templates, "float32")
    if templates.shape[1:] != shape:
        wanted = ", ".join(map(str, ("units", *shape)))
        raise ValueError(
            f"rbf_network takes templates of shape ({wanted}); given {templates.shape}"
        )
    centres = templates.reshape(len(templates), int(np.prod(shape)))
    # The mean squared distance of two points is twice the variance of one.
    spread = 2 * centres.var(axis=0).sum() if len(centres) else 0.0
    if not spread > 0:
        raise ValueError("rbf_network takes at least two different templates")
    parts = [
        layers.Flatten(name="flatten"),
        GaussianUnits(len(centres), name="units"),
        scores(classes),
    ]
    model = chain(image, parts, "rbf_network")
    widths = np.full(len(centres), spread**-0.5, "float32")
    model.get_layer("units").set_weights([centres, widths])
    return model
