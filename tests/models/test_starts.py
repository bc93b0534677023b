"""How every network starts and trains: initializers, normalization, rates of dropout.

``starts.csv`` is the record, a line for each network: each kind of setting with the
number of layers that have it. It was read against papers and twins when it was written;
a setting that changes in a shared helper changes many lines.
"""

import collections
import csv
from pathlib import Path

import keras
import pytest
from test_every_network import RELATIVES, SHORT, built

from cnnlib import models

FILE = Path(__file__).with_name("starts.csv")
RECORD = {row["name"]: row for row in csv.DictReader(FILE.open())}
# What another network of the catalogue has in common with these, line by line.
ALIKE = {*RELATIVES, "stochastic_depth1202"}
NAMES = [name for name in models.CATALOG if name not in ALIKE]
KERNELS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")


def numbers(config):
    """An initializer's name and settings, without its seed."""
    return " ".join(
        [config["class_name"]]
        + [
            f"{value:.6g}" if isinstance(value, float) else str(value)
            for key, value in config["config"].items()
            if key != "seed" and value is not None
        ]
    )


def flat(model):
    """All layers, those of nested models and wrapped units too."""
    for layer in model._flatten_layers(include_self=False):
        if not isinstance(layer, keras.Model):
            yield layer


def settings(model):
    """What the layers of a model are set to: kinds of settings with their counts."""
    found = {key: collections.Counter() for key in ("kernels", "biases", "norms")}
    found |= {key: collections.Counter() for key in ("rates", "activations")}
    for layer in flat(model):
        config = layer.get_config()
        for key in KERNELS:
            if config.get(key):
                found["kernels"][numbers(config[key])] += 1
        if config.get("use_bias") and config.get("bias_initializer"):
            found["biases"][numbers(config["bias_initializer"])] += 1
        if isinstance(layer, keras.layers.BatchNormalization):
            parts = ["epsilon", "momentum", "scale", "center"]
            found["norms"][" ".join(str(config[part]) for part in parts)] += 1
        ours = type(layer).__module__.startswith("cnnlib")
        for key, value in config.items():
            told = ours or key in ("rate", "max_value", "negative_slope")
            if told and isinstance(value, (int, float)) and not isinstance(value, bool):
                found["rates"][f"{type(layer).__name__} {key} {value:.4g}"] += 1
        name = config.get("activation")
        if isinstance(name, str) and name != "linear":
            found["activations"][name] += 1
    return {
        key: "; ".join(f"{n} × {what}" for what, n in sorted(counts.items()))
        for key, counts in found.items()
    }


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", NAMES)
def test_a_network_starts_and_trains_as_recorded(name):
    model = built(name, short=name in SHORT)
    assert settings(model) == {k: v for k, v in RECORD[name].items() if k != "name"}


def test_every_kind_of_network_is_recorded():
    assert list(RECORD) == NAMES
