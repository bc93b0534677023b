import itertools

import foolable as nets
import keras
import numpy as np
import pytest

from cnnlib.fooling import CPPN, Direct, evolve
from cnnlib.fooling.evolution import _cross, _log_odds, _polynomial


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def test_every_class_of_the_digits_is_evolved_to_certainty(trained):
    gallery = evolve(trained, seed=1, until=0.996)
    assert (gallery.confidences >= 0.996).all()
    p = softmax(nets.logits(trained, gallery.images).astype("float64"))
    np.testing.assert_allclose(np.diag(p), gallery.confidences, atol=1e-5)
    assert gallery.images.shape == (10, 8, 8, 1)
    assert gallery.images.dtype == "float32"
    assert [elite.label for elite in gallery.elites] == list(range(10))


def test_painted_images_reach_certainty_too(trained):
    gallery = evolve(trained, "cppn", seed=1, until=0.996, population=100)
    assert (gallery.confidences > 0.9).all()
    assert (gallery.confidences > 0.996).sum() >= 8


@pytest.mark.parametrize("encoding", ["direct", "cppn"])
def test_confidence_never_falls_and_lineage_climbs(trained, encoding):
    gallery = evolve(trained, encoding, generations=15, population=40)
    assert gallery.history.shape == (16, 10)
    assert (np.diff(gallery.history, axis=0) >= 0).all()
    assert gallery.history[-1].mean() > gallery.history[0].mean()
    np.testing.assert_array_equal(gallery.history[-1], gallery.confidences)
    for elite in gallery.elites:
        line = elite.lineage()
        assert line[-1] is elite
        assert line[0].parent is None
        assert line[0].generation == 0
        assert (np.diff([a.generation for a in line]) > 0).all()
        for parent, child in itertools.pairwise(line):
            assert child.parent is parent
            if parent.label == child.label:
                assert child.confidence >= parent.confidence
            # A child is its parent, changed.
            assert (child.genome == parent.genome).any()
            assert (child.genome != parent.genome).any()


def test_an_ancestor_was_the_best_of_its_class_in_its_generation(trained):
    gallery = evolve(trained, generations=10, population=40)
    for elite in gallery.elites:
        for a in elite.lineage():
            assert gallery.history[a.generation, a.label] == a.confidence


def test_parents_come_from_the_generation_before(trained, monkeypatch):
    """A child's parent is the one whose genome it was made from, not its successor."""
    given = []
    plain = Direct.children

    def children(self, mothers, fathers, rng):
        found = plain(self, mothers, fathers, rng)
        given.append((mothers, found))
        return found

    monkeypatch.setattr(Direct, "children", children)
    gallery = evolve(trained, generations=6, population=30)
    for elite in gallery.elites:
        for a in elite.lineage()[1:]:
            mothers, found = given[a.generation - 1]
            row = np.flatnonzero((found == a.genome).all(axis=1))
            assert any((mothers[i] == a.parent.genome).all() for i in row)


def test_every_child_is_offered_to_every_cell():
    """Pixel k is logit k: each cell holds the best of all images, whoever made them."""
    weights = np.eye(4)
    model = nets.straight(weights)
    seen = []
    plain = model.predict_on_batch

    def watched(x):
        found = plain(x)
        seen.append(softmax(found.astype("float64")))
        return found

    model.predict_on_batch = watched
    gallery = evolve(model, generations=5, population=20, until=1)
    best = np.concatenate(seen).max(axis=0)
    np.testing.assert_allclose(gallery.confidences, best, rtol=1e-6)
    assert len(seen) == 6
    assert all(len(p) == 20 for p in seen)


def test_parents_are_drawn_evenly_from_all_cells(trained, monkeypatch):
    pairs = []
    plain = Direct.children

    def children(self, mothers, fathers, rng):
        pairs.append((mothers[:, 0], fathers[:, 0]))
        return plain(self, mothers, fathers, rng)

    monkeypatch.setattr(Direct, "children", children)
    first = evolve(trained, generations=0, population=1000).elites
    evolve(trained, generations=1, population=1000, until=1)
    genes = np.array([elite.genome[0] for elite in first])
    mothers, fathers = (np.array([(p == g) for g in genes]) for p in pairs[0])
    for drawn in (mothers, fathers):
        assert (drawn.sum(axis=0) == 1).all()
        assert np.abs(drawn.mean(axis=1) - 0.1).max() < 0.04
    same = (mothers & fathers).any(axis=0)
    assert same.mean() == pytest.approx(0.1, abs=0.04)


