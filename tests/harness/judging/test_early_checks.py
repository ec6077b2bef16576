"""A check is decided when the rest of the sample cannot change it, and on the right side of its limit."""

from dataclasses import replace

import numpy as np
import pytest

from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.draw_order import SHARES, DrawOrder
from lvm_gates.harness.evaluation.perturbations import ablation_names
from lvm_gates.harness.evaluation.window_facts import WindowFacts
from lvm_gates.harness.judging.early_checks import Levels, Seen, cautious_share, decide_check
from lvm_gates.harness.judging.early_verdict import LEVEL, early_verdict
from lvm_gates.harness.judging.gates import statistics_of
from lvm_gates.harness.judging.judge import judge_gate
from lvm_gates.harness.judging.profile import Rule, load_profile
from lvm_gates.harness.judging.verdict import make_card
from lvm_gates.harness.predictors.predictor import Identity

FIVE, SKILL = load_profile("5cat"), load_profile("skill")
STRICT = FIVE.rule("strict")
LEVELS = Levels(LEVEL, LEVEL / 25)
LAST = len(SHARES) - 1
CLUSTERS = np.repeat(np.arange(80), 12)
N = len(CLUSTERS)


@pytest.fixture
def healthy(make_observations):
    """healthy(seed, **columns): what it does on all windows of a split; healthy, and far from every limit."""

    def make(seed=0, **given):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.02, N)
        offset = np.tile([0.1, 0.2, 0.3, 0.4, 0.9, 0.4, 0.3], (N, 1)) + noise[:, None]
        rank = np.where(np.arange(N) % 97, 1.0, 9.0)[:, None] * np.ones(3)
        columns = {"clusters": CLUSTERS, "cosine": 0.9 + noise, "offset": offset, "rank": rank} | given
        return make_observations(N, **columns)

    return make


def seen_of(whole, look, by="windows", *, kept=None, seed=0, near=None):
    """What has been seen of both splits, whose windows are these, at a look."""
    found = {}
    for split, one in whole.items():
        order = DrawOrder.of(one.clusters, by, np.random.default_rng([seed, split == "VAL"]))
        found[split] = Seen(
            observed=one.take(order.seen(look)),
            facts=WindowFacts(one.offset_exists, one.rollout_exists, one.cross_exists, one.coherence),
            kept=np.ones(N, dtype=bool) if kept is None else kept,
            near_duplicate=np.zeros(N, dtype=bool) if near is None else near,
            clusters=one.clusters,
            order=order,
            look=look,
        )
    return found


def card_of(seen, profile=FIVE, rule="strict"):
    observed = {split: one.observed for split, one in seen.items()}
    return make_card(Identity("m"), observed, profile, rule, skill_inputs=None, task="frontier")


def verdict(seen, rule=STRICT, profile=FIVE, certain=()):
    return early_verdict(seen, profile, rule, card_of(seen, profile, rule.name), certain)


def both(make, **given):
    return {split: make(seed, **given) for seed, split in enumerate(JUDGED)}


def rows(profile=FIVE):
    return [(row, split) for row in profile.thresholds for split in row.limits]


@pytest.mark.parametrize("seed", range(4))
def test_of_the_whole_sample_every_check_is_decided_as_the_judge_does(healthy, seed):
    """Values all around the limits, and windows that lack a metric or are left out."""
    rng = np.random.default_rng(seed)
    whole = {}
    for split in JUDGED:
        whole[split] = healthy(
            seed,
            cosine=rng.uniform(0.3, 0.7, N),
            coherence=rng.uniform(0.4, 0.6, N),
            offset=np.array([0.3, 0.3, 0.38, 0.3, 0.5, 0.3, 0.3]) + rng.uniform(-0.4, 0.4, (N, 7)),
            offset_exists=rng.random(N) < 0.8,
            rank=rng.choice([1, 2, 3, 9], (N, 3), p=[0.6, 0.3, 0.05, 0.05]).astype(float),
            ablation=rng.uniform(-1.0, 0.8, (N, 9)),
            rollout=rng.uniform(-0.1, 1.0, (N, 5)),
            rollout_exists=rng.random(N) < 0.7,
            cross_exists=rng.random(N) < 0.9,
        )
    kept = rng.random(N) < 0.95
    seen = seen_of(whole, LAST, kept=kept)
    statistics = statistics_of({split: one.take(np.flatnonzero(kept)) for split, one in whole.items()})
    judged = {(c.gate, c.label, c.split): c for gate in FIVE.gates for c in judge_gate(gate, statistics[gate], FIVE)}
    for row, split in rows():
        found = decide_check(row, split, seen, FIVE, LEVELS, bounds=True)
        check = judged[row.gate, row.label, split]
        assert found.status == ("pass" if check.passed else "fail"), row.label
        assert found.status == decide_check(row, split, seen, FIVE, LEVELS).status
        if row.gate != "E":
            assert found.low == pytest.approx(check.metric.value, abs=1e-6)
            assert found.high == pytest.approx(check.metric.value, abs=1e-6)


