"""Scorecards and samples of other types and shapes than were written: refused in one sentence, at the first place."""

import copy
import json
import math
from dataclasses import fields

import numpy as np
import pytest
from scorecard_sample import card, scorecard, without_skill

from ci.fuzzing.cases import flipped, with_field, zip_of
from ci.fuzzing.npz_files import npy
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.results.paired import Sampled
from lvm_gates.harness.results.reading import read_report
from lvm_gates.harness.results.samples import read_columns


def refusal(action, path):
    with pytest.raises(UserError) as caught:
        action()
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert said.isprintable()
    assert said.endswith(".")
    assert len(said) < 500
    return said


@pytest.mark.parametrize(
    "whole",
    [scorecard(), scorecard([card("m.pt", float("nan"), "blocked", ["not finite"])]), without_skill(scorecard())],
    ids=["healthy", "undefined", "published"],
)
def test_what_the_gates_write_is_read(tmp_path, whole):
    (tmp_path / "scorecard.json").write_text(json.dumps(whole))
    found = jsonable(read_report(tmp_path).scorecard)
    assert contained(whole, found)


def contained(given, found):
    """Whether everything of ``given`` is there; numbers may have become decimals."""
    if isinstance(given, dict):
        return all(key in found and contained(value, found[key]) for key, value in given.items())
    if isinstance(given, list):
        return len(given) == len(found) and all(map(contained, given, found))
    return given == found


def test_a_scorecard_from_before_the_share_had_an_interval_is_read(tmp_path):
    whole = scorecard()
    whole["models"][0]["skill"]["retained"] = 0.8
    (tmp_path / "scorecard.json").write_text(json.dumps(whole))
    found = read_report(tmp_path).scorecard.models[0].skill.retained
    assert (found.value, math.isnan(found.low)) == (0.8, True)


def test_a_scorecard_from_before_much_was_recorded_is_read_and_shown(tmp_path):
    whole = scorecard()
    later = ("created", "task", "arguments", "corpus", "revision", "packages", "audits")
    for name in later:
        del whole[name]
    for each in [*whole["models"], *whole["controls"]]:
        for name in ("sha256", "blocked", "tolerated", "provenance", "misbehaved", "unusual", "open_gates"):
            each.pop(name, None)
        for split in ("VAL", "OOD"):
            for name in ("rivals", "rivals_know_domain", "near_duplicates"):
                del each["skill"][split][name]
    for check in whole["models"][0]["gates"]["A"]["checks"]:
        check["figure"].pop("df", None)
        check["figure"].pop("articles", None)
    (tmp_path / "scorecard.json").write_text(json.dumps(whole))
    assert "RELEASE" in render_terminal(read_report(tmp_path).scorecard, colour=False)


GATE = ("models", 0, "gates")
SKILL = ("models", 0, "skill")
WRONG = {
    (*GATE, "A", "passed"): "yes",
    (*GATE, "A"): "x",
    (*GATE, "A", "VAL"): [1],
    (*GATE, "A", "VAL", "peak"): "1",
    (*GATE, "A", "VAL", "c"): {"one": {}},
    (*GATE, "A", "VAL", "c", "1", "value"): "x",
    (*GATE, "A", "VAL", "c", "1", "n"): 1.5,
    (*GATE, "A", "checks"): {"a": 1},
    (*GATE, "A", "checks", 0): 7,
    (*GATE, "A", "checks", 0, "limit"): None,
    (*GATE, "A", "checks", 0, "figure"): None,
    (*GATE, "A", "checks", 0, "split"): "TRAIN",
    (*GATE, "B", "VAL", "novel"): 3,
    (*GATE, "B", "VAL", "novel", "size"): True,
    (*GATE, "B", "VAL", "novel", "R@1", "value"): 1e300,
    (*GATE, "B", "VAL", "novel", "chance_of", "MRR"): "x",
    (*GATE, "C", "OOD", "leave_one_out_by_frame"): 1,
    (*GATE, "D", "OOD", "by_horizon", 0, "low"): [],
    (*GATE, "E", "VAL", "normal"): "x",
    (*SKILL, "VAL"): "x",
    (*SKILL, "gates", "frontier"): 1,
    (*SKILL, "OOD", "task_figure", "value"): "x",
    (*SKILL, "OOD", "rollout", 0, "horizon"): None,
    (*SKILL, "OOD", "by_coherence", 0, "from"): "x",
    (*SKILL, "OOD", "rankme", "model", "rankme"): "x",
    (*SKILL, "OOD", "frontier"): [1],
    (*SKILL, "retained"): "x",
    ("models", 0, "verdict"): "fine",
    ("models", 0, "name"): None,
    ("models", 0, "reasons"): "because",
    ("controls", 1, "unusual"): [1],
    ("controls", 1, "gates"): {},
    ("profile",): 1,
    ("task",): [],
    ("corpus",): "wiki",
    ("corpus", "path"): {},
    ("corpus", "fingerprint"): 5,
    ("corpus", "splits"): "VAL",
    ("corpus", "splits", "VAL"): 400,
    ("corpus", "splits", "VAL", "windows"): "400",
    ("audits",): 1,
    ("audits", 0): "x",
    ("audits", 0, "status"): 1,
    ("arguments",): "x",
    ("arguments", "given"): [1],
    ("arguments", "resolved"): 1,
    ("packages",): [1],
    ("revision",): "abc",
}


