"""What a checkpoint records beside its weights, held to the types that its readers rely on.

A field of another type must not read as a field that is absent: without its position scale a network predicts something
else, and without its training record it passes for a model that nothing is known of.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.errors import UserError, brief

# The longest position table of an original network has 100 rows.
_LONGEST_CONTEXT = 4096


def check_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that a reader would misunderstand.

    Args:
        path: for messages.
        metadata: as plain values, training state left out.

    Raises:
        UserError: a field that is there and is not what it must be.
    """
    for name in ("args", "model_config", "corpus"):
        _require(path, name, metadata.get(name), dict, "a dictionary")
    for name in ("path", "fingerprint", "splits"):
        _require(path, f"corpus.{name}", (metadata.get("corpus") or {}).get(name), str, "text")
    hashes = metadata.get("train_article_hashes")
    _require(path, "train_article_hashes", hashes, list, "a list of text")
    for one in hashes or ():
        _require(path, "an entry of train_article_hashes", one, str, "text", optional=False)
    context = metadata.get("context")
    _require(path, "context", context, int, "a whole number")
    if context is not None and not 1 <= context <= _LONGEST_CONTEXT:
        raise UserError(
            f"{path}: records a context of {brief(context)} frames; save it with one from 1 to {_LONGEST_CONTEXT}."
        )


def _require(path: Path, name: str, value: Any, kind: type, words: str, *, optional: bool = True) -> None:
    if value is None and optional:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UserError(f"{path}: {name} is {brief(repr(value))} and must be {words}; save the checkpoint again.")
