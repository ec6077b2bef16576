"""What is found about windows before any model is asked, and what the audits of a session say."""

from dataclasses import replace

import numpy as np
import pytest

from lvm_gates.harness.audits import Audit
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.judging import auditing, findings
from lvm_gates.harness.judging.auditing import Auditing
from lvm_gates.harness.judging.findings import Findings
from lvm_gates.harness.leaks.record import TrainingRecord


@pytest.fixture(scope="module")
def inputs(make_run, make_corpus):
    """Two articles a split; the last chunk of VAL's first article, row 23, is a training chunk."""
    corpus = make_corpus([12] * 6, splits=["TRAIN", "VAL", "OOD"] * 2, copies={23: 5})
    return make_run(corpus, context=3, horizon=2).inputs


def leaks_in(inputs):
    """Window 0 of VAL in TRAIN, window 1 of OOD in VAL, and window 2 of OOD twice in OOD."""
    masks = {split: np.zeros(len(one.windows), dtype=bool) for split, one in inputs.evaluation.items()}
    places = {("VAL", "TRAIN"): 0, ("OOD", "VAL"): 1, ("OOD", "OOD"): 2}
    return Leaks({(own, where): np.arange(len(masks[own])) == place for (own, where), place in places.items()}, {})


@pytest.fixture
def found(inputs, tmp_path):
    return Findings(replace(inputs, known_leaks=leaks_in(inputs)), published=False, folder=tmp_path)


def test_leaked_windows_are_searched_once_and_left_out(inputs, found, tmp_path):
    assert {split: np.flatnonzero(mask).tolist() for split, mask in found.left_out.items()} == {"VAL": [0], "OOD": [1]}
    assert found.searching.what == "leaked windows among 24 training chunks"
    none = {pair: np.zeros_like(mask) for pair, mask in found.leaks.found.items()}
    again = Findings(replace(inputs, known_leaks=Leaks(none, {})), published=False, folder=tmp_path)
    assert again.leaks.found["VAL", "TRAIN"][0], "another process reads what this one found"


def test_the_original_protocol_leaves_no_window_out(inputs, found, tmp_path):
    old = Findings(replace(inputs, known_leaks=leaks_in(inputs)), published=True, folder=tmp_path)
    assert old.left_out.keys() == set(JUDGED)
    for split, mask in old.left_out.items():
        assert mask.shape == (len(inputs.evaluation[split].windows),)
        assert not mask.any()


def test_targets_that_nearly_equal_a_training_chunk_are_found_once(inputs, found, monkeypatch):
    targets = {split: inputs.evaluation[split].windows.targets for split in JUDGED}
    assert (found.near_duplicates_of("VAL") == (targets["VAL"] == 23)).all()
    assert not found.near_duplicates_of("OOD").any()
    monkeypatch.setattr(findings, "cached_near_duplicates", None)
    assert found.near_duplicates_of("VAL").sum() == 1


def test_what_a_model_says_it_was_trained_on_is_asked_once_a_split(inputs, found, as_named, monkeypatch):
    told = replace(as_named(Ewma(0.5), "told"), trained_on=TrainingRecord((), True))
    asked = []

    def search(record, evaluation):
        asked.append((record, evaluation.split))
        return np.arange(len(evaluation.windows)) == (0 if evaluation.split == "VAL" else 3)

    monkeypatch.setattr(findings, "recorded_leaks", search)
    for _ in range(2):
        assert {s: np.flatnonzero(found.recorded(told, s)).tolist() for s in JUDGED} == {"VAL": [0], "OOD": [3]}
    assert asked == [(told.trained_on, split) for split in JUDGED]
    assert found.asking(told, "VAL").file != found.asking(as_named(Ewma(0.5), "other"), "VAL").file


def test_audits_are_made_once_in_order_and_those_that_ask_for_leaks_get_them(inputs, found, tmp_path, monkeypatch):
    seen = {}

    def audit(name):
        def run(given):
            seen.setdefault(name, []).append(given.known_leaks is not None)
            return Audit(name, "pass", "", {})

        return run

    monkeypatch.setattr(auditing, "AUDITS", {name: audit(name) for name in ("unit norm", "leaked windows")})
    made = Auditing(inputs, found, {"my own": audit("my own")}, tmp_path)
    assert list(made.auditors) == ["unit norm", "leaked windows", "my own"]
    assert [one.name for one in made.audits] == ["unit norm", "leaked windows", "my own"]
    assert [piece.what for piece in made.pieces()] == ["audit unit norm", "audit leaked windows", "audit my own"]
    assert [one.name for one in Auditing(inputs, found, {}, tmp_path).audits] == ["unit norm", "leaked windows"]
    assert seen == {"unit norm": [False], "leaked windows": [True], "my own": [False]}


@pytest.mark.parametrize(
    ("returned", "called"), [(Audit("unit norm", "pass", "", {}), "'unit norm'"), (None, "NoneType")]
)
def test_what_an_audit_from_outside_returns_is_an_audit_of_its_name(
    returned, called, inputs, found, tmp_path, monkeypatch
):
    monkeypatch.setattr(auditing, "AUDITS", {})
    with pytest.raises(UserError, match=f"audit 'mine' returned {called}; it must return an Audit of its own name"):
        Auditing(inputs, found, {"mine": lambda given: returned}, tmp_path).audits  # noqa: B018 - read, it is made