@pytest.mark.parametrize("place", WRONG, ids=lambda place: "/".join(map(str, place)))
def test_a_value_of_another_type_is_named_by_its_place(tmp_path, place):
    whole = copy.deepcopy(scorecard())
    whole["corpus"]["fingerprint"] = "ab"
    node = whole
    for key in place[:-1]:
        node = node[key]
    assert place[-1] in node if isinstance(node, dict) else True
    node[place[-1]] = WRONG[place]
    (tmp_path / "scorecard.json").write_text(json.dumps(whole))
    said = refusal(lambda: read_report(tmp_path), tmp_path / "scorecard.json")
    assert f"({'/'.join(map(str, place))}" in said


@pytest.mark.parametrize("place", [place for place in WRONG if place[-1] in ("passed", "gates", "metric", "verdict")])
def test_a_field_that_is_gone_is_named(tmp_path, place):
    whole = copy.deepcopy(scorecard())
    node = whole
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    (tmp_path / "scorecard.json").write_text(json.dumps(whole))
    said = refusal(lambda: read_report(tmp_path), tmp_path / "scorecard.json")
    assert f"({'/'.join(map(str, place[:-1])) or 'it'} has no '{place[-1]}')" in said


TEXTS = {
    "nested": ("[" * 100_000, "nested more than 64 levels deep"),
    "nested and closed": ('{"schema_version": 1, "x": ' + "[" * 200 + "]" * 200 + "}", "nested more than 64 levels"),
    "NaN": ('{"schema_version": 1, "x": NaN}', "NaN is no number of JSON"),
    "a key twice": ('{"schema_version": 1, "profile": "", "profile": "x"}', "key 'profile' stands twice"),
    "10,000 digits": ('{"schema_version": ' + "9" * 10_000 + "}", "cannot be read as JSON"),
    "version true": ('{"schema_version": true}', "schema version True is not 1"),
}


@pytest.mark.parametrize("fault", TEXTS)
def test_text_that_is_no_scorecard(tmp_path, fault):
    text, words = TEXTS[fault]
    (tmp_path / "scorecard.json").write_text(text)
    assert words in refusal(lambda: read_report(tmp_path), tmp_path / "scorecard.json")


def test_a_name_too_long_for_the_system_is_no_report(tmp_path):
    with pytest.raises(UserError, match="no such report"):
        read_report(tmp_path / ("x" * 5000))


@pytest.mark.parametrize("most", [10**15, 1e15])
def test_numbers_beyond_what_is_shown_are_refused_and_not_printed(tmp_path, most):
    whole, file = scorecard(), tmp_path / "scorecard.json"
    margin = whole["models"][0]["gates"]["A"]["VAL"]["margin"]
    for beyond in (most * 2, -2 * most):
        margin["value"] = beyond
        file.write_text(json.dumps(whole))
        assert "models/0/gates/A/VAL/margin/value: " in refusal(lambda: read_report(tmp_path), file)
    margin["value"] = most
    file.write_text(json.dumps(whole))
    render_terminal(read_report(tmp_path).scorecard, colour=False)


# samples

ROWS = 30


