"""A model that broke while it was evaluated: the sentence that says how, kept where its observations would be."""

from pathlib import Path

import numpy as np

from lvm_gates.harness.base.atomic import atomic_write

_FAULT = "fault"


def save_fault(path: Path, sentence: str) -> None:
    """Write atomically, in place of the observations; another process may be waiting to read."""
    with atomic_write(path) as stream:
        np.savez(stream, allow_pickle=False, **{_FAULT: np.array(sentence)})


def load_fault(path: Path) -> str | None:
    """What `save_fault` wrote; None where observations are."""
    with np.load(path, allow_pickle=False) as stored:
        return str(stored[_FAULT]) if _FAULT in stored else None