@pytest.mark.parametrize("by", ["articles", "windows"])
def test_before_anything_is_known_every_check_is_open_and_bounds_close_in(healthy, by):
    whole = both(healthy)
    widths = []
    for look in (0, 3, 6):
        seen = seen_of(whole, look, by)
        found = [decide_check(row, split, seen, FIVE, LEVELS, bounds=True) for row, split in rows()]
        assert all(one.low <= one.high for one in found)
        widths.append([one.high - one.low for one in found])
        assert not any(one.status == "fail" for one in found)
    assert (np.diff(widths, axis=0) <= 1e-9).all()


def test_a_margin_needs_every_offset_and_is_lost_by_one(healthy):
    (margin,) = (row for row in FIVE.thresholds if row.statistic == "margin")
    good = both(healthy)
    worse = both(healthy, offset=np.tile([0.1, 0.2, 0.3, 0.4, 0.9, 0.4, 1.0], (N, 1)))
    assert decide_check(margin, "VAL", seen_of(good, 4), FIVE, LEVELS).status == "pass"
    assert decide_check(margin, "VAL", seen_of(worse, 4), FIVE, LEVELS).status == "fail"


def test_one_harmful_frame_is_enough(healthy):
    (row,) = (row for row in FIVE.thresholds if row.statistic == "leave_one_out")
    harm = np.zeros((N, 9))
    none = both(healthy, ablation=harm)
    harm = harm.copy()
    harm[:, ablation_names(5).index("leave_out_2")] = -0.5
    assert decide_check(row, "OOD", seen_of(both(healthy, ablation=harm), 4), FIVE, LEVELS).status == "pass"
    assert decide_check(row, "OOD", seen_of(none, 4), FIVE, LEVELS).status == "fail"


def test_an_interval_that_must_lie_on_one_side_is_missed_early_and_never_met(healthy):
    (row,) = (row for row in SKILL.thresholds if row.statistic == "order.reverse")
    harm = np.full((N, 9), -0.5)
    assert decide_check(row, "VAL", seen_of(both(healthy, ablation=harm), 6), SKILL, LEVELS).status == "open"
    assert decide_check(row, "VAL", seen_of(both(healthy, ablation=-harm), 4), SKILL, LEVELS).status == "fail"
    near = np.arange(N) % 2 == 0  # those that profile `skill` leaves out do not count
    half = np.where(near[:, None], -0.5, 0.4) * np.ones((N, 9))
    assert decide_check(row, "VAL", seen_of(both(healthy, ablation=half), 4, near=near), SKILL, LEVELS).status == "fail"


def test_metrics_that_are_no_means_are_open(healthy):
    seen = seen_of(both(healthy), LAST)
    named = {row.statistic: decide_check(row, split, seen, SKILL, LEVELS).status for row, split in rows(SKILL)}
    assert {name for name, status in named.items() if status == "open"} >= {"task_figure", "rank_ratio", "retained"}


def test_too_few_windows_in_the_whole_sample_are_known_beforehand(healthy):
    few = np.arange(N) < 29
    seen = seen_of(both(healthy, rollout_exists=few), 0)
    (row,) = (row for row in FIVE.thresholds if row.gate == "D")
    assert decide_check(row, "VAL", seen, FIVE, LEVELS).status == "fail"
    nine = seen_of(both(healthy, coherence=np.where(CLUSTERS < 9, 0.5, 0.9)), 0)
    (row,) = (row for row in FIVE.thresholds if row.gate == "E")
    assert decide_check(row, "BOTH", nine, FIVE, LEVELS).status == "fail"


def test_a_context_of_one_frame_has_no_order(healthy):
    (row,) = (row for row in FIVE.thresholds if row.statistic == "shuffle")
    seen = seen_of(both(healthy, context=1, ablation=np.full((N, 5), -0.5)), 0)
    assert decide_check(row, "VAL", seen, FIVE, LEVELS).status == "fail"


