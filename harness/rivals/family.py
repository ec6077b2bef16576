"""The grid of rivals: which blends of frames, ridge and climatology are tried.

Measured on 7,149 windows of Wikipedia (384-d, ridge of Brown and PEPs): the best weights that an optimiser finds on
the judged windows themselves lie at most .002 MRR and .0005 cosine above the hull of this grid. EWMA alone lies .006
cosine below it: its best blends hold half a ridge, and a flat share for the older frames.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Decay of the newest-first exponential weights; 0 is the last frame alone. The context mean, decay 1, is added once.
DECAYS: tuple[float, ...] = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Share of the context mean beside the decaying weights; below zero the mean is subtracted, which sharpens.
FLAT_SHARES: tuple[float, ...] = (-0.3, 0.0, 0.3, 0.6)
# Weight of the ridge prediction as it comes, unnormalised (norm about .5 on text), beside frames that add to 1.
RIDGE: tuple[float, ...] = (-0.25, 0.0, 0.3, 0.6, 1.0, 2.0)
CLIMATOLOGY: tuple[float, ...] = (-0.2, 0.0, 0.1)
# Of the domain's mean in the place of climatology, beside these weights of ridge and of the flat share.
DOMAIN: tuple[float, ...] = (0.1, 0.2, 0.4)
DOMAIN_SUFFIX = "domain"
_DOMAIN_RIDGE: tuple[float, ...] = (0.0, 0.3, 0.6, 1.0)
_DOMAIN_FLAT: tuple[float, ...] = (0.0, 0.3)
# Where rank counts more than cosine, optimisers go beyond the grid: much ridge, less climatology.
_STEEP = ((4.0, -0.4), (2.0, -0.4), (1.0, -0.1))


class Family(NamedTuple):
    """Rivals by name, oldest frame first, then ridge, then climatology.

    Attributes:
        names: one a rival, such as ``ewma-0.6 +0.3 mean +0.5 ridge``.
        weights: (K, C + 2).
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, "k c_plus_2"]

    def with_fitted(self, weights: Float[np.ndarray, "f c_plus_2"]) -> "Family":
        """The family and more rivals, whose weights were learnt."""
        names = tuple(f"fitted-{i}" for i in range(len(weights)))
        return Family((*self.names, *names), np.concatenate([self.weights, weights]))

    def without_ridge(self) -> "Family":
        """Those that need no fit."""
        kept = np.flatnonzero(self.weights[:, -2] == 0.0)
        return Family(tuple(self.names[i] for i in kept), self.weights[kept])


def ewma_weights(decay: float, context: int) -> Float[np.ndarray, " c"]:
    """(C,) weights that add to 1, oldest frame first: a frame of age a weighs ``decay ** a``; ``0 ** 0`` is 1."""
    weights = np.power(float(decay), np.arange(context)[::-1])
    return np.asarray(weights / weights.sum())


def family_of(context: int) -> Family:
    """The grid for contexts of ``context`` frames; rivals that coincide (at C = 1, many) are listed once."""
    found: dict[bytes, tuple[str, np.ndarray]] = {}

    def add(name: str, frames: Float[np.ndarray, " c"], ridge: float = 0.0, climatology: float = 0.0) -> None:
        weights = np.concatenate([frames, [ridge, climatology]])
        found.setdefault(np.round(weights, 12).tobytes(), (name, weights))

    nothing = np.zeros(context)
    add("persistence", ewma_weights(0.0, context))
    add("context-mean", ewma_weights(1.0, context))
    add("linear", nothing, 1.0)
    add("climatology", nothing, 0.0, 1.0)
    for age in range(1, context):  # each older frame alone, such as `control:backward`
        add(f"frame{-age}", np.eye(context)[context - 1 - age])
    for sign in (-0.2, 0.2):
        add(f"linear {sign:+g} climatology", nothing, 1.0, sign)
    for name, frames in _profiles(context):
        for ridge, climatology in [*((r, s) for r in RIDGE for s in CLIMATOLOGY), *_STEEP]:
            parts = [name]
            parts += [f"{ridge:+g} ridge"] if ridge else []
            parts += [f"{climatology:+g} climatology"] if climatology else []
            add(" ".join(parts), frames, ridge, climatology)
    return Family(tuple(name for name, _ in found.values()), np.array([weights for _, weights in found.values()]))


def domain_family_of(context: int) -> Family:
    """Rivals that know the mean of the judged domain, to be scored on a basis that has it for background."""
    found = {DOMAIN_SUFFIX: np.eye(context + 2)[-1]}
    for name, frames in _profiles(context, _DOMAIN_FLAT):
        for ridge in _DOMAIN_RIDGE:
            for share in DOMAIN:
                parts = [name, *([f"{ridge:+g} ridge"] if ridge else []), f"{share:+g} {DOMAIN_SUFFIX}"]
                found[" ".join(parts)] = np.concatenate([frames, [ridge, share]])
    return Family(tuple(found), np.array(list(found.values())))


def _profiles(context: int, flat_shares: tuple[float, ...] = FLAT_SHARES) -> list[tuple[str, np.ndarray]]:
    """Weights of the frames alone, which add to 1."""
    mean = ewma_weights(1.0, context)
    found = [("context-mean", mean)]
    for decay in DECAYS:
        for flat in flat_shares:
            name = "persistence" if decay == 0.0 else f"ewma-{decay:g}"
            name += f" {flat:+g} mean" if flat else ""
            found.append((name, (1 - flat) * ewma_weights(decay, context) + flat * mean))
    return found
