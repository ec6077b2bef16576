"""Metrics belong to the windows: not to their order, their batches, the names of articles, or the company they keep."""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import asdict

from lvm_gates.harness.base.record import Record
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.judging.gates import statistics_of

LENGTHS = [20, 9, 31, 14, 25, 17]
SPLITS = ["VAL", "OOD", "OOD", "VAL", "VAL", "OOD"]
PER_WINDOW = (
    "rows",
    "clusters",
    "cosine",
    "coherence",
    "nearest_context",
    "nearest_reference",
    "offset",
    "offset_exists",
    "rank",
    "pool_size",
    "ablation",
    "cross_exists",
    "rollout",
    "rollout_exists",
    "finite",
)


@pytest.fixture(scope="module")
def corpus(make_corpus):
    return make_corpus(LENGTHS, dim=8, splits=SPLITS, jumps={40: 3}, copies={50: 45})


@pytest.fixture(scope="module")
def watch(as_named, scrambler, make_set):
    def run(corpus, batch_size=256, pick=None):
        observed = {}
        for split in ("VAL", "OOD"):
            evaluation = make_set(corpus, split, context=4, horizon=3)
            if pick is not None:
                evaluation = dataclasses.replace(
                    evaluation, windows=evaluation.windows.take(pick(len(evaluation.windows)))
                )
            observed[split] = observe(as_named(scrambler(4, 8)), evaluation, batch_size=batch_size)
        return observed

    return run


@pytest.fixture(scope="module")
def reference(watch, corpus):
    return watch(corpus)


def assert_same_metrics(one, other):
    """Every leaf of two trees of statistics agrees."""
    if isinstance(one, Record):
        assert_same_metrics(asdict(one), asdict(other))
    elif isinstance(one, int | float) and not isinstance(one, bool):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same_metrics(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_same_metrics(a, b)
    else:
        assert one == other


def assert_same_windows(one, other):
    for split in ("VAL", "OOD"):
        for name in PER_WINDOW:
            a, b = getattr(one[split], name), getattr(other[split], name)
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9, err_msg=f"{split} {name}")


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_the_batch_size_changes_nothing(watch, corpus, reference, batch_size):
    found = watch(corpus, batch_size=batch_size)
    assert_same_windows(found, reference)
    assert_same_metrics(statistics_of(found), statistics_of(reference))


@pytest.mark.parametrize("chunk", [1, 5, 16, 33])
def test_the_number_of_windows_in_hand_changes_nothing(watch, corpus, reference, monkeypatch, chunk):
    monkeypatch.setattr("lvm_gates.harness.evaluation.observe.CHUNK", chunk)
    found = watch(corpus, batch_size=1)
    assert_same_windows(found, reference)
    np.testing.assert_allclose(found["VAL"].spread, reference["VAL"].spread, atol=1e-6)
    assert_same_metrics(statistics_of(found), statistics_of(reference))


def test_the_order_of_windows_changes_nothing(watch, corpus, reference):
    found = watch(corpus, pick=lambda n: np.random.default_rng(n).permutation(n))
    assert not np.array_equal(found["VAL"].rows, reference["VAL"].rows)
    assert_same_metrics(statistics_of(found), statistics_of(reference))


def test_a_window_is_observed_alike_alone_and_in_company(watch, corpus, reference):
    found = watch(corpus, pick=lambda n: np.arange(0, n, 3))
    for split in ("VAL", "OOD"):
        assert len(found[split]) < len(reference[split])
        for name in PER_WINDOW:
            whole = getattr(reference[split], name)[::3]
            np.testing.assert_allclose(getattr(found[split], name), whole, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("ids", [[50, 40, 30, 20, 10, 0], [7, 1_000_000_007, 3, 12, 5, 9]])
def test_the_names_of_articles_change_nothing(watch, make_corpus, corpus, reference, ids):
    renamed = make_corpus(
        LENGTHS, vectors=np.array(corpus.stored), splits=SPLITS, jumps={40: 3}, article_ids=np.array(ids)
    )
    found = watch(renamed)
    assert_same_windows(found, reference)
    assert_same_metrics(statistics_of(found), statistics_of(reference))


def test_the_seed_moves_random_choices_and_nothing_else(make_set, as_named, scrambler, corpus):
    first, second = (
        observe(as_named(scrambler(4, 8)), make_set(corpus, context=4, horizon=3, seed=s), batch_size=64)
        for s in (0, 1)
    )
    np.testing.assert_array_equal(first.cosine, second.cosine)
    np.testing.assert_array_equal(first.rank, second.rank)
    assert (first.ablation[:, 0] != second.ablation[:, 0]).mean() > 0.5
    np.testing.assert_array_equal(first.ablation[:, 1:-1], second.ablation[:, 1:-1])
    assert (first.ablation[:, -1] != second.ablation[:, -1]).mean() > 0.5


def test_scaling_a_stored_corpus_changes_no_metric(watch, make_corpus, corpus, reference):
    scale = np.random.default_rng(0).uniform(0.5, 3, size=len(corpus.stored))
    scale[50] = scale[45]  # the two equal chunks stay equal
    scaled = make_corpus(LENGTHS, vectors=np.array(corpus.stored) * scale[:, None], splits=SPLITS, jumps={40: 3})
    found = watch(scaled)
    for split in ("VAL", "OOD"):
        np.testing.assert_allclose(found[split].cosine, reference[split].cosine, atol=1e-5)
        np.testing.assert_array_equal(found[split].rank, reference[split].rank)
