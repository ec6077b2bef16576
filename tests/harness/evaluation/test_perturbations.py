"""What a spoiled context looks like, and that every random choice belongs to the window alone."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.evaluation.perturbations import ablate, ablation_names, donor_rows, has_donor, permutations
from lvm_gates.harness.judging.control_checks import EXPECTATIONS
from lvm_gates.harness.judging.judge import judge_gate
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.statistics import ablation_effects
from lvm_gates.harness.statistics.split import BySplit


@given(
    rows=st.lists(st.integers(0, 2**40), min_size=1, max_size=50),
    length=st.integers(2, 7),
    seed=st.integers(0, 2**32),
)
def test_shuffles_are_permutations_and_never_the_identity(rows, length, seed):
    for order in permutations(np.array(rows), length, seed):
        assert sorted(order) == list(range(length))
        assert list(order) != list(range(length))


def test_every_permutation_but_the_identity_is_equally_likely():
    found = permutations(np.arange(12_000), 3, seed=0)
    names, counts = np.unique(found, axis=0, return_counts=True)
    assert len(names) == 5
    # Binomial(12000, 1/5) has a standard deviation of 44; four of them.
    assert np.abs(counts - 2400).max() < 176


def test_a_context_of_one_frame_has_nothing_to_shuffle():
    assert permutations(np.arange(4), 1, 0).tolist() == [[0]] * 4


def test_choices_belong_to_the_row_and_the_seed_alone():
    rows = np.arange(200)
    order = permutations(rows, 5, 1)
    mixed = np.random.default_rng(0).permutation(200)
    np.testing.assert_array_equal(permutations(rows[mixed], 5, 1), order[mixed])
    np.testing.assert_array_equal(permutations(rows[70:71], 5, 1)[0], order[70])
    assert (permutations(rows, 5, 2) != order).any(axis=1).mean() > 0.9


@given(
    lengths=st.lists(st.integers(2, 12), min_size=2, max_size=6), seed=st.integers(0, 1000), context=st.integers(1, 4)
)
def test_donors_come_from_another_article_of_the_same_split(make_corpus, make_set, lengths, seed, context):
    splits = ["VAL" if i % 2 == 0 else "OOD" for i in range(len(lengths))]
    corpus = make_corpus(lengths, dim=2, splits=splits)
    evaluation = make_set(corpus, context=context, seed=seed)
    donors = donor_rows(evaluation.windows, evaluation.rows, seed)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    several = splits.count("VAL") > 1
    np.testing.assert_array_equal(has_donor(evaluation.windows, evaluation.rows), np.full(len(donors), several))
    for target, donor in zip(evaluation.windows.targets, donors, strict=True):
        assert splits[owner[donor]] == "VAL"
        assert (owner[donor] != owner[target]) == several


def test_every_foreign_chunk_is_drawn_about_equally_often(make_corpus, make_set):
    corpus = make_corpus([1000, 3, 1000, 2], dim=2, splits=["VAL", "VAL", "OOD", "VAL"])
    evaluation = make_set(corpus, context=2)
    windows = evaluation.windows.take(slice(0, 998))
    rows, counts = np.unique(donor_rows(windows, evaluation.rows, 0), return_counts=True)
    assert rows.tolist() == [1000, 1001, 1002, 2003, 2004]
    assert np.abs(counts - 998 / 5).max() < 4 * np.sqrt(998 * 0.2 * 0.8)


def test_an_article_of_the_middle_and_the_last_get_donors_from_both_sides(make_corpus, make_set):
    corpus = make_corpus([300, 300, 300], dim=2)
    evaluation = make_set(corpus, context=2)
    donors = donor_rows(evaluation.windows, evaluation.rows, 0)
    for article, others in enumerate(({1, 2}, {0, 2}, {0, 1})):
        mine = donors[evaluation.windows.clusters == article] // 300
        assert set(mine.tolist()) == others
        assert 0.35 < (mine == min(others)).mean() < 0.65


def test_the_only_foreign_chunk_is_every_donor_and_without_one_a_window_keeps_its_last_frame(make_corpus, make_set):
    one = make_set(make_corpus([6, 1], dim=2), context=2)
    assert donor_rows(one.windows, one.rows, 0).tolist() == [6] * 4
    alone = make_set(make_corpus([6], dim=2), context=2)
    assert donor_rows(alone.windows, alone.rows, 0).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(3))
def test_the_donor_says_nothing_about_the_shuffle(make_corpus, make_set, seed):
    """Each choice has a stream of its own: where a frame is moved is independent of which chunk is foreign."""
    corpus = make_corpus([2000, 2000], dim=2)
    evaluation = make_set(corpus, context=4, seed=seed)
    windows = evaluation.windows
    donors = donor_rows(windows, evaluation.rows, seed) % 2000
    places = np.argsort(permutations(windows.targets, 4, seed), axis=1)
    for place in places.T:
        assert abs(np.corrcoef(place, donors)[0, 1]) < 4 / np.sqrt(len(windows))


def test_each_ablation_touches_what_it_says_and_leaves_the_original_alone(make_corpus, make_set):
    corpus = make_corpus([12, 12], dim=4)
    evaluation = make_set(corpus, context=4)
    windows = evaluation.windows
    contexts = windows.contexts()
    kept = contexts.copy()
    spoiled = {name: ablate(name, contexts, windows, evaluation.rows, evaluation.seed) for name in ablation_names(4)}
    np.testing.assert_array_equal(contexts, kept)
    assert list(spoiled) == [
        "shuffle", "reverse", "leave_out_0", "leave_out_1", "leave_out_2", "leave_out_3",
        "repeat_last", "cross_article",
    ]  # fmt: skip
    a, b, c, d = contexts.transpose(1, 0, 2)
    expected = {
        "reverse": (d, c, b, a),
        "leave_out_0": (b, b, c, d),
        "leave_out_1": (a, a, c, d),
        "leave_out_2": (a, b, b, d),
        "leave_out_3": (a, b, c, c),
        "repeat_last": (d, d, d, d),
    }
    for name, frames in expected.items():
        np.testing.assert_array_equal(spoiled[name], np.stack(frames, axis=1), err_msg=name)
    for before, after in zip(contexts, spoiled["shuffle"], strict=True):
        assert any(
            np.array_equal(before[list(p)], after) for p in itertools.permutations(range(4)) if p != (0, 1, 2, 3)
        )
    np.testing.assert_array_equal(spoiled["cross_article"][:, :3], contexts[:, :3])
    assert (np.abs(spoiled["cross_article"][:, 3] - d).max(axis=1) > 1e-3).all()


def test_a_single_article_has_no_foreign_frame_and_gate_c_is_inconclusive(make_corpus, make_set, as_named, peek):
    corpus = make_corpus([60], dim=6)
    observed = observe(as_named(peek(corpus, 1)), make_set(corpus), batch_size=64)
    assert not observed.cross_exists.any()
    effects = ablation_effects(observed)
    assert effects["cross_article"].n == 0
    checks = judge_gate("C", BySplit(val=effects, ood=effects), load_profile("5cat"))
    crossed = [c for c in checks if c.label == "foreign last"]
    assert len(crossed) == 2
    assert not any(c.passed for c in crossed)
    assert all("inconclusive: 0 windows" in c.note for c in crossed)
    others = [c for c in checks if c.label != "foreign last"]
    assert all("inconclusive: 1 article, at least 10 are needed" in c.note and not c.passed for c in others)


@pytest.mark.parametrize("context", [2, 5])
def test_order_free_controls_feel_neither_shuffle_nor_reversal(make_corpus, make_set, as_named, context):
    class Mean:
        def predict(self, contexts):
            return contexts.astype(np.float64).mean(axis=1)

    observed = observe(as_named(Mean()), make_set(make_corpus([20, 20], dim=8), context=context), batch_size=9)
    names = ablation_names(context)
    for name in ("shuffle", "reverse"):
        np.testing.assert_allclose(observed.ablation[:, names.index(name)], 0, atol=1e-7)
    assert np.abs(observed.ablation[:, names.index("repeat_last")]).max() > 0.05
    assert "context-mean" in EXPECTATIONS
