"""Evolved images: nothing to people, certainty to a network (arXiv:1412.1897)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

from cnnlib import checks
from cnnlib.fooling import inputs


class Direct:
    """Each number of the image is a gene, 0 to 1; the first are noise.

    Polynomial mutation of a tenth of the genes (η = 15) and simulated binary crossover
    of half of the genes (η = 10), as in Nguyen, Yosinski and Clune (arXiv:1412.1897);
    both operators are Deb's.

    Args:
        rate: the part of the genes that mutate.
        crossover: the part of the genes that are crossed.
    """

    def __init__(self, *, rate: float = 0.1, crossover: float = 0.5):
        checks.number("Direct", "rate", rate, least=0, most=1)
        checks.number("Direct", "crossover", crossover, least=0, most=1)
        self.rate, self.crossover = rate, crossover

    def first(self, n: int, shape, rng: np.random.Generator) -> np.ndarray:
        """``n`` images of uniform noise, as genomes (n, genes)."""
        return rng.random((n, int(np.prod(shape))), "float32")

    def children(self, mothers, fathers, rng) -> np.ndarray:
        """One child of each pair."""
        children = mothers.copy()
        crossed = rng.random(mothers.shape, "float32") < self.crossover
        children[crossed] = _cross(mothers[crossed], fathers[crossed], rng)
        mutated = rng.random(mothers.shape, "float32") < self.rate
        children[mutated] += _polynomial(mutated.sum(), rng)
        return children.clip(0, 1)

    def draw(self, genomes, shape) -> np.ndarray:
        """The images, (n, *shape), 0 to 1."""
        return genomes.reshape(-1, *shape)


class CPPN:
    """Each gene is a connection of a network that paints: (x, y, r, 1) to a pixel.

    A compositional pattern-producing network (Stanley 2007,
    doi:10.1007/s10710-007-9028-8) of sine, sigmoid, Gaussian and linear nodes, the
    paper's four. Where NEAT grows its networks, this one has two layers of ``nodes``,
    a quarter of each kind, most of whose connections are 0 at first and are switched on
    and off by mutation.

    Args:
        nodes: per layer, a multiple of four.
        rate: the part of the connections that a mutation moves.
        strength: how far, the standard deviation.
    """

    def __init__(self, *, nodes: int = 16, rate: float = 0.15, strength: float = 0.7):
        self.nodes = checks.integer("CPPN", "nodes", nodes)
        if nodes % 4:
            raise ValueError(f"CPPN takes nodes, a multiple of 4; given {nodes!r}")
        checks.number("CPPN", "rate", rate, least=0, most=1)
        checks.number("CPPN", "strength", strength, above=0)
        self.rate, self.strength = rate, strength

    def first(self, n: int, shape, rng: np.random.Generator) -> np.ndarray:
        """``n`` networks with a third of their connections."""
        genes = sum(rows * columns for rows, columns in self._layers(shape))
        weights = rng.standard_normal((n, genes), "float32") * 2
        return weights * (rng.random((n, genes)) < 1 / 3)

    def children(self, mothers, fathers, rng) -> np.ndarray:
        """A mutant of each mother; the paper's CPPNs are not crossed."""
        del fathers
        moved = rng.random(mothers.shape, "float32") < self.rate
        noise = rng.standard_normal(mothers.shape, "float32") * self.strength
        children = mothers + moved * noise
        return children * (rng.random(mothers.shape, "float32") >= self.rate / 5)

    def draw(self, genomes, shape) -> np.ndarray:
        """The images, (n, *shape), 0 to 1."""
        height, width, _ = shape
        rows, columns = np.meshgrid(
            np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"
        )
        radius = np.sqrt(rows**2 + columns**2)
        inputs = np.stack([columns, rows, radius, np.ones_like(rows)]).reshape(4, -1)
        values = np.repeat(inputs[None].astype("float32"), len(genomes), axis=0)
        layers, start = self._layers(shape), 0
        for i, (out, into) in enumerate(layers):
            weights = genomes[:, start : start + out * into].reshape(-1, out, into)
            start += out * into
            values = weights @ values
            if i < len(layers) - 1:
                values = _nodes(values)
        return _sigmoid(values).swapaxes(1, 2).reshape(-1, *shape)

    def _layers(self, shape):
        """Nodes and inputs of each layer."""
        return (self.nodes, 4), (self.nodes, self.nodes), (shape[-1], self.nodes)


@dataclass(eq=False)
class Elite:
    """An image that once was the best of its class.

    ``image`` is float32 within the bounds, ``confidence`` the softmax of ``label``;
    ``parent`` is the elite it descends from, maybe of another class.
    """

    image: np.ndarray
    label: int
    confidence: float
    generation: int
    parent: "Elite | None" = field(repr=False)
    genome: np.ndarray = field(repr=False)

    def lineage(self) -> "list[Elite]":
        """Its ancestors from the first generation on, itself last."""
        line = [self]
        while line[-1].parent is not None:
            line.append(line[-1].parent)
        return line[::-1]


@dataclass(frozen=True)
class Gallery:
    """The best image of every class.

    ``elites`` holds one per class; ``history`` the confidence of every class after each
    generation, (generations + 1, classes).
    """

    elites: tuple[Elite, ...]
    history: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """(classes, ...), float32."""
        return np.stack([elite.image for elite in self.elites])

    @property
    def confidences(self) -> np.ndarray:
        """(classes,), 0 to 1."""
        return np.array([elite.confidence for elite in self.elites])


