"""The table of trivial predictors and how often each is released."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ci.calibration_draws import Judged

# Of a two-sided 95 % interval, the side that releases.
PROMISED = 0.025


@dataclass(frozen=True)
class Outcome:
    """K predictors over N draws from one corpus.

    Attributes:
        setting: what was learned from.
        corpus: what was judged.
        names: the predictors.
        articles: in VAL, and in OOD.
        whole: on all judged articles at once; its metrics only, it has no interval.
        gain: (2N, K) F of every split of every draw.
        val: (N, K) whether VAL passes.
        ood: (N, K) whether OOD passes.
    """

    setting: str
    corpus: str
    names: tuple[str, ...]
    articles: int
    whole: Judged
    gain: Float[np.ndarray, "splits k"]
    val: Bool[np.ndarray, "n k"]
    ood: Bool[np.ndarray, "n k"]

    @property
    def one(self) -> Float[np.ndarray, " k"]:
        """Share of splits that pass."""
        return np.asarray((self.val.mean(axis=0) + self.ood.mean(axis=0)) / 2)

    @property
    def both(self) -> Float[np.ndarray, " k"]:
        """Share of draws released: both splits pass."""
        return np.asarray((self.val & self.ood).mean(axis=0))


def across(outcomes: Sequence[Outcome]) -> Float[np.ndarray, " k"]:
    """Share released with VAL from one corpus and OOD from another, over all ordered pairs of corpora and draws."""
    pairs = [a.val & b.ood for a in outcomes for b in outcomes if a.corpus != b.corpus]
    return np.asarray(np.concatenate(pairs).mean(axis=0)) if pairs else np.full(len(outcomes[0].names), np.nan)


def table(outcomes: Sequence[Outcome]) -> str:
    """One table a setting: share released and F of every predictor, the most often released first."""
    settings = list(dict.fromkeys(outcome.setting for outcome in outcomes))
    return "\n".join(_setting([one for one in outcomes if one.setting == setting]) for setting in settings)


def _setting(outcomes: Sequence[Outcome]) -> str:
    names = outcomes[0].names
    corpora = [outcome.corpus for outcome in outcomes]
    both = np.stack([outcome.both for outcome in outcomes])
    one = np.stack([outcome.one for outcome in outcomes])
    crossed = across(outcomes)
    gain = np.concatenate([outcome.gain for outcome in outcomes])
    lines = [
        f"### Learned from {outcomes[0].setting}",
        "",
        f"{len(names)} predictors, {len(outcomes[0].val)} draws of "
        + ", ".join(f"{2 * outcome.articles} of {len(outcome.whole.gain) and outcome.corpus}" for outcome in outcomes)
        + ".",
        "",
        "| predictor | F | sd | excess cosine | one split | both, " + " | both, ".join(corpora) + " | across corpora |",
        "|---" * (6 + len(corpora)) + "|",
    ]
    order = np.lexsort((-gain.mean(axis=0), -one.mean(axis=0), -both.max(axis=0)))
    for k in order:
        excess = np.mean([outcome.whole.excess[k] for outcome in outcomes])
        cells = [names[k], f"{gain[:, k].mean():+.4f}", f"{gain[:, k].std():.4f}", f"{excess:+.4f}"]
        cells += [_share(one[:, k].mean()), *(_share(share) for share in both[:, k]), _share(crossed[k])]
        lines.append("| " + " | ".join(cells) + " |")
    above = int((both > PROMISED).any(axis=0).sum())
    lines += ["", f"Released more often than {PROMISED:.1%} somewhere: {above} of {len(names)}.", ""]
    return "\n".join(lines)


def _share(value: float) -> str:
    return f"{value:.1%}" if value else "0"
