"""Exercises on networks with many paths."""

from itertools import product

import keras
import numpy as np
from keras import layers

from cnnlib import explain, models
from exercises import Wrong, ask, compare, exercise, judged


def paths_in_graph(columns, blocks):
    """The paths of a FractalNet, from the graph of the built model."""
    net = models.fractalnet(
        input_shape=(2**blocks, 2**blocks, 1),
        columns=columns,
        filters=(1,) * blocks,
        dropout=(0.0,) * blocks,
    )
    ways = {"columns": 0}
    for box in explain.outline(net):
        count = sum(ways[name] for name in box.inputs) if box.inputs else 1
        ways.setdefault(box.name, count)
    return ways["logits"]


def paths(columns, blocks):
    return 1 if columns == 1 else (paths(columns - 1, 1) ** 2 + 1) ** blocks


@exercise(
    "12.1",
    "equal to the ways counted in FractalNets of 1 to 4 columns",
    reference=paths_in_graph,
    tolerance=0,
    mistakes={
        "adds up its blocks; each way through one goes on in all ways of the next": (
            lambda columns, blocks: paths(columns, 1) * blocks
        ),
        "counts columns, not paths: they join on the way as well": (
            lambda columns, blocks: columns**blocks
        ),
        "doubles with each column: two fractals behind each other do more": (
            lambda columns, blocks: 2 ** ((columns - 1) * blocks)
        ),
        "lacks the convolution beside the two fractals": lambda columns, blocks: 1,
    },
    also_wrong={"is off by up to": lambda *given: paths(*given) + 1},
)
def columns_and_blocks(rng):
    """``count(columns, blocks)`` counts the ways through."""
    for columns, blocks in [(1, 1), (1, 3), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2)]:
        what = f"the count for {columns} columns and {blocks} blocks"
        yield what, columns, blocks


def over_all_networks(survival):
    """The distribution as a sum; for many units, as the product of polynomials."""
    if len(survival) > 20:
        return unit_by_unit(survival)
    chances = np.zeros(len(survival) + 1)
    for alive in product((0, 1), repeat=len(survival)):
        chances[sum(alive)] += np.where(alive, survival, 1 - survival).prod()
    return chances


def unit_by_unit(survival):
    chances = np.ones(1)
    for p in survival:
        chances = np.append(chances, 0) * (1 - p) + np.append(0, chances) * p
    return chances


def even(survival):
    return unit_by_unit(np.full(len(survival), np.mean(survival)))


def list_all_networks(survival):
    alive = np.array(list(product((0, 1), repeat=len(survival))))
    chances = np.where(alive, survival, 1 - survival).prod(axis=1)
    return np.bincount(alive.sum(axis=1), chances)


def from_seven_units(otherwise):
    """Right for 7 units and fewer."""
    return lambda p: unit_by_unit(p) if len(p) < 8 else otherwise(p)


@exercise(
    "12.2",
    "equal to a sum over all networks; and right for 54 units",
    reference=over_all_networks,
    memory=2**30,  # who lists all networks of 54 units would take all there is
    mistakes={
        "counts the units that are off": lambda p: unit_by_unit(p)[::-1],
        "gives every unit the mean probability": even,
        "is not a distribution: it is summed up": lambda p: unit_by_unit(p).cumsum(),
        "lacks the case that none survives": lambda p: unit_by_unit(p)[1:],
        "lacks the case that all survive": lambda p: unit_by_unit(p)[:-1],
    },
    also_right=[lambda p: unit_by_unit(p).tolist()],
    also_wrong={
        "your code takes too much memory": list_all_networks,
        "for 54 units gives every unit the mean": from_seven_units(even),
    },
)
def survivals(rng):
    """``distribution(survival)`` is the chance of each number of surviving units."""
    for count in (1, 4, 7):
        yield f"the distribution for {count} units", rng.uniform(0.1, 0.9, count)
    yield "the distribution for 54 units", 1 - 0.5 * np.arange(1, 55) / 54


