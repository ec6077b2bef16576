"""The laws of the synthetic datasets: what a chunk is made of, and how much of each.

Chunk t of an article is x_t = normalise(m + a + s_t + n_t) (docs/specification.md, "Synthetic datasets"): m the mean of
all embeddings (anisotropy), a the article's topic, s_t a stationary Gaussian state s_t+1 = rho R s_t + w_t, n_t what is
the chunk's own. The shares of variance add to 1, so norms are 1 + O(D^-1/2) before they are made exactly 1, and the
Gaussian optimum of `harness.worlds.optimum` is the optimum of the world up to that last step.

Coordinates 2j and 2j+1 are the real and imaginary part of plane j, in which R turns by one angle.

A world with a `Switch` has a further part whose way of turning each chunk names, which no linear map can follow.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.corpus.splits import SPLITS
from lvm_gates.harness.worlds.switching import Switch

Transform = Literal["none", "reverse", "shuffle", "leak"]

# Raised whenever the same arguments would give other vectors: part of every cache key and of every corpus.
GENERATOR_VERSION = 1


@dataclass(frozen=True)
class WorldLaw:
    """Parameters of one world.

    Attributes:
        alpha: share of variance of the common mean (anisotropy).
        beta: share of the topic.
        components: (share, rho) of each component of the state; the shares add to sigma.
        angles: degrees by which R turns the first and the last plane; the others are spaced evenly between.
            (0, 0) is R = identity.
        transform: what is done to the articles after they are drawn.
        subject: part of the topic's variance that lies in plane 0 (`harness.worlds.world`).
        lengths: fewest and most chunks of an article.
        articles: default number of articles.
        dim: default dimension.
        switch: the part that no linear map predicts, where there is one. Topic and components keep out of its planes.
        decay: the variance of plane j is proportional to (j + 1) ** -decay; 0 is isotropic.
        clarity: how unequal chunks are. Mean, topic and components of a chunk are scaled by its clarity, drawn evenly
            from 1 - clarity to 1 + clarity, and its own part makes up the rest: cosines between chunks stay what they
            are on average, and clear chunks are near many others.

    Raises:
        ValueError: shares or a clarity that leave nothing of a chunk's own, or a transform of a switched state.
    """

    alpha: float
    beta: float
    components: tuple[tuple[float, float], ...]
    angles: tuple[float, float] = (0.0, 0.0)
    transform: Transform = "none"
    subject: float = 1 / 3
    lengths: tuple[int, int] = (40, 60)
    articles: int = 500
    dim: int = 64
    switch: Switch | None = None
    decay: float = 0.0
    clarity: float = 0.0

    def __post_init__(self) -> None:
        if self.own_variance(1 + self.clarity) <= 0:
            raise ValueError(f"{self} leaves a chunk nothing of its own")
        if self.switch is not None and self.transform in ("reverse", "shuffle"):
            raise ValueError(f"the optimum of a switched state is known forwards only, not for {self.transform}")

    def own_variance(self, clarity: Float[np.ndarray, "*n"] | float) -> Float[np.ndarray, "*n"] | float:
        """Variance of the own part of chunks of a given clarity; nu where that is 1."""
        return self.nu - (clarity**2 - 1) * (self.alpha + self.beta + self.sigma)

    @property
    def sigma(self) -> float:
        """Share of variance of the state, a switch's left out."""
        return sum((share for share, _ in self.components), start=0.0)

    @property
    def nu(self) -> float:
        """Share of variance of what is a chunk's own."""
        switched = self.switch.share + self.switch.index if self.switch else 0.0
        return 1 - self.alpha - self.beta - self.sigma - switched

    def turns(self, dim: int) -> Float[np.ndarray, " planes"]:
        """(D/2,) radians by which R turns each plane."""
        return np.deg2rad(np.linspace(*self.angles, dim // 2))

    def ordinary(self, dim: int) -> int:
        """How many of the D/2 planes topic and components live in: the first of them, all but the switch's."""
        return dim // 2 - (self.switch.width if self.switch else 0)

    def profile(self, dim: int) -> Float[np.ndarray, " planes"]:
        """(D/2,) part of the variance of what is a chunk's own that lies in each plane."""
        weights = np.arange(1.0, dim // 2 + 1) ** -self.decay
        return np.asarray(weights / weights.sum())

    def ordinary_profile(self, dim: int) -> Float[np.ndarray, " planes"]:
        """(D/2,) the same of topic and components, which keep out of the switch's planes."""
        weights = self.profile(dim)
        weights[self.ordinary(dim) :] = 0.0
        return np.asarray(weights / weights.sum())

    @property
    def least_dim(self) -> int:
        """The smallest D that holds the switch's planes and one more."""
        return 2 * (self.switch.width + 1) if self.switch else 2

    def mean(self, dim: int, seed: int) -> Float[np.ndarray, " d"]:
        """(D,) the mean m of the world under ``seed``; its squared norm is alpha."""
        # Its stream lies beside those of the splits, so that no article shares it.
        stream = np.random.SeedSequence(seed, spawn_key=(len(SPLITS),))
        mean: np.ndarray = np.random.default_rng(stream).standard_normal(dim)
        mean *= np.sqrt(self.alpha) / np.linalg.norm(mean)
        return mean

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "WorldLaw":
        """The law as `synthesise` records it in ``corpus.json``, where tuples have become lists."""
        values = dict(record)
        values["components"] = tuple((float(share), float(rho)) for share, rho in record["components"])
        values["angles"], values["lengths"] = tuple(record["angles"]), tuple(record["lengths"])
        # Corpora drawn before there were switches record none, and are the same to the byte.
        values["switch"] = Switch(**record["switch"]) if record.get("switch") else None
        return cls(**values)


# Mean coherence .25 + .65 * .94 * mean cos(angle) is .50, the middle of gate E's bin; angles are spread so that
# similarity at lags 2 and 3 is near zero, and copying and averaging fail
# (docs/specification.md, "The five gates" and "Synthetic datasets").
ARROW = WorldLaw(alpha=0.10, beta=0.15, components=((0.65, 0.94),), angles=(35.0, 94.0))


def prose(planted: float) -> WorldLaw:
    """The law of dataset `prose`: chunks that lie together as those of text do, and a part that no linear map predicts.

    Fitted to all-MiniLM-L6-v2 (384-d) on 60 Wikipedia articles of WikiText-2; cosine, MRR and R@5 in candidate set
    `novel`:

    ============  ==============  ==============  ==============
    predictor     text, 384-d     world, 384-d    world, 768-d
    ============  ==============  ==============  ==============
    persistence   .395 .157 .217  .389 .153 .195  .394 .169 .214
    EWMA .3       .452 .162 .223  .444 .164 .209  .450 .181 .231
    EWMA .8       .503 .133 .184  .498 .145 .185  .503 .157 .204
    context mean  .498 .119 .163  .495 .128 .165  .500 .138 .180
    climatology   .323 .044 .044  .327 .044 .041  .328 .044 .041
    best linear                   .515 .141 .179  .519 .151 .193
    ============  ==============  ==============  ==============

    (200 articles of the world.) Cosines are spread more widely than on text: adjacent chunks .195 against .163, random
    pairs .17 against .12. A flatter spectrum has those, and persistence then an MRR of .26.

    A planted share of .002, .005 and .01 gives the optimum +.001, +.004 and +.008 of cosine and +.005, +.013 and +.029
    of MRR over the best linear map (384-d; .006, .015 and .032 at 768-d).

    Args:
        planted: share of variance of the switched state.
    """
    return WorldLaw(
        alpha=0.104,
        beta=0.179,
        components=((0.03, 0.94), (0.125, 0.52)),
        subject=0.1,
        lengths=(60, 190),
        articles=400,
        dim=384,
        switch=Switch(share=planted, rho=0.97, index=0.02, planes=6),
        decay=1.14,
        clarity=0.42,
    )


WORLDS: dict[str, WorldLaw] = {
    # Mean coherence .08 + .31 + .97 * .10 is .49, and a third of the windows lie in gate E's bin (with 6 planes, or
    # twice the subject, a quarter: both make coherence uneven). A linear map knows those parts alone, so it has cosine
    # sqrt(.49) = .70 at most and no margin; the optimum has .95.
    "switch": WorldLaw(0.08, 0.31, (), subject=1 / 6, switch=Switch(share=0.47, rho=0.96, index=0.10, planes=12)),
    # Least squares fit of alpha + beta + sum of share rho^L to .457 .387 .365 .352 .340 at lags 1..5
    # (docs/specification.md, "Synthetic datasets") with rho fixed at .2 and .9; alpha is near the .138 that climatology
    # scores on real text (docs/specification.md, "Cosine against rank"), and beta is .003 above the fit, since the
    # normalisation lowers the measured curve by .002 (D=768) to .006 (D=64).
    "wiki": WorldLaw(0.13, 0.124, ((0.346, 0.20), (0.152, 0.90)), lengths=(30, 90), articles=400, dim=128),
    "arrow": ARROW,
    "reversed": dataclasses.replace(ARROW, transform="reverse"),
    "shuffled": dataclasses.replace(ARROW, transform="shuffle"),
    "leaky": dataclasses.replace(ARROW, transform="leak"),
    "prose": prose(0.005),
}
