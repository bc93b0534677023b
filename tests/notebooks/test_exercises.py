"""Every declared exercise, and what the checks of all of them stand on."""

import ast
import functools
import re
import threading
from collections.abc import Mapping
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

import exercises
from exercises import Wrong, answers, ask, check, compare, numbers, verdict
from exercises.answers import NotSolved
from exercises.chapter02 import convolve, moves

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CHAPTERS = exercises.chapters()
BOOK = {n: entry for c in CHAPTERS for n, entry in exercises.declared(c).items()}


def checked(folder: Path) -> dict[str, tuple[list[str], str]]:
    """The exercises that notebooks check: the code before, and the cell that checks.

    The code is that of the notebook's beginning and that below the exercise's words.
    """
    cells_of = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        beginning, below, stated = [], [], False
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.source.startswith("**Exercise "):
                stated, below = True, []
            elif number := re.match(r'check\("(\d\d\.\d)"', cell.source):
                code = [*beginning, *below] if folder.name == "solutions" else below
                cells_of[number[1]] = (code, cell.source)
            elif cell.cell_type == "code":
                (below if stated else beginning).append(cell.source)
    return cells_of


STUBS, SOLUTIONS = checked(NOTEBOOKS), checked(NOTEBOOKS / "solutions")
COMPLETE = [number for number in BOOK if number in STUBS and number in SOLUTIONS]


def missing(
    stubs: Mapping, solutions: Mapping, declared: Mapping[str, object]
) -> list[str]:
    """What each exercise lacks that is not complete, a line each."""
    places = {
        "a stub in notebooks/{}_….ipynb": stubs,
        "a solution in notebooks/solutions/{}_….ipynb": solutions,
        "a declaration in notebooks/exercises/chapter{}.py": declared,
    }
    every = sorted({*stubs, *solutions, *declared})
    return [
        f"exercise {number} lacks {what.format(number[:2])}"
        for number in every
        for what, place in places.items()
        if number not in place
    ]


def test_every_exercise_has_a_stub_a_solution_and_a_declaration():
    assert missing(STUBS, SOLUTIONS, BOOK) == []


def test_what_an_exercise_lacks_is_named():
    assert missing({"05.4": 1}, {}, {"06.4": 1}) == [
        "exercise 05.4 lacks a solution in notebooks/solutions/05_….ipynb",
        "exercise 05.4 lacks a declaration in notebooks/exercises/chapter05.py",
        "exercise 06.4 lacks a stub in notebooks/06_….ipynb",
        "exercise 06.4 lacks a solution in notebooks/solutions/06_….ipynb",
    ]


@functools.cache
def answers_in(number: str, solved: bool) -> tuple:
    """The answers that a notebook gives to an exercise, by running its cells."""
    code, line = (SOLUTIONS if solved else STUBS)[number]
    names: dict = {}
    for source in code:
        exec(source, names)
    call = ast.parse(line).body[0].value
    return tuple(names[argument.id] for argument in call.args[1:])


@pytest.mark.parametrize("number", COMPLETE)
def test_the_stub_is_not_solved(number):
    line = f"exercise {number} — not solved: the answer is still empty"
    assert verdict(number, *answers_in(number, solved=False)) == line


@pytest.mark.parametrize("number", COMPLETE)
def test_half_an_answer_is_not_solved(number):
    given = answers_in(number, solved=True)
    for i, answer in enumerate(given):
        for stub in (None, lambda *_: ...) if callable(answer) else (None, ...):
            line = verdict(number, *given[:i], stub, *given[i + 1 :])
            assert "— not solved: " in line


@pytest.mark.parametrize("number", COMPLETE)
def test_the_solution_is_solved(number):
    line = f"exercise {number} — solved: {BOOK[number].proves}"
    assert verdict(number, *answers_in(number, solved=True)) == line


def known(kind: str) -> list:
    """The declared answers of a kind, each with what is to be told."""
    cases = []
    for number, entry in BOOK.items():
        declared = getattr(entry, kind)
        named = isinstance(declared, Mapping)
        for words, answer in declared.items() if named else enumerate(declared):
            given = answer if entry.answers > 1 else (answer,)
            cases.append(pytest.param(number, words, given, id=f"{number} {words}"))
    return cases


@pytest.mark.parametrize(("number", "which", "given"), known("also_right"))
def test_another_right_answer_is_solved(number, which, given):
    assert verdict(number, *given) == f"exercise {number} — solved: " + (
        BOOK[number].proves
    )


@pytest.mark.parametrize(
    ("number", "words", "given"), [*known("mistakes"), *known("also_wrong")]
)
def test_a_mistake_is_told_in_its_words(number, words, given):
    line = verdict(number, *given)
    assert line.startswith(f"exercise {number} — wrong: ")
    assert words in line


