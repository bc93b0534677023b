"""The guard notices each fault, planted one at a time in a good notebook."""

import nbformat
import pytest
from nbformat import v4
from small_course import picture, printed

from cnnlib.claims import LEDGER, Verdict
from tools.execute import normalized
from tools.guard import claim_complaints, complaints, solution_complaints

FIRST = """# A lesson

After this page you can tell a good notebook from a bad one.

**You will**

- see this,
- see that,
- see more.

**Talk section:** 3 · **5 minutes**"""
OPEN = "### Exercises\n\nSolutions: [here](solutions/06_lesson.ipynb)."
THINGS_TO_TRY = "### Exercises\n\n1. Do this.\n2. Do that."
SAW = "## What we saw\n\n**Next:** [07 Next](07_next.ipynb)"
LAST = """### Further reading

- Somebody: *Something*, arXiv:1234.56789."""


def cell(kind, source, slide="-", tags=(), **fields):
    metadata = {"slideshow": {"slide_type": slide}, "tags": list(tags)}
    return getattr(v4, f"new_{kind}_cell")(source, metadata=metadata, **fields)


def verdict(claim="mnist-99"):
    return printed(f"{Verdict(claim, 'holds', 'measured [9 digits; seed 0]')}\n")


def ruling(number, ruled):
    return printed(f"exercise 06.{number} — {ruled}: because\n")


def exercises(ruled, first):
    """Two statements, each with its check below it."""
    for number in (1, 2):
        yield cell("markdown", f"**Exercise {number}: do this.** Now.", "skip")
        yield cell(
            *("code", f'check("06.{number}", answer)', "skip"),
            outputs=[ruling(number, ruled)],
            execution_count=first + number - 1,
        )


def solved():
    """The solutions of ``good``."""
    title = "# Solutions\n\nOf [06](../06_lesson.ipynb)."
    return v4.new_notebook(
        cells=[cell("markdown", title), *exercises("solved", first=1)]
    )


def good():
    """A notebook 06, which settles one claim of the section that it states."""
    figure = picture(kind="execute_result")
    figure.execution_count = 2
    return v4.new_notebook(
        cells=[
            cell("markdown", FIRST, "slide"),
            cell("markdown", "Say this.", "notes"),
            cell("code", "print(1)", outputs=[printed("1\n")], execution_count=1),
            cell("code", "plots.bars(x)", outputs=[figure], execution_count=2),
            cell("code", "x = 1", execution_count=3),
            cell(
                "code",
                'claims.holds("mnist-99", True, "measured")',
                outputs=[verdict()],
                execution_count=4,
            ),
            cell(
                "markdown",
                "## What we saw\n\n**Next:** [07 Next](07_next.ipynb)",
                "slide",
            ),
            cell("markdown", OPEN, "skip"),
            *exercises("not solved", first=5),
            cell("markdown", LAST, "skip"),
        ]
    )


@pytest.fixture
def look(tmp_path):
    following = v4.new_notebook(cells=[cell("markdown", "# Next\n\nMore.")])
    (tmp_path / "07_next.ipynb").write_text(normalized(following))
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions/06_lesson.ipynb").write_text("{}")

    def look(nb, store=normalized):
        for number, one in enumerate(nb.cells):
            one.id = f"cell-{number}"
        path = tmp_path / "06_lesson.ipynb"
        path.write_text(store(nb), encoding="utf-8")
        return complaints(path)

    return look


@pytest.fixture
def look_at_solutions(look, tmp_path):
    def look_at_solutions(nb, store=normalized):
        look(good())
        for number, one in enumerate(nb.cells):
            one.id = f"cell-{number}"
        path = tmp_path / "solutions/06_lesson.ipynb"
        path.write_text(store(nb), encoding="utf-8")
        return solution_complaints(path)

    return look_at_solutions


def test_a_good_notebook_is_not_complained_of(look):
    assert look(good()) == []


def edit(nb, number, **fields):
    nb.cells[number].update(fields)


def tag(nb, number, *tags):
    nb.cells[number].metadata.tags = list(tags)


