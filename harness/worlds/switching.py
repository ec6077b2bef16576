"""A state that turns as each chunk says: its law, and what makes it linear for one who reads the turns."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import erfc


@dataclass(frozen=True)
class Switch:
    """A part of the state that turns as the last chunk says: a switching linear dynamical system.

    It lives in planes of its own, z_t+1 = rho e^(i theta_t) R z_t + w_t, where R turns each plane by an angle of its
    own and theta_t, common to all of them, is one of ``turns`` evenly spaced angles. A further plane, the *index*,
    holds e^(i theta_t) and so names it: the prediction is a product of two parts of the frame.

    The turns cancel on average: E[z_t+1 z_t-L*] = 0 for L < ``turns`` - 1 and everything of z is uncorrelated with the
    rest of the frame, so the best linear map of at most ``turns`` - 1 frames predicts nothing of z.

    Attributes:
        share: of variance, of z.
        rho: correlation of z from one chunk to the next, once turned back.
        index: share of variance of the index.
        planes: that z lives in.
        turns: how many there are.
        stay: probability that the next chunk names the same turn; else it names any of them, this one included.
    """

    share: float
    rho: float
    index: float
    planes: int = 6
    turns: int = 6
    stay: float = 0.97

    def misread(self, own: float) -> float:
        """Probability that the index, read alone, names another turn.

        Args:
            own: variance of a chunk's own part in each coordinate of the index.
        """
        # The nearest two turns are pi / turns away on either side.
        return float(erfc(np.sqrt(self.index / own / 2) * np.sin(np.pi / self.turns)))

    @property
    def width(self) -> int:
        """Planes that it takes up: the last of a chunk, the index last."""
        return self.planes + 1

    def angles(self) -> Float[np.ndarray, " s"]:
        """(S,) radians by which R turns each plane: even, so that z at lags below S is unlike z on average."""
        return np.asarray(2 * np.pi * np.arange(self.planes) / self.planes)


def named_turns(frames: Float[np.ndarray, "b c d"], switch: Switch) -> Int[np.ndarray, "b c"]:
    """(B, C) which of its turns each frame names: the nearest to what its index plane, the last, holds."""
    turns = np.rint(np.arctan2(frames[..., -1], frames[..., -2]) * switch.turns / (2 * np.pi))
    return np.asarray(turns.astype(np.int64) % switch.turns)


def turned_ahead(frames: Float[np.ndarray, "b c d"], switch: Switch) -> Float[np.ndarray, "b c d"]:
    """Frames as they would be had their switched state made every turn named from each of them to the last.

    Args:
        frames: (B, C, D) minus the dataset's mean, oldest first.
        switch: the law of the switched state, which lies in the last planes.

    Returns:
        (B, C, D) in which the switched state is as linear as the rest; each index is what it was before noise.
    """
    named = named_turns(frames, switch)
    angles = 2 * np.pi / switch.turns * np.arange(switch.turns)
    # From a table and in real products, so that a row rounds alike wherever it lies in the batch.
    cos, sin = np.cos(angles), np.sin(angles)
    ahead = np.cumsum(named[:, ::-1], axis=1)[:, ::-1, None] % switch.turns
    turned = frames.copy()
    first = frames.shape[-1] - 2 * switch.width
    x, y = frames[..., first:-2:2], frames[..., first + 1 : -2 : 2]
    turned[..., first:-2:2] = cos[ahead] * x - sin[ahead] * y
    turned[..., first + 1 : -2 : 2] = sin[ahead] * x + cos[ahead] * y
    turned[..., -2] = np.sqrt(switch.index) * cos[named]
    turned[..., -1] = np.sqrt(switch.index) * sin[named]
    return turned
