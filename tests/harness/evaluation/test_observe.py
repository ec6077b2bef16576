"""The evaluation pass against loops that take one window, one frame and one horizon at a time."""

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.controls import Ingredients, build_control
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.evaluation.perturbations import donor_rows, permutations
from lvm_gates.harness.predictors.predictor import ask
from lvm_gates.harness.statistics import ablation_effects, generalisation, rollout


def normal(vector):
    wide = np.asarray(vector, dtype=np.float64)
    return wide / np.linalg.norm(wide)


def frames_before(corpus, target, context):
    return [normal(corpus.stored[row]) for row in range(target - context, target)]


def answer(predictor, frames):
    return normal(predictor.predict(np.array(frames, dtype=np.float32)[None])[0])


@pytest.mark.parametrize(("context", "dim"), [(1, 5), (2, 8), (3, 7), (5, 6)])
def test_every_column_equals_a_loop_over_windows(make_corpus, make_set, as_named, scrambler, context, dim):
    corpus = make_corpus([12, 15, 9], dim=dim, jumps={20: 4})
    horizon = 3
    evaluation = make_set(corpus, context=context, horizon=horizon)
    predictor = scrambler(context, dim)
    observed = observe(as_named(predictor), evaluation, batch_size=7)
    targets = evaluation.windows.targets
    order = permutations(targets, context, evaluation.seed)
    donors = donor_rows(evaluation.windows, evaluation.rows, evaluation.seed)
    assert len(observed) == len(targets) > 15
    assert observed.context == context
    for i, target in enumerate(targets):
        frames = frames_before(corpus, target, context)
        truth = normal(corpus.stored[target])
        base = answer(predictor, frames)
        cosine = base @ truth
        assert observed.cosine[i] == pytest.approx(cosine, abs=1e-5)
        assert observed.nearest_context[i] == pytest.approx(max(base @ f for f in frames), abs=1e-5)
        assert observed.nearest_reference[i] == pytest.approx(max(truth @ f for f in frames), abs=1e-5)
        if context > 1:
            adjacent = [frames[j] @ frames[j + 1] for j in range(context - 1)]
            assert observed.coherence[i] == pytest.approx(np.mean(adjacent), abs=1e-5)

        inside = [corpus.run_start[target] <= target - 1 + k < corpus.run_end[target] for k in OFFSETS]
        assert observed.offset_exists[i] == all(inside)
        for j, k in enumerate(OFFSETS):
            if inside[j]:
                expected = base @ normal(corpus.stored[target - 1 + k])
                assert observed.offset[i, j] == pytest.approx(expected, abs=1e-5)

        # Leave-one-out: the frame before takes the place, for the oldest the frame after.
        left_out = []
        for place in range(context):
            spoiled = list(frames)
            neighbour = place - 1 if place else (1 if context > 1 else 0)
            spoiled[place] = frames[neighbour]
            left_out.append(spoiled)
        crossed = [*frames[:-1], normal(corpus.stored[donors[i]])]
        spoiled = [
            [frames[j] for j in order[i]],
            frames[::-1],
            *left_out,
            [frames[-1]] * context,
            crossed,
        ]
        effects = [answer(predictor, s) @ truth - cosine for s in spoiled]
        np.testing.assert_allclose(observed.ablation[i], effects, atol=1e-5)

        run = list(frames)
        reached = corpus.run_end[target]
        assert observed.rollout_exists[i] == (target + horizon - 1 < reached)
        for h in range(1, horizon + 1):
            prediction = answer(predictor, run)
            run = [*run[1:], prediction]
            if observed.rollout_exists[i]:
                expected = prediction @ normal(corpus.stored[target - 1 + h])
                assert observed.rollout[i, h - 1] == pytest.approx(expected, abs=1e-5)
            else:
                assert np.isnan(observed.rollout[i, h - 1])


