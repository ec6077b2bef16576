"""What a candidate may lose beside the accepted model: a margin a metric, and how much each metric counts.

A policy is a TOML file; `policy.toml` beside this module is the one that holds where none is given.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.results.paired import METRICS

Tier = Literal["critical", "supporting", "advisory"]
Margin = Annotated[float, msgspec.Meta(gt=0.0, le=2.0)]
DEFAULT = Path(__file__).with_name("policy.toml")
_LARGEST = 1 << 20


class MetricRule(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric of the comparison.

    Attributes:
        metric: its name, as `harness.results.paired` has it.
        tier: critical: it must be shown to be not worse. supporting: it must not be shown to be worse. advisory: it
            is shown, and decides nothing.
        margin: the largest loss that is no loss.
        better: the direction of a better model.
        evidence: for the margin, in words.
    """

    metric: str
    tier: Tier
    margin: Margin
    better: Literal["higher", "lower"] = "higher"
    evidence: str = ""

    @property
    def sign(self) -> float:
        """What makes a gain positive."""
        return 1.0 if self.better == "higher" else -1.0


class Policy(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy.

    Attributes:
        verdict: tier of the candidate's own verdict, where the accepted model is released and the candidate is not.
        metrics: each at most once, one of them critical.
    """

    verdict: Tier = "critical"
    metrics: list[MetricRule] = msgspec.field(name="metric", default_factory=list)


def parse_policy(text: bytes, where: str) -> Policy:
    """A policy from TOML.

    Args:
        text: of the file.
        where: it is from, for messages.

    Raises:
        UserError: no TOML, an unknown key or metric, a margin that is none, a metric named twice, none critical.
    """
    if len(text) > _LARGEST:
        raise UserError(f"{where}: is larger than any policy; name a TOML file with [[metric]] tables (docs/ci.md).")
    try:
        policy = msgspec.convert(tomllib.loads(text.decode()), Policy)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{where}: is no TOML ({brief(error)}); see docs/ci.md for a policy.") from error
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: is no policy ({brief(error).replace('`', '')}); see docs/ci.md for one.") from error
    names = [rule.metric for rule in policy.metrics]
    for name in names:
        if name not in METRICS:
            raise UserError(f"{where}: metric {name!r} is not one that is compared; {did_you_mean(name, METRICS)}.")
        if names.count(name) > 1:
            raise UserError(f"{where}: metric {name!r} is named twice; give it one tier and one margin.")
    if all(rule.tier != "critical" for rule in policy.metrics):
        raise UserError(f'{where}: no metric is critical, so nothing would be decided; give one tier = "critical".')
    return policy
