"""Scores against their definitions written out, and the stages they make."""

import itertools

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.curriculum import DEFINITIONS, STAGES, ranking, selected, similarities, stage
from lvm_gates.harness.corpus.curriculum_files import read_stage, write_stages
from lvm_gates.harness.corpus.windows import windows_of


@pytest.fixture
def windows(make_corpus, monkeypatch):
    monkeypatch.setattr("lvm_gates.harness.corpus.curriculum.BATCH", 5)
    corpus = make_corpus([12, 9, 14], dim=6, jumps={15: 2})
    return windows_of(corpus, np.arange(3), 4)


def written_out(name, context, y):
    last, previous = context[-1], context[-2]
    match name:
        case "as-run":
            return 1 - y @ last
        case "plan":
            return y @ last - last @ previous
        case "corrected":
            return y @ last
        case "advantage":
            return y @ last - max(y @ older for older in context[:-1])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_each_definition_is_what_it_says(windows, name):
    contexts, targets = windows.contexts().astype(np.float64), windows.target_vectors().astype(np.float64)
    expected = [written_out(name, context, y) for context, y in zip(contexts, targets, strict=True)]
    np.testing.assert_allclose(DEFINITIONS[name].score(similarities(windows)), expected, atol=1e-6)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_ranking_puts_the_largest_score_first(windows, name):
    found = similarities(windows)
    order = ranking(name, found)
    assert sorted(order.tolist()) == list(range(len(windows)))
    assert (np.diff(DEFINITIONS[name].score(found)[order]) <= 0).all()


def test_ties_go_to_the_tie_breaker_and_then_to_the_earlier_window():
    from lvm_gates.harness.corpus.curriculum import Similarities

    to_target = np.array([[0.1, 0.5], [0.3, 0.5], [0.1, 0.5], [0.0, 0.6], [0.2, 0.5]])
    found = Similarities(to_target, np.zeros(5), np.zeros(5))
    assert ranking("corrected", found).tolist() == [3, 0, 2, 4, 1]


@pytest.mark.parametrize("n", [1, 3, 10, 101])
def test_stages_are_nested_sorted_and_of_their_size(n):
    order = np.random.default_rng(0).permutation(n)
    parts = [stage(order, share) for share in STAGES.values()]
    assert [len(part) for part in parts] == [-(-n * 3 // 10), -(-n * 7 // 10), n]
    for smaller, larger in itertools.pairwise(parts):
        assert set(smaller) <= set(larger)
        assert (np.diff(larger) > 0).all()
    assert set(parts[0]) == set(order[: len(parts[0])])


def test_as_run_selects_topic_jumps_and_the_fix_the_opposite(make_corpus):
    """Articles of two topics: windows whose target starts the second topic."""
    rng = np.random.default_rng(0)
    topics = unit(rng.standard_normal((20, 32)))
    vectors = unit(np.concatenate([topics[i // 8] + 0.1 * rng.standard_normal(32)[None] for i in range(160)]))
    corpus = make_corpus([16] * 10, vectors=vectors)
    windows = windows_of(corpus, np.arange(10), 5)
    found = similarities(windows)
    jumps = windows.targets % 16 == 8
    share = {name: jumps[ranking(name, found)[: jumps.sum()]].mean() for name in DEFINITIONS}
    assert share["as-run"] == 1
    assert share["corrected"] == 0
    top = selected(found, windows.clusters, ranking("as-run", found)[: jumps.sum()])
    everything = selected(found, windows.clusters, np.arange(len(windows)))
    assert top.to_last.value < everything.to_last.value
    assert (top.to_last.n, everything.to_last.n) == (10, len(windows))


def test_what_is_selected_is_described_by_plain_means(windows):
    found = similarities(windows)
    index = np.array([0, 3, 7, 12])
    contexts, targets = windows.take(index).contexts(), windows.take(index).target_vectors()
    described = selected(found, windows.clusters, index)
    assert described.to_last.value == pytest.approx(
        np.mean([c[-1] @ y for c, y in zip(contexts, targets, strict=True)])
    )
    assert described.to_previous.value == pytest.approx(
        np.mean([c[-2] @ y for c, y in zip(contexts, targets, strict=True)])
    )
    assert described.coherence.value == pytest.approx(
        np.mean([np.mean([c[i] @ c[i + 1] for i in range(3)]) for c in contexts])
    )


def test_a_context_of_one_frame_has_no_frame_before_the_last(make_corpus):
    with pytest.raises(UserError, match="--context 1"):
        similarities(windows_of(make_corpus([5]), np.arange(1), 1))


def test_stages_are_read_back_and_belong_to_their_corpus(windows, make_corpus, tmp_path):
    order = ranking("plan", similarities(windows))
    write_stages(tmp_path / "stages", windows, "plan", order)
    for letter, share in STAGES.items():
        again = read_stage(tmp_path / "stages", letter, windows.corpus)
        np.testing.assert_array_equal(again.targets, windows.targets[stage(order, share)])
        assert again.context == 4
    with pytest.raises(UserError, match="another corpus"):
        read_stage(tmp_path / "stages", "a", make_corpus([30], seed=5))
    (tmp_path / "stages" / "stage_a.npy").unlink()
    with pytest.raises(UserError, match="stage a cannot be read"):
        read_stage(tmp_path / "stages", "a", windows.corpus)
