"""From arguments to windows: what is judged, what controls may learn from, and every way it can be wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.linear import fit_linear
from lvm_gates.harness.corpus.article_lists import parse_articles
from lvm_gates.harness.evaluation.session_data import (
    CorpusArguments,
    open_any,
    resolve,
    training_windows,
)
from lvm_gates.harness.results.model import CorpusRecord, SplitSize

DIM = 8


def settle(arguments, *, context=3, max_samples=1000, horizon=2, seed=0, **given):
    return resolve(arguments, context=context, max_samples=max_samples, horizon=horizon, seed=seed, **given)


def vectors(n, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((n, DIM))).astype(np.float32)


@pytest.fixture
def articles_npz(tmp_path):
    """articles_npz(lengths, name=..., fault=None, row=0): an original file whose article ids are 10, 11, 12 …"""

    def make(lengths, name="articles.npz", fault=None, row=0, seed=0):
        data = vectors(sum(lengths), seed)
        if fault is not None:
            data[row] = fault
        np.savez(
            tmp_path / name,
            embeddings=data,
            article_ids=np.repeat(np.arange(10, 10 + len(lengths)), lengths),
            chunk_indices=np.concatenate([np.arange(n) for n in lengths]),
        )
        return tmp_path / name

    return make


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 9)), min_size=1, max_size=6), st.booleans())
def test_ranges_mean_what_they_say_both_ends_included(parts, spaced):
    space = " " if spaced else ""
    text = f",{space}".join(f"{low}{space}-{space}{low + extra}" if extra else f"{low}" for low, extra in parts)
    expected = [i for low, extra in parts for i in range(low, low + extra + 1)]
    assert parse_articles(text, "--val-articles") == expected


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-3", "1--3", "1,,2", "1.5", "0-29;40", "1-2-3", "٣-x"])
def test_what_is_no_range_is_refused_with_its_option(text):
    with pytest.raises(UserError, match=r"--ood-articles=.*no article range; write ranges such as 0-29,40"):
        parse_articles(text, f"--ood-articles={text}")


def test_articles_of_a_file_are_split_by_id_and_the_rest_is_training(articles_npz):
    path = articles_npz([9, 8, 7, 10, 12])
    inputs = settle(CorpusArguments(articles_npz=path, val_articles="10,12", ood_articles="13"))
    assert inputs.corpus.splits.tolist() == ["VAL", "TRAIN", "VAL", "OOD", "TRAIN"]
    val, ood = inputs.evaluation["VAL"], inputs.evaluation["OOD"]
    assert val.windows.targets.tolist() == [3, 4, 5, 6, 7, 8, 20, 21, 22, 23]
    assert ood.windows.targets.tolist() == list(range(27, 34))
    assert val.articles.tolist() == [0, 2]
    assert inputs.training["VAL"][0].targets.tolist() == [*range(12, 17), *range(37, 46)]
    assert inputs.has_training_split
    assert training_windows(inputs) is inputs.training["OOD"]
    found = CorpusRecord.of(inputs).splits
    assert found["OOD"] == SplitSize(articles=1, chunks=10, windows=7, bank=found["OOD"].bank)
    assert found["VAL"] == SplitSize(articles=2, chunks=16, windows=10, bank=found["VAL"].bank)


def test_without_a_training_split_each_split_learns_from_the_other(articles_npz):
    path = articles_npz([9, 8, 7])
    inputs = settle(CorpusArguments(articles_npz=path, val_articles="10,12", ood_articles="11"))
    assert not inputs.has_training_split
    assert training_windows(inputs) == ()
    for judged, other in (("VAL", "OOD"), ("OOD", "VAL")):
        (learnt,) = inputs.training[judged]
        np.testing.assert_array_equal(learnt.targets, inputs.evaluation[other].windows.targets)
        assert not set(learnt.clusters) & set(inputs.evaluation[judged].articles)
    assert "other split" in inputs.training_note


def test_cross_fitting_learns_from_all_windows_of_the_other_split_not_from_the_sample(articles_npz):
    path = articles_npz([30, 30])
    inputs = settle(CorpusArguments(articles_npz=path, val_articles="10", ood_articles="11"), max_samples=5)
    assert len(inputs.evaluation["OOD"].windows) == 5
    assert len(inputs.training["VAL"][0]) == 27


def test_a_training_corpus_of_its_own_is_used_whole_or_by_its_training_split(make_corpus, articles_npz):
    judged = make_corpus([9, 9, 9], dim=DIM, splits=["VAL", "OOD", "TRAIN"])
    whole = articles_npz([6, 7])
    split = make_corpus([8, 8], dim=DIM, splits=["VAL", "TRAIN"], seed=4)
    inputs = settle(CorpusArguments(corpus=judged.path, train_corpus=(whole, split.path)))
    first, second = inputs.training["VAL"]
    assert first.targets.tolist() == [3, 4, 5, 9, 10, 11, 12]
    assert second.targets.tolist() == list(range(11, 16))
    assert inputs.training["VAL"] is inputs.training["OOD"]
    assert whole.name in inputs.training_note


def test_a_training_corpus_lends_no_articles_of_other_splits_and_none_too_short(make_corpus):
    """VAL and OOD articles of a corpus named for training are no training material, also where it has no other."""
    judged = make_corpus([9, 9], dim=DIM, splits=["VAL", "OOD"])
    short = make_corpus([3, 2], dim=DIM, splits="")
    whole = make_corpus([9, 9], dim=DIM, splits="", seed=5)
    inputs = settle(CorpusArguments(corpus=judged.path, train_corpus=(judged.path, short.path, whole.path)))
    (part,) = inputs.training["VAL"]
    assert part.corpus.path == whole.path
    assert fit_linear(inputs.training["VAL"], 0).model.windows == len(part) == 12
    with pytest.raises(UserError, match="no article of 4 chunks"):
        settle(CorpusArguments(corpus=judged.path, train_corpus=(judged.path,)))


def test_sampling_limits_each_split_and_follows_the_seed(make_corpus):
    corpus = make_corpus([60, 60, 40], dim=DIM, splits=["VAL", "OOD", "TRAIN"])
    sets = [settle(CorpusArguments(corpus=corpus.path), max_samples=20, seed=s).evaluation for s in (0, 0, 1)]
    for split in ("VAL", "OOD"):
        one, same, other = (s[split].windows.targets for s in sets)
        assert len(one) == 20
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
    head = settle(CorpusArguments(corpus=corpus.path), max_samples=20, first_in_file=True).evaluation["OOD"]
    assert head.windows.targets.tolist() == list(range(63, 83))


def test_the_pool_is_the_whole_split_whatever_the_sample(make_corpus):
    corpus = make_corpus([60, 60, 40], dim=DIM, splits=["VAL", "OOD", "TRAIN"])
    evaluation = settle(CorpusArguments(corpus=corpus.path), max_samples=3).evaluation["OOD"]
    assert evaluation.rows.tolist() == list(range(60, 120))


def write_sequences(path, corpus, article, context=3, shift=0):
    first = int(corpus.starts[article])
    targets = np.arange(first + context, first + int(corpus.lengths[article]) - 1)
    np.savez(
        path,
        contexts=corpus.vectors(targets[:, None] + np.arange(-context, 0)),
        targets=corpus.vectors(targets + shift),
        article_ids=np.full(len(targets), corpus.article_ids[article]),
        target_indices=corpus.chunk_index[targets],
    )
    return path


def test_sequence_files_name_the_windows_and_leave_the_rest_for_training(articles_npz, tmp_path):
    store = articles_npz([9, 8, 12])
    corpus = open_any(store)
    val, ood = write_sequences(tmp_path / "v.npz", corpus, 2), write_sequences(tmp_path / "o.npz", corpus, 0)
    inputs = settle(CorpusArguments(articles_npz=store, val_npz=val, ood_npz=ood))
    assert inputs.evaluation["VAL"].windows.targets.tolist() == list(range(20, 28))
    assert inputs.evaluation["OOD"].windows.targets.tolist() == list(range(3, 8))
    assert inputs.corpus.splits.tolist() == ["OOD", "TRAIN", "VAL"]
    assert inputs.evaluation["VAL"].windows.corpus is inputs.corpus
    assert inputs.mismatched == {"VAL": 0, "OOD": 0}
    assert set(inputs.training["VAL"][0].clusters) == {1}


def test_sequences_of_another_context_length_are_refused_with_the_length(articles_npz, tmp_path):
    store = articles_npz([9, 8, 12])
    corpus = open_any(store)
    val, ood = (write_sequences(tmp_path / f"{a}.npz", corpus, a, context=4) for a in (0, 2))
    with pytest.raises(UserError, match=r"4 context frames.*--context=4"):
        settle(CorpusArguments(articles_npz=store, val_npz=val, ood_npz=ood), context=3)
    settle(CorpusArguments(articles_npz=store, val_npz=val, ood_npz=ood), context=4)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no corpus: name one with --corpus"),
        ({"corpus": "C", "articles_npz": "A"}, "--corpus and --articles-npz both name"),
        ({"val_npz": "A"}, "--val-npz and --ood-npz need --articles-npz"),
        ({"corpus": "C", "val_npz": "A", "ood_npz": "A"}, "--val-npz and --ood-npz need --articles-npz"),
        ({"val_articles": "0-1", "ood_articles": "2"}, "need --articles-npz or --corpus"),
        ({"articles_npz": "A"}, "no VAL articles are named; add --val-articles .ids run from 10 to 13"),
        ({"articles_npz": "A", "val_articles": "10"}, "no OOD articles are named; add --ood-articles"),
        ({"articles_npz": "A", "val_articles": "10-11", "ood_articles": "11-12"}, "article 11 is in both VAL and OOD"),
        ({"articles_npz": "A", "val_articles": "0-3", "ood_articles": "11"}, "no article of the VAL split is in"),
        ({"articles_npz": "A", "val_articles": "10", "ood_articles": "50-60"}, "no article of the OOD split"),
        ({"articles_npz": "A", "val_articles": "x", "ood_articles": "11"}, "--val-articles=x: 'x' is no article range"),
        ({"articles_npz": "A", "val_articles": "13", "ood_articles": "11"}, "no VAL article .* longest has 3"),
        ({"articles_npz": "A", "ood_npz": "A"}, "--val-npz is missing"),
        ({"articles_npz": "A", "val_articles": "10", "val_npz": "A", "ood_npz": "A"}, "both name the windows"),
        ({"corpus": "none"}, "no such corpus folder"),
        ({"corpus": "none.npz", "val_articles": "1", "ood_articles": "2"}, "no such NPZ file"),
        ({"corpus": "C", "train_corpus": ("short",)}, "no article of 4 chunks"),
        ({"corpus": "C", "train_corpus": ("wide",)}, "9 dimensions where .* has 8"),
        ({"corpus": "unsplit"}, "no VAL articles; its 2 articles cannot be split in three"),
    ],
)  # fmt: skip
def test_every_bad_argument_is_one_sentence(articles_npz, make_corpus, tmp_path, given, words):
    places = {
        "A": articles_npz([9, 8, 7, 3]),
        "C": make_corpus([9, 9, 9], dim=DIM, splits=["VAL", "OOD", "TRAIN"]).path,
        "none": tmp_path / "none",
        "none.npz": tmp_path / "none.npz",
        "short": make_corpus([3, 3], dim=DIM, splits="TRAIN").path,
        "wide": make_corpus([9, 9], dim=9, splits="TRAIN").path,
        "unsplit": make_corpus([9, 9], dim=DIM, splits="").path,
    }

    def place(value):
        return tuple(places[v] for v in value) if isinstance(value, tuple) else places.get(value, value)

    with pytest.raises(UserError, match=words) as raised:
        settle(CorpusArguments(**{name: place(value) for name, value in given.items()}))
    assert "\n" not in str(raised.value)


def test_too_short_counts_the_target(make_corpus):
    lengths, splits = [4, 4, 4], ["VAL", "OOD", "TRAIN"]
    enough = make_corpus(lengths, dim=DIM, splits=splits)
    assert len(settle(CorpusArguments(corpus=enough.path), context=3).evaluation["VAL"].windows) == 1
    with pytest.raises(UserError, match="the longest has 4 chunks and a window needs 5 in a row"):
        settle(CorpusArguments(corpus=enough.path), context=4)


@pytest.mark.parametrize("fault", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize(
    ("row", "name"), [(2, "chunk 2 of article 10"), (12, "chunk 3 of article 11"), (19, "chunk 2 of article 12")]
)
def test_a_vector_without_direction_is_found_in_every_split(articles_npz, fault, row, name):
    """Row 2 is of VAL, row 12 of OOD, row 19 of what the ridge control learns from."""
    path = articles_npz([9, 8, 7], fault=fault, row=row)
    with pytest.raises(UserError, match=name):
        settle(CorpusArguments(articles_npz=path, val_articles="10", ood_articles="11"))


def test_a_bad_vector_that_no_one_reads_does_not_matter(make_corpus):
    data = vectors(36)
    data[30] = np.nan
    corpus = make_corpus([9, 9, 9, 9], vectors=data, splits=["VAL", "OOD", "TRAIN", ""])
    settle(CorpusArguments(corpus=corpus.path))


def test_the_fallback_serves_only_where_nothing_is_named(make_corpus):
    fallback = make_corpus([9, 9, 9], dim=DIM, splits=["VAL", "OOD", "TRAIN"])
    other = make_corpus([12, 9, 9], dim=DIM, splits=["VAL", "OOD", "TRAIN"])
    assert settle(CorpusArguments(), fallback=fallback).corpus is fallback
    assert settle(CorpusArguments(corpus=other.path), fallback=fallback).corpus.path == other.path


def test_ranges_over_a_folder_replace_its_splits(make_corpus):
    corpus = make_corpus([9, 9, 9, 9], dim=DIM, splits=["TRAIN", "VAL", "OOD", "TRAIN"])
    inputs = settle(CorpusArguments(corpus=corpus.path, val_articles="0", ood_articles="3"))
    assert inputs.corpus.splits.tolist() == ["VAL", "TRAIN", "TRAIN", "OOD"]
