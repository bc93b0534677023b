import explainable as nets
import keras
import numpy as np
from keras import layers

from cnnlib import explain


def test_an_outline_tells_what_a_summary_tells():
    def build(x):
        left = layers.Conv2D(2, 3, name="left")(x)
        right = layers.Conv2D(2, 3, name="right")(x)
        x = layers.Add(name="sum")([left, right])
        x = nested(x)
        return layers.Dense(4, name="logits")(layers.Flatten(name="flatten")(x))

    nested = nets.chain(
        layers.Conv2D(2, 3),
        layers.BatchNormalization(),
        shape=(None, None, 2),
        name="nested",
    )
    model = nets.graph(build, shape=(12, 14, 1))
    assert explain.outline(model) == [
        ("image", "Input", (12, 14, 1), 0, ()),
        ("left", "Conv2D", (10, 12, 2), 20, ("image",)),
        ("right", "Conv2D", (10, 12, 2), 20, ("image",)),
        ("sum", "Add", (10, 12, 2), 0, ("left", "right")),
        ("nested", "Sequential", (8, 10, 2), 38 + 8, ("sum",)),
        ("flatten", "Flatten", (160,), 0, ("nested",)),
        ("logits", "Dense", (4,), 644, ("flatten",)),
    ]
    assert sum(box.parameters for box in explain.outline(model)) == model.count_params()
    model(np.zeros((1, 12, 14, 1)))  # to outline a model leaves it usable
    assert len(nested._inbound_nodes) == 1


def test_an_operation_that_is_no_layer_has_no_parameters():
    image = keras.Input((4, 4, 1), name="image")
    model = keras.Model(image, keras.ops.relu(image) * 2)
    boxes = explain.outline(model)[1:]
    assert [box.kind for box in boxes] == ["Relu", "Multiply"]
    assert [box.parameters for box in boxes] == [0, 0]
