"""The three candidate sets against loops over candidates; vectors of small integers provoke ties and duplicates."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation import evaluation_set
from lvm_gates.harness.evaluation.candidates import POOLS, Ranking

DIRECTIONS = np.array([v for v in itertools.product([-1, 0, 1], repeat=3) if any(v)], dtype=np.float64)


def brute_force(predictions, windows, candidates, corpus):
    """Rank and size in one set; ``candidates(target)`` lists its rows."""
    ranks, sizes = [], []
    everything = corpus.vectors(np.arange(corpus.size)).astype(np.float64)
    for prediction, target in zip(predictions, windows.targets, strict=True):
        rivals = [r for r in candidates(int(target)) if not np.array_equal(corpus.stored[r], corpus.stored[target])]
        size = len(rivals) + 1
        if np.isnan(prediction).any():
            ranks.append(size)
        else:
            cosine = {
                r: float(np.dot(prediction, everything[r]) / np.linalg.norm(everything[r])) for r in [*rivals, target]
            }
            above = sum(cosine[r] > cosine[target] + 1e-9 for r in rivals)
            tied = sum(abs(cosine[r] - cosine[target]) <= 1e-9 for r in rivals)
            ranks.append(1 + above + tied / 2)
        sizes.append(size)
    return np.array(ranks), np.array(sizes)


def candidate_sets_of(windows, evaluation, lengths, bank=None):
    starts = np.cumsum([0, *lengths])

    def article(target):
        a = int(np.searchsorted(starts, target, side="right")) - 1
        return range(starts[a], starts[a + 1])

    def context(target):
        return range(target - windows.context, target)

    everything = [int(r) for r in (evaluation.rows if bank is None else bank)]
    return {
        "article": article,
        "novel": lambda t: [r for r in article(t) if r not in context(t)],
        "global": lambda t: [r for r in everything if r not in context(t)],
    }


@given(
    lengths=st.lists(st.integers(3, 9), min_size=1, max_size=3),
    context=st.integers(1, 4),
    data=st.data(),
)
def test_ranks_in_all_candidate_sets_equal_brute_force_with_ties_duplicates_and_nan(
    make_corpus, make_set, lengths, context, data
):
    total = sum(lengths)
    chosen = data.draw(st.lists(st.integers(0, 25), min_size=total, max_size=total))
    jumps = data.draw(st.dictionaries(st.integers(0, total), st.just(3), max_size=2))
    # One article more, of another split: never a candidate.
    corpus = make_corpus(
        [*lengths, 4],
        vectors=unit(DIRECTIONS[[*chosen, 1, 2, 3, 4]]),
        splits=["VAL"] * len(lengths) + ["OOD"],
        jumps=jumps,
    )
    evaluation = make_set(corpus, context=context)
    windows = evaluation.windows
    picks = data.draw(st.lists(st.integers(0, 26), min_size=len(windows), max_size=len(windows)))
    predictions = unit(np.concatenate([DIRECTIONS, np.full((1, 3), np.nan)])[picks]).reshape(-1, 3)
    found = Ranking(windows, evaluation).ranks(predictions)
    for i, (pool, candidates) in enumerate(candidate_sets_of(windows, evaluation, lengths).items()):
        assert POOLS[i] == pool
        rank, size = brute_force(predictions, windows, candidates, corpus)
        np.testing.assert_array_equal(found.rank[:, i], rank, err_msg=pool)
        np.testing.assert_array_equal(found.size[:, i], size, err_msg=pool)


def test_a_bank_smaller_than_the_split_still_ranks_every_target_among_it(make_corpus, make_set, monkeypatch):
    monkeypatch.setattr(evaluation_set, "BANK_SIZE", 12)
    lengths = [14, 15]
    corpus = make_corpus(lengths, dim=6)
    evaluation = make_set(corpus, context=3)
    assert len(np.unique(evaluation.bank.rows)) == 12
    windows = evaluation.windows
    predictions = unit(np.random.default_rng(5).standard_normal((len(windows), 6)))
    found = Ranking(windows, evaluation).ranks(predictions)
    rank, size = brute_force(
        predictions, windows, candidate_sets_of(windows, evaluation, lengths, evaluation.bank.rows)["global"], corpus
    )
    np.testing.assert_array_equal(found.rank[:, 2], rank)
    np.testing.assert_array_equal(found.size[:, 2], size)
    exact = Ranking(windows, evaluation).ranks(unit(windows.target_vectors()))
    assert (exact.rank == 1).all()


def test_the_bank_is_the_whole_split_up_to_ten_thousand_chunks(make_corpus, make_set):
    few = make_set(make_corpus([150, 150], dim=2))
    np.testing.assert_array_equal(few.bank.rows, few.rows)
    assert len(few.bank.vectors) == 300
    many = make_set(make_corpus([5001] * 2, dim=2))
    assert len(many.bank.rows) == len(np.unique(many.bank.rows)) == 10_000


def test_the_bank_follows_the_seed(make_corpus, make_set, monkeypatch):
    monkeypatch.setattr(evaluation_set, "BANK_SIZE", 12)
    corpus = make_corpus([40], dim=2)
    one, same, other = (make_set(corpus, seed=seed).bank.rows.tolist() for seed in (1, 1, 2))
    assert one == same == sorted(one)
    assert one != other


def test_a_copy_of_the_target_is_the_same_answer_and_a_copy_of_a_frame_is_still_a_rival(make_corpus, make_set):
    # Row 9 repeats row 4; row 10 repeats row 2, a context frame of the window that ends in row 4.
    corpus = make_corpus([12], dim=8, copies={9: 4, 10: 2})
    evaluation = make_set(corpus, context=3)
    windows = evaluation.windows
    assert windows.targets[1] == 4
    truth = Ranking(windows, evaluation).ranks(unit(windows.target_vectors()))
    assert (truth.rank == 1).all()
    assert truth.size[1].tolist() == [11, 8, 8]  # 12 rows minus the copy; minus three context frames
    last = Ranking(windows, evaluation).ranks(unit(windows.contexts()[:, -2]))  # the frame that row 10 repeats
    assert last.rank[1, 0] >= 3
    assert last.rank[1, 1] >= 2


def test_labels_agree_exactly_where_stored_vectors_are_equal(make_corpus, make_set):
    corpus = make_corpus([6, 6], dim=4, copies={7: 1, 11: 1, 5: 0})
    labels = make_set(corpus).labels
    for one, other in itertools.combinations(range(12), 2):
        assert (labels[one] == labels[other]) == np.array_equal(corpus.stored[one], corpus.stored[other])


def test_windows_of_several_articles_keep_their_order(make_corpus, make_set):
    """Ranks are computed article by article; they must come back in the order of the windows."""
    corpus = make_corpus([9, 10, 8], dim=5)
    evaluation = make_set(corpus, context=2)
    order = np.random.default_rng(1).permutation(len(evaluation.windows))
    predictions = unit(np.random.default_rng(2).standard_normal((len(order), 5)))
    straight = Ranking(evaluation.windows, evaluation).ranks(predictions)
    mixed = Ranking(windows_of(corpus, np.arange(3), 2).take(order), evaluation).ranks(predictions[order])
    np.testing.assert_array_equal(mixed.rank, straight.rank[order])
    np.testing.assert_array_equal(mixed.size, straight.size[order])
