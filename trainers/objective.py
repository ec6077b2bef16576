"""What a loss may look at, and losses as weighted sums of named terms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from lvm_gates.trainers.losses import mse_loss
from lvm_gates.trainers.schedule import Schedule


@dataclass(frozen=True)
class Step:
    """One batch, predicted.

    Attributes:
        raw: (B, D) head output.
        answers: (B, N, D) all head outputs, of which ``raw`` is the first (`models.base.NextEmbedding.answers`).
        target: (B, D) true next embedding.
        read: (B, C, D) what the network read, without a position channel; an augmentation may have changed it.
        context: (B, C, D) the true context.
        before: (B, D) the chunk right before the target: the last frame, or the chunk a recipe skips.
        future: (B, J, D) the chunks after the target.
        future_exists: (B, J) whether the article goes on that far.
        negatives: (B, N, D) other chunks of the target's article.
        article: (B,) the article of each window.
        epoch: from 1.
        auxiliary: False once the sentinel has dropped the auxiliary terms.
        predict: (B', C, D) contexts of the first B' windows -> (B', D) unit predictions, with gradient.
        answer: the same as the network is judged: by averaged weights if there are such, without gradient or dropout.
    """

    raw: Float[Tensor, "batch dim"]
    answers: Float[Tensor, "batch answers dim"]
    target: Float[Tensor, "batch dim"]
    read: Float[Tensor, "batch context dim"]
    context: Float[Tensor, "batch context dim"]
    before: Float[Tensor, "batch dim"]
    future: Float[Tensor, "batch ahead dim"]
    future_exists: Bool[Tensor, "batch ahead"]
    negatives: Float[Tensor, "batch negatives dim"]
    article: Int[Tensor, " batch"]
    epoch: int
    auxiliary: bool
    predict: Callable[[Float[Tensor, "part context dim"]], Float[Tensor, "part dim"]]
    answer: Callable[[Float[Tensor, "part context dim"]], Float[Tensor, "part dim"]]

    @property
    def prediction(self) -> Float[Tensor, "batch dim"]:
        """(B, D) the unit prediction."""
        return functional.normalize(self.raw, dim=-1)

    @property
    def last(self) -> Float[Tensor, "batch dim"]:
        """(B, D) the true last frame: what a copy would return."""
        return self.context[:, -1]


class Loss(NamedTuple):
    """A scalar to descend on, and the values it is made of.

    A value that was not computed in this step is absent, or NaN where only the device knows: the original trainer
    logged 0.0 for it, and the zero was read as a neutral margin (docs/sources.md, "Unmeasured zeros").
    """

    total: Float[Tensor, ""]
    parts: dict[str, Tensor | float]


Objective = Callable[[Step], Loss]


@dataclass(frozen=True)
class Term:
    """One summand of a loss.

    Attributes:
        name: in the history.
        weight: by epoch; at zero the term is not computed.
        value: the term.
        auxiliary: whether the sentinel may drop it.
    """

    name: str
    weight: Schedule
    value: Callable[[Step], Tensor]
    auxiliary: bool = True


def weighted(*terms: Term) -> Objective:
    """Mean squared error on the raw output plus weighted terms; the sentinel may drop the auxiliary ones."""

    def objective(step: Step) -> Loss:
        total = mse_loss(step.raw, step.target)
        parts: dict[str, Tensor | float] = {"base": total}
        for term in terms:
            weight = term.weight.at(step.epoch)
            if weight > 0 and (step.auxiliary or not term.auxiliary):
                parts[term.name] = term.value(step)
                total = total + weight * parts[term.name]
        return Loss(total, parts)

    return objective
