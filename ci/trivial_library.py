"""Predictors that anybody writes down in a line and that profile `skill` must not release.

None is in the family of rivals, unit(sum_j w_j frame_j + r ridge + s climatology) on a grid: they lie between its
points, let the weights depend on the context, or are another function altogether. Each takes contexts (B, C, D) of
unit frames and returns (B, D); the caller normalises.
"""

from ci.trivial_fits import Fitted
from ci.trivial_frames import attention, between, robust
from ci.trivial_learned import adaptive, foreign, perturbed, recalled, ridges, shrunk, spectral
from ci.trivial_parts import Predict


def library(fitted: Fitted) -> dict[str, Predict]:
    """Every trivial predictor by name."""
    return {
        **between(),
        **shrunk(fitted),
        **spectral(fitted),
        **attention(),
        **adaptive(fitted),
        **robust(),
        **perturbed(fitted),
        **recalled(fitted),
        **ridges(fitted),
        **foreign(fitted),
    }
