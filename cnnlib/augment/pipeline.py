"""Layers in a row, the augmentations of published networks, and pictures of them."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.augment.crop import Crop
from cnnlib.augment.moving import Moving, checked, in_kind, named
from cnnlib.augment.warp import Elastic
from cnnlib.gradients import demand
from cnnlib.graph import Layer


@keras.saving.register_keras_serializable("cnnlib")
class ColorShift(Layer):
    """AlexNet's change of colour (Krizhevsky et al. 2012, section 4.1).

    To all pixels of an image is added the sum of the principal components of ImageNet's
    colours, each times its eigenvalue times a normal number of standard deviation
    ``strength``. Images are RGB, (n, height, width, 3); values are not clipped.
    """

    # Of ImageNet's pixels from 0 to 1, the figures in common use; a component a row.
    EIGENVALUES = (0.2175, 0.0188, 0.0045)
    COMPONENTS = (
        (-0.5675, -0.5808, -0.5836),
        (0.7192, -0.0045, -0.6948),
        (0.4009, -0.8140, 0.4203),
    )

    def __init__(self, strength=0.1, *, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        checks.number("ColorShift", "strength", strength, least=0)
        self.strength, self.seed = strength, checks.seed("ColorShift", seed)
        self.value_range = checks.span("ColorShift", "value_range", value_range)
        self.generator = keras.random.SeedGenerator(self.seed)

    def __call__(self, images, *args, **kwargs):
        shape = tuple(np.shape(images))
        if shape[-1:] != (3,):
            raise ValueError(
                f"ColorShift takes RGB images, (n, height, width, 3); given {shape}"
            )
        return super().__call__(images, *args, **kwargs)

    def call(self, images, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        factors = keras.random.normal(
            (*ops.shape(images)[:-3], 3),
            stddev=self.strength,
            dtype="float32",
            seed=self.generator,
        )
        low, high = self.value_range
        axes = np.array(self.COMPONENTS) * np.array(self.EIGENVALUES)[:, None]
        axes = ops.convert_to_tensor((axes * (high - low)).astype("float32"))
        shift = ops.cast(ops.matmul(factors, axes), self.compute_dtype)
        return images + shift[..., None, None, :]


# Keras's layers that leave every pixel where its mask and its weight are.
_LEFT = {
    getattr(keras.layers, name, None)
    for name in """
    Activation AutoContrast ContrastLimitedAdaptiveHistogramEqualization Dropout
    Equalization GaussianNoise Identity InputLayer Normalization RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomErasing
    RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPosterization
    RandomSaturation RandomSharpness Rescaling Solarization SpatialDropout2D
    """.split()
}
_MIX = {"CutMix", "MixUp"}


@keras.saving.register_keras_serializable("cnnlib")
class Pipeline(Layer):
    """Layers of this room and of Keras, one after the other.

    Keras's layers are given the images alone, since several of them change or refuse
    masks; CutMix and MixUp are given images and one-hot ``labels``. ``value_range``
    says what images to accept, (0, 255) or (0, 1), and is that of all layers up to a
    Rescaling. Whole numbers where 0 to 1 is declared are refused, and, beside masks or
    weight maps, layers that are not known to leave pixels in their places.
    """

    def __init__(self, layers, *, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.layers = list(layers)
        self.value_range = checks.span("Pipeline", "value_range", value_range)
        for layer in _unfolded(self.layers):
            if isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)):
                break
            own = getattr(layer, "value_range", self.value_range)
            if tuple(own) != self.value_range:
                raise ValueError(
                    f"the value_range of this Pipeline is {self.value_range}; that of "
                    f"its {type(layer).__name__} is {tuple(own)}"
                )

    def __call__(self, inputs, *others, **kwargs):
        tensors = named("a Pipeline", inputs, others)
        checked("a Pipeline", tensors)
        _check_range(tensors["images"], self.value_range)
        moves_alone = "segmentation_masks" in tensors or "weight_maps" in tensors
        for layer in _unfolded(self.layers):
            name, ours = type(layer).__name__, (Moving, Pipeline, ColorShift)
            if moves_alone and not (isinstance(layer, ours) or type(layer) in _LEFT):
                raise ValueError(
                    f"{name} may move pixels without their masks and weight maps; take "
                    "cnnlib.augment's Warp, Elastic or Crop, or give it images alone"
                )
            if name in _MIX and np.ndim(tensors.get("labels", 0)) != 2:
                raise ValueError(
                    f"{name} mixes labels too: give a dict with one-hot 'labels', "
                    "(n, classes)"
                )
        return in_kind(super().__call__, inputs, others, tensors, kwargs)

    def build(self, input_shape):
        self.built = True  # the layers draw numbers and have no weights

    def call(self, inputs, training=True):
        images = inputs["images"] if isinstance(inputs, dict) else inputs
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
        layers = map(keras.saving.deserialize_keras_object, config["layers"])
        return cls(**{**config, "layers": layers})


def _unfolded(layers):
    """Layers, in place of a model or of Keras's pipeline those that it is made of."""
    for layer in layers:
        whole = isinstance(layer, Pipeline) or not getattr(layer, "layers", None)
        yield from [layer] if whole else _unfolded(layer.layers)