@pytest.mark.parametrize("context", [1, 2, 5])
def test_the_oracle_is_exactly_one_at_every_horizon(make_corpus, make_set, as_named, context):
    corpus = make_corpus([14, 20, 6], dim=9, jumps={25: 2})
    oracle = build_control("oracle", Ingredients(corpus, (), 0))
    observed = observe(as_named(oracle), make_set(corpus, context=context, horizon=5), batch_size=256)
    assert 0 < observed.rollout_exists.sum() < len(observed)
    found = rollout(observed)
    assert found["mean"].n == observed.rollout_exists.sum()
    for estimate in [found["mean"], *found["by_horizon"]]:
        assert estimate.value == pytest.approx(1, abs=1e-12)


class Turn:
    """Turns every plane of the last frame by one angle."""

    def __init__(self, angle):
        self.angle = angle

    def predict(self, contexts):
        planes = np.ascontiguousarray(contexts[:, -1], dtype=np.float64).view(np.complex128)
        return (planes * np.exp(1j * self.angle)).view(np.float64)


@pytest.mark.parametrize("times", [0, 1, 2, -1])
def test_closed_loop_error_of_a_wrong_speed_grows_as_known(make_corpus, make_set, as_named, times):
    """The world turns by theta a chunk; a predictor that turns ``times`` theta is off by (times - 1) theta a step."""
    theta, horizon = 0.2, 6
    start = np.random.default_rng(0).standard_normal((3, 4)) + 1j * np.random.default_rng(1).standard_normal((3, 4))
    chunks = start[:, None] * np.exp(1j * theta * np.arange(15))[None, :, None]
    vectors = np.concatenate([normal(c) for c in chunks.view(np.float64).reshape(-1, 8)]).reshape(-1, 8)
    corpus = make_corpus([15] * 3, vectors=vectors)
    observed = observe(as_named(Turn(times * theta)), make_set(corpus, context=2, horizon=horizon), batch_size=5)
    curve = [e.value for e in rollout(observed)["by_horizon"]]
    np.testing.assert_allclose(curve, [np.cos(h * (times - 1) * theta) for h in range(1, horizon + 1)], atol=1e-5)
    assert rollout(observed)["mean"].value == pytest.approx(np.mean(curve))


def test_rollout_leaves_out_windows_without_a_full_horizon(make_observations):
    curve = np.array([[1.0, 0.5], [0.8, 0.1], [np.nan, np.nan]])
    found = rollout(make_observations(3, horizon=2, rollout=curve, rollout_exists=[True, True, False]))
    assert found["mean"].value == pytest.approx(0.6)
    assert found["mean"].n == 2
    assert [e.value for e in found["by_horizon"]] == pytest.approx([0.9, 0.3])


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_a_prediction_without_direction_is_marked_and_never_averaged_away(
    make_corpus, make_set, as_named, scrambler, broken
):
    corpus = make_corpus([30], dim=6)
    sound = scrambler(3, 6)
    fatal = corpus.vectors(np.array([10]))[0]

    class Sometimes:
        def predict(self, contexts):
            out = sound.predict(contexts)
            out[np.abs(contexts[:, -1] - fatal).max(axis=1) < 1e-6] = broken
            return out

    observed = observe(as_named(Sometimes()), make_set(corpus), batch_size=4)
    bad = observed.rows == 11
    assert bad.sum() == 1
    np.testing.assert_array_equal(np.isfinite(observed.cosine), ~bad)
    assert not observed.finite[bad].any()
    np.testing.assert_array_equal(observed.rank[bad], observed.pool_size[bad])
    # Closed loop: the windows that are fed the bad frame later stay finite at horizon 1.
    assert np.isfinite(observed.cosine[~bad]).all()


class NoRepeats:
    """Sound but for a context of one repeated frame, which it divides by its variance."""

    def __init__(self, sound):
        self.sound = sound

    def predict(self, contexts):
        out = self.sound.predict(contexts)
        out[(contexts == contexts[:, :1]).all(axis=(1, 2))] = np.nan
        return out


class NoFeedback:
    """Sound on chunks of the corpus, and lost when its own output comes back as a frame."""

    def __init__(self, sound, corpus):
        self.sound, self.known = sound, {row.tobytes() for row in corpus.vectors(np.arange(corpus.size))}

    def predict(self, contexts):
        out = self.sound.predict(contexts)
        frames = np.ascontiguousarray(contexts[:, -1])
        out[[frame.tobytes() not in self.known for frame in frames]] = np.inf
        return out


