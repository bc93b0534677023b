"""`notebooks`: the one way stored outputs are made, and the digest that guards them."""

import copy
import json
import sys

import pytest
from jupyter_client.session import Session
from nbformat import v4
from small_course import code, markdown, picture, printed

from tools.execute import headings, normalized, outputs_digest


def test_outputs_are_stored_numbered_and_digested(course):
    course.add("00_a", code("print('one')"), markdown("text"), code("6 * 7"))
    assert course.run("notebooks") == 0
    nb = course.read("00_a")
    first, second = (cell for cell in nb.cells if cell.cell_type == "code")
    assert (first.execution_count, second.execution_count) == (1, 2)
    assert first.outputs[0].text == "one\n"
    assert second.outputs[0].data["text/plain"] == "42"
    assert second.outputs[0].execution_count == 2
    assert [cell.id for cell in nb.cells] == ["cell-0", "cell-1", "cell-2", "cell-3"]
    assert nb.metadata.cnnlib.outputs == outputs_digest(nb)
    assert nb.metadata.kernelspec.name == "python3"
    assert "version" not in nb.metadata.language_info
    assert not any("execution" in cell.metadata for cell in nb.cells)


def test_a_second_run_changes_no_byte(course):
    course.add("00_a", code("print('é')"), code("1 / 0", tags=["raises-exception"]))
    assert course.run("notebooks") == 0
    first = course.notebook("00_a").read_bytes()
    assert course.run("notebooks", "00") == 0
    assert course.notebook("00_a").read_bytes() == first
    assert first.endswith(b"}\n")
    assert b'\n "cells"' in first
    assert "é".encode() in first


def test_streams_are_joined_and_tracebacks_name_no_folder(course):
    course.add(
        "00_a",
        code("import sys\nfor i in range(3):\n    print(i, flush=True)"),
        code("raise KeyError('k')", tags=["raises-exception"]),
    )
    assert course.run("notebooks") == 0
    joined, error = (c.outputs for c in course.read("00_a").cells[1:])
    assert [output.text for output in joined] == ["0\n1\n2\n"]
    assert error[0].traceback == ["KeyError: 'k'"]


def test_one_failing_notebook_leaves_all_as_they_were(course, capsys):
    course.add("00_a", code("print('new')"))
    course.add("01_b", code("1 / 0"))
    before = [course.notebook(stem).read_bytes() for stem in ("00_a", "01_b")]
    assert course.run("notebooks") == 1
    assert "01_b  cell 1/1  A lesson: ZeroDivisionError" in capsys.readouterr().err
    after = [course.notebook(stem).read_bytes() for stem in ("00_a", "01_b")]
    assert after == before


def test_an_output_that_names_this_machine_is_refused(course, capsys):
    course.add("00_a", code("import sys; print(sys.prefix)"))
    assert course.run("notebooks") == 1
    assert capsys.readouterr().err == f"error: 00_a: an output names {sys.prefix}\n"


def test_stored_outputs_are_never_made_at_full_scale(course, capsys, monkeypatch):
    course.add("00_a", code("1"))
    monkeypatch.setenv("CNNLIB_SCALE", "full")
    assert course.run("notebooks") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_notebook_gets_the_nearest_name(course, capsys):
    course.add("02_convolution", code("1"))
    assert course.run("notebooks", "02_convolutoin") == 2
    assert "the nearest is 02_convolution" in capsys.readouterr().err


@pytest.fixture
def stored():
    cells = [markdown("# T\n\nS."), code("f(x)", outputs=[printed("3\n"), picture()])]
    return v4.new_notebook(cells=cells)


EDITS = {
    "a printed line": lambda cell: cell.outputs[0].update(text="4\n"),
    "a figure": lambda cell: cell.outputs.__setitem__(1, picture(5, 4)),
    "a count": lambda cell: cell.update(execution_count=None),
    "the code": lambda cell: cell.update(source="g(x)"),
    "an alternative text": lambda cell: cell.outputs[1].metadata.clear(),
    "an output left out": lambda cell: cell.outputs.pop(),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_by_hand_changes_the_digest(stored, edit):
    before = outputs_digest(stored)
    edit(stored.cells[1])
    assert outputs_digest(stored) != before


def test_prose_and_slide_types_leave_the_digest_alone(stored):
    before = outputs_digest(stored)
    stored.cells[0].source = "# Another title\n\nS."
    stored.cells[1].metadata["slideshow"] = {"slide_type": "slide"}
    assert outputs_digest(stored) == before


def test_normalizing_twice_changes_nothing(stored):
    stored.metadata["widgets"] = {"state": 1}
    stored.cells[1].metadata["execution"] = {"iopub.status.busy": "now"}
    once = normalized(copy.deepcopy(stored))
    assert "widgets" not in once
    assert "iopub" not in once
    nb = v4.reads(once)
    assert normalized(nb) == once
    assert json.loads(once)["metadata"]["cnnlib"]["outputs"] == outputs_digest(nb)


def test_a_widgets_id_which_differs_from_run_to_run_is_not_stored(stored):
    texts = set()
    for model in ("1a2b", "3c4d"):
        nb = copy.deepcopy(stored)
        view = {"model_id": model, "version_major": 2}
        data = {"application/vnd.jupyter.widget-view+json": view, "text/plain": "a"}
        nb.cells[1].outputs = [v4.new_output("display_data", data=data)]
        texts.add(normalized(nb))
    assert len(texts) == 1


def test_a_slider_that_prints_and_draws_runs(course):
    course.add(
        "00_slider",
        code("from ipywidgets import interact"),
        code("_ = interact(lambda k: print(k) or k, k=(1, 3))"),
    )
    assert course.run("notebooks", "00") == 0
    first = course.notebook("00_slider").read_text()
    assert "widget-view" in first
    assert '"state"' not in first
    assert course.run("notebooks", "00") == 0
    assert course.notebook("00_slider").read_text() == first


def test_nothing_is_sent_to_a_kernel_while_it_runs_a_slider(course, monkeypatch):
    course.add(
        "00_slider",
        code("from ipywidgets import interact"),
        code("_ = interact(lambda k: print(k) or k, k=(1, 3))"),
    )
    sent, send = [], Session.send

    def told(session, stream, message, *arguments, **options):
        sent.append(message if isinstance(message, str) else message["msg_type"])
        return send(session, stream, message, *arguments, **options)

    monkeypatch.setattr(Session, "send", told)
    assert course.run("notebooks", "00") == 0
    assert sent.count("execute_request") == 2
    assert "comm_msg" not in sent


def test_the_nearest_heading_is_found(stored):
    stored.cells += [markdown("## Two\n\n### Three"), code("1")]
    assert headings(stored) == ["T", "T", "Three", "Three"]
