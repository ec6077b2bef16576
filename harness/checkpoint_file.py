"""The checkpoint file: a dictionary of tensors and plain values, read without running anything in it.

`harness.checkpoint` makes a network of it. The published fields (seed facts 9) come first; ours follow, and
older readers ignore them.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.atomic import atomic_write
from harness.errors import UserError
from harness.numpy_scalars import SAFE_GLOBALS

FORMAT_VERSION = 1
SAVE_AGAIN = "save it again as a dictionary of tensors, numbers and text"


def read_record(path: str | Path) -> dict[Any, Any]:
    """The dictionary a checkpoint file holds, nothing in it executed.

    Raises:
        UserError: the file is missing, damaged, holds code, or is no dictionary.
    """
    if str(path) == "":
        raise UserError("the checkpoint path is empty; give a file such as best_model.pt.")
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the checkpoint in it, such as {path / 'best_model.pt'}.")
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file; check the path, or train one with `lvm-train`.")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(SAFE_GLOBALS):
            # torch warns of pickle protocols it was not meant for; soundness is decided below.
            warnings.simplefilter("ignore")
            record = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(f"{path}: {_fault(error)}.") from error
    if not isinstance(record, dict):
        kind = type(record).__name__
        raise UserError(f"{path}: holds a {kind}, not a checkpoint dictionary; {SAVE_AGAIN}.")
    version = record.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise UserError(
            f"{path}: checkpoint format {version!r} is not {FORMAT_VERSION}, the newest known here; "
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
) -> None:
    """Write a checkpoint: the published fields, then our own. It appears complete or not at all.

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
        train_article_hashes: content of the articles trained on (`harness.contamination`), by which a gate finds that
            it judges a model on what it has seen.
        train_fingerprints: signatures of the chunks trained on (`harness.leaks.record`), for the same; tensors.
        training_state: what resuming needs beyond weights and optimiser.
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
    with atomic_write(path) as stream:
        torch.save(record, stream)


def plain(value: Any) -> Any:
    """``value`` as dictionaries, lists, numbers, text and None; anything else becomes its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    # Tensors and NumPy arrays and scalars alike.
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _fault(error: Exception) -> str:
    """What went wrong while reading, and what to do, as a clause."""
    code = re.search(r"GLOBAL (\S+)|reduce for unrecognized function (\S+)", str(error))
    if code:
        name = code[1] or code[2]
        return f"holds code or a Python object ({name}), which was not run or loaded; {SAVE_AGAIN}"
    # torch raises other kinds of OSError on truncated files.
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return "is truncated or not a PyTorch checkpoint; copy or download it again"
