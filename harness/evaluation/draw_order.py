"""The windows of a split in a random order, whole articles or single windows at a time, and where one stops to look.

Each next unit is chosen with a probability proportional to its windows among those left, so that long articles tend to
come first and every window is as likely to come next as any other: what `harness.statistics.confidence_sequence` needs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.corpus.splits import JUDGED, SplitName

Unit = Literal["articles", "windows"]
UNITS: tuple[Unit, ...] = ("articles", "windows")
# Shares of the windows after which one looks. More looks cost nothing but the overhead of small batches: the sequences
# hold at every moment.
SHARES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0)


@dataclass(frozen=True)
class DrawOrder:
    """Windows in the order in which they are drawn.

    Attributes:
        unit: (n,) place of each window's unit in the order.
        weights: (u,) windows of each unit, in the order.
        cuts: units drawn at each look; the last look sees all.
    """

    unit: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, " u"]
    cuts: tuple[int, ...]

    @classmethod
    def of(cls, clusters: Int[np.ndarray, " n"], by: Unit, rng: np.random.Generator) -> "DrawOrder":
        """Draw.

        Args:
            clusters: article of each window.
            by: what is drawn.
            rng: chooses.
        """
        whole = clusters if by == "articles" else np.arange(len(clusters))
        _, unit, sizes = np.unique(whole, return_inverse=True, return_counts=True)
        # The first of independent exponential times with these rates is each with that probability; then the next.
        order = np.argsort(rng.standard_exponential(len(sizes)) / sizes, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        weights = sizes[order].astype(np.float64)
        least = MINIMUM_ARTICLES if by == "articles" else 1
        drawn = np.searchsorted(np.cumsum(weights), np.array(SHARES) * len(clusters) - 0.5) + 1
        cuts = np.clip(drawn, min(least, len(weights)), len(weights))
        return cls(place[unit], weights, tuple(cuts.tolist()))

    def seen(self, look: int) -> Int[np.ndarray, " m"]:
        """Positions of the windows that have been drawn at a look, rising."""
        return np.flatnonzero(self.unit < self.cuts[look])

    def new(self, look: int) -> Int[np.ndarray, " m"]:
        """Those among them that had not been at the look before."""
        before = self.cuts[look - 1] if look else 0
        return np.flatnonzero((self.unit >= before) & (self.unit < self.cuts[look]))

    def sums(
        self, values: Float[np.ndarray, " m"], exists: Bool[np.ndarray, " n"], look: int
    ) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " u"]]:
        """Totals of a metric over each unit drawn, and how many windows of every unit have it.

        Args:
            values: of the windows `seen`; those that do not have the metric are not read.
            exists: for every window whether it does.
            look: how far one is.
        """
        seen = self.seen(look)
        has = exists[seen]
        totals = np.bincount(self.unit[seen][has], weights=values[has], minlength=self.cuts[look])
        # Of nothing, weights or not, numpy counts in whole numbers.
        return totals.astype(np.float64), np.bincount(self.unit[exists], minlength=len(self.weights)).astype(np.float64)


def draw_orders(clusters: dict[SplitName, Int[np.ndarray, " n"]], by: Unit, seed: int) -> dict[SplitName, DrawOrder]:
    """One for each judged split, independent of each other and of everything else that a session draws.

    Args:
        clusters: split -> article of each window.
        by: what is drawn.
        seed: of the session.
    """
    rng = rng_of(seed, Stream.DRAW_ORDER)
    return {split: DrawOrder.of(clusters[split], by, rng) for split in JUDGED}
