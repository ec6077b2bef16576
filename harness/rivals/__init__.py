"""Rivals: every predictor that needs no network, scored together for little more than the price of one.

A rival answers ``unit(sum_j w_j frame_j + r * ridge + s * climatology)`` with weights that do not depend on the
context. What is trivial is a rival (SPEC section 4): profile `skill` releases a model only for what none of them, and
no mixture of them, reaches. `family` lists them, `fitted` adds those whose weights are learnt on the training windows,
`scores` ranks all of them at once, `blend` asks one of them the ordinary way.
"""

from harness.rivals.basis import Basis
from harness.rivals.blend import Blend
from harness.rivals.family import Family, family_of
from harness.rivals.fitted import cached_fitted_weights
from harness.rivals.scores import RivalScores, score_rivals

__all__ = [
    "Basis",
    "Blend",
    "Family",
    "RivalScores",
    "cached_fitted_weights",
    "family_of",
    "score_rivals",
]
