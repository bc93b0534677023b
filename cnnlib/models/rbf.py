"""A radial basis function network, as a contrast: nothing in it is linear in x."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from cnnlib import checks
from cnnlib.layers import GaussianUnits


def rbf_network(
    templates: np.ndarray,
    *,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
) -> keras.Model:
    """Gaussian units around template images, and a dense layer on them.

    Broomhead and Lowe, "Multivariable functional interpolation and adaptive networks"
    (1988). Goodfellow, Shlens and Szegedy (arXiv:1412.6572)
    contrast them with networks that are nearly linear.

    Input: float, (n, height, width, channels), 0 to 1. Output: logits, (n, classes).
    Centres and widths are trained with the rest.

    Args:
        templates: images of ``input_shape`` that the units start from, (units, ...),
            such as some training images; each width starts at the mean squared distance
            between templates.
        input_shape: height, width, channels.
        classes: number of logits.

    Raises:
        ValueError: a shape or a number that no such network can have, or fewer than two
            different templates.
    """
    shape, classes = checks.network("rbf_network", input_shape, classes)
    templates = np.asarray(templates, "float32")
    if templates.shape[1:] != shape:
        raise ValueError(
            "rbf_network takes templates of shape (units, "
            f"{', '.join(map(str, shape))}); given {templates.shape}"
        )
    centres = templates.reshape(len(templates), int(np.prod(shape)))
    # The mean squared distance of two points is twice the variance of one.
    spread = 2 * centres.var(axis=0).sum() if len(centres) else 0.0
    if not spread > 0:
        raise ValueError(
            "rbf_network takes at least two different templates, whose distances set "
            "the widths"
        )
    model = keras.Sequential(
        [
            keras.Input(shape, name="image"),
            layers.Flatten(name="flatten"),
            GaussianUnits(len(centres), name="units"),
            layers.Dense(classes, name="logits"),
        ],
        name="rbf_network",
    )
    widths = np.full(len(centres), spread**-0.5, "float32")
    model.get_layer("units").set_weights([centres, widths])
    return model
