"""P4's penalty on rollouts that stand still: as described, and as it was run (docs/sources.md, "P4")."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# The original code averages its rollout over three steps, of which one had a gradient (docs/sources.md, "P4").
PUBLISHED_STEPS = 3


def rollout_smoothness(
    predictions: Float[Tensor, "horizon batch dim"], ceiling: float = 0.95, scale: float = 10.0
) -> Float[Tensor, ""]:
    """Mean over h = 2..H of scale [<cos(p_h-1, p_h)> - ceiling]+, in cosines, with gradient through every step.

    What P4's documents describe. They average over H, with the regression loss as step 1; here the H - 1 penalties have
    a mean of their own, so that a weight means the same at any H. The original code computes something else,
    `rollout_smoothness_published` (docs/sources.md, "P4").

    Args:
        predictions: (H, B, D) closed-loop predictions of steps 1 to H.
        ceiling: mean cosine of successive predictions above which they are penalised.
        scale: penalty per unit cosine.

    Returns:
        A scalar, 0 exactly when no step's mean cosine is above the ceiling, so always at H = 1.
    """
    step_cosine = functional.cosine_similarity(predictions[:-1], predictions[1:], dim=-1).mean(dim=1)
    # Not .mean(): over no steps that is NaN.
    return scale * functional.relu(step_cosine - ceiling).sum() / max(len(step_cosine), 1)


def rollout_smoothness_published(
    prediction: Float[Tensor, "batch dim"],
    second: Float[Tensor, "batch dim"],
    ceiling: float = 0.95,
    scale: float = 10.0,
) -> Float[Tensor, ""]:
    """What P4 was really pushed by: scale / 3 [<cos(p_1, p_2)> - ceiling]+, with p_2 held fixed.

    Source: docs/sources.md, "P4".

    The rollout ran without gradient, so the step-2 penalty moved p_1 alone; the step-3 term compared p_3 with the
    previous *loss value*, had no gradient, and is left out. At weight .05 this pushes the prediction .167 per unit
    cosine, two orders above the pull of MSE: any smooth predictor is punished
    (docs/sources.md, "P4" and "Why runs collapsed").

    Args:
        prediction: (B, D) p_1.
        second: (B, D) p_2, predicted with p_1 in the context; gets no gradient.
        ceiling: mean cosine above which p_1 is penalised.
        scale: penalty per unit cosine before the division by three steps.

    Returns:
        A scalar, 0 exactly when the mean cosine is not above the ceiling.
    """
    step_cosine = functional.cosine_similarity(prediction, second.detach(), dim=-1).mean()
    return scale / PUBLISHED_STEPS * functional.relu(step_cosine - ceiling)
