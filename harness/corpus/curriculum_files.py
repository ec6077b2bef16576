"""Stages of a curriculum on disk: corpus rows of the targets, and which corpus they are rows of."""

import hashlib
import json
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lvm_gates.harness.base.atomic import atomic_write, write_json
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.curriculum import DEFINITIONS, STAGES, stage
from lvm_gates.harness.corpus.windows import Windows


def write_stages(out: Path, windows: Windows, by: str, order: Int[np.ndarray, " n"]) -> list[str]:
    """Write ``stage_a.npy`` and so on, then ``stages.json``; tell what was written."""
    told, counts = [], {}
    for letter, share in STAGES.items():
        targets = windows.targets[stage(order, share)]
        with atomic_write(out / f"stage_{letter}.npy") as stream:
            np.save(stream, targets, allow_pickle=False)
        counts[letter] = len(targets)
        told.append(f"{out / f'stage_{letter}.npy'}: rows of {len(targets):,} targets, the top {share:.0%} by {by}")
    record = {
        "score": by,
        "meaning": DEFINITIONS[by].meaning,
        "context": windows.context,
        "corpus": windows.corpus.path.name,
        "fingerprint": windows.corpus.fingerprint,
        "windows": counts,
    }
    write_json(out / "stages.json", record)
    return told


def read_stage(folder: Path, letter: str, corpus: Corpus) -> Windows:
    """The windows of one stage.

    Raises:
        UserError: stages that cannot be read, or of another corpus.
    """
    try:
        record = json.loads((folder / "stages.json").read_text())
        targets = np.load(folder / f"stage_{letter}.npy", allow_pickle=False)
        fingerprint, context = record["fingerprint"], int(record["context"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: stage {letter} cannot be read ({error}); write it again with `lvm-data score`."
        ) from error
    if fingerprint != corpus.fingerprint:
        raise UserError(
            f"{folder}: its stages are rows of another corpus than {corpus.path} (the fingerprints differ); score that "
            "corpus with `lvm-data score`."
        )
    return Windows(corpus, targets, context)


def stages_digest(folder: Path) -> str:
    """SHA-256 of the stage files in a folder, of those that are there.

    Raises:
        UserError: one cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.glob("stage*")):
        try:
            digest.update(f"{file.name}:{file.stat().st_size}:".encode() + file.read_bytes())
        except OSError as error:
            raise UserError(
                f"{file}: cannot be read ({error.strerror}); write it again with `lvm-data score`."
            ) from error
    return digest.hexdigest()
