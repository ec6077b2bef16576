"""The energy score: a distribution judged by its samples alone (Gneiting and Raftery 2007, section 4.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

# Under the root, so that two equal vectors have a gradient.
_SMALLEST = 1e-12


def energy_score(
    samples: Float[Tensor, "batch samples dim"], target: Float[Tensor, "batch dim"], beta: float = 1.0
) -> Float[Tensor, ""]:
    """Mean of 2 E||X - y||^beta - E||X - X'||^beta, as trained on in arXiv 2510.27688, equation 10.

    The first term pulls samples to the target, the second, over all ordered pairs of different samples, keeps them from
    being one. With 0 < beta < 2 the expectation is least where samples are drawn as targets are; with beta = 2 it would
    be least wherever their mean is right.

    Args:
        samples: (B, N, D) X, at least two for each target.
        target: (B, D) y.
        beta: exponent of the distance.

    Returns:
        A scalar, not negative where beta is at most 1.

    Raises:
        ValueError: fewer than two samples.
    """
    count = samples.shape[1]
    if count < 2:
        raise ValueError(f"an energy score needs two samples or more of a distribution, not {count}")
    to_target = _distance(samples - target[:, None], beta).mean(dim=1)
    between = _distance(samples[:, :, None] - samples[:, None], beta)
    # The diagonal holds the same vector twice, at the distance that stands under the root.
    apart = (between * (1 - torch.eye(count, dtype=between.dtype, device=between.device))).sum(dim=(1, 2))
    return (2 * to_target - apart / (count * (count - 1))).mean()


def _distance(difference: Float[Tensor, "*batch dim"], beta: float) -> Float[Tensor, "*batch"]:
    return (difference.square().sum(dim=-1) + _SMALLEST) ** (beta / 2)
