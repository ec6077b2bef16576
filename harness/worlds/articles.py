"""One article of a synthetic dataset, drawn from its law.

Two thirds of a topic are spread as the chunk's own part is; the rest, its *subject*, lies in plane 0, and OOD articles
are those whose subject has its phase in a sector that TRAIN and VAL never visit.
"""

import numpy as np
from jaxtyping import Complex, Float

from lvm_gates.harness.corpus.splits import SPLITS, SplitName
from lvm_gates.harness.worlds.parameters import WorldLaw
from lvm_gates.harness.worlds.switching import Switch

# Phases, in turns, that the subjects of OOD articles occupy. A tenth, since OOD is a tenth of the articles.
OOD_SECTOR = 0.1


def draw_article(
    law: WorldLaw, mean: Float[np.ndarray, " d"], split: SplitName, index: int, seed: int
) -> Float[np.ndarray, "n d"]:
    """Article ``index`` of a split, which depends on nothing else that is drawn.

    Args:
        law: of the world.
        mean: (D,) the world's mean m.
        split: TRAIN, VAL or OOD.
        index: of the article in its split.
        seed: of the world.

    Returns:
        (n, D) float32, unit norm, in reading order.
    """
    dim = len(mean)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index)))
    length = int(rng.integers(law.lengths[0], law.lengths[1] + 1))
    # Standard deviation of a coordinate over that of an isotropic one.
    spread = np.repeat(np.sqrt(dim / 2 * law.profile(dim)), 2)
    ordinary = np.repeat(np.sqrt(dim / 2 * law.ordinary_profile(dim)), 2)

    topic = np.sqrt(law.beta * (1 - law.subject) / dim) * ordinary * rng.standard_normal(dim)
    # A Gaussian in the plane is a Rayleigh radius at a uniform phase: restricting the phase keeps the radius.
    radius = np.sqrt(law.beta * law.subject / 2) * rng.rayleigh()
    phase = 2 * np.pi * (rng.uniform(0, OOD_SECTOR) if split == "OOD" else rng.uniform(OOD_SECTOR, 1))
    topic[:2] += radius * np.array([np.cos(phase), np.sin(phase)])

    own = np.sqrt(law.nu / dim) * spread * rng.standard_normal((length, dim))
    state = np.zeros((length, dim))
    for share, rho in law.components:
        noise = np.sqrt(share / dim) * ordinary * rng.standard_normal((length, dim))
        state += _autoregression(noise, rho)
    if law.angles != (0.0, 0.0):
        # s_t = R^t u_t with u_t = rho u_t-1 + w: the same law, as isotropic noise has no direction to turn.
        turned = np.exp(1j * np.arange(length)[:, None] * law.turns(dim))
        state = (state.view(np.complex128) * turned).view(np.float64)
    common = mean + topic + state
    if law.clarity:
        clarity = 1 + law.clarity * rng.uniform(-1, 1, size=(length, 1))
        common = clarity * common
        own = own * np.sqrt(law.own_variance(clarity) / law.nu)
    chunks = common + own
    if law.switch is not None:
        chunks[:, 2 * law.ordinary(dim) :] += _switched(law.switch, length, rng).view(np.float64)
    chunks /= np.linalg.norm(chunks, axis=1, keepdims=True)
    if law.transform == "reverse":
        chunks = chunks[::-1]
    elif law.transform == "shuffle":
        chunks = rng.permutation(chunks, axis=0)
    rounded: np.ndarray = chunks.astype(np.float32)
    return rounded


def _autoregression(noise: Float[np.ndarray, "n k"], rho: float) -> Float[np.ndarray, "n k"]:
    """A stationary u_t = rho u_t-1 + w_t with the variance of ``noise``, which is overwritten."""
    from scipy.signal import lfilter  # loads half of scipy, and most sessions draw no world

    noise[1:] *= np.sqrt(1 - rho**2)  # the first chunk is drawn from the stationary law
    return np.asarray(lfilter([1.0], [1.0, -rho], noise, axis=0))


def _switched(switch: Switch, length: int, rng: np.random.Generator) -> Complex[np.ndarray, "n planes"]:
    """The switched state of n chunks and, in the last plane, the index that names each chunk's turn."""
    stays = rng.uniform(size=length) < switch.stay
    stays[0] = False
    drawn = rng.integers(switch.turns, size=length)
    # Each chunk keeps what the last chunk that did not stay has drawn.
    named = drawn[np.maximum.accumulate(np.where(stays, 0, np.arange(length)))]
    theta = 2 * np.pi / switch.turns * named
    noise = np.sqrt(switch.share / switch.planes / 2) * rng.standard_normal((length, 2 * switch.planes))
    still = np.ascontiguousarray(_autoregression(noise, switch.rho)).view(np.complex128)
    # z_t = e^(i (theta_0 + ... + theta_t-1)) R^t u_t, as above.
    so_far = np.cumsum(theta) - theta
    turned = np.exp(1j * (so_far[:, None] + np.arange(length)[:, None] * switch.angles()))
    return np.column_stack([still * turned, np.sqrt(switch.index) * np.exp(1j * theta)])
