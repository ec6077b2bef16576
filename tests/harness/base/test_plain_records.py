"""Records are written as JSON knows it."""

import json
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.record import jsonable


def test_json_gets_only_what_it_knows():
    given = {
        1: Estimate(0.5, float("nan"), float("inf"), 7, 3),
        "list": [np.float32(0.5), (np.int64(2), None)],
        "flag": np.bool_(True),
        "path": Path("a/b"),
        "text": "x",
    }
    found = jsonable(given)
    assert found == {
        "1": {"value": 0.5, "low": None, "high": None, "n": 7, "articles": 3, "df": None},
        "list": [0.5, [2, None]],
        "flag": True,
        "path": "a/b",
        "text": "x",
    }
    assert found["flag"] is True
    json.dumps(found, allow_nan=False)