def test_no_generations_give_the_best_of_noise(trained):
    gallery = evolve(trained, generations=0, population=300, seed=5)
    noise = np.random.default_rng(5).random((300, 64), "float32").reshape(-1, 8, 8, 1)
    p = softmax(nets.logits(trained, noise).astype("float64"))
    np.testing.assert_allclose(gallery.confidences, p.max(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(gallery.images, noise[p.argmax(axis=0)])
    assert gallery.history.shape == (1, 10)


def test_evolution_ends_where_it_is_told_to(trained):
    gallery = evolve(trained, generations=300, population=20, until=0.9)
    assert gallery.confidences.min() >= 0.9
    assert gallery.history[-2].min() < 0.9
    assert len(evolve(trained, generations=3, population=20, until=1).history) == 4


def test_the_seed_is_all_that_decides(trained):
    one, same, other = (
        evolve(trained, generations=3, population=20, seed=seed).images
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_images_stay_within_their_bounds():
    model = nets.bent(shape=(4, 5, 3))
    low, high = np.array([-1.0, 0, 10]), np.array([0.0, 1, 30])
    for encoding in ("direct", "cppn"):
        gallery = evolve(model, encoding, generations=5, bounds=(low, high))
        assert gallery.images.shape == (4, 4, 5, 3)
        assert (gallery.images >= low).all()
        assert (gallery.images <= high).all()
        assert gallery.images[..., 2].max() > 25
        assert gallery.images[..., 2].min() < 15


def test_progress_is_told_after_each_generation(trained):
    told = []
    gallery = evolve(
        trained,
        generations=2,
        population=20,
        progress=lambda g, c: told.append((g, c)),
    )
    assert [g for g, _ in told] == [0, 1, 2]
    np.testing.assert_array_equal([c for _, c in told], gallery.history)


def test_the_confidence_of_the_certain_can_still_be_told_apart():
    z = np.array([[0.0, 50, 60], [0, 0, 0], [2000, 0, 0]])
    found = _log_odds(z)
    np.testing.assert_allclose(found[0], [-60, -10, 10], rtol=1e-3)
    np.testing.assert_allclose(found[1], np.log(0.5))
    assert np.isfinite(found).all()
    assert (
        _log_odds(np.array([[300.0, 0]]))[0, 0]
        > _log_odds(np.array([[200.0, 0]]))[0, 0]
    )


def test_polynomial_mutation_has_the_index_fifteen():
    steps = _polynomial(200_000, np.random.default_rng(0))
    assert abs(steps.mean()) < 1e-3
    assert np.abs(steps).max() <= 1
    # The density is 8 · (1 − |δ|)^15: the mean of |δ| is 1 / 17.
    assert np.abs(steps).mean() == pytest.approx(1 / 17, rel=0.02)


def test_crossover_has_the_index_ten_and_keeps_the_mean_of_the_parents():
    rng = np.random.default_rng(0)
    mothers, fathers = np.zeros(200_000, "float32"), np.ones(200_000, "float32")
    children = _cross(mothers, fathers, rng)
    spread = 1 - 2 * children  # β: below 1 for one half, with density 11 · β^10 / 2
    inner = spread < 1
    assert inner.mean() == pytest.approx(0.5, abs=0.01)
    assert spread[inner].mean() == pytest.approx(11 / 12, rel=0.01)
    assert (1 / spread[~inner]).mean() == pytest.approx(11 / 12, rel=0.01)


def test_direct_children_mutate_and_cross_as_told():
    rng = np.random.default_rng(0)
    mothers = rng.uniform(0.4, 0.6, (50, 400)).astype("float32")
    fathers = rng.uniform(0.4, 0.6, (50, 400)).astype("float32")
    mutants = Direct(rate=0.2, crossover=0).children(mothers, fathers, rng)
    assert (mutants != mothers).mean() == pytest.approx(0.2, abs=0.02)
    crossed = Direct(rate=0, crossover=0.3).children(mothers, fathers, rng)
    assert (crossed != mothers).mean() == pytest.approx(0.3, abs=0.02)
    ends = np.tile(np.float32([0, 1]), (50, 200))
    children = Direct().children(ends, 1 - ends, rng)
    assert children.min() >= 0
    assert children.max() <= 1


def test_a_cppn_paints_by_its_four_kinds_of_nodes():
    encoding, shape = CPPN(nodes=4), (3, 5, 1)
    genes = 4 * 4 + 4 * 4 + 4
    assert encoding.first(7, shape, np.random.default_rng(0)).shape == (7, genes)
    genome = np.random.default_rng(1).normal(size=genes).astype("float32")
    first, second, last = np.split(genome, [16, 32])

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    def nodes(v):
        return np.array([np.sin(v[0]), sigmoid(v[1]), np.exp(-(v[2] ** 2)), v[3]])

    expected = np.zeros(shape)
    for i, y in enumerate(np.linspace(-1, 1, 3)):
        for j, x in enumerate(np.linspace(-1, 1, 5)):
            v = nodes(first.reshape(4, 4) @ [x, y, np.hypot(x, y), 1])
            expected[i, j, 0] = sigmoid(last @ nodes(second.reshape(4, 4) @ v))
    found = encoding.draw(np.stack([genome, 0 * genome]), shape)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_array_equal(found[1], 0.5)


def test_a_cppn_mutates_and_switches_connections():
    rng = np.random.default_rng(0)
    encoding = CPPN(nodes=16, rate=0.2, strength=0.5)
    first = encoding.first(200, (8, 8, 3), rng)
    assert (first != 0).mean() == pytest.approx(1 / 3, abs=0.01)
    mothers = np.ones((200, 300), "float32")
    children = encoding.children(mothers, 0 * mothers, rng)
    assert (children == 0).mean() == pytest.approx(0.04, abs=0.005)
    moved = children[(children != 0) & (children != 1)]
    assert len(moved) / children.size == pytest.approx(0.2 * 0.96, abs=0.01)
    assert moved.std() == pytest.approx(0.5, rel=0.03)
    assert moved.mean() == pytest.approx(1, abs=0.02)


def test_colour_is_painted_channel_by_channel():
    encoding, shape = CPPN(nodes=4), (2, 3, 3)
    genomes = np.zeros((1, 16 + 16 + 12), "float32")
    genomes[0, 3 * 4 + 3] = 1  # the linear node of the first layer sees the bias
    genomes[0, 16 + 3 * 4 + 3] = 1  # and that of the second layer sees it
    genomes[0, 32 + 3], genomes[0, 32 + 11] = 5, -5
    found = encoding.draw(genomes, shape)
    expected = 1 / (1 + np.exp(-np.array([5.0, 0, -5])))
    np.testing.assert_allclose(
        found, np.broadcast_to(expected, (1, 2, 3, 3)), atol=1e-5
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evolve(nets.bent(), "neat"), "'direct', 'cppn'.*given 'neat'"),
        (lambda: evolve(nets.bent(), generations=-1), "generations=0 or more"),
        (lambda: evolve(nets.bent(), population=0), "population=1 or more; given 0"),
        (lambda: evolve(nets.bent(), until=1.5), "until from 0 to 1; given 1.5"),
        (lambda: evolve(nets.bent(), bounds=(1, 0)), r"evolve takes bounds="),
        (lambda: evolve(nets.bent(classes=1)), "at least two classes"),
        (lambda: Direct(rate=2), "Direct takes rate from 0 to 1; given 2"),
        (lambda: Direct(crossover=-1), "Direct takes crossover from 0 to 1"),
        (lambda: CPPN(nodes=6), "nodes, a multiple of 4"),
        (lambda: CPPN(nodes=0), "nodes=1 or more"),
        (lambda: CPPN(rate=2), "CPPN takes rate from 0 to 1"),
        (lambda: CPPN(strength=0), "CPPN takes strength above 0; given 0"),
    ],
)
def test_bad_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_softmax_and_images_of_unknown_size_are_refused():
    net = keras.Sequential([nets.bent(), keras.layers.Softmax()], name="net")
    net.build((None, 6, 6, 1))
    with pytest.raises(ValueError, match="ends in a softmax"):
        evolve(net)
    free = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    with pytest.raises(ValueError, match="known height, width and channels"):
        evolve(free)


def test_evolution_ends_as_soon_as_what_was_asked_is_reached():
    model = nets.straight(np.zeros((4, 2)))  # of two equal logits each has a half
    assert len(evolve(model, generations=3, population=5, until=0.5).history) == 1
    assert len(evolve(model, generations=3, population=5, until=0.51).history) == 4
