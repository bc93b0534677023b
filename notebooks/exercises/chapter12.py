"""Exercises on networks with many paths."""

from itertools import product

import numpy as np

from cnnlib import explain, models
from exercises import exercise


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


def relu(maps):
    return np.maximum(maps, 0)


def behind(old, new):
    """New maps behind the old ones."""
    return np.concatenate([old, new], axis=-1)


def block(join=behind, inner=relu):
    """A dense block, with its parts exchanged."""

    def dense(x, kernels):
        for kernel in kernels:
            x = join(x, inner(x) @ kernel)
        return x

    return dense


@exercise(
    "12.3",
    "all maps in their order, the input unchanged in front",
    reference=block(),
    mistakes={
        "lacks its input": lambda x, kernels: block()(x, kernels)[:, x.shape[1] :],
        "holds the last layer's maps only": (
            lambda x, kernels: block()(x, kernels)[:, -kernels[-1].shape[1] :]
        ),
        "lacks the ReLU": block(inner=lambda maps: maps),
        "has the ReLU behind the matrix": block(
            lambda old, new: behind(old, relu(new)), inner=lambda maps: maps
        ),
        "keeps the maps after the ReLU; they go on as they were": block(
            lambda old, new: behind(relu(old), new)
        ),
        "starts from the ReLU of x; x itself stays in front": (
            lambda x, kernels: block()(relu(x), kernels)
        ),
        "has new maps in front of the old ones": block(
            lambda old, new: behind(new, old)
        ),
    },
    also_wrong={"your code raises ValueError": block(np.add)},
)
def kernels_of_layers(rng):
    """``block(x, kernels)`` concatenates what the layers make."""
    for places, maps, growth, layers in [(5, 3, 2, 3), (4, 6, 3, 1), (7, 2, 4, 4)]:
        x = rng.normal(size=(places, maps))
        kernels = [rng.normal(size=(maps + i * growth, growth)) for i in range(layers)]
        yield f"the block of {layers} layers on {maps} maps", x, kernels