def test_generalisation_is_decided_from_both_samples(healthy):
    (row,) = (row for row in FIVE.thresholds if row.gate == "E")
    good, poor = healthy(0), healthy(1, cosine=np.full(N, 0.7))
    pairs = [(good, healthy(1), "pass"), (good, poor, "fail"), (poor, good, "fail")]
    for val, ood, wanted in pairs:
        whole = {"VAL": val, "OOD": ood}
        found = decide_check(row, "BOTH", seen_of(whole, 4), FIVE, LEVELS, bounds=True)
        assert found.status == wanted
        assert found.low <= found.high
        assert (found.high <= 0.05) if wanted == "pass" else (found.low >= 0.05)


def test_a_healthy_model_is_released_early_and_a_broken_one_refused_earlier(healthy):
    good, bad = both(healthy), both(healthy, rank=np.full((N, 3), 40.0))
    outcomes = [verdict(seen_of(good, look)).outcome for look in range(6)]
    assert outcomes[0] == "open"
    assert outcomes[-1] == "release"
    refused = verdict(seen_of(bad, 0))
    assert refused.outcome == "no release"
    assert {check.gate for check in refused.decided} == {"B"}
    assert all(check.high < check.limit for check in refused.decided)


def test_what_is_released_lists_every_check_on_the_passing_side(healthy):
    found = verdict(seen_of(both(healthy), 5))
    assert {check.gate for check in found.decided} == set(FIVE.gates)
    assert all(check.low >= check.limit or check.high <= check.limit for check in found.decided)
    assert "every gate" in found.reason


def test_luck_of_the_articles_is_not_released(healthy):
    """The whole sample passes by a hair, and articles differ widely: nobody would expect it of other articles."""
    between = np.random.default_rng(3).normal(0, 0.3, 80)
    cosine = 0.54 + between[CLUSTERS] - between.mean()
    offset = np.tile([0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0], (N, 1))
    offset[:, 4] = cosine
    offset[:, [0, 1, 2, 3, 5, 6]] = cosine[:, None] - 0.4
    found = verdict(seen_of(both(healthy, offset=offset), 6))
    assert found.outcome == "open"
    assert "clustered by article" in found.reason


def test_a_negative_margin_blocks_whatever_the_rule_tolerates(healthy):
    offset = np.tile([0.1, 0.2, 0.3, 0.95, 0.9, 0.4, 0.3], (N, 1)) + np.random.default_rng(0).normal(0, 0.02, (N, 1))
    lax = Rule("lax", 3, (), (), "")
    profile = replace(FIVE, rules=(lax,))
    whole = both(healthy, offset=offset)
    assert verdict(seen_of(whole, 5), lax, profile).outcome == "no release"
    harmless = replace(profile, blocks_on_negative_margin=False)
    assert verdict(seen_of(whole, 5), lax, harmless).outcome == "release"


def test_a_rule_that_lets_gates_fail_is_not_refused_by_one(healthy):
    profile = FIVE
    whole = both(healthy, rollout=np.full((N, 5), 0.1))
    assert verdict(seen_of(whole, 5), profile.rule("strict")).outcome == "no release"
    assert verdict(seen_of(whole, 5), profile.rule("production")).outcome == "release"
    without_e = {"VAL": whole["VAL"], "OOD": healthy(1, cosine=np.full(N, 0.7))}
    assert verdict(seen_of(without_e, 5), profile.rule("production")).outcome == "no release"


def test_a_gate_from_outside_is_open_until_all_is_seen(healthy):
    (row,) = (row for row in FIVE.thresholds if row.gate == "D")
    profile = FIVE.with_thresholds([replace(row, gate="mine", statistic="value")])
    seen = seen_of(both(healthy), 6)
    card = card_of(seen)
    assert early_verdict(seen, profile, STRICT, card, ()).outcome == "open"


def test_what_blocks_for_certain_is_enough_where_the_card_agrees(healthy):
    seen = seen_of(both(healthy), 0)
    card = card_of(seen)
    blocked = replace(card, decision=replace(card.decision, verdict="blocked"))
    assert early_verdict(seen, FIVE, STRICT, blocked, ("contaminated",)).outcome == "no release"
    assert early_verdict(seen, FIVE, STRICT, card, ("contaminated",)).outcome == "open"


def test_a_share_without_a_miss_counts_its_articles():
    clusters = np.repeat(np.arange(59), 4)
    assert cautious_share(np.ones(len(clusters)), clusters) >= 0.95
    assert cautious_share(np.ones(58 * 4), clusters[: 58 * 4]) < 0.95
    missed = np.ones(len(clusters))
    missed[::10] = 0.0
    assert cautious_share(missed, clusters) < missed.mean()
