"""The original battery refuses a perfect oracle and likes NaN; the corrected one does neither."""

import dataclasses

import numpy as np
import pytest

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.original_battery import observe_published
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.statistics import ablation_effects, offset_sweep, retrieval, rollout
from lvm_gates.harness.worlds.world import WORLDS, synthesise

SPLITS = ("VAL", "OOD")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Dataset `wiki` with a lag-1 cosine of .39, that of Wikipedia sentences, where the original corpus has .457, of
    paragraphs.

    At .457 gate D, which compares the oracle with the wrong chunk, lets it through by .007.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WORLDS, "wiki", dataclasses.replace(WORLDS["wiki"], beta=0.06))
        return synthesise("wiki", tmp_path_factory.mktemp("text"), articles=100, dim=64)


@pytest.fixture(scope="module")
def published(text, make_run):
    return make_run(text, "5cat-published", ("control:oracle", "control:nan"))


@pytest.fixture(scope="module")
def corrected(text, make_run):
    return make_run(text, "5cat", ("control:oracle", "control:nan"))


def lag_cosine(windows, ahead):
    """Mean cosine of each target to the chunk after it, over windows that have ``ahead`` more chunks."""
    corpus = windows.corpus
    x = unit(corpus.vectors(np.arange(corpus.size)))
    return [float(x[t] @ x[t + 1]) for t in windows.targets if t + ahead < corpus.run_end[t]]


def test_original_refuses_a_perfect_oracle_in_gates_a_and_d(published):
    card = published.control_card("oracle")
    assert {g: card.passed(g) for g in "ABCDE"} == {"A": False, "B": True, "C": True, "D": False, "E": True}
    for split in SPLITS:
        windows = published.inputs.evaluation[split].windows
        sweep = card.gates["A"][split]
        # Seven offsets from the target: three chunks beyond it must exist, and three before it.
        lag = np.mean(lag_cosine(windows, 3))
        assert sweep["peak"] == 0
        assert sweep["c"]["0"].value == pytest.approx(1, abs=1e-5)
        assert sweep["c"]["1"].value == pytest.approx(lag, abs=1e-5)
        assert sweep["margin"].value == pytest.approx(lag - 1, abs=1e-5)
        assert sweep["margin"].value == pytest.approx(0.39 - 1, abs=0.04)
        assert card.gates["D"][split]["by_horizon"][0].value == pytest.approx(np.mean(lag_cosine(windows, 5)), abs=1e-5)
        assert card.gates["D"][split]["mean"].value == pytest.approx(lag, abs=0.02)
    assert card.decision.verdict == "blocked"
    assert any("negative margin" in r for r in card.decision.reasons)


def test_original_oracle_rolls_out_at_the_lag_one_cosine_in_world_wiki_too(wiki, make_run):
    """There it is .457 over all windows, and gate D's threshold of .45 sits right on it."""
    run = make_run(wiki, "5cat-published")
    card = run.control_card("oracle")
    assert not card.passed("A")
    for split in SPLITS:
        lag = np.mean(lag_cosine(run.inputs.evaluation[split].windows, 3))
        assert card.gates["A"][split]["margin"].value == pytest.approx(lag - 1, abs=1e-5)
        assert card.gates["D"][split]["mean"].value == pytest.approx(lag, abs=0.02)
        assert lag == pytest.approx(0.457, abs=0.03)


def test_the_corrected_battery_gives_the_oracle_five_of_five(corrected):
    card = corrected.card("control:oracle")
    assert card.decision.reasons == ("5 of 5 gates passed",)
    assert card.decision.verdict == "release"


def test_even_five_of_five_release_nothing_under_the_original_battery(published):
    """A profile for old tables: nothing is released whatever passed."""
    assert not published.settings.profile.can_release
    assert published.card("control:oracle").decision.verdict != "release"


def test_nan_was_first_and_is_now_last(published, corrected):
    for split in SPLITS:
        then = published.control_card("nan").gates["B"][split]["article"]
        assert (then["R@1"].value, then["R@5"].value, then["MRR"].value) == (1, 1, 1)
        now = corrected.control_card("nan").gates["B"][split]
        for _, pool in now.items():
            assert pool["R@1"].value == pool["R@5"].value == 0
            assert pool["mean_rank"].value == pytest.approx(pool["size"])
    assert corrected.control_card("nan").decision.verdict == "blocked"
    assert published.control_card("nan").decision.verdict == "blocked"


def test_candidate_sets_that_did_not_exist_are_undefined(published):
    for pool in ("novel", "global"):
        found = published.control_card("oracle").gates["B"]["VAL"][pool]
        assert np.isnan([found[name].value for name in ("R@1", "R@5", "MRR")]).all()


