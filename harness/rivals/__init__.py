"""Rivals: every predictor that needs no network, scored together for little more than the price of one.

A rival answers ``unit(sum_j w_j frame_j + r * ridge + s * background)`` with weights that do not depend on the context;
the background is climatology, or the mean of the judged domain. What is trivial is a rival
(docs/specification.md, "Rivals"): profile `skill` releases a model only for what none of them, and no mixture of them,
reaches. `family` lists them, `fitted` adds those whose weights are learnt on the training windows, `scores` ranks all
of them at once, `blend` asks one of them the ordinary way.
"""

from lvm_gates.harness.rivals.basis import Basis
from lvm_gates.harness.rivals.blend import Blend
from lvm_gates.harness.rivals.domain import Domain
from lvm_gates.harness.rivals.family import Family, domain_family_of, family_of
from lvm_gates.harness.rivals.fitted import cached_fitted_weights
from lvm_gates.harness.rivals.scores import RivalScores, blend_of, score_all, score_rivals

__all__ = [
    "Basis",
    "Blend",
    "Domain",
    "Family",
    "RivalScores",
    "blend_of",
    "cached_fitted_weights",
    "domain_family_of",
    "family_of",
    "score_all",
    "score_rivals",
]
