"""A candidate beside the accepted model: what the policy makes of their paired differences, or why they have none.

What keeps two reports from being compared is in `harness.results.fit`.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from lvm_gates.harness.base.record import Count, Record
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.results.fit import BrokenError, check_card, check_fit, own_fault
from lvm_gates.harness.results.noninferiority import Finding, judge
from lvm_gates.harness.results.paired import PairedDifferences, compare
from lvm_gates.harness.results.policy import Policy, Tier
from lvm_gates.harness.results.reading import Report, read_samples

Answer = Literal["not worse", "worse", "undecided", "broken"]
EXIT: Final[dict[Answer, int]] = {"not worse": 0, "worse": 1, "broken": 3, "undecided": 6}


class Side(Record, frozen=True, kw_only=True):
    """One of the two.

    Attributes:
        model: its name.
        report: where it is from.
        verdict: of its own session.
    """

    model: str
    report: str
    verdict: str


class Windows(Record, frozen=True, kw_only=True):
    """What the two are compared on.

    Attributes:
        windows: of both that count.
        leaked: of both, which count for neither.
        articles: at most, behind any metric.
    """

    windows: Count
    leaked: Count
    articles: Count


class Fault(Record, frozen=True, kw_only=True):
    """Something besides the metrics that makes a candidate worse."""

    tier: Tier
    what: str


class Comparison(Record, frozen=True, kw_only=True):
    """What came out; `answer` is what counts.

    Attributes:
        answer: worse where a critical or supporting metric is, undecided where a critical one is, else not worse.
        exit_status: of the command.
        accepted: the model to beat.
        candidate: the other one.
        corpus: name and fingerprint.
        profile: of both sessions.
        policy: where it is from.
        splits: what was compared on.
        faults: what else is worse.
        findings: one a metric and split.
        reasons: for the answer, a sentence each.
    """

    answer: Answer
    exit_status: Count
    accepted: Side | None = None
    candidate: Side | None = None
    corpus: str = ""
    profile: str = ""
    policy: str = ""
    splits: dict[str, Windows] = msgspec.field(default_factory=dict)
    faults: list[Fault] = msgspec.field(default_factory=list)
    findings: list[Finding] = msgspec.field(default_factory=list)
    reasons: list[str] = msgspec.field(default_factory=list)


def broken(reason: str) -> Comparison:
    """What is said where no comparison could be made."""
    return Comparison(answer="broken", exit_status=EXIT["broken"], reasons=[reason])


def compare_reports(
    accepted: tuple[Report, CardRecord],
    candidate: tuple[Report, CardRecord],
    splits: Sequence[str],
    policy: Policy,
    origin: str,
) -> Comparison:
    """The candidate judged beside the accepted model.

    Args:
        accepted: its report and its card in it.
        candidate: the same.
        splits: to compare on.
        policy: tiers and margins.
        origin: of the policy, in words.

    Raises:
        UserError: they cannot be compared.
    """
    (first, own), (second, other) = accepted, candidate
    check_fit(first, second)
    check_card(first, own, accepted=True)
    check_card(second, other, accepted=False)
    faults = _faults(own, other, policy)
    sizes, findings = {}, []
    for split in splits:
        found = compare(read_samples(first, own.name, split), read_samples(second, other.name, split))
        _check_windows(first, second, split, found)
        # Rollouts of unequal length are compared as far as both go, which is another metric.
        unequal = any(reason.startswith("rollout") for reason in found.left_out)
        by_name = {one.metric: one for one in found.differences if not (unequal and one.metric == "rollout")}
        for rule in policy.metrics:
            if rule.metric in by_name:
                findings.append(judge(by_name[rule.metric], split, rule))
                if findings[-1].accepted != findings[-1].accepted and rule.tier != "advisory":
                    raise BrokenError(f"{first.label}: {rule.metric} of the accepted model is not defined on {split}.")
            elif rule.tier != "advisory":
                why = "; ".join(found.left_out) or "not measured"
                raise BrokenError(
                    f"{rule.metric} is missing on {split} ({why}); gate both models with one set of options."
                )
        articles = max((one.estimate.articles for one in found.differences), default=0)
        sizes[split] = Windows(windows=found.windows, leaked=found.leaked, articles=articles)
    answer, reasons = _answer(faults, findings)
    return Comparison(
        answer=answer,
        exit_status=EXIT[answer],
        accepted=Side(model=own.name, report=first.label, verdict=own.verdict),
        candidate=Side(model=other.name, report=second.label, verdict=other.verdict),
        corpus=f"{first.scorecard.corpus.path}, fingerprint {str(first.fingerprint)[:12]}",
        profile=first.scorecard.profile,
        policy=origin,
        splits=sizes,
        faults=faults,
        findings=findings,
        reasons=reasons,
    )


def _check_windows(first: Report, second: Report, split: str, found: PairedDifferences) -> None:
    common = found.windows + found.leaked
    if common != found.of[0] or common != found.of[1]:
        raise BrokenError(
            f"{first.label} and {second.label}: judged on other {split} windows ({found.of[0]:,} and {found.of[1]:,}, "
            f"{common:,} in common); gate both models with the same --seed, --max-samples and no --sequential."
        )


def _faults(own: CardRecord, other: CardRecord, policy: Policy) -> list[Fault]:
    """What makes the candidate worse whatever its metrics are."""
    found = [Fault(tier="critical", what=fault)] if (fault := own_fault(other)) else []
    if own.verdict == "release" and other.verdict != "release":
        why = other.reasons[0] if other.reasons else "no reason recorded"
        what = f"the accepted model is released, the candidate's verdict is {other.verdict}: {why}"
        found.append(Fault(tier=policy.verdict, what=what))
    return found


def _answer(faults: Sequence[Fault], findings: Sequence[Finding]) -> tuple[Answer, list[str]]:
    worse = [fault.what for fault in faults if fault.tier != "advisory"]
    for one in findings:
        if one.outcome == "worse" and one.tier != "advisory":
            worse.append(f"{one.metric} on {one.split} is worse by more than {one.margin:g} ({one.tier})")
    if worse:
        return "worse", worse
    undecided = [
        f"{one.metric} on {one.split} is undecided: {_wanted(one)}"
        for one in findings
        if one.outcome == "undecided" and one.tier == "critical"
    ]
    if undecided:
        return "undecided", undecided
    return "not worse", ["no critical metric has lost more than its margin, no supporting one is shown to have"]


def _wanted(one: Finding) -> str:
    if one.note:
        return one.note
    if one.articles_wanted is None:
        return f"the difference lies at the margin {one.margin:g}, so no number of articles would decide"
    return f"about {one.articles_wanted:,} articles would decide, {one.difference.articles:,} are there"
