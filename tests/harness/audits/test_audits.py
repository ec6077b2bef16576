"""All audits together: sound corpora pass them, faults block, and what only describes stands in nobody's way."""

import pytest
from settled import LENGTHS, SPLITS, articles_file, settle

from lvm_gates.harness.audits import AUDITS, audit, disjoint_articles
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.worlds.world import synthesise


def test_a_sound_corpus_passes_every_audit(make_corpus):
    found = audit(settle(make_corpus([12] * 30, dim=8, splits=["VAL", "OOD", "TRAIN"] * 10)))
    assert [a.name for a in found] == list(AUDITS)
    assert {a.status for a in found} == {"pass"}


def test_the_leaky_world_fails_and_blocks_every_model(tmp_path, make_run):
    leaky = synthesise("leaky", tmp_path / "leaky", articles=40, dim=8)
    clean = synthesise("arrow", tmp_path / "arrow", articles=40, dim=8)
    assert disjoint_articles(settle(leaky, context=5)).status == "fail"
    assert disjoint_articles(settle(clean, context=5)).status == "pass"
    run = make_run(leaky)
    assert any("data audit disjoint articles: fail; 2 of VAL also in TRAIN" in r for r in run.outside_reasons)
    assert isinstance(run, GateRun)
    assert isinstance(run.settings, Settings)
    assert run.settings.profile == load_profile("5cat")


DESCRIBING = {
    "duplicate chunks",
    "coherence",
    "position to target",
    "temporal signal",
    "lag curve",
    "train against val",
    "arrow of time",
}


def test_audits_without_a_threshold_are_not_required(make_corpus):
    for lengths in (LENGTHS, [12, 0, 13, 0, 11, 0]):  # measured, and with one article a split
        kept = [i for i, length in enumerate(lengths) if length]
        corpus = make_corpus([lengths[i] for i in kept], dim=8, splits=[SPLITS[i] for i in kept])
        assert {a.name for a in audit(settle(corpus)) if not a.required} == DESCRIBING


def test_a_session_without_training_is_not_blocked_by_what_describes(make_corpus, make_run):
    """Controls are cross-fitted there; the comparison with training is named as missing and stands in nobody's way."""
    run = make_run(make_corpus([30] * 10, dim=8, splits=["VAL"] * 5 + ["OOD"] * 5))
    assert {a.name for a in run.audits if a.status != "pass"} == {"train against val", "leaked windows"}
    assert not [reason for reason in run.outside_reasons if "audit" in reason]
    (found,) = [a for a in run.audits if a.name == "train against val"]
    assert (found.status, found.required) == ("not checkable", False)
    assert "blocks nothing" in found.detail


def test_a_required_audit_that_cannot_look_blocks(tmp_path, make_run):
    """An NPZ without chunk indices: the original audit printed zero errors for it."""
    given = articles_file(tmp_path / "a.npz", with_index=False, lengths=(30,) * 6)
    spans = {"val_articles": "0-1", "ood_articles": "2-3"}
    inputs = settle(**given | spans, context=5)
    run = GateRun(Settings((), load_profile("5cat"), "frontier", "strict", 0, 256), inputs, [], tmp_path)
    assert any("data audit contiguity: not checkable" in reason for reason in run.outside_reasons)


@pytest.mark.parametrize("world", ["arrow", "wiki", "reversed", "shuffled"])
def test_honest_worlds_pass_every_audit(tmp_path, world):
    corpus = synthesise(world, tmp_path / world, articles=60, dim=16)
    found = audit(settle(corpus, context=5))
    assert {one.name: one.status for one in found} == dict.fromkeys(AUDITS, "pass")
    for one in found:
        for metric in one.metrics.values():
            assert metric.n > 0
            assert metric.low <= metric.value <= metric.high