FAULTS = {
    "cell 4 has no slide type": lambda nb: nb.cells[4].metadata.pop("slideshow"),
    "there are no speaker notes": lambda nb: nb.cells.pop(1),
    "no title": lambda nb: edit(nb, 0, source=FIRST.replace("# A", "A")),
    "3 to 5 objectives": lambda nb: edit(
        nb, 0, source=FIRST.replace("- see m", "see m")
    ),
    "section and the minutes": lambda nb: edit(nb, 0, source=FIRST[:-11]),
    "two or three exercises": lambda nb: edit(nb, 8, source="Exercise 1"),
    "check two or three": lambda nb: edit(nb, 9, outputs=[printed("no ruling\n")]),
    "numbered 06.1, 06.2": lambda nb: edit(nb, 9, outputs=[ruling(3, "not solved")]),
    "exercise 06.2 is solved here": lambda nb: edit(
        nb, 11, outputs=[ruling(2, "solved")]
    ),
    "exercise 06.1 is wrong here": lambda nb: edit(nb, 9, outputs=[ruling(1, "wrong")]),
    "do not link to their solutions": lambda nb: edit(nb, 7, source="### Exercises"),
    "leads nowhere: solutions": lambda nb: edit(
        nb, 7, source=OPEN + "[b](solutions/07_next.ipynb)"
    ),
    "cell 11 prints or shows": lambda nb: edit(nb, 11, outputs=[]),
    "no further reading": lambda nb: edit(nb, -1, source=LAST.replace("arXiv:", "")),
    "no 'What we saw'": lambda nb: edit(nb, 6, source="[next](07_next.ipynb)"),
    "leads nowhere: 08_x.ipynb": lambda nb: edit(
        nb, 6, source="## What we saw\n[a](07_next.ipynb) [b](08_x.ipynb)"
    ),
    "its links are not '**Next:** [07 Next](07_next.ipynb)': make sync": lambda nb: (
        edit(nb, 6, source="## What we saw\n\n**Next:** [07 Other](07_next.ipynb)")
    ),
    "not executed once, in order": lambda nb: edit(nb, 4, execution_count=None),
    "in order: [2, 1, 3, 4, 5, 6]": lambda nb: (
        edit(nb, 2, execution_count=2),
        edit(nb, 3, execution_count=1),
    ),
    "have more than 6": lambda nb: [
        edit(nb, i, source="\n".join("abcdef")) for i in (2, 3, 4, 9)
    ],
    "has 21 lines": lambda nb: edit(nb, 4, source="x\n" * 20 + "x"),
    "2 of 6 cells are not checked": lambda nb: [
        tag(nb, i, "nbval-ignore-output") for i in (2, 3)
    ],
    "does not say why": lambda nb: tag(nb, 4, "nbval-ignore-output"),
    "unknown tags: nbval-skip": lambda nb: tag(nb, 4, "nbval-skip"),
    "steers nbval": lambda nb: edit(nb, 4, source="# NBVAL_IGNORE_OUTPUT\nx = 1"),
    "semicolon": lambda nb: edit(nb, 4, source="x = 1;"),
    "cell 2 prints or shows": lambda nb: edit(nb, 2, outputs=[]),
    "cell 3 prints or shows": lambda nb: edit(nb, 3, outputs=[]),
    "cell 5 prints or shows": lambda nb: edit(nb, 5, outputs=[]),
    "claim jft is settled here, and is of section 6": lambda nb: nb.cells[
        5
    ].outputs.append(verdict("jft")),
    "the talk has no claim jftt": lambda nb: nb.cells[5].outputs.append(
        verdict("jftt")
    ),
    "the talk has no section 12": lambda nb: edit(
        nb, 0, source=FIRST.replace("section:** 3", "section:** 3, 12")
    ),
    "'After this page you can ….'": lambda nb: edit(
        nb, 0, source=FIRST.replace("After this page you", "You")
    ),
    "prints 'same: True'": lambda nb: edit(nb, 2, outputs=[printed("same: True\n")]),
    "claim dropout names no data set, size and seeds": lambda nb: nb.cells[
        5
    ].outputs.append(printed(f"{Verdict('dropout', 'holds', 'seen')}\n")),
    "'#': 3 is outside its band": lambda nb: edit(
        nb, 2, outputs=[printed("3 (between 1 and 2)\n")]
    ),
    "stores an error": lambda nb: nb.cells[4].outputs.append(
        v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    ),
    "or the reverse": lambda nb: tag(nb, 4, "raises-exception"),
    "without alt text": lambda nb: edit(nb, 3, outputs=[bare_picture()]),
    "trained figure and shows none": lambda nb: tag(nb, 4, "trained-figure"),
    "a trained figure and shows": lambda nb: tag(nb, 4, "trained-images"),
    "of log or of stderr": lambda nb: nb.cells[4].outputs.append(
        printed("x", "stderr")
    ),
    "cell 4 stores a line of log": lambda nb: nb.cells[4].outputs.append(
        printed("I0000 00:00:1 port.cc:153] oneDNN custom operations are on.")
    ),
    "path of the machine": lambda nb: nb.cells[4].outputs.append(
        printed("see /home/someone/x")
    ),
    "stores an address": lambda nb: nb.cells[4].outputs.append(
        printed("<History at 0x7f96cc745e90>")
    ),
    "bytes are stored": lambda nb: edit(nb, -1, source=LAST + " " * 3_500_000),
}


def bare_picture():
    output = picture()
    output.metadata = {}
    return output


@pytest.mark.parametrize("complaint", FAULTS)
def test_a_fault_is_noticed(complaint, look):
    nb = good()
    FAULTS[complaint](nb)
    assert any(complaint in line for line in look(nb)), look(nb)


