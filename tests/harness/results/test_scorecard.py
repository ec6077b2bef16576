"""What the scorecard makes of judged cards: an incomplete session releases nothing; JSON gets only what it knows."""

import json
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.results.scorecard import _withhold, plain


def judged(verdict):
    return {"verdict": verdict, "reasons": ["5 of 5 gates passed"]}


def test_a_model_whose_gates_did_not_all_run_is_held():
    assert _withhold(judged("release"), ["B", "D"]) == {
        "verdict": "hold",
        "reasons": ["incomplete: gates that did not run: B, D", "5 of 5 gates passed"],
    }


@pytest.mark.parametrize("verdict", ["hold", "blocked"])
def test_a_verdict_that_releases_nothing_stays_and_the_reason_is_added(verdict):
    found = _withhold(judged(verdict), ["B"])
    assert found["verdict"] == verdict
    assert found["reasons"][0] == "incomplete: gates that did not run: B"


def test_a_complete_card_is_left_as_it_is():
    assert _withhold(judged("release"), []) == judged("release")


def test_json_gets_only_what_it_knows():
    given = {
        1: Estimate(0.5, float("nan"), float("inf"), 7, 3),
        "list": [np.float32(0.5), (np.int64(2), None)],
        "flag": np.bool_(True),
        "path": Path("a/b"),
        "text": "x",
    }
    found = plain(given)
    assert found == {
        "1": {"value": 0.5, "low": None, "high": None, "n": 7, "articles": 3, "df": None},
        "list": [0.5, [2, None]],
        "flag": True,
        "path": "a/b",
        "text": "x",
    }
    assert found["flag"] is True
    json.dumps(found, allow_nan=False)
