"""Release rules: from judged gates to release, hold or blocked, with reasons a reader understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.judging.judge import judge_row, show_offset
from lvm_gates.harness.judging.profile import Profile, Rule, load_profile, profile_names

Verdict = Literal["release", "hold", "blocked"]

# Total variance of predictions over that of targets: .25 for a regressor as weak as R2 = .25 before normalisation, more
# after (measured); 4e-6 for a constant plus 1e-4 noise at 384 dimensions.
COLLAPSE_VARIANCE = 0.01
# Effective rank over that of the targets at the same n. On Wikipedia sentences ridge keeps .66 and P1 after five epochs
# .25; a network that answers with one of three vectors keeps at most 3 of 253.
COLLAPSE_RANK = 0.02
# An effective rank is at least 1, so below a target rank of 50 the share above is out of reach. Predictions on one
# line (a vector and its negative, one of two vectors) have a centred rank of 1.0 in any dimension.
COLLAPSE_LINE = 1.5


@dataclass(frozen=True)
class Decision:
    """A verdict and why."""

    verdict: Verdict
    reasons: tuple[str, ...]
    tolerated: tuple[str, ...] = ()
    """Gates that failed without standing in the way of the release."""


def check_rule(rule: str, profile: Profile) -> str:
    """The rule, if it exists and fits the profile.

    Raises:
        UserError: a rule that the profile does not know.
    """
    if any(rule == known.name for known in profile.rules):
        return rule
    elsewhere = [name for name in profile_names() if any(rule == known.name for known in load_profile(name).rules)]
    if elsewhere:
        raise UserError(
            f"--require={rule}: that rule counts gates which profile {profile.name} does not judge; use "
            f"--require={profile.rules[0].name} or --profile={elsewhere[0]}."
        )
    names = [known.name for known in profile.rules]
    raise UserError(f"--require={rule}: no such release rule; {did_you_mean(rule, names)}.")


def blocking_reasons(observed: Mapping[str, Observations], gates: Mapping[str, Any], profile: Profile) -> list[str]:
    """What blocks a model under every rule: non-finite output, collapse, no relation to the target, negative margin."""
    reasons = []
    for split, values in observed.items():
        if undefined := _undefined(values, split):
            reasons.append(undefined)
        elif fault := collapse(values):
            reasons.append(f"collapsed on {split}: {fault}")
    for split in observed:
        target, margin = gates["A"][split]["c"]["1"], gates["A"][split]["margin"]
        if profile.protocol != "published" and target.low <= 0:
            reasons.append(f"cosine to the target on {split} is {target.value:+.3f}, not shown to be above zero")
        if profile.blocks_on_negative_margin and margin.value < 0:
            peak = show_offset(gates["A"][split]["peak"])
            reasons.append(f"negative margin on {split}: {margin.value:+.3f}, the prediction is nearest to {peak}")
    return reasons


def _undefined(values: Observations, split: str) -> str:
    """How many windows have a prediction without a direction, and of which kind the first one is; "" for none."""
    bad = ~values.finite
    if not bad.any():
        return ""
    own = bad & ~np.isfinite(values.cosine)
    rolled = bad & ~own & values.rollout_exists & ~np.isfinite(values.rollout).all(axis=1)
    kinds = {"of the context itself": own, "in the rollout": rolled, "from a spoiled context": bad & ~own & ~rolled}
    where = ", ".join(f"{windows.sum():,} {kind}" for kind, windows in kinds.items() if windows.any())
    return (
        f"{bad.sum():,} of {len(values):,} windows on {split} have a prediction that is not finite or has no direction "
        f"({where})"
    )


def collapse(values: Observations) -> str | None:
    """How the predictions have collapsed beside the targets, in words; None if they have not, or cannot be compared."""
    own, target = values.spread, values.target_spread
    if own.n < 2 or not target.variance:
        return None
    if own.variance < COLLAPSE_VARIANCE * target.variance:
        share = own.variance / target.variance
        return f"predictions vary {share:.1e} as much as targets (floor {COLLAPSE_VARIANCE:g})"
    floor = COLLAPSE_RANK * target.rankme
    floor_centred = max(COLLAPSE_RANK * target.rankme_centred, COLLAPSE_LINE)
    if own.rankme < floor or own.rankme_centred < floor_centred:
        return (
            f"effective rank {own.rankme:.1f} (centred {own.rankme_centred:.1f}) where the targets have "
            f"{target.rankme:.0f} (floor {floor:.1f}, centred {floor_centred:.1f})"
        )
    return None


def decide(
    passed: Mapping[str, bool],
    gates: Mapping[str, Any],
    profile: Profile,
    rule: str,
    blocking: Sequence[str],
) -> Decision:
    """Apply a release rule.

    Args:
        passed: gate -> whether it passed, for the gates of the profile.
        gates: the statistics, for rules that ask for metrics of their own.
        profile: which gates count, and whether it may release at all.
        rule: the name of one of the profile's rules.
        blocking: reasons that block under every rule, audits and controls included.
    """
    failed = [gate for gate in profile.gates if not passed[gate]]
    count = f"{len(profile.gates) - len(failed)} of {len(profile.gates)} gates passed"
    failing = f"{count}; failed: {', '.join(failed)}" if failed else count
    if blocking:
        return Decision("blocked", (*blocking, failing))
    if not profile.can_release:
        return Decision(
            "hold", (f"profile {profile.name} is for comparison with old tables and releases nothing", failing)
        )
    missing = _unmet(profile.rule(rule), failed, gates, profile)
    if missing:
        return Decision("hold", (failing, *missing))
    return Decision("release", (failing,), tuple(failed))


def _unmet(rule: Rule, failed: Sequence[str], gates: Mapping[str, Any], profile: Profile) -> list[str]:
    """What the rule still asks for."""
    if rule.gates is None:
        return [f"{rule.name} wants every gate"] if failed else []
    own = [gate for gate in profile.gates if gate not in profile.added]
    passed = sum(gate not in failed for gate in own)
    wanted = [(f"at least {rule.gates} of {len(own)} gates", passed >= rule.gates)]
    # A gate that somebody added is asked for by whoever added it: no rule of ours may waive it.
    wanted += [(f"gate {gate}", gate not in failed) for gate in (*rule.required, *profile.added)]
    for row in rule.checks:
        for check in judge_row(row, gates[row.gate], profile):
            wanted.append((f"{check.label} {check.relation} {check.limit:+.2f} on {check.split}", check.passed))
    return [f"{rule.name} wants {text}" for text, met in wanted if not met]
