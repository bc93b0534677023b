"""Layers in a row, and the augmentations that networks were published with."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.augment.colour import ColorShift
from cnnlib.augment.crop import Crop
from cnnlib.augment.elastic import Elastic
from cnnlib.augment.inputs import check_inputs, images_of
from cnnlib.augment.moving import Moving

# Keras's layers that move pixels by themselves, out of step with masks and weight maps.
_MOVE = set(
    "AugMix CenterCrop CutMix MixUp RandAugment RandomCrop RandomElasticTransform "
    "RandomFlip RandomPerspective RandomRotation RandomShear RandomTranslation "
    "RandomZoom Resizing".split()
)
_MIX = {"CutMix", "MixUp"}


@keras.saving.register_keras_serializable("cnnlib")
class Pipeline(keras.layers.Layer):
    """Layers of this room and of Keras, one after the other.

    Keras's layers are given the images alone, since several of them change or refuse
    masks; CutMix and MixUp are given images and one-hot ``labels``. Those that move
    pixels are refused where there are masks or weight maps: take ``Warp``.

    Args:
        layers: in their order.
        value_range: that of the images, (0, 255) or (0, 1): for the check that they
            are in it. The layers have their own settings.

    Raises:
        ValueError: when called: values outside of the range, where they can be seen;
            whole numbers where 0 to 1 is declared; masks where pixels would move
            without them; CutMix or MixUp without one-hot labels; and what the layers
            refuse.
    """

    def __init__(self, layers, *, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.layers = list(layers)
        self.value_range = tuple(value_range)

    def __call__(self, inputs, *others, **kwargs):
        """Refuse what the layers can't do, in one line, before Keras adds its own."""
        images = images_of("a Pipeline", inputs, *others)
        check_inputs("a Pipeline", inputs)
        _check_range(images, self.value_range)
        tensors = inputs if isinstance(inputs, dict) else {}
        moves_alone = "segmentation_masks" in tensors or "weight_maps" in tensors
        for name in (type(layer).__name__ for layer in self.layers):
            if name in _MOVE and moves_alone:
                raise ValueError(
                    f"{name} moves pixels without their masks and weight maps; take "
                    "cnnlib.augment's Warp, Elastic or Crop"
                )
            if name in _MIX and np.ndim(tensors.get("labels", 0)) != 2:
                raise ValueError(
                    f"{name} mixes labels too: give a dict with one-hot 'labels', "
                    "(n, classes)"
                )
        return super().__call__(inputs, **kwargs)

    def build(self, input_shape):
        """Nothing is to be built: the layers draw numbers and have no weights."""
        self.built = True

    def call(self, inputs, training=True):
        """Apply the layers in turn."""
        for layer in self.layers:
            if not isinstance(inputs, dict) or isinstance(layer, (Moving, Pipeline)):
                inputs = layer(inputs, training=training)
            elif type(layer).__name__ in _MIX:
                labels = ops.cast(inputs["labels"], self.compute_dtype)
                pair = {"images": inputs["images"], "labels": labels}
                inputs = {**inputs, **layer(pair, training=training)}
            else:
                images = layer(inputs["images"], training=training)
                inputs = {**inputs, "images": images}
        return inputs

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        own = {"layers": layers, "value_range": self.value_range}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        layers = [
            keras.saving.deserialize_keras_object(layer) for layer in config["layers"]
        ]
        return cls(**{**config, "layers": layers})


def _check_range(images, value_range) -> None:
    """Refuse images that are not in the range they are said to be in."""
    low, high = value_range
    whole = keras.backend.standardize_dtype(images.dtype).startswith(("int", "uint"))
    told = f"the value_range of this Pipeline is {value_range}"
    if whole and high <= 1:
        raise ValueError(f"{told}; given whole numbers, {images.dtype}: divide by 255")
    values = checks.visible(images)
    if values is None:
        return
    least, most = float(values.min()), float(values.max())
    slack = 1e-3 * (high - low)
    if least < low - slack or most > high + slack:
        raise ValueError(f"{told}; given values from {least:g} to {most:g}")
    if high == 255 and not whole and 0 < most <= 1 and least < most:
        raise ValueError(
            f"{told}; given values from {least:g} to {most:g}: say value_range=(0, 1)"
        )


def _cifar(value_range, seeds, *, padding=4):
    return [Crop(padding=padding, flip="horizontal", seed=seeds[0])]


def _alexnet(value_range, seeds, *, size=224, strength=0.1):
    return [
        Crop(size, flip="horizontal", seed=seeds[0]),
        ColorShift(strength, value_range=value_range, seed=seeds[1]),
    ]


def _unet(value_range, seeds, *, displacement=10.0, brightness=0.05, contrast=0.1):
    return [
        Elastic(
            displacement,
            flip="horizontal_and_vertical",
            rotation=180,
            translation=0.05,
            fill_mode="mirror",
            seed=seeds[0],
        ),
        keras.layers.RandomContrast(contrast, value_range=value_range, seed=seeds[1]),
        keras.layers.RandomBrightness(
            brightness, value_range=value_range, seed=seeds[2]
        ),
    ]


def _digits(value_range, seeds, *, displacement=0.8):
    return [
        Elastic(
            displacement,
            grid=5,
            rotation=12,
            zoom=0.12,
            translation=0.08,
            shear=10,
            fill_mode="constant",
            fill_value=value_range[0],
            seed=seeds[0],
        )
    ]


PIPELINES = {"cifar": _cifar, "alexnet": _alexnet, "unet": _unet, "digits": _digits}


def pipeline(name, *, value_range=(0, 255), seed=None, **settings) -> Pipeline:
    """The augmentation that a network was published with.

    =========== ===================================================================
    name        what it does, after whom, and its settings
    =========== ===================================================================
    ``cifar``   pads, crops, flips left to right: He et al., arXiv:1512.03385;
                ``padding=4``
    ``alexnet`` crops out of images of 256×256, flips, shifts colours: Krizhevsky et
                al. 2012; ``size=224, strength=0.1``
    ``unet``    turns, flips, shifts and deforms, with mirrored borders, and varies grey
                values: Ronneberger et al., arXiv:1505.04597, who give no figures but
                the first; ``displacement=10, brightness=0.05, contrast=0.1``
    ``digits``  small turns, zooms, shifts, slants and deformations, no flips: in the
                manner of Simard et al. 2003, for 28×28; ``displacement=0.8``
    =========== ===================================================================

    Displacements are in pixels: scale them with the image.

    Args:
        name: one of ``PIPELINES``.
        value_range: of the images, (0, 255) or (0, 1).
        seed: of the random numbers; None for other ones each time.
        **settings: those of the table.

    Raises:
        ValueError: there is no such pipeline, or a setting is out of range.
        TypeError: the pipeline has no such setting.
    """
    checks.named("pipeline", name, PIPELINES)
    seeds = [None if seed is None else 3 * seed + i for i in range(3)]
    layers = PIPELINES[name](tuple(value_range), seeds, **settings)
    return Pipeline(layers, value_range=value_range, name=name)
