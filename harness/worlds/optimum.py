"""The best possible predictor of a synthetic dataset, `control:bayes`: the conditional mean of the target.

In every plane of `harness.worlds.parameters` a chunk is a complex number, the sum of a known mean and independent
Gaussian parts, each stationary in time. Conditioning the target on the C context chunks is therefore one
C x C system a plane, which is what a Kalman filter started from the stationary prior computes step by step.
The cosine asks for a direction only, so the conditional mean is normalised.

Exact for the law before its chunks are normalised; norms there are 1 + O(D^-1/2), and no use is made of that.
It knows the law of the world and nothing of the article but the context: neither the split nor the topic. For
`shuffled`, whose chunks are exchangeable, the state counts as noise of the chunk: what is left out is the
covariance that two chunks of one article keep on average after the shuffle, from -.015 to -.006 of a plane's
variance for articles of 40 to 60 chunks (evaluated from the law).

Where the world has a `harness.worlds.switching.Switch`, the turn that each frame names is read off its index plane.
Given the turns the state is linear and Gaussian again: frames are turned ahead as they say, and the same filter is
exact. The mean over all that the turns might be is this one up to misread turns, fewer than one in 10^9 in world
`switch`.

Where chunks are unequally clear (`prose`) it is the best of those predictors that weigh every context alike: how clear
each frame is could be guessed from the context, and is not.
"""

import numpy as np
from jaxtyping import Complex, Float

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.worlds.parameters import GENERATOR_VERSION, WorldLaw
from lvm_gates.harness.worlds.switching import turned_ahead

# Contexts in hand at once: 1 MB of float64 at 768 dimensions and five frames, which stay in a core's cache.
_AT_ONCE = 32


class BayesPredictor:
    """The optimum of one world.

    Args:
        law: the world's law.
        mean: (D,) the mean m of its embeddings, D even.
        follows: how much of a switched state it predicts. At 0 it is the best linear map of the context, in between a
            model of a known gain over that.
    """

    def __init__(self, law: WorldLaw, mean: Float[np.ndarray, " d"], *, follows: float = 1.0) -> None:
        self.law = law
        self.follows = follows
        self._mean = np.ascontiguousarray(mean, dtype=np.float64)
        self._weights: dict[int, Complex[np.ndarray, "c planes"]] = {}

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """Predict the chunk after each context.

        Args:
            contexts: (B, C, D), oldest frame first, any C >= 1.

        Returns:
            (B, D) float32, unit norm. A row does not depend on the others.
        """
        found = np.empty((len(contexts), contexts.shape[2]), dtype=np.float32)
        along, across = self._real_weights(contexts.shape[1])
        for part in slices(len(contexts), _AT_ONCE):
            frames = contexts[part].astype(np.float64) - self._mean
            if self.law.switch is not None:
                frames = turned_ahead(frames, self.law.switch)
            # In real products, and sums over frames alone: each rounds alike wherever a row lies in the batch, which a
            # matrix product or a fused complex multiplication does not promise.
            predicted = self._mean + np.einsum("cd,bcd->bd", along, frames)
            crossed = np.einsum("cd,bcd->bd", across, frames)
            predicted[:, 0::2] += crossed[:, 1::2]
            predicted[:, 1::2] += crossed[:, 0::2]
            found[part] = predicted / np.linalg.norm(predicted, axis=1, keepdims=True)
        return found

    def _real_weights(self, context: int) -> tuple[Float[np.ndarray, "c d"], Float[np.ndarray, "c d"]]:
        """What each coordinate of a frame adds to the same coordinate, and to the other one of its plane."""
        weights = self.weights(context)
        along = np.repeat(weights.real, 2, axis=1)
        return along, np.stack([weights.imag, -weights.imag], axis=-1).reshape(along.shape)

    def weights(self, context: int) -> Complex[np.ndarray, "c planes"]:
        """(C, D/2) weight of each frame in the conditional mean, oldest first, per plane."""
        if context not in self._weights:
            covariance = covariances(self.law, len(self._mean), context + 1)
            within, across = covariance[:, :-1, :-1], covariance[:, -1, :-1]
            # w within = across; numpy solves A x = b, hence the transposes.
            solved = np.linalg.solve(within.transpose(0, 2, 1), across[:, :, None])[:, :, 0]
            if self.law.switch is not None:
                solved[self.law.ordinary(len(self._mean)) : -1] *= self.follows
                # The last frame's turn has been read, and the one after it is the same or any.
                solved[-1] = np.append(np.zeros(context - 1), self.law.switch.stay)
            self._weights[context] = np.ascontiguousarray(solved.T)
        return self._weights[context]


def covariances(law: WorldLaw, dim: int, times: int) -> Complex[np.ndarray, "planes t t"]:
    """E[x_t conj(x_u)] of consecutive chunks, minus the mean, in each plane.

    Args:
        law: the world's law.
        dim: dimension D.
        times: number of consecutive chunks T.

    Returns:
        (D/2, T, T) Hermitian. In a switch's planes, of chunks that are turned ahead.
    """
    ordinary = law.ordinary_profile(dim)
    topic = law.beta * (1 - law.subject) * ordinary
    topic[0] += law.beta * law.subject
    # An uneven clarity moves variance from the mean's direction, which is not counted, to the chunk's own part.
    own = (law.nu - law.alpha * law.clarity**2 / 3) * law.profile(dim) + (
        law.sigma * ordinary if law.transform == "shuffle" else 0.0
    )
    covariance = topic[:, None, None] + (own[:, None, None] * np.eye(times)).astype(np.complex128)
    if law.transform == "shuffle":
        return covariance
    lag = np.arange(times)[:, None] - np.arange(times)
    # Seen backwards, the state turns the other way.
    sense = -1 if law.transform == "reverse" else 1
    turned = np.exp(1j * sense * lag * law.turns(dim)[:, None, None])
    for share, rho in law.components:
        covariance = covariance + share * ordinary[:, None, None] * rho ** np.abs(lag) * turned
    if (switch := law.switch) is not None:
        turned = np.exp(1j * lag * switch.angles()[:, None, None])
        covariance[law.ordinary(dim) : -1] += switch.share / switch.planes * switch.rho ** np.abs(lag) * turned
    return covariance


def bayes_predictor(corpus: Corpus) -> BayesPredictor:
    """The optimum of the world that a corpus was drawn from.

    Raises:
        UserError: a corpus that is not synthetic, or was drawn by another version of the generator.
    """
    if not corpus.synthetic:
        raise UserError(
            f"{corpus.path}: control:bayes needs a synthetic dataset, whose law is known; leave it out here "
            "or make such a corpus with `lvm-data synth`."
        )
    drawn_by = corpus.meta.get("generator_version")
    if drawn_by != GENERATOR_VERSION:
        raise UserError(
            f"{corpus.path}: drawn by version {drawn_by} of the generator, and control:bayes knows "
            f"the law of version {GENERATOR_VERSION}; make the corpus again: {corpus.meta.get('how')}."
        )
    law = WorldLaw.from_record(corpus.meta["law"])
    return BayesPredictor(law, law.mean(corpus.dim, int(corpus.meta["seed"])))
