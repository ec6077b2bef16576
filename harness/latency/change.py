"""How much longer one model takes than another, with the interval of the rounds; and what may be said of that.

A round's ratio is the median of its turns, each the ratio of two neighbours; for the 95th percentile, the ratio of the
round's two. What is reported is the median of the rounds with its distribution-free interval, from order statistics
(David and Nagaraja 2003, section 7.1): times of a busy machine have no normal distribution, and no outlier moves it.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import bdtr, ndtri

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.latency.records import Latency, Times

Quantile = Literal["p50", "p95"]
QUANTILES: tuple[Quantile, ...] = ("p50", "p95")
LEVEL = 0.99
TOLERANCE = 1.1
# Standard deviation of the logarithm of a ratio to the product between processes. Of 12 processes on two cores with a
# load of 20 to 40 it was .034 at B = 64. At B = 1, where calls are as short as time slices, none of their 264
# comparisons was an alarm with .15, and 15 were with .12.
PROCESS_SPREAD = 0.15
Mark = Literal["SLOWER", "ok", "undecided"]


class Change(NamedTuple):
    """One metric of one batch size.

    Attributes:
        batch: B.
        quantile: of the calls.
        accepted: milliseconds of the accepted model's quantile, over all calls.
        candidate: the same of the candidate.
        ratio: of candidate to accepted, with its 99 % interval; n is the number of rounds.
    """

    batch: int
    quantile: Quantile
    accepted: float
    candidate: float
    ratio: Estimate

    def mark(self, tolerance: float) -> Mark:
        """Slower only if all of the interval is beyond the tolerance, ok only if nothing of it is."""
        if self.ratio.low > tolerance:
            return "SLOWER"
        return "ok" if self.ratio.high <= tolerance else "undecided"


def milliseconds(times: Times, quantile: Quantile) -> float:
    """A quantile of all calls."""
    return 1e3 * float(np.quantile(times.calls, _share(quantile)))


def to_reference(times: Times, quantile: Quantile) -> Estimate:
    """How many products of the same process a call takes."""
    return _exponential(median_of_rounds(_logs(times.calls, times.products, quantile)))


def changes(accepted: Latency | None, candidate: Latency) -> list[Change]:
    """Both metrics of one batch size.

    Args:
        accepted: measured in another process, on the same contexts; None where ``candidate`` holds both models.
        candidate: the measurement of the candidate.
    """
    old = candidate.accepted if accepted is None else accepted.candidate
    if old is None:
        raise ValueError("there is nothing to compare with")
    new = candidate.candidate
    found = []
    for quantile in QUANTILES:
        if accepted is None:
            ratio = median_of_rounds(_logs(new.calls, old.calls, quantile))
        else:
            ratio = _apart(old, new, quantile)
        ratio = _exponential(ratio)
        found.append(Change(candidate.batch, quantile, milliseconds(old, quantile), milliseconds(new, quantile), ratio))
    return found


def median_of_rounds(values: Float[np.ndarray, " r"], level: float = LEVEL) -> Estimate:
    """Their median, between two order statistics; no interval where there are too few rounds for the level."""
    rounds = len(values)
    ordered = np.sort(values)
    # The largest k with P(fewer than k of the rounds lie below the median) <= (1 - level) / 2.
    k = int(np.searchsorted(bdtr(np.arange(rounds, dtype=np.float64), rounds, 0.5), (1.0 - level) / 2, side="right"))
    middle = float(np.median(values))
    if k == 0:
        return Estimate(middle, -math.inf, math.inf, rounds)
    return Estimate(middle, float(ordered[k - 1]), float(ordered[rounds - k]), rounds)


def _logs(
    above: Float[np.ndarray, "r k"], below: Float[np.ndarray, "r k"], quantile: Quantile
) -> Float[np.ndarray, " r"]:
    """Logarithm of each round's ratio."""
    if quantile == "p50":
        return np.asarray(np.median(np.log(above / below), axis=1))
    share = _share(quantile)
    return np.asarray(np.log(np.quantile(above, share, axis=1) / np.quantile(below, share, axis=1)))


def _apart(old: Times, new: Times, quantile: Quantile) -> Estimate:
    """Two processes: each beside its own products, and what differs from process to process on top."""
    one, two = (median_of_rounds(_logs(t.calls, t.products, quantile)) for t in (old, new))
    value = two.value - one.value
    process = float(ndtri(0.5 + LEVEL / 2)) * PROCESS_SPREAD * math.sqrt(2.0)
    below = math.hypot(two.value - two.low, one.high - one.value, process)
    above = math.hypot(two.high - two.value, one.value - one.low, process)
    return Estimate(value, value - below, value + above, min(one.n, two.n))


def _exponential(logarithm: Estimate) -> Estimate:
    low, high = np.exp([logarithm.low, logarithm.high]).tolist()
    return Estimate(math.exp(logarithm.value), low, high, logarithm.n)


def _share(quantile: Quantile) -> float:
    return int(quantile[1:]) / 100