@pytest.mark.parametrize("number", BOOK)
def test_an_exercise_knows_three_mistakes(number):
    assert len(BOOK[number].mistakes) >= 3


# How far the numbers of an answer may be off, in the exercises where it is not 1e-5.
TOLERANCES = dict.fromkeys(
    ("03.3", "08.3", "10.2", "11.2", "14.3", "15.1", "15.2"), 1e-4
)
TOLERANCES |= {"02.3": 0.01, "05.1": 0.01, "06.2": 0.12}
WITHOUT_NUMBERS = {
    "01.2",
    "02.1",
    "04.1",
    "04.3",
    "06.1",
    "06.3",
    "07.1",
    "07.2",
    "14.2",
}


def off_by(share, answer):
    """The answer with all its numbers larger by a share."""
    if callable(answer):
        return lambda *given: off_by(share, answer(*given))
    if isinstance(answer, tuple | list):
        return [off_by(share, part) for part in answer]
    return np.asarray(answer) * (1 + share)


@pytest.mark.parametrize("number", [n for n in COMPLETE if n not in WITHOUT_NUMBERS])
def test_an_answer_is_as_exact_as_it_has_to_be(number):
    tolerance = TOLERANCES.get(number, 1e-5)
    given = answers_in(number, solved=True)
    for share in (3 * tolerance, -3 * tolerance):
        line = verdict(number, *[off_by(share, answer) for answer in given])
        assert "— wrong: " in line


def fails(*given):
    raise RuntimeError("first line\nsecond line")


class Unreadable:
    def __array__(self, *_, **__):
        raise RuntimeError("there are no numbers in here")


VALUES = ["x", b"x", np.nan, [], {}, [np.nan], [[1], [1, 2]], [None], Unreadable()]
VALUES += [object(), np.zeros((2, 0, 5, 1, 1, 1)), "three", keras.Input((2,)), 1j]
FUNCTIONS = [lambda *_, value=value: value for value in VALUES]
FUNCTIONS += [lambda: 1, lambda *_, also: 1, fails, keras.Model, lambda *_: (1, "x")]
FUNCTIONS += [lambda *_: (x for x in [1]), lambda *_: fails, lambda *_: [[[]], "x"]]


@pytest.mark.parametrize("number", COMPLETE)
def test_an_answer_of_the_wrong_kind_is_told_so_in_one_line(number):
    right = answers_in(number, solved=True)
    for i in range(len(right)):
        for bad in [*VALUES, *FUNCTIONS, 3, fails]:
            line = verdict(number, *right[:i], bad, *right[i + 1 :])
            assert re.fullmatch(rf"exercise {number} — wrong: [^\n]+", line), line


def never_ends(*_):
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


@pytest.mark.parametrize(
    "number", [n for n in COMPLETE if callable(answers_in(n, solved=True)[0])]
)
def test_an_answer_that_never_ends_is_ended(number, monkeypatch):
    monkeypatch.setattr(answers, "LIMIT", 0.02)
    line = verdict(number, *[never_ends] * BOOK[number].answers)
    assert "is not done after 0.02 s of processor time" in line


def test_an_answer_has_half_a_minute_of_processor_time():
    assert answers.LIMIT == 30


def test_waiting_is_no_processor_time(monkeypatch):
    monkeypatch.setattr(answers, "LIMIT", 0.02)
    assert ask(lambda: threading.Event().wait(0.2) or 3) == 3


def test_there_is_no_limit_where_there_are_no_signals(monkeypatch):
    monkeypatch.delattr(answers.signal, "setitimer")
    assert ask(lambda x: x + 1, 2) == 3


def test_an_answer_is_asked_in_another_thread_too():
    said = []
    thread = threading.Thread(target=lambda: said.append(ask(lambda x: x + 1, 2)))
    thread.start()
    thread.join()
    assert said == [3]


def test_the_limits_are_lifted_behind_an_answer():
    import resource  # not on Windows

    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = answers.signal.getsignal(answers.signal.SIGVTALRM)
    with pytest.raises(Wrong, match="takes too much memory"):
        ask(lambda: np.ones(2**30), memory=2**28)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert answers.signal.getsignal(answers.signal.SIGVTALRM) == handler


@pytest.mark.parametrize("left", [None, ...])
def test_what_the_stub_leaves_is_not_solved(left):
    with pytest.raises(NotSolved):
        ask(lambda x: left, 1)


def test_code_that_fails_is_wrong_and_says_how():
    with pytest.raises(Wrong, match=r"^your code raises ZeroDivisionError: division"):
        ask(lambda x: x / 0, 1)
    with pytest.raises(Wrong, match=r"^your code raises RuntimeError: first line$"):
        ask(fails)