@pytest.mark.parametrize("fault", ["a repeated frame", "its own output"])
def test_a_prediction_without_direction_is_marked_wherever_it_was_asked_for(
    make_corpus, make_set, as_named, scrambler, fault
):
    corpus = make_corpus([30, 7], dim=6)
    sound = scrambler(3, 6)
    named = as_named(NoRepeats(sound) if fault == "a repeated frame" else NoFeedback(sound, corpus))
    observed = observe(named, make_set(corpus), batch_size=4)
    assert np.isfinite(observed.cosine).all()
    # A rollout that runs past the end of its article was not asked for, and is no fault.
    assert not observed.rollout_exists.all()
    np.testing.assert_array_equal(
        observed.finite, ~observed.rollout_exists if fault == "its own output" else np.zeros(len(observed), dtype=bool)
    )


def test_every_answer_of_a_sound_predictor_is_finite(make_corpus, make_set, as_named, scrambler):
    evaluation = make_set(make_corpus([30, 7], dim=6))
    for ablations in (True, False):
        observed = observe(as_named(scrambler(3, 6)), evaluation, batch_size=4, ablations=ablations)
        assert observed.finite.all()


def test_without_ablations_nothing_else_changes_and_fewer_contexts_are_asked(
    make_corpus, make_set, as_named, scrambler
):
    evaluation = make_set(make_corpus([20, 6], dim=4))

    class Counting:
        def __init__(self):
            self.sound, self.asked = scrambler(3, 4), 0

        def predict(self, contexts):
            self.asked += len(contexts)
            return self.sound.predict(contexts)

    full, brief = Counting(), Counting()
    expected = observe(as_named(full), evaluation, batch_size=8)
    observed = observe(as_named(brief), evaluation, batch_size=8, ablations=False)
    assert full.asked - brief.asked == len(observed) * observed.ablation.shape[1]
    assert observed.context == 3
    assert np.isfinite(expected.ablation).all()
    assert np.isnan(observed.ablation).all()
    for name, values in expected.arrays().items():
        if name != "ablation":
            np.testing.assert_array_equal(observed.arrays()[name], values, err_msg=name)
    assert np.isnan(ablation_effects(observed)["shuffle"].value)
    assert np.isnan(ablation_effects(observed)["leave_one_out"].value)


def test_progress_counts_windows(make_corpus, make_set, as_named, scrambler, monkeypatch):
    monkeypatch.setattr("lvm_gates.harness.evaluation.observe.CHUNK", 10)
    seen = []
    evaluation = make_set(make_corpus([28], dim=4))
    observe(as_named(scrambler(3, 4)), evaluation, batch_size=5, on_progress=lambda *a: seen.append(a))
    assert seen == [(10, 25), (20, 25), (25, 25)]


def test_a_wrong_shape_is_refused_with_the_shapes(make_corpus, make_set, as_named):
    class Wide:
        def predict(self, contexts):
            return np.zeros((len(contexts), 9))

    with pytest.raises(
        UserError, match=r"shape \(37, 9\) for contexts of shape \(37, 3, 4\).*floats of shape \(37, 4\)"
    ):
        observe(as_named(Wide()), make_set(make_corpus([40], dim=4)), batch_size=256)


def test_text_instead_of_numbers_is_refused(as_named):
    class Words:
        def predict(self, contexts):
            return np.full((len(contexts), 2), "x")

    with pytest.raises(UserError, match="must return floats"):
        ask(as_named(Words()), np.ones((3, 1, 2), dtype=np.float32), np.arange(3), 2)


@pytest.mark.parametrize("bad", [[np.inf, 1, 0], [np.nan, 1, 0], [0, 0, 0], [-np.inf, np.inf, 2]])
def test_an_answer_without_a_direction_is_nan_in_every_coordinate(as_named, bad):
    class Answers:
        def predict(self, contexts):
            return np.array([[0, 3, 4], bad, [2, 0, 0]], dtype=np.float64)

    found = ask(as_named(Answers()), np.ones((3, 1, 3), dtype=np.float32), np.arange(3), 3)
    np.testing.assert_array_equal(found, [[0, 0.6, 0.8], [np.nan] * 3, [1, 0, 0]])


