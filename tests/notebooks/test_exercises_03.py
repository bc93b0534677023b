import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from exercises import verdict
from exercises.chapter03 import NETS, moved, network, pooled, strides


def rms(maps, size):
    return ops.sqrt(layers.AveragePooling2D(size)(maps**2))


def rms_by_blocks(maps, size):
    n, height, width, channels = maps.shape
    high, wide = height // size, width // size
    cut = maps[:, : high * size, : wide * size]
    blocks = cut.reshape(n, high, size, wide, size, channels)
    return np.linalg.norm(blocks, axis=(2, 4)) / size


def rms_where_windows_fit(maps, size):
    n, height, width, channels = maps.shape
    blocks = maps.reshape(n, height // size, size, width // size, size, channels)
    return np.sqrt((blocks**2).mean(axis=(2, 4)))


def step(net):
    return np.prod([getattr(layer, "strides", (1,))[0] for layer in net.layers])


def blob(net):
    side = net.input_shape[1]
    image = np.zeros((1, side, side, 1), "float32")
    middle = slice(side // 2 - 3, side // 2 + 3)
    image[:, middle, middle, 0] = np.random.default_rng(0).uniform(size=(6, 6))
    return image


def step_by_trying(net):
    image = blob(net)
    still = np.asarray(net(image))
    for shift in range(1, 20):
        change = np.abs(net(moved(image, 0, shift)) - still).max()
        if change < 1e-4 * np.abs(still).max():
            return shift
    return None


def over(shifts):
    def steady(net, images, step):
        copies = [moved(images, *shift) for shift in shifts(step)]
        outputs = np.asarray(net(np.concatenate(copies)))
        return outputs.reshape(len(copies), len(images), -1).mean(axis=0)

    return steady


def all_shifts(step):
    return list(itertools.product(range(step), repeat=2))


def steady_one_by_one(net, images, step):
    copies = [moved(images, -i, -j) for i, j in all_shifts(step)]
    return ops.mean([net(copy) for copy in copies], axis=0)


RIGHT = [
    ("03.1", rms),
    ("03.1", rms_by_blocks),
    ("03.2", step),
    ("03.2", step_by_trying),
    ("03.2", lambda net: float(np.prod(strides(net)))),
    ("03.3", over(all_shifts)),
    ("03.3", steady_one_by_one),
]


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", ["03.1", "03.2", "03.3"])
@pytest.mark.parametrize("stub", [..., None, lambda *given: ..., lambda *given: None])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "not solved" in verdict(number, stub)


@pytest.mark.parametrize("number", ["03.1", "03.2", "03.3"])
@pytest.mark.parametrize(
    "answer",
    [3, "x", lambda *given: "x", lambda *given: np.nan, lambda *given: {}, keras.Model],
)
def test_an_answer_of_the_wrong_kind_is_wrong(number, answer, match):
    match("", verdict(number, answer))


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda m, n: pooled(m**2, n, np.mean), "mean of the squares, without the ro"),
        (lambda m, n: rms(m, n) * n, "root of the sum, not of the mean"),
        (lambda m, n: np.sqrt(pooled(m, n, np.mean) ** 2), "squares the mean: first"),
        (lambda m, n: pooled(abs(m), n, np.mean), "mean of the absolute values"),
        (lambda m, n: pooled(m, n, np.std), "standard deviation"),
        (lambda m, n: pooled(m, n, np.mean), "is the mean$"),
        (lambda m, n: pooled(m, n, np.max), "is the maximum"),
        (
            lambda m, n: ops.sqrt(ops.average_pool(m**2, n, 1)),
            "has windows that overlap",
        ),
        (
            lambda m, n: rms(np.sqrt((m**2).mean(axis=-1, keepdims=True)), n),
            "mixes the channels",
        ),
        (
            lambda m, n: ops.sqrt(ops.average_pool(m**2, n, padding="same")),
            "9×7, .* has windows that hang over the border",
        ),
        (lambda m, n: rms(m, 2), r"9×7, 2 channels, windows of 3×3, the answer has sh"),
        (lambda m, n: rms(m, n)[0], r"has shape \(3, 2, 3\); \(2, 3, 2, 3\) is"),
        (rms_where_windows_fit, "your code raises ValueError"),
    ],
)
def test_what_is_wrong_with_another_summary_is_said(mistaken, words, match):
    match(words, verdict("03.1", mistaken))


POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)


def of_kind(net, kind):
    return [layer for layer in net.layers if isinstance(layer, kind)]


def sizes(net):
    found = step(net)
    for pooling in of_kind(net, POOLINGS):
        found = found // pooling.strides[0] * pooling.pool_size[0]
    return found


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda net: sum(strides(net)), "adds the strides up"),
        (lambda net: np.prod(strides(net, POOLINGS)), "looks at the poolings alone"),
        (
            lambda net: np.prod(strides(net, layers.Conv2D)),
            "looks at the convolutions alone",
        ),
        (sizes, "takes the size of a window for its stride"),
        (lambda net: max(strides(net)), "is the largest stride alone"),
        (lambda net: sum(s > 1 for s in strides(net)), "counts the layers that"),
        (lambda net: 4, "strides 1 and 3 is off by up to 2"),
        (lambda net: 0, "pooling of 2 is off by up to 4"),
        (lambda net: (step(net), step(net)), r"has shape \(2,\)"),
    ],
)
def test_what_is_wrong_with_a_step_is_said(mistaken, words, match):
    match(words, verdict("03.2", mistaken))


@pytest.mark.parametrize("name", NETS)
def test_the_expected_step_is_the_smallest_shift_that_a_net_ignores(name):
    net = network(NETS[name])
    assert step_by_trying(net) == np.prod(strides(net))


def of_unmoved_images(net, images, step):
    """Right, but only where nothing has to be done."""
    unmoved = images[:, 27:33, 27:33].all()
    return over(all_shifts)(net, images if unmoved else 2 * images, step)


def of_the_mean_image(net, images, step):
    return net(np.mean([moved(images, *s) for s in all_shifts(step)], axis=0))


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda net, images, step: net(images), "that of the net alone"),
        (over(lambda n: [(0, i) for i in range(n)]), "still notices shifts up and"),
        (over(lambda n: [(i, 0) for i in range(n)]), "notices shifts to the side"),
        (over(lambda n: [(i, i) for i in range(n)]), "along the diagonal alone"),
        (
            over(lambda n: [(0, i) for i in range(n)] + [(i, 0) for i in range(n)]),
            "leaves out shifts both down and to the side",
        ),
        (over(lambda n: all_shifts(n + 1)), "no shift at all"),
        (over(lambda n: all_shifts(n - 1)), "is off by up to"),
        (
            lambda net, images, n: n**2 * over(all_shifts)(net, images, n),
            "adds the outputs up",
        ),
        (of_unmoved_images, r"step 4, on images moved by \(1, 0\), is off by up to"),
        (of_the_mean_image, "mean image; it is not linear"),
        (over(lambda n: all_shifts(4)), "step 3 counts a shift by"),
        (lambda *given: over(all_shifts)(*given).mean(0), r"has shape \(3,\); \(3, 3"),
    ],
)
def test_what_is_wrong_with_a_steady_net_is_said(mistaken, words, match):
    match(words, verdict("03.3", mistaken))


def test_a_steady_net_answers_moved_images_alike():
    net = network(NETS["a convolution with stride 2, pooling of 2"])
    image, steady = blob(net), over(all_shifts)
    still = steady(net, image, 4)
    for shift in [(0, 1), (1, 0), (3, -2), (7, 5)]:
        again = steady(net, moved(image, *shift), 4)
        assert np.abs(again - still).max() < 1e-5 * np.abs(still).max()
        assert (
            np.abs(net(moved(image, *shift)) - net(image)).max()
            > 1e-3 * abs(still).max()
        )
