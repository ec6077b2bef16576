"""Margins from the spread between seeds: what the next run of the same recipe differs by is no loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.results.fit import check_fit
from lvm_gates.harness.results.paired import compare
from lvm_gates.harness.results.policy import MetricRule, Policy
from lvm_gates.harness.results.reading import Report, choose, read_samples

# Two draws differ by less than 1.96 times the root of 2 standard deviations 95 times in a hundred.
TWO_RUNS = 1.96 * 2**0.5
FEWEST = 3
# A margin below this would be one of rounding; saturated metrics hardly differ between seeds.
LEAST = 0.001


@dataclass(frozen=True)
class Spread:
    """One metric over some seeds.

    Attributes:
        metric: its name.
        deviation: standard deviation between seeds, on the split where it is larger.
        seeds: how many.
    """

    metric: str
    deviation: float
    seeds: int

    @property
    def margin(self) -> float:
        """What two of the seeds differ by at most, 95 times in a hundred, to two digits and upwards."""
        wanted = max(LEAST, TWO_RUNS * self.deviation)
        unit = 10.0 ** (np.floor(np.log10(wanted)) - 1)
        return float(f"{np.ceil(wanted / unit - 1e-9) * unit:.6g}")


def spreads(reports: Sequence[Report]) -> list[Spread]:
    """How far the models of some reports lie apart in each metric.

    Args:
        reports: of one recipe each with another seed, gated alike; of one model each.

    Raises:
        UserError: fewer than `FEWEST`, or they cannot be compared.
    """
    if len(reports) < FEWEST:
        raise UserError(f"{len(reports)} reports: a spread needs at least {FEWEST} seeds; train and gate more.")
    first, *others = reports
    for other in others:
        check_fit(first, other)
    deviations: dict[str, float] = {}
    for split in JUDGED:
        samples = [read_samples(report, choose(report, None, "a report of one model"), split) for report in reports]
        pairs = [compare(samples[0], sampled) for sampled in samples[1:]]
        if any(len({*pair.of, pair.windows + pair.leaked}) > 1 for pair in pairs):
            raise UserError(f"{first.label}: the reports are of other {split} windows; gate all seeds alike.")
        for i, one in enumerate(pairs[0].differences):
            values = [0.0, *(pair.differences[i].estimate.value for pair in pairs)]
            deviations[one.metric] = max(deviations.get(one.metric, 0.0), float(np.std(values, ddof=1)))
    return [Spread(metric, value, len(reports)) for metric, value in deviations.items()]


def with_margins(policy: Policy, found: Sequence[Spread]) -> Policy:
    """A policy with the margins of the seeds, and its own tiers; metrics that were not measured are left out."""
    by_name = {one.metric: one for one in found if np.isfinite(one.deviation)}
    rules = [_rule(rule, by_name[rule.metric]) for rule in policy.metrics if rule.metric in by_name]
    return Policy(verdict=policy.verdict, metrics=rules)


def _rule(rule: MetricRule, found: Spread) -> MetricRule:
    evidence = f"standard deviation {found.deviation:.4f} between {found.seeds} seeds"
    return MetricRule(metric=rule.metric, tier=rule.tier, margin=found.margin, better=rule.better, evidence=evidence)


def as_toml(policy: Policy) -> str:
    """The policy as a file."""
    lines = [f'verdict = "{policy.verdict}"']
    for rule in policy.metrics:
        lines += ["", "[[metric]]", f'metric = "{rule.metric}"', f'tier = "{rule.tier}"', f"margin = {rule.margin:g}"]
        lines += [f'better = "{rule.better}"'] if rule.better != "higher" else []
        lines += [f'evidence = "{rule.evidence}"']
    return "\n".join(lines) + "\n"
