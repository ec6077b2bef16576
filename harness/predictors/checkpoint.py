"""Checkpoints: an original ``best_model.pt``, P7's excepted, or our own, as a network ready to be asked.

Architecture and sizes come from the weights (`harness.predictors.checkpoint_network`). What the shapes do not tell,
such as heads, position scale and context, comes from ``model_config``, ``args`` and our own fields;
docs/sources.md, "Checkpoint format" describes the original form.
"""

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lvm_gates.harness.base.device import resolve_device
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.leaks.record import TrainingRecord
from lvm_gates.harness.leaks.record_file import FIELD, read_training_record
from lvm_gates.harness.predictors.architectures import architecture
from lvm_gates.harness.predictors.checkpoint_file import plain, read_record, save_checkpoint
from lvm_gates.harness.predictors.checkpoint_metadata import check_metadata
from lvm_gates.harness.predictors.checkpoint_network import network_of, position_scale, unwrapped
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.registry import ARCHITECTURES

__all__ = ["Checkpoint", "TorchPredictor", "load_checkpoint", "save_checkpoint", "torch_predictor"]

# Weights and training state: large, and no business of whoever reads the metadata.
STATE_FIELDS = ("model_state_dict", "optimizer_state_dict", "training_state", FIELD)


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what its file records.

    Attributes:
        path: the file.
        sha256: of the file's bytes.
        model_type: key of `models.registry.ARCHITECTURES`; ``residual`` for original P2 files, which name their base.
        module: the network, float32, on the CPU, in eval mode.
        dim: D, width of the embeddings it reads and returns.
        context: C it was trained for, None where the file does not say.
        position_scale: scale of the position channel to append, None where the network has none.
        metadata: every other field of the file as plain values: ``epoch``, ``val_loss``, ``val_cosine``,
            ``args``, ``model_config``, and of our own files ``recipe``, ``corpus`` and ``train_article_hashes``.
        trained_on: signatures of the chunks it was trained on, None where not recorded.
    """

    path: Path
    sha256: str
    model_type: str
    module: NextEmbedding
    dim: int
    context: int | None = None
    position_scale: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    trained_on: TrainingRecord | None = None

    @property
    def corpus(self) -> Mapping[str, Any] | None:
        """``{"path", "fingerprint"}`` of the corpus it was trained on, None where not recorded."""
        recorded = self.metadata.get("corpus")
        return recorded if isinstance(recorded, dict) else None


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of any architecture known here. NaN weights load: it is for the gates to block them.

    Args:
        path: a ``best_model.pt`` or ``final_model.pt``.

    Raises:
        UserError: the file is missing, damaged, holds code, or its weights fit no known architecture.
    """
    record = read_record(path)
    path = Path(path)
    model_type, state = _identify(path, record)
    metadata = {str(key): plain(value) for key, value in record.items() if key not in STATE_FIELDS}
    check_metadata(path, metadata)
    model_type, state, config = unwrapped(path, model_type, state, _section(metadata, "model_config"))
    module = network_of(path, model_type, state, config)
    context = metadata.get("context")
    if metadata.get("dim") not in (None, module.output_dim):
        raise UserError(
            f"{path}: records a dim of {brief(repr(metadata['dim']))} and predicts {module.output_dim} dimensions; "
            "save it again."
        )
    return Checkpoint(
        path=path,
        sha256=_sha256(path),
        model_type=model_type,
        module=module,
        dim=module.output_dim,
        context=context,
        position_scale=position_scale(path, module, _section(metadata, "args")),
        metadata=metadata,
        trained_on=read_training_record(str(path), record.get(FIELD), module.output_dim),
    )


def torch_predictor(checkpoint: Checkpoint, device: str = "cpu") -> TorchPredictor:
    """A predictor running a checkpoint on one device.

    Args:
        checkpoint: left as it is.
        device: cpu, cuda, cuda:N or mps.

    Raises:
        UserError: an unknown or unavailable device.
    """
    where = resolve_device(device)
    module = checkpoint.module if where.type == "cpu" else copy.deepcopy(checkpoint.module).to(where)
    return TorchPredictor(str(checkpoint.path), module, checkpoint.dim, where, checkpoint.position_scale)


def _section(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = metadata.get(name)
    return value if isinstance(value, dict) else {}


def _identify(path: Path, record: dict[Any, Any]) -> tuple[str, dict[str, Tensor]]:
    """Model type and float32 weights of a record, refused unless both are usable."""
    model_type, state = record.get("model_type"), record.get("model_state_dict")
    if model_type is None and "val_metrics" in record and "config" in record:
        raise UserError(
            f"{path}: is an original P7 checkpoint, which cannot be rebuilt because the names of its weights are "
            "recorded nowhere; train the ranker anew with `lvm-train p7`."
        )
    if not isinstance(state, dict):
        found = brief(", ".join(sorted(map(str, record))[:6])) if record else "nothing"
        raise UserError(f"{path}: has no model_state_dict (it holds {found}); give a checkpoint written in training.")
    if not isinstance(model_type, str):
        raise UserError(f"{path}: does not name its model_type; add one of {', '.join(ARCHITECTURES)} to it.")
    try:
        architecture(model_type)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    for key, value in state.items():
        dense = isinstance(value, Tensor) and value.layout is torch.strided and value.numel() > 0
        if not isinstance(key, str) or not dense or not value.is_floating_point():
            raise UserError(
                f"{path}: weight {brief(repr(key))} is not a tensor of real numbers; save the weights again."
            )
    return model_type.lower(), {key: value.to(torch.float32) for key, value in state.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