def after_storing(change):
    """Store a notebook as the tool does, then change it by hand."""

    def store(nb):
        stored = nbformat.reads(normalized(nb), as_version=4)
        change(stored)
        return nbformat.writes(stored, indent=1) + "\n"

    return store


@pytest.mark.parametrize(
    "change",
    [
        lambda nb: edit(nb, 2, outputs=[printed("2\n")]),
        lambda nb: edit(nb, 2, outputs=[]),
        lambda nb: edit(nb, 3, outputs=[picture(7, 4, "display_data")]),
        lambda nb: edit(nb, 4, source="x = 2"),
        lambda nb: edit(nb, 4, execution_count=None),
        lambda nb: nb.metadata.pop("cnnlib"),
    ],
    ids=["text", "no output", "figure", "source", "count", "digest"],
)
def test_a_change_by_hand_is_noticed(change, look):
    wrong = "its outputs are not those that `make notebooks` stored"
    assert wrong in look(good(), after_storing(change))


def test_another_layout_of_the_file_is_noticed(look):
    found = look(good(), lambda nb: normalized(nb).replace("\n ", "\n  "))
    assert found == ["it is not stored as `make notebooks` stores it"]


def test_every_claim_is_owed_by_exactly_one_notebook(tmp_path):
    def settle(stem, *ids):
        cells = [cell("code", "", outputs=[verdict(i)], execution_count=1) for i in ids]
        (tmp_path / f"{stem}.ipynb").write_text(
            normalized(v4.new_notebook(cells=cells))
        )
        return tmp_path / f"{stem}.ipynb"

    one, two = settle("01_one", *LEDGER), settle("02_two")
    assert claim_complaints([one, two]) == []
    others = [claim for claim in LEDGER if claim != "gpu"]
    one, two = settle("01_one", *others), settle("02_two", "jft")
    assert claim_complaints([one, two]) == [
        "claim jft is settled twice: in 01_one, 02_two",
        "claim gpu is not settled",
    ]


def test_an_unchecked_cell_with_its_reason_is_accepted(look):
    nb = good()
    edit(nb, 1, source="The time is not checked: it differs.", cell_type="markdown")
    tag(nb, 2, "nbval-ignore-output")
    assert look(nb) == []


SOLUTION_FAULTS = {
    "not those of its notebook": lambda nb: nb.cells.pop(2),
    "exercise 06.2 is wrong": lambda nb: edit(nb, 4, outputs=[ruling(2, "wrong")]),
    "exercise 06.1 is not solved": lambda nb: edit(
        nb, 2, outputs=[ruling(1, "not solved")]
    ),
    "in its notebook's words": lambda nb: edit(nb, 3, source="**Exercise 2: that.**"),
    "has no title": lambda nb: edit(nb, 0, source="[06](../06_lesson.ipynb)"),
    "does not link to its notebook": lambda nb: edit(nb, 0, source="# Solutions\n"),
    "not executed once, in order": lambda nb: edit(nb, 2, execution_count=2),
    "cell 4 has 21 lines": lambda nb: edit(nb, 4, source="x\n" * 20 + "x"),
}


@pytest.mark.parametrize("complaint", SOLUTION_FAULTS)
def test_a_fault_in_the_solutions_is_noticed(complaint, look_at_solutions):
    nb = solved()
    SOLUTION_FAULTS[complaint](nb)
    found = look_at_solutions(nb)
    assert any(complaint in line for line in found), found


def test_good_solutions_are_not_complained_of(look_at_solutions):
    assert look_at_solutions(solved()) == []


def test_solutions_of_nothing_are_noticed(tmp_path):
    (tmp_path / "solutions").mkdir()
    path = tmp_path / "solutions/09_x.ipynb"
    path.write_text(normalized(solved()))
    assert solution_complaints(path) == [
        "there is no notebook 09_x whose exercises these are"
    ]


def test_changed_solutions_are_noticed(look_at_solutions):
    change = after_storing(lambda nb: edit(nb, 2, source="x"))
    wrong = "its outputs are not those that `make notebooks` stored"
    assert wrong in look_at_solutions(solved(), change)


def test_the_first_notebook_states_things_to_try(tmp_path):
    nb = good()
    nb.cells[7:12] = [cell("markdown", THINGS_TO_TRY)]
    path = tmp_path / "00_start.ipynb"
    wrong = "it does not state two or three exercises"
    path.write_text(normalized(nb))
    assert wrong not in complaints(path)
    nb.cells[7].source = f"{THINGS_TO_TRY}\n3. And that.\n4. And more."
    path.write_text(normalized(nb))
    assert wrong in complaints(path)
    nb.cells[7].source = OPEN
    path.write_text(normalized(nb))
    assert wrong in complaints(path)
