"""Transformations that keep the label: of images, with their masks and weight maps.

The layers here move pixels; how they look is the business of Keras's photometric
layers. Each takes images alone, (n, height, width, channels) or one (height, width,
channels), or a dict of

- ``images``: any number type; come back in the layer's float type, in their range;
- ``segmentation_masks``: labels, (n, height, width) with or without an axis of one
  channel; moved to the nearest pixel, so that no label is invented, type kept;
- ``weight_maps``: shaped likewise, moved as the images are; weight 0 where a constant
  fills the picture, since nothing is known there;
- anything else, such as ``labels``: handed through.

They work as layers of a model, at rest outside of training, and, with Keras on
TensorFlow, in ``tf.data``: ``dataset.map(layer)``. Values are checked where they can be
seen, which is not within a compiled function; types and shapes are checked everywhere.
"""

import difflib
import functools
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops
from scipy import ndimage

from cnnlib.gradients import compiled

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
FILL_MODES = ("constant", "nearest", "wrap", "reflect", "mirror")
FLIPS = (None, "horizontal", "vertical", "horizontal_and_vertical")
MOVED = ("images", "segmentation_masks", "weight_maps")


class _Moving(keras.layers.Layer):
    """A layer that reads every pixel of its output at some place of its input."""

    def __init__(
        self, flip, interpolation, fill_mode, fill_value, fill_label, seed, kw
    ):
        super().__init__(**kw)
        who = type(self).__name__
        _one_of(who, "flip", flip, FLIPS)
        _one_of(who, "interpolation", interpolation, INTERPOLATIONS)
        _one_of(who, "fill_mode", fill_mode, FILL_MODES)
        if not math.isfinite(fill_value):
            raise ValueError(f"{who} takes a finite fill_value; given {fill_value!r}")
        self.flip, self.interpolation = flip, interpolation
        self.fill_mode, self.fill_value = fill_mode, fill_value
        self.fill_label, self.seed = fill_label, seed
        self.generator = keras.random.SeedGenerator(seed)
        # XLA makes one loop of a sampling; TensorFlow's own kernels take twenty passes.
        self._samplers = {key: compiled(self._sampler(key)) for key in MOVED}

    def draw(self, n, height: int, width: int):
        """Random numbers for n images of this size; ``places`` takes them."""
        raise NotImplementedError

    def places(self, drawn, height: int, width: int):
        """Where each pixel of the output is read, in pixels of the input.

        Returns:
            Rows and columns, each float32 of shape (n, rows, columns) of the output.
        """
        raise NotImplementedError

    def rest(self, images):
        """What is drawn outside of training; None to leave everything as it is."""
        return None

    def __call__(self, inputs, *args, **kwargs):
        """Refuse what does not fit together, in one line, before Keras adds its own."""
        _check_shapes(type(self).__name__, inputs)
        self.check(*np.shape(_images("", inputs))[-3:-1])
        return super().__call__(inputs, *args, **kwargs)

    def check(self, height: int, width: int) -> None:
        """Refuse images of a size that the layer can't do."""
        return  # AutoGraph can't read an empty function

    def call(self, inputs, training=True):
        """Move what is given; all that belongs to one image by the same numbers."""
        given = _batches(inputs)
        n, (height, width) = ops.shape(given["images"])[0], given["images"].shape[1:3]
        drawn = self.draw(n, height, width) if training else self.rest(given["images"])
        given["images"] = ops.cast(given["images"], self.compute_dtype)
        if drawn is not None:
            given = {key: self._samplers[key](x, drawn) for key, x in given.items()}
        return _as_given(inputs, given)

    def _sampler(self, key: str) -> Callable:
        """The function of a tensor and of the numbers drawn."""

        def sampler(x, drawn):
            how, fill = self._interpolation(), self.fill_value
            if key == "segmentation_masks":
                how, fill = "nearest", self.fill_label
            elif key == "weight_maps":
                how, fill = "nearest" if how == "nearest" else "bilinear", 0
            rows, columns = self.places(drawn, *x.shape[1:3])
            return sample(x, rows, columns, how, self.fill_mode, fill)

        return sampler

    def _interpolation(self) -> str:
        return self.interpolation

    def get_config(self):
        """The constructor's arguments."""
        names = "flip interpolation fill_mode fill_value fill_label seed".split()
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("cnnlib")
class Warp(_Moving):
    """Flip, shear, zoom, rotate and shift, in this order, by reading each pixel once.

    Numbers are drawn per image, uniformly from their ranges: a number r means from −r
    to r, a pair (low, high) means itself. All is about the middle of the image. With
    every range at zero the images come back bit for bit.

    Shapes: as given. Places outside of the image are filled as in SciPy, whose modes
    "grid-constant", "nearest", "grid-wrap", "reflect" and "mirror" these are.

    Args:
        flip: "horizontal" (left becomes right), "vertical", "horizontal_and_vertical",
            each with probability 1/2, or None.
        rotation: in degrees, counterclockwise.
        zoom: a number z means factors from 1 / (1 + z) to 1 + z, uniform in their
            logarithm, so that enlarging is as likely as shrinking; a pair, factors.
        translation: down and to the right, each as a part of height and width.
        shear: in degrees: how far columns lean, the top to the left.
        interpolation: "bilinear"; "bicubic" (Keys' kernel, a = −1/2: sharper, may leave
            the range by an eighth or so); "nearest".
        fill_mode: "reflect" (d c b a | a b c d), "mirror" (d c b | a b c d), "wrap",
            "nearest", or "constant".
        fill_value: for images, where the mode is "constant".
        fill_label: for masks, likewise.
        seed: of the random numbers; None for other ones each time.

    Raises:
        ValueError: a range that is negative, upside down or impossible; an unknown
            mode; and, when called, images or maps of shapes that do not fit together,
            an empty batch, or values that are not finite.
    """

    def __init__(
        self,
        *,
        flip=None,
        rotation=0,
        zoom=0,
        translation=0,
        shear=0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        fill_label=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            flip, interpolation, fill_mode, fill_value, fill_label, seed, kwargs
        )
        self._ranges = (
            _range("rotation", rotation),
            _zooms(zoom),
            _range("translation", translation),
            _range("shear", shear, below=90),
        )
        self.rotation, self.zoom = rotation, zoom
        self.translation, self.shear = translation, shear

    def draw(self, n, height, width):
        """The matrices, float32 (n, 2, 3): see ``matrices``."""
        if self.flip or any(low < high for low, high in self._ranges):
            u = keras.random.uniform((n, 7), dtype="float32", seed=self.generator)
        else:  # as in an Elastic alone, which draws enough
            u = ops.zeros((n, 7))

        def within(column, bounds):
            low, high = bounds
            return low + (high - low) * u[:, column]

        def sign(column, axis):
            flips = axis in (self.flip or "")
            return ops.where(u[:, column] < 0.5, -1.0, 1.0) if flips else 1.0

        rotation, zoom, translation, shear = self._ranges
        return matrices(
            height,
            width,
            flip=(sign(0, "vertical"), sign(1, "horizontal")),
            rotation=within(2, rotation),
            zoom=ops.exp(within(3, np.log(zoom))),
            translation=(within(4, translation), within(5, translation)),
            shear=within(6, shear),
        )

    def places(self, drawn, height, width):
        """Rows and columns, float32 (n, height, width), that the matrices lead to."""
        rows = ops.arange(height, dtype="float32")[:, None]
        columns = ops.arange(width, dtype="float32")
        m = drawn[..., None, None]
        return tuple(
            m[:, i, 0] * rows + m[:, i, 1] * columns + m[:, i, 2] for i in (0, 1)
        )

    def _interpolation(self):
        """Where pixels only change places there is nothing between them to read."""
        still = all(low == high == rest for (low, high), rest in self._at_rest())
        return "nearest" if still else self.interpolation

    def _at_rest(self):
        return zip(self._ranges, (0, 1, 0, 0), strict=True)

    def get_config(self):
        """The constructor's arguments."""
        names = ("rotation", "zoom", "translation", "shear")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("cnnlib")
