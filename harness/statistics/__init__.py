"""Statistics: pure functions from per-window observations to figures with intervals; none of them judges.

Each module serves one gate and returns the part of ``scorecard.json`` that SPEC section 6 lays down for it, with
`harness.stats.Estimate` wherever that says VALUE.
"""

from harness.statistics.ablations import ablation_effects
from harness.statistics.generalisation import generalisation
from harness.statistics.offsets import offset_sweep
from harness.statistics.retrieval import retrieval
from harness.statistics.rollout import rollout

__all__ = ["ablation_effects", "generalisation", "offset_sweep", "retrieval", "rollout"]
