"""A predictor that answers tensors where it is, so that what is made of its answers can stay there."""

from typing import Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.predictors.isolation.factory import told
from lvm_gates.harness.predictors.predictor import NamedPredictor, check_answer
from lvm_gates.harness.predictors.width import broke


class TensorPredictor(Protocol):
    """See `lvm_gates.harness.predictors.predictor.Predictor`."""

    @property
    def device(self) -> torch.device:
        """Where it is."""
        ...

    def predict_tensor(self, contexts: Float[Tensor, "b c d"]) -> Float[Tensor, "b d"]:
        """What ``predict`` says, for contexts that are on its device, float32; nothing is read back."""
        ...


def tensor_answers(named: NamedPredictor, contexts: Float[Tensor, "b c d"], batch_size: int) -> Float[Tensor, "b d"]:
    """Predictions as they come: `lvm_gates.harness.predictors.predictor.answers` for tensors, in the same batches.

    Args:
        named: a `TensorPredictor`.
        contexts: on its device; it may spoil them.
        batch_size: contexts given to it at once.

    Raises:
        UserError: the predictor broke, or returned something that is not (B, D) numbers.
    """
    parts = [_ask_once(named, contexts[part]) for part in slices(len(contexts), batch_size)]
    return torch.cat(parts) if parts else contexts[:, 0]


def _ask_once(named: NamedPredictor, contexts: Float[Tensor, "b c d"]) -> Float[Tensor, "b d"]:
    shape = tuple(contexts.shape)
    try:
        answer = cast(TensorPredictor, named.predictor).predict_tensor(contexts)
    except UserError:
        raise
    except Exception as error:  # as where numpy asks: one sentence, not our traceback
        raise UserError(broke(named.name, told(error), shape)) from error
    check_answer(named.name, tuple(answer.shape), str(answer.dtype), "f" if answer.is_floating_point() else "", shape)
    return answer