def columns():
    rng = np.random.default_rng(0)
    return {
        "article": np.arange(ROWS) // 5,
        "chunk": np.arange(ROWS) % 5,
        "cosine": rng.uniform(-1, 1, ROWS),
        "offset": rng.uniform(-1, 1, (ROWS, 7)),
        "offset_exists": np.ones(ROWS, dtype=bool),
        "rank": rng.integers(1, 9, (ROWS, 3)).astype(float),
        "pool_size": np.full((ROWS, 3), 9),
        "ablation": rng.uniform(-2, 2, (ROWS, 7)),
        "rollout": rng.uniform(-1, 1, (ROWS, 2)),
        "rollout_exists": np.ones(ROWS, dtype=bool),
        "leaked": np.zeros(ROWS, dtype=bool),
    }


KEYS = {f.name: f"VAL/{f.name}" for f in fields(Sampled)}


def write(path, arrays, packing=8):
    path.write_bytes(zip_of([(f"VAL/{name}.npy", npy(array)) for name, array in arrays.items()], packing))
    return path


def test_columns_are_read_as_they_were_written(tmp_path):
    file = write(tmp_path / "samples.npz", columns() | {"more": np.ones(3)})
    found = read_columns(file, KEYS)
    for name, array in columns().items():
        np.testing.assert_array_equal(getattr(found, name), array)


def test_undefined_metrics_are_read(tmp_path):
    empty = {name: np.full_like(values, np.nan) for name, values in columns().items() if values.dtype.kind == "f"}
    assert len(read_columns(write(tmp_path / "samples.npz", columns() | empty), KEYS)) == ROWS


SPOILT = {
    "text": ("cosine", lambda a: a.astype("U8"), "holds <U8 of shape (30,)"),
    "complex": ("offset", lambda a: a.astype(complex), "holds complex128"),
    "dates": ("rank", lambda a: a.astype("M8[s]"), "holds datetime64"),
    "objects": ("article", lambda a: a.astype(object), "needs pickle"),
    "one axis": ("offset", lambda a: a[:, 0], "of shape (30,)"),
    "no axis": ("cosine", lambda a: np.float64(1), "differ in length"),
    "a row less": ("cosine", lambda a: a[:-1], "differ in length"),
    "no columns": ("rollout", lambda a: a[:, :0], "has 0 columns and needs 1"),
    "few columns": ("ablation", lambda a: a[:, :4], "has 4 columns and needs 5"),
    "more pools": ("rank", lambda a: np.tile(a, 2), "of shape (30, 6)"),
    "flags as numbers": ("rollout_exists", lambda a: a.astype(int), "holds int64"),
    "infinity": ("cosine", lambda a: a + np.inf, "outside -1 to 1"),
    "1e300": ("rollout", lambda a: a * 1e300, "outside -1 to 1"),
    "infinite ranks": ("rank", lambda a: a + np.inf, "holds infinity"),
    "rank 0": ("rank", lambda a: a * 0, "outside 1 to inf"),
    "a negative pool": ("pool_size", lambda a: -a, "outside 0 to inf"),
    "articles as floats": ("article", lambda a: a * np.nan, "holds float64"),
    "past 2**63": ("chunk", lambda a: a.astype(np.uint64) + np.uint64(2**63), "beyond 2**63"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_column_of_another_kind_is_refused(tmp_path, fault):
    name, change, words = SPOILT[fault]
    with np.errstate(all="ignore"):
        arrays = columns() | {name: change(columns()[name])}
    file = write(tmp_path / "samples.npz", arrays)
    assert words in refusal(lambda: read_columns(file, KEYS), file)


def test_a_column_that_says_it_has_hundreds_of_megabytes_is_refused_unread(tmp_path):
    head = npy(np.zeros(1), shape="(40000000,)")[:-8]
    members = [(f"VAL/{name}.npy", npy(array)) for name, array in columns().items() if name != "cosine"]
    content = zip_of([("VAL/cosine.npy", head), *members], 8)
    file = tmp_path / "samples.npz"
    file.write_bytes(with_field(content, 0, "size", len(head) + 8 * 40_000_000))
    assert "where no more than 268435456 make sense" in refusal(lambda: read_columns(file, KEYS), file)


def test_a_bit_turned_over_in_a_stored_column_is_refused(tmp_path):
    file = write(tmp_path / "samples.npz", columns(), packing=0)
    body = columns()["cosine"].tobytes()
    begin = file.read_bytes().find(body)
    file.write_bytes(flipped(file.read_bytes(), begin, begin + len(body), np.random.default_rng(0)))
    assert "Bad CRC-32" in refusal(lambda: read_columns(file, KEYS), file)
