"""Profiles: which figure is held against which threshold, and why. Data in ``harness/judging/profiles/*.toml``."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

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
        statistic: path of the figure inside that gate's statistics, dots between the keys.
        label: what people read.
        comparison: ``at_least`` and ``at_most`` hold the value against the limit; ``low_above`` and ``high_below`` hold
            an end of its interval.
        limits: split (or "BOTH") -> limit.
        source: the evidence for the limit.
        undefined: why the figure may be undefined.
        interval: whether a figure without an interval is inconclusive; ratios of ranks have none.
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
class Profile:
    """A named set of thresholds.

    Attributes:
        name: as given to ``--profile``.
        version: of its file; raised whenever a verdict may change by it.
        protocol: "5cat", or "published" for the original battery's indexing, tie rule and pools.
        can_release: whether a model may be released under it.
        blocks_on_negative_margin: whether a negative margin blocks by itself.
        minimum_windows: fewer make a figure inconclusive, which fails.
        minimum_articles: the same of articles.
        thresholds: every row.
    """

    name: str
    version: int
    protocol: Literal["5cat", "published"]
    can_release: bool
    blocks_on_negative_margin: bool
    minimum_windows: int
    minimum_articles: int
    thresholds: tuple[Threshold, ...]

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in the order of the file."""
        return tuple(dict.fromkeys(t.gate for t in self.thresholds))

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
    rows = []
    for row in data["check"]:
        comparison = next(c for c in COMPARISONS if c in row)
        kept = {
            key: row[key] for key in ("gate", "statistic", "label", "source", "undefined", "interval") if key in row
        }
        rows.append(Threshold(**kept, comparison=comparison, limits=row[comparison]))
    return Profile(
        data["name"],
        data["version"],
        data["protocol"],
        data["can_release"],
        data["blocks_on_negative_margin"],
        data["minimum_windows"],
        data["minimum_articles"],
        tuple(rows),
    )
