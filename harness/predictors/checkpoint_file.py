"""The checkpoint file: a dictionary of tensors and plain values, read without running anything in it.

`harness.predictors.checkpoint` makes a network of it. The original fields (docs/sources.md, "Checkpoint format") come
first; ours follow, and older readers ignore them.
"""

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file, is_folder
from lvm_gates.harness.files.numpy_scalars import SAFE_GLOBALS
from lvm_gates.harness.files.pickle_calls import SAVE_AGAIN, CodeError
from lvm_gates.harness.files.pickle_scan import UnsoundError
from lvm_gates.harness.predictors.checkpoint_inspection import NOT_ONE, inspect
from lvm_gates.harness.predictors.formats.kind import kind_of
from lvm_gates.harness.predictors.formats.safetensors_file import read_safetensors
from lvm_gates.harness.predictors.own_code import own_code

FORMAT_VERSION = 1
# A list of a million numbers takes 40 MB; what is longer is data, and is shown by its shape.
_LONGEST_LIST = 1 << 20


def read_record(path: str | Path) -> dict[Any, Any]:
    """The dictionary a checkpoint file holds, nothing in it executed.

    Raises:
        UserError: the file is missing, damaged, holds code, or is no dictionary.
    """
    if str(path) == "":
        raise UserError("the checkpoint path is empty; give a file such as best_model.pt.")
    path = Path(path)
    if is_folder(path):
        raise UserError(f"{path}: is a folder; name the checkpoint in it, such as {path / 'best_model.pt'}.")
    if not is_file(path):
        raise UserError(f"{path}: no such checkpoint file; check the path, or train one with `lvm-train`.")
    if kind_of(path) == "safetensors":
        state, metadata = read_safetensors(path)
        return {**metadata, "model_state_dict": state}
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(SAFE_GLOBALS):
            # torch warns of pickle protocols it was not meant for; soundness is decided below.
            warnings.simplefilter("ignore")
            inspect(path)
            record = torch.load(path, map_location="cpu", weights_only=True)
    except CodeError as error:
        raise UserError(
            f"{path}: holds code or a Python object ({error.name}), which was not run or loaded; save its "
            f"state_dict() alone where it was made, or {own_code(path)}."
        ) from error
    except UnsoundError as error:
        raise UserError(f"{path}: {error}.") from error
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(f"{path}: {_fault(error)}.") from error
    if not isinstance(record, dict):
        kind = type(record).__name__
        raise UserError(f"{path}: holds a {kind}, not a checkpoint dictionary; {SAVE_AGAIN}, or {own_code(path)}.")
    version = record.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise UserError(
            f"{path}: checkpoint format {brief(repr(version))} is not {FORMAT_VERSION}, the newest known here; "
            "upgrade this software."
        )
    return record


def save_checkpoint(
    path: Path,
    *,
    model_type: str,
    model_state: Mapping[str, Tensor],
    model_config: Mapping[str, Any],
    optimizer_state: Mapping[str, Any],
    epoch: int,
    val_loss: float,
    val_cosine: float,
    args: Mapping[str, Any],
    context: int,
    dim: int,
    recipe: str,
    corpus: Mapping[str, Any],
    train_article_hashes: list[str] | None = None,
    train_fingerprints: Mapping[str, Any] | None = None,
    training_state: Mapping[str, Any] | None = None,
    trained_state: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint: the original fields, then our own. It appears complete or not at all.

    Args:
        path: target file.
        model_type: key of `models.registry.ARCHITECTURES`.
        model_state: weights.
        model_config: constructor arguments of the architecture.
        optimizer_state: the optimiser's state dict.
        epoch: epochs finished, from 1.
        val_loss: MSE of the unit prediction on VAL.
        val_cosine: mean cosine on VAL.
        args: every option of the run, as resolved.
        context: C.
        dim: D.
        recipe: name of the recipe, such as ``p1``.
        corpus: ``{"path", "fingerprint"}``: where a gate finds the corpus, and whether it is still the same.
        train_article_hashes: content of the articles trained on (`harness.evaluation.contamination`), by which a gate
            finds that it judges a model on what it has seen.
        train_fingerprints: signatures of the chunks trained on (`harness.leaks.record`), for the same; tensors.
        training_state: what resuming needs beyond weights and optimiser.
        trained_state: the weights that training goes on from, where ``model_state`` is an average of them.
    """
    record = {
        "epoch": epoch,
        "model_type": model_type,
        "model_state_dict": {key: value.detach().cpu() for key, value in model_state.items()},
        "optimizer_state_dict": dict(optimizer_state),
        "val_loss": float(val_loss),
        "val_cosine": float(val_cosine),
        "model_config": plain(model_config),
        "args": plain(args),
        "format_version": FORMAT_VERSION,
        "context": context,
        "dim": dim,
        "recipe": recipe,
        "corpus": plain(corpus),
        "train_article_hashes": train_article_hashes,
        "train_fingerprints": train_fingerprints,
        "training_state": plain(training_state),
    }
    if trained_state is not None:
        record["trained_state_dict"] = {key: value.detach().cpu() for key, value in trained_state.items()}
    with atomic_write(path) as stream:
        torch.save(record, stream)


def plain(value: Any) -> Any:
    """``value`` as dictionaries, lists, numbers, text and None; anything else becomes its text."""
    if isinstance(value, str):
        # Half a surrogate pair, which a pickle can hold, is no text that a report could be written in.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    # Tensors and NumPy arrays and scalars alike.
    if not hasattr(value, "tolist"):
        return str(value)
    return value.tolist() if math.prod(value.shape) <= _LONGEST_LIST else f"{value.dtype} of shape {tuple(value.shape)}"


def _fault(error: Exception) -> str:
    """What went wrong while reading, and what to do, as a clause."""
    # torch raises other kinds of OSError on truncated files.
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return NOT_ONE
