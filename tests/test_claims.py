from collections import Counter

import pytest

from cnnlib import claims
from cnnlib.claims import ClaimError, Verdict


def test_the_ledger_holds_every_claim_of_the_talk_once():
    per_section = Counter(claim.section for claim in claims.LEDGER.values())
    expected = dict(enumerate((5, 5, 4, 4, 5, 6, 7, 4, 4, 3, 3), start=1))
    assert per_section == expected
    assert len(claims._TABLE) == len(claims.LEDGER) == 50
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


def test_the_kind_of_a_claim_decides_how_it_can_be_settled():
    with pytest.raises(ClaimError, match="is cited"):
        claims.holds("jft", True, "counted")
    with pytest.raises(ClaimError, match="is exact"):
        claims.cited("dense-params", "a paper")


@pytest.mark.parametrize("evidence", ["", "  ", "two\nlines"])
def test_a_verdict_needs_evidence_on_one_line(evidence):
    with pytest.raises(ClaimError, match="evidence"):
        claims.holds("dense-params", True, evidence)
