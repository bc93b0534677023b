"""The weights that keras.applications publishes, put into our builders.

``weights="imagenet"`` of a builder comes here: Keras downloads its own network of the
same name, with its progress bar and its cache, and the weights are copied over::

    model = models.vgg16(weights="imagenet")
    logits = model(models.preprocess("vgg16", photographs))
    models.decode(logits)  # [[("golden retriever", 0.93), …], …]
"""

import os

import keras
import numpy as np
from keras import layers

from cnnlib import graph

# Our name: Keras's class, and the preprocessing of its weights.
TWINS = {
    "vgg16": ("VGG16", "caffe"),
    "vgg19": ("VGG19", "caffe"),
    "inception_v3": ("InceptionV3", "tf"),
    "inception_resnet_v2": ("InceptionResNetV2", "tf"),
    "xception": ("Xception", "tf"),
    "resnet50": ("ResNet50", "caffe"),
    "resnet101": ("ResNet101", "caffe"),
    "resnet152": ("ResNet152", "caffe"),
    "resnet50_v2": ("ResNet50V2", "tf"),
    "resnet101_v2": ("ResNet101V2", "tf"),
    "resnet152_v2": ("ResNet152V2", "tf"),
    "densenet121": ("DenseNet121", "torch"),
    "densenet169": ("DenseNet169", "torch"),
    "densenet201": ("DenseNet201", "torch"),
}


def check_weights(network: str, weights, channels: int, classes: int) -> None:
    """Refuse what ``load`` cannot load, before a model is built.

    Raises:
        ValueError: ``weights`` is neither None nor "imagenet", or there are none for
            ``network``, or they have other channels or classes.
    """
    if weights is None:
        return
    if weights != "imagenet":
        raise ValueError(f"weights is None or 'imagenet'; given {weights!r}")
    _twin(network)
    if channels != 3 or classes != 1000:
        raise ValueError(
            f"the ImageNet weights of {network} have 3 channels and 1000 classes; "
            f"the model has {channels} and {classes}"
        )


def load(model: keras.Model, weights: str | None, network: str = "") -> keras.Model:
    """Give ``model`` the weights of ``network``, by default of its own name.

    Raises:
        ValueError: ``check_weights`` refuses them, or they do not fit the model.
        OSError: they could not be downloaded.
    """
    network = network or model.name
    check_weights(network, weights, model.input_shape[-1], model.output_shape[-1])
    if weights is not None:
        build = getattr(keras.applications, _twin(network)[0])
        options = {"weights": weights, "classifier_activation": None}
        copy_from_keras(_download(build, **options), model)
    return model


def _twin(name: str) -> tuple[str, str]:
    if name not in TWINS:
        known = ", ".join(TWINS)
        raise ValueError(f"no ImageNet weights for {name!r}; there are for {known}")
    return TWINS[name]


def _download(fetch, *inputs, **options):
    """What ``fetch`` gives, with one clear error where Keras cannot get its file."""
    try:
        return fetch(*inputs, **options)
    except Exception as error:  # Keras raises a bare Exception, which names the file
        home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
        raise OSError(
            f"Keras could not get a file ({error}). Without a network, put that file "
            f"into {os.path.join(home, 'models')}"
        ) from error


