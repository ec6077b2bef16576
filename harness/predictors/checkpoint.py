"""Checkpoints: an original ``best_model.pt``, P7's excepted, our own, or the weights alone, as a network to be asked.

Architecture and sizes come from the weights (`harness.predictors.checkpoint_network`). What the shapes do not tell,
such as heads, position scale and context, comes from ``model_config``, ``args`` and our own fields;
docs/sources.md, "Checkpoint format" describes the original form, docs/models.md what else is read.
"""

import copy
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from lvm_gates.harness.base.device import resolve_device
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.leaks.record import TrainingRecord
from lvm_gates.harness.leaks.record_file import FIELD, read_training_record
from lvm_gates.harness.predictors.architectures import architecture
from lvm_gates.harness.predictors.checkpoint_file import plain, read_record, save_checkpoint
from lvm_gates.harness.predictors.checkpoint_metadata import check_metadata
from lvm_gates.harness.predictors.checkpoint_network import network_of, position_scale, unwrapped
from lvm_gates.harness.predictors.checkpoint_weights import OWN_KEY, channel_assumed, config_in, recognised, weights_in
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.registry import ARCHITECTURES

__all__ = ["Checkpoint", "TorchPredictor", "load_checkpoint", "save_checkpoint", "torch_predictor"]

# Weights and training state: large, and no business of whoever reads the metadata.
STATE_FIELDS = (OWN_KEY, "trained_state_dict", "optimizer_state_dict", "training_state", FIELD)
# Of somebody else's file: an optimiser's state has as many names as there are trainers.
_LARGEST_FOREIGN = 256
_STATE = re.compile(r"optim|sched|loops|callbacks|state|fingerprints")


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
        assumed: what the file does not say and was taken to be so, in words.
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
    assumed: tuple[str, ...] = ()

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
    model_type, weights = _named_type(path, record), weights_in(path, record)
    metadata = _metadata(record, weights.key)
    check_metadata(path, metadata)
    config, args = _section(metadata, "model_config"), _section(metadata, "args")
    assumed = weights.assumed
    if model_type is None:
        config, by_name = config_in(record, config)
        model_type, module, by_shape = recognised(path, weights.state, config)
        scale = position_scale(path, module, args)
        assumed += (*by_shape, *by_name, *channel_assumed(module, args, scale))
    else:
        model_type, state, config = unwrapped(path, model_type, weights.state, config)
        module = network_of(path, model_type, state, config)
        scale = position_scale(path, module, args)
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
        position_scale=scale,
        metadata=metadata,
        trained_on=read_training_record(str(path), record.get(FIELD), module.output_dim),
        assumed=assumed,
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


def _metadata(record: Mapping[Any, Any], key: str) -> dict[str, Any]:
    """Every field beside the weights as plain values; of a file that is none of ours, the small ones."""
    if key == OWN_KEY:
        return {str(name): plain(value) for name, value in record.items() if name not in STATE_FIELDS}
    small = {name: value for name, value in record.items() if key and name != key and not _STATE.search(str(name))}
    return {str(name): plain(value) for name, value in small.items() if _is_small(value, _LARGEST_FOREIGN)}


def _is_small(value: Any, most: int) -> bool:
    if isinstance(value, Mapping):
        return len(value) <= most and all(_is_small(one, most) for one in value.values())
    if isinstance(value, list | tuple | set):
        return len(value) <= most and all(_is_small(one, most) for one in value)
    return not isinstance(value, Tensor)


def _named_type(path: Path, record: Mapping[Any, Any]) -> str | None:
    """The architecture that a record names, None where it names none.

    Raises:
        UserError: an architecture that is not known, or an original P7 file.
    """
    model_type = record.get("model_type")
    if model_type is None and "val_metrics" in record and "config" in record:
        raise UserError(
            f"{path}: is an original P7 checkpoint, which cannot be rebuilt because the names of its weights are "
            "recorded nowhere; train the ranker anew with `lvm-train p7`."
        )
    if model_type is None:
        return None
    if not isinstance(model_type, str):
        raise UserError(
            f"{path}: its model_type is {brief(repr(model_type))}; make it one of {', '.join(ARCHITECTURES)}."
        )
    try:
        architecture(model_type)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return model_type.lower()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
