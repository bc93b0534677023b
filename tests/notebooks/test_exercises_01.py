import keras
import numpy as np
import pytest

from exercises import verdict
from exercises.chapter01 import relu


def forward(x, layers, f=relu, last=lambda z: z, bias=1):
    for w, b in layers[:-1]:
        x = f(x @ w + bias * b)
    w, b = layers[-1]
    return last(x @ w + bias * b)


def forward_by_sums(x, layers):
    for i, (w, b) in enumerate(layers):
        x = [
            [sum(r * c for r, c in zip(row, v, strict=True)) for v in w.T] for row in x
        ]
        x = np.array(x) + b
        if i < len(layers) - 1:
            x[x < 0] = 0
    return x.tolist()


def forward_in_keras(x, layers):
    for i, (w, b) in enumerate(layers):
        x = keras.ops.matmul(keras.ops.cast(x, "float32"), w.astype("float32")) + b
        x = keras.ops.relu(x) if i < len(layers) - 1 else x
    return x


def piece(x, w1, b1, w2, b2):
    on = w1 @ x + b1 > 0
    return w2[:, on] @ w1[on], w2[:, on] @ b1[on] + b2


def piece_by_differences(x, w1, b1, w2, b2):
    def f(x):
        return w2 @ relu(w1 @ x + b1) + b2

    w = np.stack([(f(x + d) - f(x)) / 1e-4 for d in 1e-4 * np.eye(len(x))], axis=1)
    return [w, f(x) - w @ x]


def piece_in_words(x, w1, b1, w2, b2):
    on = np.diag([float(z > 0) for z in w1 @ x + b1])
    return keras.ops.convert_to_tensor(w2 @ on @ w1), (w2 @ on @ b1 + b2).tolist()


def in_order_by_loop(w, order):
    rows = np.empty_like(w)
    for i, place in enumerate(order):
        rows[place] = w[i]
    return rows


RIGHT = [
    ("01.1", forward),
    ("01.1", forward_by_sums),
    ("01.1", forward_in_keras),
    ("01.2", piece),
    ("01.2", piece_by_differences),
    ("01.2", piece_in_words),
    ("01.3", lambda w, order: w[np.argsort(order)]),
    ("01.3", lambda w, order: keras.ops.take(w, np.argsort(order), axis=0)),
    ("01.3", in_order_by_loop),
]


@pytest.mark.parametrize(("number", "answer"), RIGHT)
def test_a_right_answer_is_solved(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — solved: ")


@pytest.mark.parametrize("number", ["01.1", "01.2", "01.3"])
@pytest.mark.parametrize("stub", [..., None, lambda *given: ..., lambda *given: None])
def test_an_empty_stub_is_not_solved(number, stub):
    assert "not solved" in verdict(number, stub)


@pytest.mark.parametrize("number", ["01.1", "01.2", "01.3"])
@pytest.mark.parametrize(
    "answer", [3, "x", lambda *given: "x", lambda *given: np.nan, lambda *given: {}]
)
def test_an_answer_of_the_wrong_kind_is_wrong(number, answer):
    assert verdict(number, answer).startswith(f"exercise {number} — wrong: ")


def one_by_one(x, layers):
    return forward(x[0], layers)


def inputs_last(x, layers):
    return forward(x, [(w.T if w.shape[0] == w.shape[1] else w, b) for w, b in layers])


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda x, ls: forward(x, ls, last=relu), "last layer has no ReLU"),
        (lambda x, ls: forward(x, ls, f=lambda z: z), "without any ReLU"),
        (lambda x, ls: forward(x, ls, f=np.tanh), "tanh, not by ReLU"),
        (lambda x, ls: forward(x, ls, bias=0), "lacks the biases"),
        (one_by_one, "the first example only"),
        (lambda x, ls: forward(x, ls[:1]), "the first layer only"),
        (inputs_last, "the other way round"),
        (lambda x, ls: forward(x, [(w.T, b) for w, b in ls]), "raises ValueError"),
        (lambda x, ls: forward(x, ls).argmax(axis=1), r"has shape \(9,\); \(9, 3\)"),
        (lambda x, ls: forward(x, ls).round(2), "is off by up to 0.00"),
    ],
)
def test_what_is_wrong_with_a_network_is_said(mistaken, words, match):
    match(words, verdict("01.1", mistaken))


@pytest.mark.parametrize("widths", [1, 2, 3])
def test_a_network_of_a_fixed_depth_is_wrong(widths, match):
    def fixed(x, layers):
        return forward(x, (layers * widths)[:widths])

    match("", verdict("01.1", fixed))


@pytest.mark.parametrize(
    ("which", "mistaken", "words"),
    [
        (0, lambda x, a, b, c, d: c @ a, "w, .* is that of a network without ReLU"),
        (0, lambda *given: piece(*given)[0].T, "w, .* is the other way round"),
        (0, lambda x, a, b, c, d: c @ relu(a), "w, .* cuts the weights off"),
        (
            0,
            lambda x, a, b, c, d: piece(x, a, 0 * b, c, d)[0],
            "w, .* which neurons are open, and forgets b1",
        ),
        (1, lambda x, a, b, c, d: c @ b + d, "b, .* neurons that are shut"),
        (1, lambda x, a, b, c, d: piece(x, a, b, c, 0)[1], "b, .* lacks b2"),
        (1, lambda x, a, b, c, d: d, "b, .* lacks what the hidden biases add"),
        (1, lambda x, a, b, c, d: c @ relu(a @ x + b) + d, "w @ x is in it already"),
        (1, lambda x, a, b, c, d: -piece(x, a, b, c, d)[1], "b, .* is off by up to"),
    ],
)
def test_what_is_wrong_with_a_linear_piece_is_said(which, mistaken, words, match):
    def half_right(*given):
        w_and_b = list(piece(*given))
        w_and_b[which] = mistaken(*given)
        return w_and_b

    match(words, verdict("01.2", half_right))


@pytest.mark.parametrize(
    "answer", [lambda *given: piece(*given)[0], lambda *given: (*piece(*given), 1)]
)
def test_a_linear_piece_is_two_arrays(answer, match):
    match("two arrays are asked for: return w, b", verdict("01.2", answer))


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda w, order: w, "still the one for shuffled images"),
        (lambda w, order: w[order], "shuffled once more, not back"),
        (lambda w, order: np.sort(w, axis=0), "sorted by its numbers"),
        (lambda w, order: w[:, np.argsort(order)], "columns moved"),
        (lambda w, order: w[:, order], "columns shuffled"),
        (lambda w, order: w[order[::-1]], "is off by up to"),
        (lambda w, order: np.argsort(order), r"has shape \(25,\)"),
    ],
)
def test_what_is_wrong_with_the_way_back_is_said(mistaken, words, match):
    match(words, verdict("01.3", mistaken))


def test_the_way_back_reads_images_as_they_were_read_shuffled():
    rng = np.random.default_rng(0)
    w, x, order = rng.normal(size=(9, 2)), rng.normal(size=(4, 9)), rng.permutation(9)
    assert np.allclose(x @ in_order_by_loop(w, order), x[:, order] @ w)
