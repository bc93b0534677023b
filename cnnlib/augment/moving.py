"""The layer that all layers which move pixels are made of, and what it is given."""

import functools

import keras
import numpy as np
from keras import ops

from cnnlib import checks
from cnnlib.augment.sampling import FILL_MODES, INTERPOLATIONS, sample
from cnnlib.gradients import compiled, demand
from cnnlib.graph import Layer

FLIPS = (None, "horizontal", "vertical", "horizontal_and_vertical")
MOVED = ("images", "segmentation_masks", "weight_maps")


class Moving(Layer):
    """A layer that reads every pixel of its output at some place of its input.

    A subclass has ``draw(n, height, width)``, random numbers for n images, and
    ``places(drawn, height, width)``, which makes of them the rows and the columns of
    the input to read at, each float32 of shape (n, rows, columns) of the output.

    Args:
        flip: "horizontal" (left becomes right), "vertical", "horizontal_and_vertical",
            each with probability 1/2, or None.
        interpolation: "bilinear"; "bicubic" (Keys' kernel, a = −1/2: sharper, may leave
            the range by an eighth or so); "nearest".
        fill_mode: outside of the image, as SciPy's modes: "reflect" (d c b a | a b c
            d), "mirror" (d c b | a b c d), "nearest", or "constant".
        fill_value: for images, where the mode is "constant".
        fill_label: for masks, likewise; a number that their type can hold.
        seed: of the random numbers; None for other ones each time.
    """

    def __init__(
        self,
        *,
        flip=None,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        fill_label=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        who = type(self).__name__
        checks.choice(who, "flip", flip, FLIPS)
        checks.choice(who, "interpolation", interpolation, INTERPOLATIONS)
        checks.choice(who, "fill_mode", fill_mode, FILL_MODES)
        checks.number(who, "fill_value", fill_value)
        self.flip, self.interpolation = flip, interpolation
        self.fill_mode, self.fill_value = fill_mode, fill_value
        self.fill_label, self.seed = fill_label, checks.seed(who, seed)
        self._reading = interpolation
        self.generator = keras.random.SeedGenerator(self.seed)
        # XLA makes one loop of a sampling; TensorFlow's own kernels take twenty passes.
        self._samplers = {
            key: compiled(functools.partial(self._sample, key)) for key in MOVED
        }

    def rest(self, n, height, width):
        """What is drawn outside of training; None to leave everything as it is."""
        return None

    def check(self, height: int, width: int) -> None:
        """Refuse images of a size that the layer can't do."""
        return  # AutoGraph can't read an empty function

    def __call__(self, inputs, *others, **kwargs):
        who = type(self).__name__
        tensors = named(who, inputs, others)
        checked(who, tensors)
        self.check(*np.shape(tensors["images"])[-3:-1])
        if "segmentation_masks" in tensors and self.fill_mode == "constant":
            dtype = tensors["segmentation_masks"].dtype
            dtype = keras.backend.standardize_dtype(dtype)
            label = self.fill_label
            if "float" not in dtype and np.array(label).astype(dtype) != label:
                raise ValueError(
                    f"{who} takes a fill_label that masks of {dtype} can hold; given "
                    f"{label!r}"
                )
        return in_kind(super().__call__, inputs, others, tensors, kwargs)

    def call(self, inputs, training=True):
        tensors = inputs if isinstance(inputs, dict) else {"images": inputs}
        shape = ops.shape(tensors["images"])
        n, height, width = (1, *shape)[-4:-1]
        drawn = (self.draw if training else self.rest)(n, height, width)
        moved = dict(tensors)
        for key in tensors.keys() & set(MOVED):
            x = ops.convert_to_tensor(tensors[key])
            x = x if key == "segmentation_masks" else ops.cast(x, self.compute_dtype)
            moved[key] = x if drawn is None else self._moved(key, x, drawn, len(shape))
        return moved if isinstance(inputs, dict) else moved["images"]

    def _moved(self, key, x, drawn, rank):
        """One tensor, moved: with or without axes of images and of channels."""
        flat = len(x.shape) < rank
        x = x[..., None] if flat else x
        x = self._samplers[key](x[None] if rank == 3 else x, drawn)
        x = x[0] if rank == 3 else x
        return x[..., 0] if flat else x

    def _sample(self, key, x, drawn):
        how, fill = self._reading, self.fill_value
        if key == "segmentation_masks":
            how, fill = "nearest", self.fill_label
        elif key == "weight_maps":
            how, fill = "nearest" if how == "nearest" else "bilinear", 0
        rows, columns = self.places(drawn, *x.shape[1:3])
        return sample(x, rows, columns, how, self.fill_mode, fill)


def affine_places(matrices, height, width):
    """Rows and columns, float32 (n, height, width), that matrices (n, 2, 3) lead to."""
    rows = ops.arange(height, dtype="float32")[:, None]
    columns = ops.arange(width, dtype="float32")
    m = matrices[..., None, None]
    return [m[:, i, 0] * rows + m[:, i, 1] * columns + m[:, i, 2] for i in (0, 1)]


def named(who: str, inputs, others) -> dict:
    """What a layer is given, as a dict: images alone, a dict, or tensors in a row.

    In a row, as a ``tf.data`` set of pairs has them: images, then masks (which have
    the images' height and width) or labels (which have not), then weights of those.
    """
    if isinstance(inputs, dict) and not others:
        return inputs
    row = [*(inputs if isinstance(inputs, (tuple, list)) else [inputs]), *others]
    odd = any(isinstance(x, (dict, tuple, list, bool)) for x in row)
    if odd or not 1 <= len(row) <= 3:
        raise ValueError(
            f"{who} takes images, (images, masks), (images, masks, weight maps), "
            "(images, labels), or a dict such as {'images': images, "
            f"'segmentation_masks': masks}}; given {len(row)} things in a row"
        )
    shapes = [tuple(np.shape(x)) for x in row]
    names = ["images", "segmentation_masks", "weight_maps"]
    if len(row) > 1 and len(shapes[1]) < len(shapes[0]) - 1:
        names = ["images", "labels", "sample_weight"]
    return dict(zip(names, row, strict=False))


def in_kind(call, inputs, others, tensors: dict, kwargs: dict):
    """Call a layer on what it was given; what came in a row comes back in a row."""
    if isinstance(inputs, dict) or not (others or isinstance(inputs, (tuple, list))):
        return call(inputs, **kwargs)
    return tuple(call(tensors, **kwargs).values())


def checked(who: str, tensors: dict) -> None:
    """Refuse images, masks and weight maps that don't fit together, in one sentence."""
    if "images" not in tensors:
        raise ValueError(
            f"{who} takes images or a dict with 'images'; given {sorted(tensors)}"
        )
    shape = tuple(np.shape(tensors["images"]))
    single = len(shape) == 3 and shape[-1] in (1, 2, 3, 4)
    wanted = ""
    if not single and len(shape) != 4:
        wanted = (
            "images (n, height, width, channels), or one (height, width, channels) of "
            "1 to 4 channels"
        )
    elif 0 in shape:
        wanted = "at least one image"
    elif None in shape[-3:]:
        wanted = "images of known height and width (keras.layers.Resizing makes them)"
    if wanted:
        raise ValueError(f"{who} takes {wanted}; given shape {shape}")
    for key in tensors.keys() & set(MOVED):
        own = tuple(np.shape(tensors[key]))
        if key != "images" and own not in (shape[:-1], (*shape[:-1], 1)):
            raise ValueError(
                f"{who} takes {key} of one channel and the images' size, "
                f"{(*shape[:-1], 1)}; given {own}"
            )
        if not isinstance(tensors[key], keras.KerasTensor):
            x = ops.cast(tensors[key], "float32")
            fine = ops.all(ops.isfinite(x))
            demand(fine, f"{who} takes finite {key}", ops.min(x), ops.max(x))
