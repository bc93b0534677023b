import keras
import numpy as np
import pytest
from scipy import signal

from exercises import verdict
from exercises.chapter02 import convolve, one

BLUR = np.full((3, 3), 1 / 9)


def extra(side, k, stride):
    return max((-(-side // stride) - 1) * stride + k - side, 0)


def pad(image, k, stride, split=lambda n: (n // 2, n - n // 2), total=extra, **how):
    pads = [split(total(side, k, stride)) for side in image.shape[:2]]
    return np.pad(image, [*pads, (0, 0)], **how)


def pad_by_remainder(image, k, stride):
    height, width, channels = image.shape
    high, wide = (max(k - (side % stride or stride), 0) for side in image.shape[:2])
    padded = keras.ops.zeros((height + high, width + wide, channels), "float32")
    at = np.array([high // 2, wide // 2, 0])
    return keras.ops.slice_update(padded, at, image.astype("float32"))


def pad_beyond_the_reach(image, k, stride):
    """Keras's padding, and rows below that no window comes to."""
    padded = pad(image, k, stride)
    reach = [(side - k) % stride for side in padded.shape[:2]]
    spare = [stride - 1 - r for r in reach]
    return np.pad(padded, [(0, spare[0]), (0, spare[1]), (0, 0)])


def find_by_equations(images, maps):
    windows = np.lib.stride_tricks.sliding_window_view(images[..., 0], (3, 3), (1, 2))
    rows = windows.reshape(-1, 9)
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    found = np.linalg.lstsq(rows, maps.ravel(), rcond=None)[0]
    return found[:9].reshape(3, 3, 1, 1), found[9:]


def find_by_training(images, maps):
    layer = keras.layers.Conv2D(1, 3)
    net = keras.Sequential([keras.Input(images.shape[1:]), layer])
    net.compile(keras.optimizers.SGD(0.2), "mse")
    net.fit(images, maps, epochs=5, verbose=0)
    return layer.get_weights()


RIGHT = [
    ("02.1", pad),
    ("02.1", pad_by_remainder),
    ("02.1", pad_beyond_the_reach),
    ("02.2", one(1, 1), one(1, 0), 2 * one(1, 1) - BLUR),
    (
        "02.2",
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        keras.ops.convert_to_tensor(one(1, 0)),
        np.array([[-1, -1, -1], [-1, 17, -1], [-1, -1, -1]], "float32") / 9,
    ),
    ("02.3", find_by_equations),
    ("02.3", find_by_training),
]


@pytest.mark.parametrize("answers", RIGHT)
def test_a_right_answer_is_solved(answers):
    assert verdict(*answers).startswith(f"exercise {answers[0]} — solved: ")


@pytest.mark.parametrize("number", ["02.1", "02.3"])
@pytest.mark.parametrize("stub", [..., None, lambda *given: ..., lambda *given: None])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "not solved" in verdict(number, stub)


@pytest.mark.parametrize("empty", range(3))
def test_three_filters_are_not_solved_before_the_last(empty):
    filters = [one(1, 1), one(1, 0), 2 * one(1, 1) - BLUR]
    filters[empty] = ...
    assert "not solved" in verdict("02.2", *filters)


KINDS = [3, "x", lambda *given: "x", lambda *given: np.nan, lambda *given: {}]


@pytest.mark.parametrize("number", ["02.1", "02.3"])
@pytest.mark.parametrize("answer", KINDS)
def test_an_answer_of_the_wrong_kind_is_wrong(number, answer, match):
    match("", verdict(number, answer))


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize(
    "answer", [3, "x", np.eye(2), {}, len, np.full((3, 3), np.nan)]
)
def test_a_filter_of_the_wrong_kind_is_wrong(which, answer, match):
    filters = [one(1, 1), one(1, 0), 2 * one(1, 1) - BLUR]
    filters[which] = answer
    match("(keep|shift|sharpen) ", verdict("02.2", *filters))


def like_an_odd_filter_at_stride_1(side, k, stride):
    return k // 2 * 2


def as_if_square(image, k, stride):
    n = extra(len(image), k, stride)
    return np.pad(image, [(n // 2, n - n // 2)] * 2 + [(0, 0)])


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (
            lambda *given: pad(*given, split=lambda n: (n - n // 2, n // 2)),
            "6×9, filter of 4×4, .* 2 rows above and 1 below: the number is right, the "
            "uneven row goes elsewhere",
        ),
        (
            lambda *given: pad(*given, total=lambda side, k, stride: k - 1),
            "8×7, filter of 3×3, stride 2, 1 row above and 1 below are too many",
        ),
        (
            lambda *given: pad(*given, total=like_an_odd_filter_at_stride_1),
            "4×4, .* 2 rows above and 2 below are too many",
        ),
        (lambda image, k, stride: image, "0 rows above and 0 below are too few"),
        (
            lambda *given: pad(*given, split=lambda n: (0, n)),
            "0 rows above and 2 below: the number is right, the halves are not equal",
        ),
        (as_if_square, "8×7, .* stride 2, 0 columns left and 1 right are too few"),
        (lambda *given: pad(*given, mode="edge"), "the margin is not made of zeros"),
        (lambda *given: pad(*given)[::-1], "does not stand unchanged"),
        (lambda *given: 2 * pad(*given), "does not stand unchanged"),
        (lambda image, k, stride: image[2:], "does not stand unchanged"),
        (lambda image, k, stride: np.pad(image, 1), "leave the channels alone"),
        (lambda *given: pad(*given)[..., 0], "leave the channels alone"),
        (lambda *given: pad(*given, total=lambda n, k, s: n % s - k), "ValueError"),
    ],
)
def test_what_is_wrong_with_padding_is_said(mistaken, words, match):
    match(words, verdict("02.1", mistaken))


def test_the_right_padding_is_that_of_keras_beyond_the_sizes_tried():
    rng = np.random.default_rng(0)
    for k, stride, side in [(5, 2, 11), (5, 4, 10), (6, 5, 17), (1, 1, 3)]:
        image = rng.normal(size=(side, side + 1, 1))
        kernel = rng.normal(size=(k, k, 1, 1))
        theirs = convolve(image, kernel, stride, "same")
        assert np.allclose(convolve(pad(image, k, stride), kernel, stride), theirs)


@pytest.mark.parametrize(
    ("which", "mistaken", "words"),
    [
        (0, np.ones((3, 3)), "keep adds nine pixels up"),
        (0, BLUR, "keep blurs"),
        (0, one(0, 0), "keep moves the picture down and to the right"),
        (0, 2 * one(1, 1), "keep is off by up to 1"),
        (1, one(1, 1), "shift leaves the picture where it is"),
        (1, one(1, 2), "shift moves the picture to the left"),
        (1, one(0, 1), "shift moves the picture down"),
        (1, one(2, 1), "shift moves the picture up"),
        (1, one(1, 0)[..., None, None], r"shift has shape \(3, 3, 1, 1\)"),
        (2, one(1, 1) - BLUR, "sharpen makes a flat picture 0 times"),
        (2, BLUR - one(1, 1), "sharpen makes a flat picture 0 times"),
        (2, 18 * one(1, 1) - 1, "sharpen makes a flat picture 9 times"),
        (2, 2 * one(1, 1) - 1, "sharpen makes a flat picture -7 times"),
        (2, one(1, 1), "sharpen leaves the picture where it is"),
        (2, 10 * one(1, 1) - 1, "nine times as much as asked"),
        (2, [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], "leaves the corners out"),
    ],
)
def test_what_is_wrong_with_a_filter_is_said(which, mistaken, words, match):
    filters = [one(1, 1), one(1, 0), 2 * one(1, 1) - BLUR]
    filters[which] = mistaken
    match(words, verdict("02.2", *filters))


@pytest.mark.parametrize("i", range(3))
@pytest.mark.parametrize("j", range(3))
def test_a_filter_with_a_single_one_moves_the_picture_as_is_said(i, j, match):
    if (i, j) == (1, 1):
        return
    image = np.zeros((7, 7, 1))
    image[3, 3] = 1
    row, column, _ = np.argwhere(
        convolve(np.pad(image, [(1, 1), (1, 1), (0, 0)]), one(i, j)[..., None, None])
    )[0]
    down = {2: "up", 3: "", 4: "down"}[row]
    across = {2: "to the left", 3: "", 4: "to the right"}[column]
    way = " and ".join(word for word in (down, across) if word)
    match(f"keep moves the picture {way}$", verdict("02.2", one(i, j), 1, 1))


def test_sharpening_adds_what_a_blur_takes_away():
    picture = np.random.default_rng(0).normal(size=(9, 9))
    sharp = signal.correlate2d(picture, 2 * one(1, 1) - BLUR, "valid")
    blurred = signal.correlate2d(picture, BLUR, "valid")
    inside = picture[1:-1, 1:-1]
    assert np.allclose(sharp, inside + (inside - blurred))


def found(change_kernel=lambda k: k, change_bias=lambda b: b):
    def find_filter(images, maps):
        kernel, bias = find_by_equations(images, maps)
        return change_kernel(kernel), change_bias(bias)

    return find_filter


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (found(lambda k: k[::-1, ::-1]), "kernel .* is turned round: layers"),
        (found(lambda k: k.swapaxes(0, 1)), "kernel .* has rows and columns exch"),
        (found(lambda k: k[::-1, ::-1].swapaxes(0, 1)), "turned round, with rows"),
        (found(lambda k: k[..., 0, 0]), r"has shape \(3, 3\); \(3, 3, 1, 1\) is"),
        (found(lambda k: 0.9 * k), "kernel .* is near, but"),
        (found(lambda k: 0.6 * k), "kernel .* is off by up to"),
        (found(lambda k: 0 * k), "kernel .* is off by up to"),
        (found(lambda k: k + np.nan), "kernel .* not a number"),
        (found(change_bias=lambda b: 0 * b), "bias .* is 0"),
        (found(change_bias=lambda b: -b), "bias .* has the wrong sign"),
        (found(change_bias=lambda b: 1.1 * b), "bias .* is near, but"),
        (found(change_bias=lambda b: b[0]), r"bias .* has shape \(\)"),
        (lambda *given: find_by_equations(*given)[0], "return kernel, bias"),
    ],
)
def test_what_is_wrong_with_a_found_filter_is_said(mistaken, words, match):
    match(words, verdict("02.3", mistaken))
