"""How a run starts: its network, with weights that are fresh, of another run, or its own as saved last."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.checkpoint import Checkpoint
from lvm_gates.models.base import NextEmbedding
from lvm_gates.trainers.averaging import WeightAverage
from lvm_gates.trainers.position import Position
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.run_folder import EpochRecord, RunFolder
from lvm_gates.trainers.training_settings import NetworkSettings


def model_config_of(recipe: Recipe, dim: int, network: NetworkSettings = NetworkSettings()) -> dict[str, Any]:
    """Constructor arguments of the network for embeddings ``dim`` wide."""
    channel = 0 if recipe.position_scale is None else 1
    dropout = {} if network.dropout is None else {"dropout": network.dropout}
    return {"input_dim": dim + channel, "output_dim": dim, **recipe.model, **dropout}


def require_reads(model: NextEmbedding, context: int, device: torch.device) -> None:
    """Refuse a context that the network has no positions for, before anything is deleted."""
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, context, model.input_dim, device=device))
    except ValueError as error:
        raise UserError(f"--context {context}: {error}; give a shorter one.") from error


def start_from(model: NextEmbedding, start: Checkpoint, model_type: str, model_config: Mapping[str, Any]) -> None:
    """Take over weights, of the same network only: shapes alone do not tell heads."""
    state = start.module.state_dict()
    found = {"model_type": start.model_type}
    if start.model_type == model_type:
        recorded = start.metadata.get("model_config")
        found |= type(model).config_from(state, recorded if isinstance(recorded, dict) else {})
    wanted = {"model_type": model_type, **model_config}
    differences = [
        f"{key} {found[key]}, here {wanted[key]}" for key in found if found[key] != wanted.get(key, found[key])
    ]
    if differences:
        raise UserError(
            f"{start.path}: is another network than this run's ({'; '.join(differences)}); start from a checkpoint of "
            "this architecture and these sizes."
        )
    model.load_state_dict(state)


def restore(
    folder: RunFolder,
    model: NextEmbedding,
    optimizer: AdamW,
    scheduler: ReduceLROnPlateau,
    average: WeightAverage | None = None,
) -> tuple[list[EpochRecord], Position | None]:
    """Put a run back where it was saved last.

    Returns:
        Its history, and where in the next epoch it stood, None for its beginning.

    Raises:
        UserError: nothing to resume, another run, or a damaged one.
    """
    record = folder.read()
    try:
        state = record["training_state"]
        if average is None:
            model.load_state_dict(record["model_state_dict"])
        else:
            model.load_state_dict(record["trained_state_dict"])
            average.load(record["model_state_dict"], int(state["averaged_steps"]))
        optimizer.load_state_dict(record["optimizer_state_dict"])
        scheduler.load_state_dict(state["scheduler"])
        history = list(state["history"])
        position = Position.from_plain(state["position"]) if "position" in state else None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder.path}: the saved run is damaged and cannot be resumed; start anew.") from error
    return history, position