ENCODINGS = {"direct": Direct, "cppn": CPPN}


def evolve(
    model: keras.Model,
    encoding: "str | Direct | CPPN" = "direct",
    *,
    generations: int = 400,
    population: int = 200,
    until: float = 0.9999,
    seed: int = 0,
    bounds=(0.0, 1.0),
    progress: Callable[[int, np.ndarray], None] | None = None,
) -> Gallery:
    """Evolve one image for every class, all at once: MAP-Elites.

    Nguyen, Yosinski and Clune (arXiv:1412.1897). Each class has a cell that holds the
    image the model takes for it with the highest confidence so far. In each generation
    parents are drawn evenly from the cells, and every child is offered to every cell.

    Args:
        model: one input (n, height, width, channels) of known size, logits
            (n, classes) out.
        encoding: "direct", "cppn", or a ``Direct`` or a ``CPPN`` of other settings.
        generations: at most; with 0 the best of the first generation is returned, which
            for the direct encoding is uniform noise: the baseline.
        population: images of the first generation and children of each, at least 1.
        until: the confidence that all classes must reach for evolution to end.
        seed: of all that is drawn.
        bounds: (low, high), the box of all inputs: numbers, or one per channel.
        progress: called after each generation with its number and the confidences.
    """
    if isinstance(encoding, str) and encoding in ENCODINGS:
        encoding = ENCODINGS[encoding]()
    if not isinstance(encoding, tuple(ENCODINGS.values())):
        raise ValueError(
            "evolve takes encoding='direct', 'cppn', or one of fooling.Direct and "
            f"fooling.CPPN; given {encoding!r}"
        )
    checks.integer("evolve", "population", population)
    checks.integer("evolve", "generations", generations, least=0)
    checks.number("evolve", "until", until, least=0, most=1)
    shape = tuple(getattr(model, "input_shape", None) or ())[1:]
    if len(shape) != 3 or None in shape:
        raise ValueError(
            "evolve takes a model of images with known height, width and channels; "
            f"{getattr(model, 'name', model)!r} takes {('n', *shape)}"
        )
    box = inputs.box("evolve", bounds)
    rng = checks.rng("evolve", seed)

    def paint(genomes):
        drawn = encoding.draw(genomes, shape)
        return box.clip(box.low + drawn * (box.high - box.low)).astype("float32")

    genomes = encoding.first(population, shape, rng)
    images = paint(genomes)
    classes = inputs.classes("evolve", model, images, box)
    told = f"logits of {model.name!r}"
    cells: list[Elite | None] = [None] * classes
    odds = np.full(classes, -np.inf)  # of the elites; a confidence of 1 can still grow
    history, mothers = [], None
    for generation in range(generations + 1):
        if generation:
            mothers, fathers = rng.integers(classes, size=(2, population))
            pool = np.stack([cell.genome for cell in cells])
            genomes = encoding.children(pool[mothers], pool[fathers], rng)
            images = paint(genomes)
        logits = checks.finite("evolve", told, model.predict_on_batch(images))
        offered = _log_odds(logits)
        parents = list(cells)
        for label, child in enumerate(offered.argmax(axis=0)):
            if offered[child, label] > odds[label]:
                odds[label] = offered[child, label]
                cells[label] = Elite(
                    images[child].copy(),
                    label,
                    float(1 / (1 + np.exp(-odds[label]))),
                    generation,
                    None if mothers is None else parents[mothers[child]],
                    genomes[child].copy(),
                )
        history.append([cell.confidence for cell in cells])
        if progress:
            progress(generation, np.array(history[-1]))
        if min(history[-1]) >= until:
            break
    return Gallery(tuple(cells), np.array(history))


def _log_odds(logits) -> np.ndarray:
    """Log p / (1 − p) of each class, (n, classes), float64."""
    logits = keras.ops.convert_to_numpy(logits).astype("float64")
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    rest = powers.sum(axis=1, keepdims=True) - powers
    # The best class's rest would be lost in the difference of a sum and its largest.
    rows, best = np.arange(len(logits)), logits.argmax(axis=1)
    powers[rows, best] = 0
    rest[rows, best] = powers.sum(axis=1)
    return logits - np.log(np.maximum(rest, 1e-300))


def _cross(mothers, fathers, rng):
    """One child of simulated binary crossover, η = 10."""
    u = rng.random(mothers.shape, "float32")
    inner = u < 0.5
    spread = np.where(inner, 2 * u, 1 / (2 - 2 * u)) ** np.float32(1 / 11)
    return ((1 + spread) * mothers + (1 - spread) * fathers) / 2


def _polynomial(n, rng):
    """Steps of polynomial mutation on a range of 1, η = 15."""
    u = rng.random(n, "float32")
    power = np.float32(1 / 16)
    return np.where(u < 0.5, (2 * u) ** power - 1, 1 - (2 - 2 * u) ** power)


def _nodes(values):
    """A quarter of the nodes each: sine, sigmoid, Gaussian, linear."""
    sines, sigmoids, gaussians, lines = np.split(values, 4, axis=1)
    with np.errstate(under="ignore"):
        bells = np.exp(-(gaussians**2))
    return np.concatenate([np.sin(sines), _sigmoid(sigmoids), bells, lines], axis=1)


def _sigmoid(values):
    return np.float32(0.5) * (1 + np.tanh(values / 2))
