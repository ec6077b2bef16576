"""The terms that recipes are made of: pure functions of tensors, as means over the batch.

In all of them r is the raw head output, p = r / ||r|| the prediction, y the target, D their width. Apart from the few
that say otherwise they take cosines only, so that no length matters; a zero vector has cosine 0 to everything.
"""

from lvm_gates.trainers.losses.anchoring import anchor_floor, directional_gate, teacher_pull
from lvm_gates.trainers.losses.directional import (
    cap_share,
    confidence,
    lambda_eff,
    margin_ratio,
    never_skip,
    orthogonality,
    positive_floor,
    skip_on_negative,
    skip_v21,
    softplus_margin,
    unit_norm_penalty,
)
from lvm_gates.trainers.losses.energy import energy_score
from lvm_gates.trainers.losses.margins import (
    adaptive_weight,
    adaptive_weight_published,
    anti_copy,
    directional_margin,
    future_margin,
    micro_ranking,
)
from lvm_gates.trainers.losses.ranking import bilinear_nce, info_nce
from lvm_gates.trainers.losses.regression import cosine, cosine_each, mse_loss
from lvm_gates.trainers.losses.residual import residual_regulariser
from lvm_gates.trainers.losses.rollout import rollout_smoothness, rollout_smoothness_published

__all__ = [
    "adaptive_weight",
    "adaptive_weight_published",
    "anchor_floor",
    "anti_copy",
    "bilinear_nce",
    "cap_share",
    "confidence",
    "cosine",
    "cosine_each",
    "directional_gate",
    "directional_margin",
    "energy_score",
    "future_margin",
    "info_nce",
    "lambda_eff",
    "margin_ratio",
    "micro_ranking",
    "mse_loss",
    "never_skip",
    "orthogonality",
    "positive_floor",
    "residual_regulariser",
    "rollout_smoothness",
    "rollout_smoothness_published",
    "skip_on_negative",
    "skip_v21",
    "softplus_margin",
    "teacher_pull",
    "unit_norm_penalty",
]