def _check_range(images, value_range) -> None:
    """Refuse images that are not in their range; within compiled code, as it runs."""
    low, high = value_range
    whole = keras.backend.standardize_dtype(images.dtype).startswith(("int", "uint"))
    told = f"the value_range of this Pipeline is {value_range}"
    if whole and high <= 1:
        raise ValueError(f"{told}; given whole numbers, {images.dtype}: divide by 255")
    if isinstance(images, keras.KerasTensor):
        return
    least, most = (ops.cast(f(images), "float32") for f in (ops.min, ops.max))
    slack = 1e-3 * (high - low)
    demand((least >= low - slack) & (most <= high + slack), told, least, most)
    if high == 255 and not whole:
        lit = (most <= 0) | (most > 1) | (least >= most)
        demand(lit, f"{told}: say value_range=(0, 1)", least, most)


def _cifar(value_range, seeds, *, padding=4):
    return [Crop(padding=padding, flip="horizontal", seed=seeds[0])]


def _alexnet(value_range, seeds, *, size=224):
    return [
        Crop(size, flip="horizontal", seed=seeds[0]),
        ColorShift(value_range=value_range, seed=seeds[1]),
    ]


def _unet(value_range, seeds, *, displacement=10.0):
    elastic = Elastic(
        displacement,
        flip="horizontal_and_vertical",
        rotation=180,
        translation=0.05,
        fill_mode="mirror",
        seed=seeds[0],
    )
    return [
        elastic,
        keras.layers.RandomContrast(0.1, value_range=value_range, seed=seeds[1]),
        keras.layers.RandomBrightness(0.05, value_range=value_range, seed=seeds[2]),
    ]


def _digits(value_range, seeds, *, displacement=0.8):
    elastic = Elastic(
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
    return [elastic]


PIPELINES = {"cifar": _cifar, "alexnet": _alexnet, "unet": _unet, "digits": _digits}


def pipeline(name, *, value_range=(0, 255), seed=None, **settings) -> Pipeline:
    """The augmentation that a network was published with, and its one setting.

    - "cifar" pads, crops, flips left to right (arXiv:1512.03385): ``padding=4``.
    - "alexnet" crops out of images of 256×256, flips, shifts colours (Krizhevsky et al.
      2012): ``size=224``.
    - "unet" turns, flips, shifts and deforms, borders mirrored, and varies grey values
      (arXiv:1505.04597, which states the first figure only): ``displacement=10``.
    - "digits": small turns, zooms, shifts, slants and deformations, for 28×28 (in the
      manner of Simard et al. 2003): ``displacement=0.8``.

    Displacements are in pixels: scale them with the image. A setting that the pipeline
    does not have is a ``TypeError``.
    """
    checks.named("pipeline", name, PIPELINES)
    seed = checks.seed("pipeline", seed)
    seeds = [None if seed is None else 3 * seed + i for i in range(3)]
    value_range = checks.span("pipeline", "value_range", value_range)
    layers = PIPELINES[name](value_range, seeds, **settings)
    return Pipeline(layers, value_range=value_range, name=name)


def examples(layer, image: np.ndarray, count: int = 16, mask=None):
    """What a layer makes of one image, again and again: for a picture of it.

    A copy of the layer does it, started from its seed: the same seed gives the same
    examples, and the layer itself is left where it was.

    Args:
        layer: of this room, or one of Keras's that take images.
        image: (height, width, channels), uint8 or float.
        count: how many, at least 1.
        mask: (height, width) labels, to be moved along.

    Returns:
        (count, height, width, channels) of the image's type, whole numbers rounded;
        with a mask, a pair of that and (count, height, width) labels.
    """
    image = np.asarray(image)
    checks.integer("examples", "count", count)
    if not isinstance(layer, keras.layers.Layer):
        raise ValueError(f"examples takes a layer; given {layer!r:.50}")
    if image.ndim != 3:
        raise ValueError(
            f"examples takes one image (height, width, channels); given {image.shape}"
        )
    tensors = {"images": np.repeat(image[None], count, axis=0)}
    if mask is not None:
        masks = np.repeat(np.asarray(mask)[None], count, axis=0)
        tensors["segmentation_masks"] = masks
    copy = type(layer).from_config(layer.get_config())
    moved = copy(tensors if len(tensors) > 1 else tensors["images"], training=True)
    images = moved if mask is None else moved["images"]
    images = ops.convert_to_numpy(images)
    if image.dtype.kind in "iu":
        info = np.iinfo(image.dtype)
        images = np.rint(images).clip(info.min, info.max)
    images = images.astype(image.dtype)
    if mask is None:
        return images
    return images, ops.convert_to_numpy(moved["segmentation_masks"])
