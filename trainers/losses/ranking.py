"""Contrastive losses: the target must rank first among candidates.

`info_nce` is P7's, of cosines (docs/sources.md, "P7"); `bilinear_nce` is that of the papers, of scalar products.
"""

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
    own = None if negatives is None else _unit(negatives)
    logits = _candidates(_unit(prediction), _unit(target), own, in_batch, exclude) / temperature
    each = _first_of(logits)
    return (each if weight is None else weight * each).mean()


def bilinear_nce(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    negatives: Float[Tensor, "batch negatives dim"] | None = None,
    sharpness: float = 1.0,
    in_batch: bool = True,
    exclude: Bool[Tensor, "batch batch"] | None = None,
    ignore: Bool[Tensor, "batch negatives"] | None = None,
    present: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross entropy of softmax(sharpness * r . candidate) with the target as the answer, in nats.

    The scores are exp(z . W c) of contrastive predictive coding (arXiv 1807.03748, equation 3): the length of a
    prediction counts, and is how sure it is. Equal logits cost ln(number of candidates).

    Args:
        prediction: (B, D) r.
        target: (B, D).
        negatives: (B, N, D) each sample's own negatives, or None.
        sharpness: factor of every score.
        in_batch: whether the other targets are candidates.
        exclude: (B, B) True at [i, j] where target j is no negative for sample i.
        ignore: (B, N) True at negatives that are none, such as the target once more.
        present: (B,) False where there is no target: such a sample is not counted, and its target no candidate.

    Returns:
        A scalar, not negative; 0 where nothing is present.
    """
    if present is not None:
        absent = ~present[None, :].expand(len(target), -1)
        exclude = absent if exclude is None else exclude | absent
    logits = sharpness * _candidates(prediction, target, negatives, in_batch, exclude, ignore)
    each = _first_of(logits)
    if present is None:
        return each.mean()
    counted = present.to(each.dtype)
    return (each * counted).sum() / counted.sum().clamp(min=1)


def _candidates(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    negatives: Float[Tensor, "batch negatives dim"] | None,
    in_batch: bool,
    exclude: Bool[Tensor, "batch batch"] | None,
    ignore: Bool[Tensor, "batch negatives"] | None = None,
) -> Float[Tensor, "batch candidates"]:
    """Scalar products with all candidates, the target first; minus infinity where there is none."""
    similarity = prediction @ target.T
    candidates = [similarity.diagonal()[:, None]]
    if negatives is not None:
        own = torch.einsum("bd,bnd->bn", prediction, negatives)
        candidates.append(own if ignore is None else own.masked_fill(ignore, -torch.inf))
    if in_batch:
        left_out = torch.eye(len(prediction), dtype=torch.bool, device=prediction.device)
        if exclude is not None:
            left_out = left_out | exclude
        candidates.append(similarity.masked_fill(left_out, -torch.inf))
    return torch.cat(candidates, dim=1)


def _first_of(logits: Float[Tensor, "batch candidates"]) -> Float[Tensor, " batch"]:
    answer = logits.new_zeros(len(logits), dtype=torch.long)
    return functional.cross_entropy(logits, answer, reduction="none")


def _unit(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    return functional.normalize(vectors, dim=-1, eps=_SMALLEST)