def test_what_is_no_function_is_wrong():
    with pytest.raises(Wrong, match=r"a function is asked for; this is int"):
        ask(3)


def test_an_answer_may_write_into_what_it_is_given():
    zeros = np.zeros(3)
    pairs = [(zeros, zeros)]
    rng = np.random.default_rng(0)

    def writes(x, pairs, rng):
        x += 1
        pairs[0][0][:] = rng.random(3)
        pairs.append(3)
        return x

    assert ask(writes, zeros, pairs, rng).tolist() == [1, 1, 1]
    assert zeros.tolist() == [0, 0, 0]
    assert len(pairs) == 1
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("three", "it is made of str, not of numbers"),
        (np.array(["three"]), "it is made of <U5, not of numbers"),
        ([[1, 2], [3]], "it is no array of numbers"),
        ([None, 1], "it is made of list, not of numbers"),
        (keras.Input((2,)), "it is symbolic; return an array"),
        ([1, np.nan], "it has entries that are infinite or not a number"),
        ([1, np.inf], "it has entries that are infinite or not a number"),
    ],
)
def test_what_is_not_made_of_numbers_is_wrong(answer, words):
    with pytest.raises(Wrong) as wrong:
        numbers(answer, "it")
    assert str(wrong.value) == words


@pytest.mark.parametrize("kind", [list, np.array, keras.ops.convert_to_tensor])
def test_numbers_of_any_container_are_compared(kind):
    compare(kind([1.0, 2.0]), np.array([1, 2]), "it")
    with pytest.raises(Wrong, match=r"^it is off by up to 1$"):
        compare(kind([1.0, 3.0]), np.array([1, 2]), "it")


def test_the_tolerance_is_relative_to_the_largest_number():
    compare([100.0, 1.0], [100.0, 1.0009], "it")
    compare([100.0005, 0], [100, 0], "it")
    with pytest.raises(Wrong, match=r"^it is off by up to 0\.002$"):
        compare([100.002, 0], [100, 0], "it")
    compare([], [], "it")


def test_whole_numbers_do_not_wrap_round():
    with pytest.raises(Wrong, match=r"off by up to 1$"):
        compare(np.array([0], np.uint8), np.array([1], np.uint8), "it")
    compare(np.array([True]), np.array([True]), "it")


def test_another_shape_is_wrong():
    with pytest.raises(Wrong, match=r"it has shape \(2,\); \(1, 2\) is expected"):
        compare([1, 2], [[1, 2]], "it")


def test_nan_is_asked_for_just_where_it_is_expected():
    compare([1, np.nan], [1, np.nan], "it")
    for answer in ([1, -1], [np.nan, np.nan], [np.nan, 1]):
        with pytest.raises(Wrong, match=r"^it is not NaN just where it should be$"):
            compare(answer, [1, np.nan], "it")
    with pytest.raises(Wrong, match=r"off by up to 1$"):
        compare([2, np.nan], [1, np.nan], "it")


def test_a_known_mistake_is_named_before_its_shape():
    mistakes = {
        "is twice too large": lambda x: 2 * x,
        "fails": lambda x: x / "x",
        "lacks a number": [1],
    }
    x = np.array([1, 2])
    with pytest.raises(Wrong, match=r"^it is twice too large$"):
        compare([2, 4], x, "it", mistakes=mistakes, arguments=(x,))
    with pytest.raises(Wrong, match=r"^it lacks a number$"):
        compare([1], x, "it", mistakes=mistakes, arguments=(x,))
    compare(x, x, "it", mistakes={"is right": x})


def test_an_exercise_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"no exercise '02\.9'; of 02: 02\.1"):
        verdict("02.9", 1)
    with pytest.raises(ValueError, match=r"no exercise 'two'; of two: none"):
        verdict("two", 1)


def test_too_many_answers_are_refused():
    with pytest.raises(ValueError, match=r"02\.1 asks for 1 answers, not 2"):
        verdict("02.1", ..., ...)


def test_check_prints_the_verdict(capsys):
    check("02.1", ...)
    line = "exercise 02.1 — not solved: the answer is still empty\n"
    assert capsys.readouterr().out == line


def test_a_filter_with_a_single_one_moves_the_picture_as_is_said():
    dot = np.zeros((7, 7, 1))
    dot[3, 3] = 1
    for words, kernel in moves().items():
        (row, column, _), *_ = np.argwhere(
            convolve(np.pad(dot, [(1, 1), (1, 1), (0, 0)]), kernel[..., None, None])
        )
        assert ("up" in words, "down" in words) == (row < 3, row > 3)
        assert ("left" in words, "right" in words) == (column < 3, column > 3)