def test_original_takes_the_head_of_the_file(published, corrected):
    windows = published.inputs.evaluation["VAL"].windows.targets
    everything = resolve(
        CorpusArguments(corpus=published.inputs.corpus.path), context=5, max_samples=10**6, horizon=5, seed=0
    ).evaluation["VAL"].windows.targets  # fmt: skip
    np.testing.assert_array_equal(windows, everything[:400])
    assert not np.array_equal(corrected.inputs.evaluation["VAL"].windows.targets, windows)


@pytest.fixture
def small(make_corpus, make_set):
    corpus = make_corpus([14, 12], dim=6)
    return corpus, make_set(corpus, context=3, horizon=2)


def test_original_offsets_are_one_later_than_ours(small, as_named, peek):
    corpus, evaluation = small
    for k in (-1, 0, 1, 2):
        sweep = offset_sweep(observe_published(as_named(peek(corpus, k)), evaluation, batch_size=256))
        assert sweep["peak"] == k - 1
        assert sweep["c"][str(k - 1)].value == pytest.approx(1, abs=1e-5)
    assert OFFSETS[0] == -3


def test_original_rollout_looks_one_chunk_past_what_it_predicts(small, as_named, peek):
    corpus, evaluation = small
    for k, expected in ((2, 1.0), (1, None)):
        observed = observe_published(as_named(peek(corpus, k)), evaluation, batch_size=256)
        assert observed.rollout_exists.sum() == 26 - 2 * 3 - 2 * 2
        curve = [e.value for e in rollout(observed)["by_horizon"]]
        if expected is None:
            assert max(curve) < 0.9
        else:
            assert curve == pytest.approx([1, 1], abs=1e-5)


def test_original_leave_one_out_restores_the_last_frame_and_averages(small, as_named, scrambler):
    _, evaluation = small
    predictor = scrambler(3, 6)
    observed = observe_published(as_named(predictor), evaluation, batch_size=4)
    contexts, targets = evaluation.windows.contexts(), unit(evaluation.windows.target_vectors())
    a, b, c = contexts.transpose(1, 0, 2)

    def cosine(*frames):
        return (unit(predictor.predict(np.stack(frames, axis=1))) * targets).sum(axis=1)

    intact = cosine(a, b, c)
    left_out = np.mean([cosine(b, c, c), cosine(a, c, c), cosine(a, b, c)], axis=0) - intact
    for column in range(2, 5):
        np.testing.assert_allclose(observed.ablation[:, column], left_out, atol=1e-5)
    np.testing.assert_allclose(observed.ablation[:, 1], cosine(c, b, a) - intact, atol=1e-5)
    np.testing.assert_allclose(observed.ablation[:, 5], cosine(c, c, c) - intact, atol=1e-5)
    # The "cross-article" frame is the context's own first.
    np.testing.assert_allclose(observed.ablation[:, 6], cosine(a, b, a) - intact, atol=1e-5)
    assert ablation_effects(observed)["leave_one_out"].value == pytest.approx(left_out.mean(), abs=1e-5)


def test_original_shuffles_may_be_the_identity(small, as_named, scrambler):
    _, evaluation = small
    effect = observe_published(as_named(scrambler(3, 6)), evaluation, batch_size=256).ablation[:, 0]
    assert (np.abs(effect) < 1e-6).any()
    assert (np.abs(effect) > 1e-3).any()


def test_original_ties_count_for_the_model(make_corpus, make_set, as_named):
    """A constant context-free vector orthogonal to nothing: all chunks equal, all ranks first."""
    corpus = make_corpus([9], vectors=np.tile(np.eye(4)[0], (9, 1)))

    class Same:
        def predict(self, contexts):
            return np.tile(np.eye(4)[1], (len(contexts), 1))

    observed = observe_published(as_named(Same()), make_set(corpus, context=3, horizon=1), batch_size=4)
    assert (observed.rank[:, 0] == 1).all()
    assert (observed.pool_size[:, 0] == 9).all()
    assert retrieval(observed)["article"]["R@1"].value == 1


def test_original_reads_a_context_of_one_frame(make_corpus, make_set, as_named, peek):
    corpus = make_corpus([14, 12], dim=6)
    observed = observe_published(as_named(peek(corpus, 1)), make_set(corpus, context=1), batch_size=8)
    assert np.isnan(observed.coherence).all()
    assert observed.cosine == pytest.approx(np.ones(len(observed)), abs=1e-5)
