"""The undamaged checkpoints."""

import io
from functools import cache
from typing import Any

import numpy as np
import torch

from lvm_gates.harness.leaks.record import Part, TrainingRecord
from lvm_gates.harness.leaks.record_file import record_fields
from lvm_gates.harness.leaks.signatures import BYTES
from lvm_gates.models.registry import build

DIM, CONTEXT = 8, 3
NETWORKS: dict[str, dict[str, Any]] = {
    "transformer": {"width": 16, "depth": 1, "heads": 2},
    "gru": {"width": 16, "depth": 1},
    "residual": {"width": 16, "depth": 1, "heads": 2, "base": "transformer", "normalise_delta": True},
}
CONTEXTS = np.random.default_rng(0).standard_normal((4, CONTEXT, DIM)).astype(np.float32)
_PART = Part(
    mean=CONTEXTS[0, 0],
    signatures=np.random.default_rng(1).integers(0, 256, (6, BYTES), dtype=np.uint8),
    lengths=np.array([4, 2]),
)
# What was done, what a reader may do with it, and the content of the file.
Made = tuple[str, Any, bytes]


@cache
def record_of(model_type: str) -> dict[str, Any]:
    """An undamaged checkpoint of ours."""
    torch.manual_seed(0)
    config = {"input_dim": DIM + 1, "output_dim": DIM, **NETWORKS[model_type]}
    return {
        "epoch": 1,
        "model_type": model_type,
        "model_state_dict": build(model_type, **config).state_dict(),
        "optimizer_state_dict": {},
        "val_loss": 0.5,
        "val_cosine": 0.25,
        "model_config": config,
        "args": {"position_scale": 0.03, "lr": 5e-4},
        "format_version": 1,
        "context": CONTEXT,
        "dim": DIM,
        "recipe": "p5",
        "corpus": {"path": "somewhere", "fingerprint": "ab" * 32, "splits": "cd" * 32},
        "train_article_hashes": ["0f" * 16, "1e" * 16],
        "train_fingerprints": record_fields(TrainingRecord((_PART,))),
        "training_state": None,
    }


def saved(record: Any, *, zipped: bool = True) -> bytes:
    """As `torch.save` writes it."""
    out = io.BytesIO()
    torch.save(record, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()