@pytest.mark.parametrize("fault", ["mean of the batch", "noise", "nan by size"])
def test_predictions_that_depend_on_the_batch_are_refused(make_corpus, make_set, as_named, fault):
    rng = np.random.default_rng(0)

    class Faulty:
        def predict(self, contexts):
            out = contexts[:, -1].astype(np.float64)
            if fault == "mean of the batch":
                out = out - 0.5 * out.mean(axis=0)
            elif fault == "noise":
                out = out + 0.01 * rng.standard_normal(out.shape)
            elif len(contexts) == 1:
                out = out * np.nan
            return out

    with pytest.raises(UserError, match="change with the batch size"):
        observe(as_named(Faulty()), make_set(make_corpus([30], dim=6)), batch_size=8)


def test_the_most_harmful_frame_counts_and_every_frame_is_reported(make_observations):
    effects = np.tile([-0.3, -0.2, -0.01, -0.5, 0.02, 0.0, 0.01], (10, 1))
    found = ablation_effects(make_observations(10, context=3, ablation=effects))
    assert [e.value for e in found["leave_one_out_by_frame"]] == pytest.approx([-0.01, -0.5, 0.02])
    assert found["leave_one_out"].value == pytest.approx(-0.5)
    metrics = [found[name].value for name in ("shuffle", "reverse", "repeat_last", "cross_article")]
    assert metrics == pytest.approx([-0.3, -0.2, 0.0, 0.01])


def test_an_undefined_frame_makes_leave_one_out_undefined(make_observations):
    effects = np.tile([-0.3, -0.2, -0.9, -0.9, -0.9, 0.0, 0.0], (10, 1))
    effects[4, 3] = np.nan
    assert np.isnan(ablation_effects(make_observations(10, context=3, ablation=effects))["leave_one_out"].value)


def test_cross_article_counts_only_windows_that_have_a_donor(make_observations):
    effects = np.zeros((4, 7))
    effects[:, -1] = [-0.4, -0.2, 9.0, 9.0]
    observed = make_observations(4, context=3, ablation=effects, cross_exists=[True, True, False, False])
    found = ablation_effects(observed)["cross_article"]
    assert found.value == pytest.approx(-0.3)
    assert found.n == 2


def test_coherence_bins_hold_both_edges_and_the_delta_compares_like_with_like(make_observations):
    coherence = np.array([0.4499, 0.45, 0.5, 0.55, 0.5501])
    val = make_observations(5, coherence=coherence, cosine=[0.9, 0.1, 0.2, 0.3, 0.8], clusters=[0, 1, 2, 3, 4])
    ood = make_observations(5, coherence=coherence, cosine=[0.9, 0.4, 0.5, 0.6, 0.8], clusters=[0, 1, 2, 3, 4])
    found = generalisation(val, ood)
    assert found["VAL"]["normal"].value == pytest.approx(0.2)
    assert found["VAL"]["normal"].n == 3
    assert (found["VAL"]["low"].n, found["VAL"]["low"].value) == (1, pytest.approx(0.9))
    assert (found["VAL"]["high"].n, found["VAL"]["high"].value) == (1, pytest.approx(0.8))
    assert found["delta"].value == pytest.approx(0.3)
    assert generalisation(ood, val)["delta"].value == pytest.approx(0.3)


def test_what_was_observed_survives_the_file(make_corpus, make_set, as_named, scrambler, tmp_path):
    observed = observe(as_named(scrambler(3, 4)), make_set(make_corpus([20, 6], dim=4)), batch_size=8)
    observed.save(tmp_path / "o.npz")
    again = type(observed).load(tmp_path / "o.npz")
    for name, values in observed.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], values, err_msg=name)
    assert again.spread._fields == observed.spread._fields
    assert isinstance(again.spread.n, int)
