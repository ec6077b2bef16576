"""Checkpoints: any published ``best_model.pt``, or our own, as a network ready to be asked.

The network is built on torch's "meta" device from the shapes of the weights, compared with them key by key,
and only then given them: a file cannot make the loader reserve more memory than its own tensors do.

What a file says of its network besides the shapes (heads, position scale, context) comes from its
``model_config``, ``args`` and our own fields; seed facts 9 describe the published form.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.checkpoint_file import plain, read_record, save_checkpoint
from harness.errors import UserError
from harness.torch_predictor import TorchPredictor, torch_predictor
from models.base import WeightsError
from models.position import DEFAULT_SCALE
from models.registry import architecture, build

if TYPE_CHECKING:
    from models.base import NextEmbedding

__all__ = ["Checkpoint", "TorchPredictor", "load_checkpoint", "save_checkpoint", "torch_predictor"]

PUBLISHED_HEADS = 8
# Names under which `args` may record the position scale; the published harness used .03 whatever they said.
SCALE_ARGUMENTS = ("position_scale", "positional_scalar", "pos_scale")
# Weights and training state: large, and no business of whoever reads the metadata.
STATE_FIELDS = ("model_state_dict", "optimizer_state_dict", "training_state")


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what its file records.

    Attributes:
        path: the file.
        sha256: of the file's bytes.
        model_type: key of `models.registry.ARCHITECTURES`.
        module: the network, float32, on the CPU, in eval mode.
        dim: D, width of the embeddings it reads and returns.
        context: C it was trained for, None where the file does not say.
        position_scale: scale of the position channel to append, None where the network has none.
        metadata: every other field of the file as plain values: ``epoch``, ``val_loss``, ``val_cosine``,
            ``args``, ``model_config``, and of our own files ``recipe``, ``corpus`` and ``train_articles``.
    """

    path: Path
    sha256: str
    model_type: str
    module: "NextEmbedding"
    dim: int
    context: int | None = None
    position_scale: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def corpus(self) -> Mapping[str, Any] | None:
        """``{"path", "fingerprint"}`` of the corpus it was trained on, None where not recorded."""
        recorded = self.metadata.get("corpus")
        return recorded if isinstance(recorded, dict) else None


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of any published architecture. NaN weights load: it is for the gates to block them.

    Args:
        path: a ``best_model.pt`` or ``final_model.pt``.

    Raises:
        UserError: the file is missing, damaged, holds code, or its weights fit no known architecture.
    """
    record = read_record(path)
    path = Path(path)
    model_type, state = _identify(path, record)
    metadata = {str(key): plain(value) for key, value in record.items() if key not in STATE_FIELDS}
    module = _network(path, model_type, state, _section(metadata, "model_config"))
    context = metadata.get("context")
    return Checkpoint(
        path=path,
        sha256=_sha256(path),
        model_type=model_type,
        module=module,
        dim=module.output_dim,
        context=context if isinstance(context, int) else None,
        position_scale=_position_scale(path, module, _section(metadata, "args")),
        metadata=metadata,
    )


def _section(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = metadata.get(name)
    return value if isinstance(value, dict) else {}


def _identify(path: Path, record: dict[Any, Any]) -> tuple[str, dict[str, Tensor]]:
    """Model type and float32 weights of a record, refused unless both are usable."""
    model_type, state = record.get("model_type"), record.get("model_state_dict")
    if model_type is None and "val_metrics" in record and "config" in record:
        raise UserError(
            f"{path}: is a P7 ranker checkpoint, which this version cannot rebuild; give one of P1 to P6b."
        )
    if not isinstance(state, dict):
        found = ", ".join(sorted(map(str, record))[:6]) or "nothing"
        raise UserError(
            f"{path}: has no model_state_dict (it holds {found}); give a checkpoint written in training."
        )
    if not isinstance(model_type, str):
        raise UserError(
            f"{path}: does not name its model_type; add one of transformer, lstm, gru, amn to it."
        )
    try:
        architecture(model_type)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    for key, value in state.items():
        dense = isinstance(value, Tensor) and value.layout is torch.strided and value.numel() > 0
        if not isinstance(key, str) or not dense or not value.is_floating_point():
            raise UserError(
                f"{path}: weight {key!r} is not a tensor of real numbers; save the weights again."
            )
    return model_type.lower(), {key: value.to(torch.float32) for key, value in state.items()}


def _network(
    path: Path, model_type: str, state: dict[str, Tensor], config: Mapping[str, Any]
) -> "NextEmbedding":
    """The network whose shapes are those of ``state``, holding it."""
    kind = architecture(model_type)
    try:
        sizes = kind.config_from(state)
    except WeightsError as error:
        prefix = _wrapper_prefix(kind, state)
        if prefix is not None:
            raise UserError(
                f"{path}: the weights are wrapped (their keys start with {prefix!r}, as those of recipe P2), "
                f"which this version cannot rebuild; save the inner {model_type} alone."
            ) from error
        raise UserError(f"{path}: not a {model_type} checkpoint: {error}; check its model_type.") from error
    if model_type == "transformer":
        # Published files call it nhead; shapes cannot tell it.
        sizes["heads"] = config.get("heads", config.get("nhead", PUBLISHED_HEADS))
    try:
        with torch.device("meta"):
            module = build(model_type, **sizes)
    except UserError as error:
        raise UserError(f"{path}: its weights and model_config do not agree: {error}") from error
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    wrong = _first_difference(expected, state)
    if wrong:
        raise UserError(f"{path}: not a {model_type} checkpoint: {wrong}; check its model_type.")
    module.load_state_dict(state, strict=True, assign=True)
    return module.requires_grad_(False).eval()


def _first_difference(expected: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor]) -> str | None:
    """The first key that is missing, of another shape, or unexpected, in words."""
    for key, shape in expected.items():
        if key not in state:
            return f"the weights lack {key}"
        if tuple(state[key].shape) != shape:
            return f"{key} has shape {tuple(state[key].shape)} where {shape} is expected"
    extra = sorted(set(state) - set(expected))
    return f"{extra[0]} is none of its weights" if extra else None


def _wrapper_prefix(kind: "type[NextEmbedding]", state: Mapping[str, Tensor]) -> str | None:
    """The prefix that hides a network of this kind inside another module's keys, if one does."""
    for prefix in sorted({key.split(".")[0] + "." for key in state}):
        inner = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        try:
            kind.config_from(inner)
        except WeightsError:
            continue
        return prefix
    return None


def _position_scale(path: Path, module: "NextEmbedding", args: Mapping[str, Any]) -> float | None:
    """The scale of the position channel, None for a network without one."""
    if module.input_dim == module.output_dim:
        return None
    if module.input_dim != module.output_dim + 1:
        raise UserError(
            f"{path}: reads frames {module.input_dim} wide and predicts {module.output_dim}; train it with "
            "inputs as wide as the prediction, or one wider for a position channel."
        )
    for name in SCALE_ARGUMENTS:
        value = args.get(name)
        # A zero is what V3's flag left behind, while it validated with the default (seed facts 1).
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return DEFAULT_SCALE


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
