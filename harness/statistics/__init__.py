"""Statistics: pure functions from per-window observations to metrics with intervals; none of them judges.

Each module serves one gate and returns the part of ``scorecard.json`` that docs/scorecard.md lays down for it, with
`harness.base.estimate.Estimate` wherever that says VALUE.
"""

from lvm_gates.harness.statistics.generalisation import generalisation
from lvm_gates.harness.statistics.offsets import offset_sweep
from lvm_gates.harness.statistics.perturbations import ablation_effects
from lvm_gates.harness.statistics.retrieval import retrieval
from lvm_gates.harness.statistics.rollout import rollout

__all__ = ["ablation_effects", "generalisation", "offset_sweep", "retrieval", "rollout"]