def built(make, count, growth):
    """What ``make`` computes, as a network whose weights are drawn at random."""
    maps = keras.Input((6, 5, 4))
    out = ask(make, maps, count, growth)
    if not isinstance(out, keras.KerasTensor):
        kind = type(out).__name__
        raise Wrong(f"the Keras tensor of all maps is asked for; this is {kind}")
    try:
        net = keras.Model(maps, out)
    except Exception as error:
        raise Wrong("what is returned was not computed from maps") from error
    rng = np.random.default_rng(12)
    for weight in net.weights:
        values = rng.normal(size=weight.shape)
        values = 1 + abs(values) if weight.name == "moving_variance" else values
        weight.assign(values)
    return np.asarray(net(rng.normal(size=(2, 6, 5, 4))))


def concatenated(old, new):
    return layers.Concatenate()([old, new])


def added(old, new):
    return layers.Add()([layers.Conv2D(new.shape[-1], 1, use_bias=False)(old), new])


def block(order="bn relu conv", join=concatenated, bias=False, kernel=3, grow=0):
    """A dense block, with its parts exchanged."""

    def dense(maps, count, growth):
        for i in range(count):
            steps = {
                "bn": layers.BatchNormalization(),
                "relu": layers.ReLU(),
                "conv": layers.Conv2D(
                    growth * (1 + grow * i), kernel, padding="same", use_bias=bias
                ),
            }
            new = maps
            for step in order.split():
                new = steps[step](new)
            maps = join(maps, new)
        return maps

    return dense


def all_read_the_first(maps, count, growth):
    new = [block()(maps, 1, growth)[..., 4:] for _ in range(count)]
    return layers.Concatenate()([maps, *new])


def one_after_another(maps, count, growth):
    every, new = [maps], maps
    for _ in range(count):
        width = new.shape[-1]
        new = block()(new, 1, growth)[..., width:]
        every.append(new)
    return layers.Concatenate()(every)


WRONG_BLOCKS = {
    "lacks its input": lambda maps, *sizes: block()(maps, *sizes)[..., 4:],
    "holds the last layer's maps only": (
        lambda maps, count, growth: block()(maps, count, growth)[..., -growth:]
    ),
    "has new maps in front of the old ones": block(
        join=lambda old, new: concatenated(new, old)
    ),
    "adds up where a dense block concatenates": block(join=added),
    "lacks the ReLU": block("bn conv"),
    "lacks the batch normalization": block("relu conv"),
    "has the convolution first, and then batch normalization and ReLU": block(
        "conv bn relu"
    ),
    "has the ReLU before the batch normalization": block("relu bn conv"),
    "has convolutions with a bias": block(bias=True),
    "has convolutions of 1×1": block(kernel=1),
    "makes more new maps with each layer": block(grow=1),
    "lets each layer read only the one before it": one_after_another,
    "lets all layers read the block's input only": all_read_the_first,
}


@judged(
    "12.3",
    "as a dense block computes, with the same weights",
    mistakes={
        **WRONG_BLOCKS,
        "a function is asked for": 3,
        "what is returned was not computed from maps": (
            lambda maps, count, growth: keras.Input((6, 5, 4 + count * growth))
        ),
        "has shape (2, 4, 3, 10); (2, 6, 5, 10) is expected": (
            lambda maps, *sizes: block()(maps, *sizes)[:, 1:-1, 1:-1]
        ),
    },
)
def as_a_dense_block(make, rng):
    """``dense(maps, count, growth)`` makes a dense block of Keras layers."""
    for count, growth in [(3, 2), (1, 3)]:
        what = f"the block of {count} layers that make {growth} maps"
        answer = built(make, count, growth)
        expected = built(block(), count, growth)
        if np.shape(answer) == expected.shape and np.allclose(
            answer, expected, atol=0.01 * np.abs(expected).max()
        ):
            continue  # before the wrong ones are built
        wrong = {
            words: built(bad, count, growth) for words, bad in WRONG_BLOCKS.items()
        }
        compare(answer, expected, what, 0.01, wrong)