class Elastic(Warp):
    """Elastic deformation as in U-Net (arXiv:1505.04597), with a warp if one is wanted.

    A vector is drawn for every node of a coarse grid over the image, its corners on the
    corners, both components from a normal distribution of their own; between the nodes
    the field is a cubic spline, which is SciPy's. Each pixel is read once, at its place
    in the warp plus its vector.

    Args:
        displacement: the standard deviation of both components, in pixels. The paper
            takes 10, for images of 512×512.
        grid: nodes along a side, at least 2. The paper takes 3.
        **kwargs: those of ``Warp``: its ranges, interpolation, fill and seed.

    Raises:
        ValueError: as ``Warp``; a displacement below 0, or too coarse a grid.
    """

    def __init__(self, displacement=10.0, grid=3, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= displacement < math.inf:
            raise ValueError(
                "Elastic takes a displacement of at least 0 pixels; given "
                f"{displacement!r}"
            )
        if grid < 2 or grid != int(grid):
            raise ValueError(
                f"Elastic takes a grid of at least 2 nodes; given {grid!r}"
            )
        self.displacement, self.grid = displacement, int(grid)

    def draw(self, n, height, width):
        """The matrices, and the vectors (rows, columns) of the grid, (n, g, g, 2)."""
        shape = (n, self.grid, self.grid, 2)
        vectors = keras.random.normal(
            shape, stddev=self.displacement, dtype="float32", seed=self.generator
        )
        return super().draw(n, height, width), vectors

    def places(self, drawn, height, width):
        """Rows and columns, float32 (n, height, width): the warp's, displaced."""
        transforms, vectors = drawn
        down, across = _splines(height, self.grid), _splines(width, self.grid)
        lines = ops.einsum("nijk,wj->kniw", vectors, across)
        # Written as a sum, it is made where pixels are read, and no field is stored.
        field = sum(
            down[:, i, None] * lines[:, :, i, None, :] for i in range(self.grid)
        )
        rows, columns = super().places(transforms, height, width)
        return rows + field[0], columns + field[1]

    def _interpolation(self):
        return self.interpolation if self.displacement else super()._interpolation()

    def get_config(self):
        """The constructor's arguments."""
        own = {"displacement": self.displacement, "grid": self.grid}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("cnnlib")
class Crop(_Moving):
    """A part of each image, from a place of its own; flipped, if so wanted.

    With ``padding`` it is what CIFAR networks are trained with since He et al.
    (arXiv:1512.03385): pad by 4, crop to the old size, flip left to right. Outside of
    training it is the middle of the image. Pixels are copied, never mixed.

    Shapes: (n, height, width, channels) to (n, *size, channels).

    Args:
        size: of the output in pixels, a number or (height, width); None for the
            image's own.
        padding: pixels added at every side before.
        flip: as in ``Warp``.
        fill_mode: of the padding, as in ``Warp``.
        fill_value: for images, where the mode is "constant".
        fill_label: for masks, likewise.
        seed: of the random numbers; None for other ones each time.

    Raises:
        ValueError: a size below 1, a padding below 0, an unknown mode; and, when
            called, a size larger than the padded image, and what ``Warp`` refuses.
    """

    def __init__(
        self,
        size=None,
        *,
        padding=0,
        flip=None,
        fill_mode="constant",
        fill_value=0.0,
        fill_label=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            flip, "nearest", fill_mode, fill_value, fill_label, seed, kwargs
        )
        sides = (size, size) if size is None or np.ndim(size) == 0 else tuple(size)
        whole = [side for side in (*sides, padding) if side is not None]
        if (
            len(sides) != 2
            or any(side != int(side) for side in whole)
            or min(whole) < 0
            or 0 in sides
        ):
            raise ValueError(
                "Crop takes a size of whole pixels from 1, one or (height, width), and "
                f"a padding from 0; given {size=}, {padding=}"
            )
        self.size = None if size is None else tuple(int(side) for side in sides)
        self.padding = int(padding)

    def check(self, height, width):
        """Refuse images that are smaller than the crop."""
        self._room(height, width)

    def _room(self, height: int, width: int) -> tuple[int, int]:
        """How far the crop can be moved, down and to the right."""
        room = [
            n + 2 * self.padding - side
            for n, side in zip(
                (height, width), self.size or (height, width), strict=True
            )
        ]
        if min(room) < 0:
            raise ValueError(
                f"Crop takes {self.size[0]}×{self.size[1]} pixels out of images that "
                f"are {height}×{width} with a padding of {self.padding}: too few"
            )
        return tuple(room)

    def draw(self, n, height, width):
        """Top, left and whether to flip up and down, left and right: (n, 4)."""
        u = keras.random.uniform((n, 4), dtype="float32", seed=self.generator)
        corner = [
            ops.minimum(ops.floor(u[:, i] * (room + 1)), room) - self.padding
            for i, room in enumerate(self._room(height, width))
        ]
        flips = [
            ops.cast(u[:, i] < 0.5 * (axis in (self.flip or "")), "float32")
            for i, axis in ((2, "vertical"), (3, "horizontal"))
        ]
        return ops.stack([*corner, *flips], axis=1)

    def rest(self, images):
        """The middle, unflipped."""
        room = self._room(*images.shape[1:3])
        middle = [*(n // 2 - self.padding for n in room), 0, 0]
        row = ops.convert_to_tensor(np.array([middle], "float32"))
        return ops.broadcast_to(row, (ops.shape(images)[0], 4))

    def places(self, drawn, height, width):
        """Rows and columns, float32 (n, *size), whole numbers all."""
        lines = []
        for i, side in enumerate(self.size or (height, width)):
            forth = ops.arange(side, dtype="float32")
            back = drawn[:, 2 + i, None] > 0
            line = ops.where(back, side - 1 - forth, forth)
            lines.append(drawn[:, i, None] + line)
        rows, columns = lines[0][:, :, None], lines[1][:, None, :]
        return rows + 0 * columns, 0 * rows + columns

    def get_config(self):
        """The constructor's arguments."""
        config = super().get_config()
        del config["interpolation"]
        return {**config, "size": self.size, "padding": self.padding}


@keras.saving.register_keras_serializable("cnnlib")
class ColorShift(keras.layers.Layer):
    """AlexNet's change of colour: all pixels moved along the main axes of colours.

    Krizhevsky et al. (2012), section 4.1: to every pixel of an image is added the sum
    of the principal components of ImageNet's colours, each times its eigenvalue times a
    normal number of standard deviation 0.1, drawn once per image.

    Shapes: (n, height, width, 3), as given. Values are not clipped.

    Args:
        strength: the standard deviation of the factors.
        value_range: of the images, (0, 255) or (0, 1).
        seed: of the random numbers.

    Raises:
        ValueError: a strength below 0; and, when called, images that are not RGB.
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
        if not 0 <= strength < math.inf:
            raise ValueError(f"ColorShift takes a strength from 0; given {strength!r}")
        self.strength, self.value_range, self.seed = strength, tuple(value_range), seed
        self.generator = keras.random.SeedGenerator(seed)

    def __call__(self, images, *args, **kwargs):
        """Refuse what is not RGB, in one line, before Keras adds its own."""
        if np.shape(images)[-1:] != (3,):
            raise ValueError(
                "ColorShift takes RGB images, (n, height, width, 3); given shape "
                f"{tuple(np.shape(images))}"
            )
        return super().__call__(images, *args, **kwargs)

    def call(self, images, training=True):
        """Add one colour to each image."""
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        lead = ops.shape(images)[:-3]
        factors = keras.random.normal(
            (*lead, 3), stddev=self.strength, dtype="float32", seed=self.generator
        )
        low, high = self.value_range
        axes = np.array(self.COMPONENTS) * np.array(self.EIGENVALUES)[:, None]
        axes = ops.convert_to_tensor((axes * (high - low)).astype("float32"))
        shift = ops.cast(ops.matmul(factors, axes), self.compute_dtype)
        return images + shift[..., None, None, :]

    def get_config(self):
        """The constructor's arguments."""
        names = ("strength", "value_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


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

    def __call__(self, inputs, *args, **kwargs):
        """Refuse what the layers can't do, in one line, before Keras adds its own."""
        _check_shapes("a Pipeline", inputs)
        _check_values(inputs, self.value_range)
        keys = set(inputs) if isinstance(inputs, dict) else {"images"}
        for name in (type(layer).__name__ for layer in self.layers):
            if name in _MOVE and keys & set(MOVED[1:]):
                raise ValueError(
                    f"{name} moves pixels without their masks and weight maps; take "
                    "cnnlib.augment's Warp, Elastic or Crop"
                )
            if (
                name in _MIX
                and np.ndim(inputs["labels"] if "labels" in keys else 0) != 2
            ):
                raise ValueError(
                    f"{name} mixes labels too: give a dict with one-hot 'labels', "
                    "(n, classes)"
                )
        return super().__call__(inputs, *args, **kwargs)

    def build(self, input_shape):
        """Nothing is to be built: the layers draw numbers and have no weights."""
        self.built = True

    def call(self, inputs, training=True):
        """Apply the layers in turn."""
        for layer in self.layers:
            if not isinstance(inputs, dict) or isinstance(layer, (_Moving, Pipeline)):
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
        """The constructor's arguments."""
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        own = {"layers": layers, "value_range": self.value_range}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        """The pipeline that ``get_config`` tells of."""
        layers = [
            keras.saving.deserialize_keras_object(layer) for layer in config["layers"]
        ]
        return cls(**{**config, "layers": layers})


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
    _one_of("pipeline", "name", name, tuple(PIPELINES))
    seeds = [None if seed is None else 3 * seed + i for i in range(3)]
    layers = PIPELINES[name](tuple(value_range), seeds, **settings)
    return Pipeline(layers, value_range=value_range, name=name)


def examples(layer, image: np.ndarray, count: int = 16, mask=None):
    """What a layer makes of one image, again and again: for a picture of it.

    A copy of the layer does it, started from its seed, so that the same seed gives the
    same examples and the layer itself is left where it was.

    Args:
        layer: of this room, a ``Pipeline``, or one of Keras's that take images.
        image: (height, width, channels), uint8 or float.
        count: how many.
        mask: (height, width) labels, to be moved along.

    Returns:
        (count, height, width, channels) of the image's type, whole numbers rounded;
        with a mask, a pair of that and (count, height, width) labels.

    Raises:
        ValueError: the image or the mask has another shape, or ``count`` is below 1.
    """
    image = np.asarray(image)
    if image.ndim != 3 or count < 1:
        raise ValueError(
            "examples takes one image (height, width, channels) and a count from 1; "
            f"given {image.shape} and {count}"
        )
    copy = type(layer).from_config(layer.get_config())
    given = np.repeat(image[None], count, axis=0)
    if mask is not None:
        masks = np.repeat(np.asarray(mask)[None], count, axis=0)
        given = {"images": given, "segmentation_masks": masks}
    made = copy(given, training=True)
    moved = ops.convert_to_numpy(made if mask is None else made["images"])
    if image.dtype.kind in "iu":
        info = np.iinfo(image.dtype)
        moved = np.rint(moved).clip(info.min, info.max)
    moved = moved.astype(image.dtype)
    if mask is None:
        return moved
    return moved, ops.convert_to_numpy(made["segmentation_masks"])


def matrices(
    height, width, *, flip=(1, 1), rotation=0, zoom=1, translation=(0, 0), shear=0
):
    """The affine maps of ``Warp``, from a pixel of the output to where it is read.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        flip: up and down, left and right: −1 to flip, 1 not to.
        rotation: degrees, counterclockwise.
        zoom: the factor of enlargement.
        translation: down, to the right, as parts of height and width.
        shear: degrees.

    Each setting is a number or a tensor (n,), rotation being the latter.

    Returns:
        float32 (n, 2, 3): (row, column) = m[:, :2] · (row', column') + m[:, 2], which
        is how ``scipy.ndimage.affine_transform`` reads, too.
    """
    turn, lean = (ops.cast(a, "float32") * (math.pi / 180) for a in (rotation, shear))
    cos, sin = ops.cos(turn) / zoom, ops.sin(turn) / zoom
    tan = ops.tan(lean)
    up, left = flip
    a, b = up * cos, up * sin  # backwards: turned back, shrunk, straightened, flipped
    c, d = -left * (sin + tan * cos), left * (cos - tan * sin)
    middle = (height - 1) / 2, (width - 1) / 2
    down, right = (
        m + t * n for m, t, n in zip(middle, translation, (height, width), strict=True)
    )
    rows = [a, b, middle[0] - (a * down + b * right)]
    columns = [c, d, middle[1] - (c * down + d * right)]
    return ops.stack([ops.stack(rows, axis=-1), ops.stack(columns, axis=-1)], axis=1)


def sample(x, rows, columns, interpolation, fill_mode="reflect", fill_value=0.0):
    """Read images at places between their pixels.

    Args:
        x: (n, height, width, channels), any type.
        rows: (n, height', width') float32, in pixels from 0.
        columns: likewise.
        interpolation: one of ``INTERPOLATIONS``; as in ``Warp``.
        fill_mode: one of ``FILL_MODES``; as in ``Warp``.
        fill_value: what is read outside of the image in mode "constant".

    Returns:
        (n, height', width', channels), of x's type.
    """
    height, width, channels = x.shape[1:]
    flat = ops.reshape(x, (-1, channels))
    start = ops.arange(ops.shape(x)[0], dtype="int32")[:, None, None] * (height * width)
    total = None
    across = list(_taps(columns, width, interpolation, fill_mode))
    for i, inside_i, weight_i in _taps(rows, height, interpolation, fill_mode):
        for j, inside_j, weight_j in across:
            value = ops.take(flat, start + i * width + j, axis=0)
            if fill_mode == "constant":
                inside = ops.logical_and(inside_i, inside_j)[..., None]
                value = ops.where(inside, value, ops.cast(fill_value, x.dtype))
            if weight_i is None:
                return value
            value = value * ops.cast((weight_i * weight_j)[..., None], x.dtype)
            total = value if total is None else total + value
    return total


def _taps(places, n: int, interpolation: str, fill_mode: str):
    """The pixels along an axis that count, whether they exist, and how much each."""
    if interpolation == "nearest":
        base, weights = ops.floor(places + 0.5), {0: None}
    else:
        base = ops.floor(places)
        f = places - base
        if interpolation == "bilinear":
            weights = {0: 1 - f, 1: f}
        else:
            g = 1 - f
            weights = {
                -1: -0.5 * f * g * g,
                0: 1 + f * f * (1.5 * f - 2.5),
                1: 1 + g * g * (1.5 * g - 2.5),
                2: -0.5 * g * f * f,
            }
    # Beyond any image, and within what a whole number holds.
    base = ops.cast(ops.clip(base, -1e9, 1e9), "int32")
    for step, weight in weights.items():
        i = base + step
        if fill_mode == "wrap":
            folded = ops.mod(i, n)
        elif fill_mode == "reflect":
            folded = ops.mod(i, 2 * n)
            folded = ops.minimum(folded, 2 * n - 1 - folded)
        elif fill_mode == "mirror":
            period = max(2 * n - 2, 1)
            folded = ops.mod(i, period)
            folded = ops.minimum(folded, period - folded) if n > 1 else folded
        else:
            folded = ops.clip(i, 0, n - 1)
        yield folded, ops.logical_and(i >= 0, i < n), weight


@functools.lru_cache(maxsize=64)
def _splines(side: int, nodes: int) -> np.ndarray:
    """How much each node counts at each pixel of a cubic spline: (side, nodes)."""
    places = np.linspace(0, nodes - 1, side)
    units = np.eye(nodes)
    found = [
        ndimage.map_coordinates(u, [places], order=3, mode="mirror") for u in units
    ]
    return np.stack(found, axis=1).astype("float32")


def _one_of(who: str, what: str, given, known: Sequence) -> None:
    if given in known:
        return
    near = difflib.get_close_matches(str(given), [k for k in known if k], 1, cutoff=0)
    raise ValueError(
        f"{who} has no {what} {given!r}; the nearest is {near[0]!r}. Known: "
        f"{', '.join(map(repr, known))}"
    )


def _range(name: str, given, below: float = math.inf) -> tuple[float, float]:
    """(low, high) from a number or a pair."""
    pair = np.ndim(given) == 1 and len(given) == 2
    low, high = given if pair else (-given, given) if np.ndim(given) == 0 else (1, 0)
    if not (-below < low <= high < below):
        limit = "" if below == math.inf else f" below {below}"
        raise ValueError(
            f"{name} takes a range of at least 0, or a pair (low, high){limit}; given "
            f"{given!r}"
        )
    return float(low), float(high)


def _zooms(given) -> tuple[float, float]:
    """(low, high) factors from a number or a pair."""
    if np.ndim(given) == 0 and given >= 0:
        given = (1 / (1 + given), 1 + given)
    low, high = _range("zoom", given)
    if low <= 0:
        raise ValueError(f"zoom takes factors above 0; given {given!r}")
    return low, high


def _images(who: str, inputs):
    """The images, alone or from a dict."""
    if not isinstance(inputs, dict):
        return inputs
    if "images" not in inputs:
        raise ValueError(
            f"{who} takes images or a dict with 'images'; given {sorted(inputs)}"
        )
    return inputs["images"]


def _check_shapes(who: str, inputs) -> None:
    """That images, masks and weight maps fit together."""
    shape = tuple(np.shape(_images(who, inputs)))
    if len(shape) not in (3, 4) or shape[-1] not in (1, 2, 3, 4):
        raise ValueError(
            f"{who} takes images (n, height, width, channels) or one (height, width, "
            f"channels), 1 to 4 channels; given shape {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{who} takes at least one image; given shape {shape}")
    if None in shape[-3:]:
        raise ValueError(
            f"{who} takes images of known height and width; given shape {shape}"
        )
    for key, x in inputs.items() if isinstance(inputs, dict) else [("images", inputs)]:
        if key not in MOVED:
            continue
        own = tuple(np.shape(x))
        if key != "images" and own not in (shape[:-1], (*shape[:-1], 1)):
            raise ValueError(
                f"{who} takes {key} of one channel and the images' size, "
                f"{(*shape[:-1], 1)}; given {own}"
            )
        _check_finite(who, key, _seen(x))


def _batches(inputs) -> dict:
    """What is to be moved, each (n, height, width, channels)."""
    given = inputs if isinstance(inputs, dict) else {"images": inputs}
    given = {key: ops.convert_to_tensor(given[key]) for key in MOVED if key in given}
    rank = len(given["images"].shape)
    for key, x in given.items():
        x = x[..., None] if len(x.shape) < rank else x
        given[key] = x[None] if rank == 3 else x
    return given


def _as_given(inputs, moved: dict):
    """The results, in the form of the inputs."""
    if not isinstance(inputs, dict):
        return moved["images"] if len(inputs.shape) == 4 else moved["images"][0]
    moved = dict(moved)
    single = len(inputs["images"].shape) == 3
    for key, x in moved.items():
        x = x[..., 0] if len(inputs[key].shape) < len(inputs["images"].shape) else x
        moved[key] = x[0] if single else x
    return {**inputs, **moved}


def _seen(x) -> np.ndarray | None:
    """The values of a tensor, unless it stands for values yet to come."""
    if isinstance(x, keras.KerasTensor):
        return None
    try:
        return np.asarray(x)
    except (TypeError, NotImplementedError):
        return None


def _check_finite(who: str, what: str, x: np.ndarray | None) -> None:
    if x is None or x.dtype.kind in "iub":
        return
    if not np.isfinite(x.astype("float32")).all():
        raise ValueError(f"{who} takes finite {what}; some values are NaN or infinite")


def _check_values(inputs, value_range) -> None:
    """That the images are in the range they are said to be in."""
    images = _images("a Pipeline", inputs)
    low, high = value_range
    whole = keras.backend.standardize_dtype(images.dtype).startswith(("int", "uint"))
    told = f"the value_range of this Pipeline is {value_range}"
    if whole and high <= 1:
        raise ValueError(f"{told}; given whole numbers, {images.dtype}: divide by 255")
    seen = _seen(images)
    if seen is None or not seen.size:
        return
    _check_finite("a Pipeline", "images", seen)
    least, most = float(seen.min()), float(seen.max())
    slack = 1e-3 * (high - low)
    if least < low - slack or most > high + slack:
        raise ValueError(f"{told}; given values from {least:g} to {most:g}")
    if high == 255 and not whole and 0 < most <= 1 and least < most:
        raise ValueError(
            f"{told}; given values from {least:g} to {most:g}: say value_range=(0, 1)"
        )
