"""What part of a finite sample, drawn in random order, says of a mean over all of it: at whatever moment one looks.

The sample is divided into *units*, whole articles or single windows, and these are drawn without replacement, each next
one with a probability proportional to its number of windows among those that are left. Nothing is assumed of the
values but their range: not that windows are independent, nor how they vary. If the mean over all windows is m, a unit's
total minus m times its windows sums to zero over all units, so that the expectation of the next one follows from those
seen. A player who bets on it with known odds plays a fair game, and the chance that the stake ever grows
1/alpha-fold is at most alpha (Ville): the means against which it did are refused, the others are the confidence
sequence. Waudby-Smith and Ramdas 2020 (arXiv 2006.04347) and 2024 (arXiv 2010.09686) for draws without replacement and
for betting, Shekhar, Xu, Lipton, Liang and Ramdas 2023 (arXiv 2305.06884) for draws by size; docs/sequential.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

# Shares of the largest stake that cannot be lost below zero, and how the first stake is divided among them. Whatever
# the sample is like, one of them is within a factor of two of the best; half of it is put on all or nothing, since
# hits without a miss are what a good model shows and the rarest miss is what must be ruled out.
FRACTIONS = np.array([1.0, 0.7, 0.4, 0.2, 0.1, 0.05, 0.025])
_PRIOR = np.log([0.5, *[0.5 / 6] * 6])
# Bounds are found to this share of the range; each is a mean that was refused, so they err to the wide side.
_STEPS = 30
# Pairs of means of two samples are laid out this finely, as a share of the range; they err to the wide side too.
_PAIRS = 400
_AT_ONCE = 40
# Sums over thousands of windows are off by less.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Draws:
    """A metric on the units that were drawn, in the order of the draw, and how many windows the others have.

    Attributes:
        totals: of the metric over the windows of each unit that was drawn.
        counts: windows of every unit that have the metric, those not yet drawn included.
        weights: windows of every unit, by which it was drawn; at least ``counts``.
        low: the least that a window can have.
        high: the most.
    """

    totals: Float[np.ndarray, " t"]
    counts: Float[np.ndarray, " u"]
    weights: Float[np.ndarray, " u"]
    low: float
    high: float

    @property
    def mirrored(self) -> "Draws":
        """The same of the negative metric: what bounds it from above bounds this one from below."""
        return replace(self, totals=-self.totals, low=-self.high, high=-self.low)

    @property
    def complete(self) -> bool:
        """Whether every unit has been drawn."""
        return len(self.totals) == len(self.weights) > 0

    @cached_property
    def _seen(self) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
        """Before each draw: total and windows of the units drawn, and the weight of those left."""
        t = len(self.totals)
        totals, counts = (np.concatenate([[0.0], np.cumsum(x[:t])])[:t] for x in (self.totals, self.counts))
        left = np.cumsum(self.weights[::-1])[::-1][:t]
        return totals, counts, left

    @cached_property
    def _densest(self) -> Float[np.ndarray, " t"]:
        """The largest share of windows that have the metric, in any unit that is left before each draw."""
        share = self.counts / self.weights
        return np.asarray(np.maximum.accumulate(share[::-1])[::-1][: len(self.totals)])

    def certain_low(self) -> Float[np.ndarray, " t"]:
        """After each draw: the mean over all windows if every other one had the least that it can have."""
        return np.asarray(
            (np.cumsum(self.totals) + self.low * (self.counts.sum() - np.cumsum(self.counts)[: len(self.totals)]))
            / self.counts.sum()
        )


def log_capital(
    draws: Draws, means: Float[np.ndarray, " m"], after: Int[np.ndarray, " k"] | None = None
) -> Float[np.ndarray, "m k"]:
    """What a stake of 1 has become, for each mean that is bet against from above: its logarithm.

    While the mean over all windows is at most ``means[i]``, row i is no larger than 0 on average, at any moment.
    Refuted means have infinity. It never rises with the mean: of a larger one less is won and more is lost.

    Args:
        draws: so far.
        means: that are bet against.
        after: so many draws; by default after each.
    """
    after = np.arange(1, len(draws.totals) + 1) if after is None else after
    if not len(draws.totals):
        return np.zeros((len(means), len(after)))
    totals, counts, left = draws._seen
    t, at = len(draws.totals), means[:, None]
    expected = (at * counts - totals) / left
    drawn = (draws.totals - at * draws.counts[:t]) / draws.weights[:t]
    # The least that any unit left can show; where even that is more than expected, the mean is refuted already.
    at_risk = expected - (draws.low - at) * draws._densest
    gain = np.where(at_risk > _ROUNDING, (drawn - expected) / np.maximum(at_risk, _ROUNDING), 0.0)
    with np.errstate(divide="ignore"):
        stakes = np.log1p(np.maximum(gain, -1.0) * FRACTIONS[:, None, None]).cumsum(axis=2)
    stakes = np.concatenate([np.zeros((*stakes.shape[:2], 1)), stakes], axis=2)[:, :, after] + _PRIOR[:, None, None]
    largest = stakes.max(axis=0)  # finite: a share of the stake below 1 is never lost as a whole
    capital = largest + np.log(np.exp(stakes - largest).sum(axis=0))
    certain = np.concatenate([[draws.low], draws.certain_low()])[after]
    return np.where(certain > at + _ROUNDING, np.inf, capital)


def exceeds(draws: Draws, mean: float, level: float) -> bool:
    """Whether the mean over all windows is above ``mean``; false alarms, ever, with a probability of ``level`` at most.

    Args:
        draws: so far.
        mean: to be refused.
        level: the probability.
    """
    if mean < draws.low:
        return True
    if draws.complete:  # what was refused on the way counts no more
        return bool(draws.certain_low()[-1] > mean + _ROUNDING)
    capital = log_capital(draws, np.array([min(mean, draws.high)]))
    return bool(mean < draws.high and capital.max(initial=0.0) >= -np.log(level))


def lower_bound(draws: Draws, level: float) -> float:
    """The largest mean that `exceeds` refuses; the least possible one where it refuses none."""
    refused, kept = draws.low, draws.high
    for _ in range(_STEPS):
        middle = (refused + kept) / 2.0
        refused, kept = (middle, kept) if exceeds(draws, middle, level) else (refused, middle)
    return refused


def upper_bound(draws: Draws, level: float) -> float:
    """The same from the other side."""
    return -lower_bound(draws.mirrored, level)


def difference_exceeds(
    first: Draws, second: Draws, looks: Sequence[tuple[int, int]], difference: float, level: float
) -> bool:
    """Whether mean(first) - mean(second) is above ``difference``, for two samples drawn independently.

    Two fair games are one, and its capital is the product. If the difference were no larger, some pair of means would
    be the truth; so every pair must be refused by its product.

    Args:
        first: of one metric, on one sample.
        second: of the same metric on the other.
        looks: how many units of each had been drawn at each moment at which one looked; the last one last.
        difference: to be refused.
        level: probability of a false alarm, ever.
    """
    step = (first.high - first.low) / _PAIRS
    # The mean of the first lies between two edges, and the second one's is then at least the lower edge minus the
    # difference: one bet that the first is not that small, one that the second is not that large.
    edges = first.low + step * np.arange(_PAIRS + 1)
    at_most, at_least = np.minimum(edges[1:], first.high), edges[:-1] - difference
    possible = at_least <= second.high
    at_most, at_least = at_most[possible], np.maximum(at_least[possible], second.low)
    if not len(at_most):
        return True
    times = np.array([(0, 0), *looks])
    # Pairs near to what was seen are the last to be refused: one of them answers at once while none is.
    near = first.totals.sum() / max(1.0, first.counts[: len(first.totals)].sum())
    for part in np.array_split(np.argsort(np.abs(at_most - near), kind="stable"), -(-len(at_most) // _AT_ONCE)):
        ours = log_capital(first, at_most[part], times[:, 0])
        theirs = log_capital(second.mirrored, -at_least[part], times[:, 1])
        if not ((ours + theirs).max(axis=1) >= -np.log(level)).all():
            return False
    return True