def weighted_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers with weights in the order of ``graph.depth_first``."""
    return [layer for layer in graph.depth_first(model) if layer.weights]


def copy_from_keras(source: keras.Model, model: keras.Model) -> None:
    """Copy the weights of a network of keras.applications into ours.

    Layers are matched by kind, in the order of ``weighted_layers``. What ours lacks is
    folded into the batch normalization: a convolution's bias that only the
    normalization after it sees goes into the moving mean, and a different epsilon into
    the moving variance, so that with ``training=False`` the outputs are the same.

    Raises:
        ValueError: a layer does not fit; the message names the first that does not.
    """
    theirs, ours = weighted_layers(source), weighted_layers(model)
    pairs = {}
    for kind in dict.fromkeys(type(layer) for layer in theirs + ours):
        left, right = ([x for x in some if type(x) is kind] for some in (theirs, ours))
        if len(left) != len(right):
            raise ValueError(
                f"{source.name} has {len(left)} layers of kind {kind.__name__}, "
                f"{model.name} has {len(right)}"
            )
        pairs.update(zip(right, left, strict=True))
    after = _normalizations(source)
    shift = {}  # a normalization of theirs: the bias folded into its moving mean
    for layer in ours:
        other = pairs[layer]
        values = {weight.name: np.asarray(weight) for weight in other.weights}
        if "bias" in values and not getattr(layer, "use_bias", True):
            if other not in after:
                raise ValueError(
                    f"{layer.name} has no bias, {other.name} has one that no batch "
                    "normalization takes up"
                )
            shift[after[other]] = values.pop("bias")
        if isinstance(layer, layers.BatchNormalization):
            values["moving_mean"] = values["moving_mean"] - shift.get(other, 0)
            difference = other.epsilon - layer.epsilon
            values["moving_variance"] = values["moving_variance"] + difference
        shapes = {weight.name: tuple(weight.shape) for weight in layer.weights}
        theirs = {name: value.shape for name, value in values.items()}
        if shapes != theirs:
            raise ValueError(
                f"{layer.name} has weights of {shapes}, but {other.name} has {theirs}"
            )
        for weight in layer.weights:
            weight.assign(values[weight.name])


def _normalizations(model: keras.Model) -> dict:
    """For each layer that nothing but one batch normalization follows, that one."""
    followers = {}
    for step in graph.steps(model):
        for name in step.reads:
            followers.setdefault(name, []).append(step.layer)
    return {
        model.get_layer(name): after[0]
        for name, after in followers.items()
        if len(after) == 1 and isinstance(after[0], layers.BatchNormalization)
    }


def preprocess(name: str, images) -> np.ndarray:
    """Images as the ImageNet weights of network ``name`` expect them, in float32.

    VGG and ResNet v1: channels in the order blue, green, red, with ImageNet's mean
    colour subtracted. Inception, Xception and ResNet v2: −1 to 1. DenseNet: each
    channel normalized by ImageNet's mean and deviation. Sizes are left alone.

    Args:
        name: a network that takes ``weights="imagenet"``.
        images: (n, height, width, 3) or (height, width, 3), red, green, blue from 0 to
            255, integers or floats.

    Raises:
        ValueError: no such network, another number of channels, values outside of 0 to
            255, or floats that all lie within 0 to 1.
    """
    mode = _twin(name)[1]
    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.shape[-1] != 3:
        raise ValueError(
            "preprocess takes images of shape (n, height, width, 3) or "
            f"(height, width, 3); given {images.shape}"
        )
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    small = 0 < high <= 1 and not np.issubdtype(images.dtype, np.integer)
    if small or not 0 <= low <= high <= 255:
        advice = ": multiply by 255" if small else ""
        raise ValueError(f"preprocess takes 0 to 255; given {low} to {high}{advice}")
    copy = np.array(images, "float32")
    return keras.applications.imagenet_utils.preprocess_input(copy, mode=mode)


def decode(logits, top: int = 5) -> list[list[tuple[str, float]]]:
    """The ``top`` likeliest ImageNet classes of each image, as (name, probability).

    Keras downloads the names once (``imagenet_class_index.json``).

    Raises:
        ValueError: ``logits`` is not (n, 1000).
        OSError: the names could not be downloaded.
    """
    logits = np.asarray(keras.ops.convert_to_numpy(logits), "float32")
    if logits.ndim != 2 or logits.shape[1] != 1000:
        raise ValueError(f"decode takes logits of (n, 1000); given {logits.shape}")
    odds = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    read = keras.applications.imagenet_utils.decode_predictions
    rows = _download(read, odds, top=top)
    return [[(name.replace("_", " "), float(p)) for _, name, p in row] for row in rows]
