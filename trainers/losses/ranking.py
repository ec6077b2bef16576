"""P7's contrastive loss: the target must rank first among candidates (docs/sources.md, "P7")."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

# Least length divided by; the default of 1e-12 lets the gradient at a zero vector grow to 1e12 / temperature.
_SMALLEST = 1e-8


def info_nce(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    negatives: Float[Tensor, "batch negatives dim"] | None,
    temperature: float = 0.07,
    in_batch: bool = True,
    exclude: Bool[Tensor, "batch batch"] | None = None,
    weight: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross entropy of softmax(cos(p, candidate) / temperature) with the target as the answer, in nats.

    Candidates are the target, the sample's own negatives and the other targets of the batch (docs/sources.md, "P7"). A
    prediction that cannot tell them apart pays ln(number of candidates): ln 67 in P7
    (docs/sources.md, "Reported metrics").

    Args:
        prediction: (B, D).
        target: (B, D).
        negatives: (B, N, D) each sample's own negatives, or None.
        temperature: of the softmax, in cosines.
        in_batch: whether the other targets are candidates.
        exclude: (B, B) True at [i, j] where target j is no negative for sample i: of the same article, or equal to
            target i. The diagonal does not matter. None excludes nothing.
        weight: (B,) factor of each sample, such as `directional_gate`; 1 by default. The mean is over B, not over it.

    Returns:
        A scalar, not negative; 0 where a sample has no candidate but its target.
    """
    p, y = _unit(prediction), _unit(target)
    similarity = p @ y.T
    candidates = [similarity.diagonal()[:, None]]
    if negatives is not None:
        candidates.append(torch.einsum("bd,bnd->bn", p, _unit(negatives)))
    if in_batch:
        left_out = torch.eye(len(p), dtype=torch.bool, device=p.device)
        if exclude is not None:
            left_out = left_out | exclude
        candidates.append(similarity.masked_fill(left_out, -torch.inf))
    logits = torch.cat(candidates, dim=1) / temperature
    answer = logits.new_zeros(len(p), dtype=torch.long)
    each = functional.cross_entropy(logits, answer, reduction="none")
    return (each if weight is None else weight * each).mean()


def _unit(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    return functional.normalize(vectors, dim=-1, eps=_SMALLEST)
