"""Each audit fails on its fault, passes without it, and says "not checkable" where it cannot see."""

import dataclasses

import numpy as np
import pytest

from harness.audits import AUDITS, audit, coherence, contiguity, disjoint_articles, temporal_signal, unit_norm
from harness.inputs import CorpusArguments, resolve
from harness.predictor import unit
from harness.profile import load_profile
from harness.run import GateRun, Settings
from harness.worlds import synthesise

SPLITS = ["VAL", "VAL", "OOD", "OOD", "TRAIN", "TRAIN"]
LENGTHS = [12, 13, 14, 12, 11, 12]


def settle(corpus=None, context=3, **given):
    arguments = CorpusArguments(corpus=None if corpus is None else corpus.path, **given)
    return resolve(arguments, context=context, max_samples=1000, horizon=2, seed=0)


def status(inputs):
    return {a.name: a.status for a in audit(inputs)}


def test_a_sound_corpus_passes_every_audit(make_corpus):
    found = audit(settle(make_corpus(LENGTHS, dim=8, splits=SPLITS)))
    assert [a.name for a in found] == list(AUDITS)
    assert {a.status for a in found} == {"pass"}


def test_an_article_in_train_and_val_is_found_by_content(make_corpus):
    vectors = unit(np.random.default_rng(0).standard_normal((sum(LENGTHS), 8)))
    starts = np.cumsum([0, *LENGTHS])
    vectors[starts[5] : starts[6]] = vectors[starts[0] : starts[1]]  # the same twelve chunks under another id
    found = disjoint_articles(settle(make_corpus(LENGTHS, vectors=vectors, splits=SPLITS)))
    assert found.status == "fail"
    assert found.detail == "1 of VAL also in TRAIN (article 0, for one)"


@pytest.mark.parametrize(("one", "other", "words"), [(0, 3, "1 of OOD also in VAL"), (3, 5, "1 of OOD also in TRAIN")])
def test_the_other_pairs_of_splits_are_compared_too(make_corpus, one, other, words):
    vectors = unit(np.random.default_rng(0).standard_normal((sum(LENGTHS), 8)))
    starts = np.cumsum([0, *LENGTHS])
    vectors[starts[other] : starts[other + 1]] = vectors[starts[one] : starts[one] + LENGTHS[other]]
    found = disjoint_articles(settle(make_corpus(LENGTHS, vectors=vectors, splits=SPLITS)))
    assert found.status == "fail"
    assert words in found.detail


def test_a_copy_of_lower_precision_in_another_corpus_is_found(make_corpus):
    judged = make_corpus(LENGTHS, dim=8, splits=SPLITS)
    copy = make_corpus([12], vectors=judged.raw(np.arange(12)), splits="", dtype="float16")
    assert disjoint_articles(settle(judged, train_corpus=(copy.path,))).status == "fail"
    other = make_corpus([12], dim=8, seed=9, splits="", dtype="float16")
    assert disjoint_articles(settle(judged, train_corpus=(other.path,))).status == "pass"


def test_a_training_corpus_counts_by_its_training_split(make_corpus):
    """Named for training, the corpus lends its TRAIN articles only; its VAL articles leak nothing."""
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS)
    found = disjoint_articles(settle(corpus, train_corpus=(corpus.path,)))
    assert found.status == "pass"
    assert "2 TRAIN" in found.detail


def test_the_leaky_world_fails_and_blocks_every_model(tmp_path, make_run):
    leaky = synthesise("leaky", tmp_path / "leaky", articles=40, dim=8)
    clean = synthesise("arrow", tmp_path / "arrow", articles=40, dim=8)
    assert disjoint_articles(settle(leaky, context=5)).status == "fail"
    assert disjoint_articles(settle(clean, context=5)).status == "pass"
    run = make_run(leaky)
    assert any("data audit disjoint articles: fail; 2 of VAL also in TRAIN" in r for r in run.outside_reasons)
    assert isinstance(run, GateRun)
    assert isinstance(run.settings, Settings)
    assert run.settings.profile is load_profile("5cat")


def articles_file(path, with_index=True, lengths=(12, 12, 12), scale=1.0, drop=()):
    n = sum(lengths)
    arrays = {
        "embeddings": (scale * unit(np.random.default_rng(0).standard_normal((n, 8)))).astype(np.float32),
        "article_ids": np.repeat(np.arange(len(lengths)), lengths),
        "chunk_indices": np.concatenate([np.arange(k) for k in lengths]),
    }
    kept = np.setdiff1d(np.arange(n), drop)
    arrays = {name: values[kept] for name, values in arrays.items()}
    if not with_index:
        del arrays["chunk_indices"]
    np.savez(path, **arrays)
    return {"articles_npz": path, "val_articles": "0", "ood_articles": "1"}


