"""Exercises on networks with many paths."""

from itertools import product

import numpy as np

from cnnlib import explain, models
from exercises import Wrong, alike, ask, exercise


def counted(columns: int, blocks: int) -> int:
    """The paths of a FractalNet, from the graph of the built model."""
    net = models.fractalnet(
        input_shape=(2**blocks, 2**blocks, 1),
        columns=columns,
        filters=(1,) * blocks,
        dropout=(0.0,) * blocks,
    )
    ways = {"columns": 0}
    for box in explain.outline(net):
        found = sum(ways[name] for name in box.inputs) if box.inputs else 1
        ways.setdefault(box.name, found)
    return ways["logits"]


@exercise("12.1", "equal to the ways counted in FractalNets of 1 to 4 columns")
def fractal_paths(count):
    """``count(columns, blocks)`` counts the ways through."""
    for columns, blocks in [(1, 1), (1, 3), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2)]:
        right = counted(columns, blocks)
        one = round(right ** (1 / blocks))
        alike(
            ask(count, columns, blocks),
            right,
            f"the count for {columns} columns and {blocks} blocks",
            tolerance=0,
            mistakes={
                "adds up its blocks; each way through one goes on in all ways through "
                "the next": one * blocks,
                "counts columns, not paths: they join on the way as well": (
                    columns**blocks
                ),
                "doubles with each column: two fractals behind each other do more": (
                    2 ** ((columns - 1) * blocks)
                ),
                "lacks the convolution beside the two fractals": 1,
            },
        )


@exercise("12.2", "equal to a sum over all networks; and right for 54 units")
def depth_distribution(distribution):
    """``distribution(survival)`` is the chance of each number of surviving units."""
    rng = np.random.default_rng(122)
    for count in (1, 4, 7):
        survival = rng.uniform(0.1, 0.9, count)
        right, even = np.zeros(count + 1), np.zeros(count + 1)
        for alive in product((0, 1), repeat=count):
            chance = np.where(alive, survival, 1 - survival)
            right[sum(alive)] += chance.prod()
            mean = np.where(alive, survival.mean(), 1 - survival.mean())
            even[sum(alive)] += mean.prod()
        alike(
            ask(distribution, survival),
            right,
            f"the distribution for {count} units",
            mistakes={
                "counts the units that are off": right[::-1],
                "gives every unit the mean probability": even,
                "is not a distribution: it is summed up": right.cumsum(),
                "lacks the case that none survives": right[1:],
                "lacks the case that all survive": right[:-1],
            },
        )
    survival = 1 - 0.5 * np.arange(1, 55) / 54
    found = np.asarray(ask(distribution, survival), float)
    if found.shape != (55,) or abs(found.sum() - 1) > 1e-9:
        raise Wrong("for 54 units it is not 55 probabilities whose sum is 1")
    alike(found @ np.arange(55), 40.25, "the mean depth of 54 units", 1e-9)


def run(x, kernels, join, activation=lambda maps: np.maximum(maps, 0)):
    """A dense block with its parts exchanged."""
    for kernel in kernels:
        x = join(x, activation(x) @ kernel)
    return x


def behind(old, new):
    """New maps behind the old ones."""
    return np.concatenate([old, new], axis=-1)


@exercise("12.3", "all maps in their order, the input unchanged in front")
def dense(block):
    """``block(x, kernels)`` concatenates what the layers make."""
    rng = np.random.default_rng(123)
    for places, maps, growth, layers in [(5, 3, 2, 3), (4, 6, 3, 1), (7, 2, 4, 4)]:
        x = rng.normal(size=(places, maps))
        kernels = [rng.normal(size=(maps + i * growth, growth)) for i in range(layers)]
        right = run(x, kernels, behind)
        positive = np.maximum(x, 0)

        def in_front(old, new):
            return np.concatenate([new, old], axis=-1)

        alike(
            ask(block, x, kernels),
            right,
            f"the block of {layers} layers on {maps} maps",
            mistakes={
                "lacks its input": right[:, maps:],
                "holds the last layer's maps only": right[:, -growth:],
                "lacks the ReLU": run(x, kernels, behind, lambda maps: maps),
                "has the ReLU behind the matrix": run(
                    x, kernels, lambda a, b: behind(a, np.maximum(b, 0)), lambda a: a
                ),
                "keeps the maps after the ReLU; they go on as they were": run(
                    x, kernels, lambda a, b: behind(np.maximum(a, 0), b)
                ),
                "starts from the ReLU of x; x itself stays in front": run(
                    positive, kernels, behind
                ),
                "has new maps in front of the old ones": run(x, kernels, in_front),
            },
        )
