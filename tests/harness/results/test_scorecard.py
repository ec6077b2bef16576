"""What the scorecard makes of judged cards: an incomplete session releases nothing."""

import pytest
from scorecard_sample import card, typed_card

from lvm_gates.harness.results.scorecard import _withhold


def judged(verdict):
    return typed_card(card("m.pt", 0.97, verdict, ["5 of 5 gates passed"]))


def test_a_model_whose_gates_did_not_all_run_is_held():
    found = _withhold(judged("release"), ["B", "D"])
    assert found.verdict == "hold"
    assert found.reasons == ["incomplete: gates that did not run: B, D", "5 of 5 gates passed"]


@pytest.mark.parametrize("verdict", ["hold", "blocked"])
def test_a_verdict_that_releases_nothing_stays_and_the_reason_is_added(verdict):
    found = _withhold(judged(verdict), ["B"])
    assert found.verdict == verdict
    assert found.reasons[0] == "incomplete: gates that did not run: B"


def test_a_complete_card_is_left_as_it_is():
    assert _withhold(judged("release"), []) == judged("release")
