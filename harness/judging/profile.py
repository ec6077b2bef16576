"""Profiles: which metric is compared with which threshold, and why. Data in ``harness/judging/profiles/*.toml``."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.suggest import did_you_mean

Comparison = Literal["at_least", "at_most", "low_above", "high_below"]
COMPARISONS: tuple[Comparison, ...] = ("at_least", "at_most", "low_above", "high_below")
BOTH = "BOTH"


@dataclass(frozen=True)
class Threshold:
    """One row of a profile.

    Attributes:
        gate: which gate it belongs to.
        statistic: path of the metric inside that gate's statistics, dots between the keys.
        label: what people read.
        comparison: ``at_least`` and ``at_most`` compare the value with the limit; ``low_above`` and ``high_below``
            an end of its interval.
        limits: split (or "BOTH") -> limit.
        source: the evidence for the limit.
        undefined: why the metric may be undefined.
        interval: whether a metric without an interval is inconclusive; ratios of ranks have none.
    """

    gate: str
    statistic: str
    label: str
    comparison: Comparison
    limits: dict[str, float]
    source: str
    undefined: str = "not every prediction is finite"
    interval: bool = True


@dataclass(frozen=True)
class Rule:
    """A release rule: which gates a model may fail, and what it must reach all the same.

    Attributes:
        name: as given to ``--require``.
        gates: how many gates of the profile must be passed; None for every one.
        required: gates among them that must be.
        checks: metrics that must reach a limit besides.
        source: where the rule comes from.
    """

    name: str
    gates: int | None
    required: tuple[str, ...]
    checks: tuple[Threshold, ...]
    source: str


@dataclass(frozen=True)
class Profile:
    """A named set of thresholds.

    Attributes:
        name: as given to ``--profile``.
        version: of its file; raised whenever a verdict may change by it.
        protocol: "5cat", or "published" for the original battery's indexing, tie rule and candidate sets.
        can_release: whether a model may be released under it.
        blocks_on_negative_margin: whether a negative margin blocks by itself.
        minimum_windows: fewer make a metric inconclusive, which fails.
        minimum_articles: the same of articles.
        thresholds: every row.
        rules: the release rules it knows.
        added: gates among its own that came from outside.
    """

    name: str
    version: int
    protocol: Literal["5cat", "published"]
    can_release: bool
    blocks_on_negative_margin: bool
    minimum_windows: int
    minimum_articles: int
    thresholds: tuple[Threshold, ...]
    rules: tuple[Rule, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in the order of the file."""
        return tuple(dict.fromkeys(t.gate for t in self.thresholds))

    def rule(self, name: str) -> Rule:
        """The release rule of that name.

        Raises:
            LookupError: the profile has none.
        """
        for rule in self.rules:
            if rule.name == name:
                return rule
        raise LookupError(f"profile {self.name} has no release rule {name!r}")

    def with_thresholds(self, added: Iterable[Threshold]) -> "Profile":
        """The profile with gates from outside, by their thresholds."""
        rows = tuple(added)
        names = tuple(dict.fromkeys(row.gate for row in rows))
        return replace(self, thresholds=(*self.thresholds, *rows), added=(*self.added, *names))

    def of_gate(self, gate: str) -> tuple[Threshold, ...]:
        """The rows of one gate."""
        return tuple(t for t in self.thresholds if t.gate == gate)


def profile_names() -> list[str]:
    """The profiles that exist."""
    files = resources.files("lvm_gates.harness.judging.profiles").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


@cache
def load_profile(name: str) -> Profile:
    """Read a profile.

    Raises:
        UserError: no profile of that name.
    """
    if name not in profile_names():
        raise UserError(f"--profile={name}: no such profile; {did_you_mean(name, profile_names())}.")
    data = tomllib.loads(resources.files("lvm_gates.harness.judging.profiles").joinpath(f"{name}.toml").read_text())
    return Profile(
        data["name"],
        data["version"],
        data["protocol"],
        data["can_release"],
        data["blocks_on_negative_margin"],
        data["minimum_windows"],
        data["minimum_articles"],
        tuple(map(_threshold, data["check"])),
        tuple(map(_rule, data["rule"])),
    )


def _threshold(row: Mapping[str, Any]) -> Threshold:
    comparison = next(c for c in COMPARISONS if c in row)
    kept = {key: row[key] for key in ("gate", "statistic", "label", "source", "undefined", "interval") if key in row}
    return Threshold(**kept, comparison=comparison, limits=row[comparison])


def _rule(row: Mapping[str, Any]) -> Rule:
    checks = tuple(map(_threshold, row.get("check", ())))
    return Rule(row["name"], row.get("gates"), tuple(row.get("required", ())), checks, row["source"])
