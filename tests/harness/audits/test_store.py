"""What is stored: numbered in order, of unit norm, as the record says, no window across a border."""

import dataclasses
import json

import numpy as np
import pytest
from settled import LENGTHS, SPLITS, articles_file, settle

from lvm_gates.harness.audits import AUDITS, contiguity, unit_norm, windows_match
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.worlds.world import synthesise


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


def test_a_number_that_repeats_or_goes_back_is_a_gap_too(make_corpus):
    found = contiguity(settle(make_corpus(LENGTHS, dim=8, splits=SPLITS, jumps={5: 0, 30: -2, 32: 3})))
    assert found.detail == "3 gaps in 4 articles; no window spans one"


def test_windows_that_are_no_run_fail_with_their_number(make_corpus):
    inputs = settle(make_corpus(LENGTHS, dim=8, splits=SPLITS))
    assert windows_match(dataclasses.replace(inputs, mismatched={"VAL": 0, "OOD": 0})).status == "pass"
    spoiled = dataclasses.replace(inputs, mismatched={"VAL": 0, "OOD": 7})
    found = windows_match(spoiled)
    assert found.status == "fail"
    assert "7 of OOD" in found.detail
    assert "VAL" not in found.detail


def test_vectors_that_are_not_of_unit_norm_are_said_to_be_normalised(tmp_path):
    stretched = unit_norm(settle(**articles_file(tmp_path / "a.npz", scale=3.0)))
    assert stretched.detail == "normalised on reading; norms are off by at most 2"
    assert unit_norm(settle(**articles_file(tmp_path / "b.npz"))).detail.startswith("stored at unit norm")


def test_a_corpus_changed_behind_its_record_fails(tmp_path):
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


def test_a_folder_without_a_fingerprint_is_not_checkable(make_corpus, tmp_path):
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS, folder=tmp_path / "corpus")
    record = json.loads((corpus.path / "corpus.json").read_text())
    del record["fingerprint"]
    (corpus.path / "corpus.json").write_text(json.dumps(record))
    found = AUDITS["fingerprint"](settle(corpus))
    assert found.status == "not checkable"
    assert found.blocks
    assert AUDITS["fingerprint"](settle(**articles_file(tmp_path / "a.npz"))).status == "pass"


@pytest.mark.parametrize(
    ("row", "scale", "how"), [(3, 1.009, "stored at"), (14, 0.985, "normalised"), (3, 1.015, "normalised")]
)
def test_one_vector_that_is_not_of_unit_norm_is_enough(make_corpus, row, scale, how):
    """A hundredth off is what no store of unit vectors is; row 3 is of VAL, 14 of OOD."""
    vectors = unit(np.random.default_rng(0).standard_normal((36, 8)))
    vectors[row] *= scale
    found = unit_norm(settle(make_corpus([12] * 3, vectors=vectors, splits=["VAL", "OOD", "TRAIN"])))
    assert found.detail.startswith(how)
    assert found.detail.endswith(f"norms are off by at most {abs(scale - 1):.2g}")


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([{"norms_off_by": 0.0}, {"norms_off_by": 0.02}], True),
        ([{"norms_off_by": 2}], True),
        ([{"norms_off_by": 0.01}], False),
        ([{"norms_off_by": "far"}, {}, 3], False),
        ("archive.npz", False),
    ],
)
def test_vectors_that_were_normalised_on_import_are_told(make_corpus, sources, said):
    found = unit_norm(settle(make_corpus(LENGTHS, splits=SPLITS, meta={"kind": "test", "sources": sources})))
    assert ("normalised on import" in found.detail) == said
