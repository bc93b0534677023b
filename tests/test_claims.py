from collections import Counter

import numpy as np
import pytest

from cnnlib import claims
from cnnlib.bands import parse, percent
from cnnlib.claims import ClaimError, Verdict


def test_the_ledger_holds_every_claim_of_the_talk_once():
    per_section = Counter(claim.section for claim in claims.LEDGER.values())
    expected = dict(enumerate((5, 5, 4, 4, 5, 6, 7, 4, 4, 3, 3), start=1))
    assert per_section == expected
    assert len(claims.LEDGER) == 50
    assert set(per_section) == set(claims.SECTIONS)


def test_every_claim_has_a_known_kind_and_a_statement():
    for claim_id, claim in claims.LEDGER.items():
        assert claim.id == claim_id
        assert claim.kind in claims.KINDS
        assert claim.statement.endswith(".")


def test_claims_stand_in_the_order_of_the_talk():
    sections = [claim.section for claim in claims.LEDGER.values()]
    assert sections == sorted(sections)


@pytest.mark.parametrize(
    ("settle", "claim_id", "ruling"),
    [
        (lambda i: claims.holds(i, True, "counted"), "dense-params", "holds"),
        (lambda i: claims.corrected(i, True, "counted"), "param-race", "corrected"),
        (lambda i: claims.cited(i, "counted"), "jft", "cited"),
    ],
)
def test_a_settled_claim_prints_one_line_that_can_be_read_back(
    settle, claim_id, ruling, capsys
):
    settle(claim_id)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert claims.parse(printed) == [Verdict(claim_id, ruling, "counted")]
    assert claims.settled == {claim_id: Verdict(claim_id, ruling, "counted")}


def test_parse_finds_verdicts_among_other_lines_and_nothing_else():
    text = "3 packages\nclaim a-b — holds: 10 %: more — yes\nclaim a-b is open\n"
    assert claims.parse(text) == [Verdict("a-b", "holds", "10 %: more — yes")]


def test_an_unknown_id_is_refused_with_the_nearest():
    with pytest.raises(ClaimError, match=r"'dense-param'.*'dense-params'"):
        claims.holds("dense-param", True, "counted")
    assert not claims.settled


def test_a_claim_is_settled_only_once():
    claims.holds("dense-params", True, "counted")
    with pytest.raises(ClaimError, match="settled already"):
        claims.corrected("dense-params", True, "counted again")
    assert claims.settled["dense-params"].evidence == "counted"


@pytest.mark.parametrize("settle", [claims.holds, claims.corrected])
def test_a_condition_that_is_not_met_settles_nothing(settle, capsys):
    with pytest.raises(ClaimError, match=r"not borne out: 3 of 4"):
        settle("dense-params", False, "3 of 4")
    assert not claims.settled
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("condition", [float("nan"), 0.9, "yes", None, [True], 1])
def test_a_condition_is_true_or_false(condition):
    with pytest.raises(ClaimError, match="condition of True or False; given"):
        claims.holds("dense-params", condition, "3 of 4")
    assert not claims.settled


def test_a_condition_may_be_numpys():
    claims.holds("dense-params", np.less(1, 2), "1 is less")
    assert claims.settled


def test_the_kind_of_a_claim_decides_how_it_can_be_settled():
    with pytest.raises(ClaimError, match="is cited"):
        claims.holds("jft", True, "counted")
    with pytest.raises(ClaimError, match="is exact"):
        claims.cited("dense-params", "a paper")


@pytest.mark.parametrize("evidence", ["", "  ", "two\nlines"])
def test_a_verdict_needs_evidence_on_one_line(evidence):
    with pytest.raises(ClaimError, match="evidence"):
        claims.holds("dense-params", True, evidence)


# --- measured claims name what they rest on -------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        (3, "seed 3"),
        (range(5), "seeds 0 to 4"),
        ((1, 4, 7), "seeds 1, 4, 7"),
        ([2], "seed 2"),
        ((), "nothing drawn"),
    ],
)
def test_a_measured_claim_says_its_data_and_its_seeds(seeds, told, capsys):
    claims.holds("dropout", True, "it helps", data="1,415 digits", seeds=seeds)
    line = capsys.readouterr().out
    assert line == f"claim dropout — holds: it helps [1,415 digits; {told}]\n"
    assert claims.SETTING.search(line)
    assert claims.parse(line) == [claims.settled["dropout"]]


@pytest.mark.parametrize(
    "setting", [{}, {"data": "90 digits"}, {"seeds": 0}, {"data": "digits", "seeds": 0}]
)
@pytest.mark.parametrize("settle", [claims.holds, claims.corrected])
def test_a_measured_claim_without_data_size_or_seeds_is_refused(settle, setting):
    with pytest.raises(ClaimError, match=r"'dropout' is measured: .* data=.*seeds="):
        settle("dropout", True, "it helps", **setting)
    assert not claims.settled


def toy(claim_id, seen=True, needs="CIFAR-10, five seeds"):
    claims.open_here(claim_id, seen, "0.1", data="9 digits", seeds=0, needs=needs)


def test_a_claim_left_open_says_what_would_settle_it(capsys):
    toy("degradation")
    line = capsys.readouterr().out
    assert line == (
        "claim degradation — open here: 0.1 [9 digits; seed 0]; "
        "needs CIFAR-10, five seeds\n"
    )
    assert claims.parse(line) == [claims.settled["degradation"]]


def test_only_a_measured_claim_can_be_left_open_and_only_in_the_talks_direction():
    with pytest.raises(ClaimError, match="is exact: 'open here' cannot settle it"):
        toy("dense-params")
    with pytest.raises(ClaimError, match="is cited: 'open here' cannot settle it"):
        toy("jft")
    with pytest.raises(ClaimError, match="not borne out"):
        toy("degradation", seen=False)
    with pytest.raises(ClaimError, match="needs="):
        toy("degradation", needs=" ")
    assert not claims.settled


def test_an_experiment_that_nobody_can_repeat_here_is_cited(capsys):
    claims.cited("degradation", "arXiv:1512.03385, table 2")
    assert claims.settled["degradation"].ruling == "cited"


def test_a_band_in_the_evidence_stays_in_the_line(capsys):
    claims.holds("gpu", True, percent(0.9, 85, 97), data="9 digits", seeds=0)
    assert parse(capsys.readouterr().out)[0].value == 90


@pytest.mark.parametrize("seeds", [(0, 5, 2), (3, 5, 5, 6), (4, 3, 2)])
def test_seeds_are_told_as_a_range_only_where_they_are_one(seeds, capsys):
    claims.holds("dropout", True, "it helps", data="9 digits", seeds=seeds)
    told = ", ".join(map(str, seeds))
    assert f"[9 digits; seeds {told}]" in capsys.readouterr().out


def test_sections_are_the_talks():
    assert list(claims.SECTIONS.values()) == [
        "What are neural networks?",
        "Convolutional neural networks",
        "Going deep",
        "Image classification data sets",
        "Progress on ImageNet",
        "Inception and Xception",
        "Residual networks",
        "Many paths",
        "Interlude: fooling deep networks",
        "Segmentation",
        "Conclusions",
    ]
    assert list(claims.SECTIONS) == list(range(1, 12))
    told = [words.partition(" by ")[2] for words in claims.KINDS.values()]
    assert told[0].startswith("counting")
    assert told[1].startswith("an experiment")
    assert claims.KINDS["cited"].startswith("not checkable here")