def test_contiguity_is_not_checkable_without_chunk_indices(tmp_path):
    without = contiguity(settle(**articles_file(tmp_path / "a.npz", with_index=False)))
    assert without.status == "not checkable"
    assert "no chunk indices" in without.detail
    assert contiguity(settle(**articles_file(tmp_path / "b.npz"))).status == "pass"


def test_gaps_are_counted_where_they_are(tmp_path):
    found = contiguity(settle(**articles_file(tmp_path / "a.npz", drop=[5, 6, 15, 30])))
    # Rows 5 and 6 are one gap of article 0, row 15 one of article 1, row 30 lies in training.
    assert found.detail == "2 gaps in 2 articles; no window spans one"
    assert contiguity(settle(**articles_file(tmp_path / "b.npz"))).detail == "0 gaps in 2 articles"


def test_windows_that_are_no_run_fail_with_their_number(make_corpus):
    inputs = settle(make_corpus(LENGTHS, dim=8, splits=SPLITS))
    assert status(dataclasses.replace(inputs, mismatched={"VAL": 0, "OOD": 0}))["windows"] == "pass"
    spoiled = dataclasses.replace(inputs, mismatched={"VAL": 0, "OOD": 7})
    (found,) = [a for a in audit(spoiled) if a.name == "windows"]
    assert found.status == "fail"
    assert "7 of OOD" in found.detail
    assert "VAL" not in found.detail


def test_vectors_that_are_not_of_unit_norm_are_said_to_be_normalised(tmp_path):
    stretched = unit_norm(settle(**articles_file(tmp_path / "a.npz", scale=3.0)))
    assert stretched.detail == "normalised on reading; norms are off by at most 2"
    assert unit_norm(settle(**articles_file(tmp_path / "b.npz"))).detail.startswith("stored at unit norm")


def test_coherence_and_random_pairs_are_means_over_the_pairs_they_name(make_corpus):
    corpus = make_corpus(LENGTHS, dim=4, splits=SPLITS, jumps={5: 2})
    found = coherence(settle(corpus)).figures
    x = unit(corpus.vectors(np.arange(corpus.size)))
    pairs = [(i, i + 1) for i in range(24) if i + 1 != 5 and i + 1 != 12]
    assert found["adjacent VAL"].value == pytest.approx(np.mean([x[a] @ x[b] for a, b in pairs]), abs=1e-6)
    assert found["adjacent VAL"].n == len(pairs) == 22
    assert 0 < found["random pair VAL"].n <= 25


def test_random_pairs_come_from_different_articles(make_corpus):
    """Two articles of one constant each: adjacent cosine 1, random pair 0."""
    vectors = np.repeat(np.eye(6), LENGTHS, axis=0)
    found = coherence(settle(make_corpus(LENGTHS, vectors=vectors, splits=SPLITS))).figures
    for split in ("VAL", "OOD"):
        assert found[f"adjacent {split}"].value == pytest.approx(1)
        assert found[f"random pair {split}"].value == pytest.approx(0)


def test_temporal_signal_is_last_less_first_frame(make_corpus):
    corpus = make_corpus(LENGTHS, dim=5, splits=SPLITS)
    inputs = settle(corpus)
    x = unit(corpus.vectors(np.arange(corpus.size)))
    for split, found in temporal_signal(inputs).figures.items():
        targets = inputs.evaluation[split].windows.targets
        expected = np.mean([x[t - 1] @ x[t] - x[t - 3] @ x[t] for t in targets])
        assert found.value == pytest.approx(expected, abs=1e-6)
        assert found.n == len(targets)


def test_a_corpus_changed_behind_its_record_fails(tmp_path):
    from harness.worlds import synthesise

    corpus = synthesise("arrow", tmp_path / "c", articles=20, dim=8)
    inputs = resolve(CorpusArguments(corpus=corpus.path), context=5, max_samples=50, horizon=2, seed=0)
    assert AUDITS["fingerprint"](inputs).status == "pass"
    vectors = np.load(corpus.path / "vectors.npy")
    vectors[3] = -vectors[3]
    np.save(corpus.path / "vectors.npy", vectors)
    inputs = resolve(CorpusArguments(corpus=corpus.path), context=5, max_samples=50, horizon=2, seed=0)
    found = AUDITS["fingerprint"](inputs)
    assert found.status == "fail"
    assert "not what its corpus.json records" in found.detail
