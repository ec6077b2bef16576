"""Damaged and hostile checkpoints."""

import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from ci.fuzzing import checkpoint_damage, checkpoint_values
from ci.fuzzing.cases import Case, Rng
from ci.fuzzing.checkpoint_files import CONTEXT, CONTEXTS, NETWORKS, record_of, saved

# How often each is done.
_MAKERS = {
    checkpoint_damage.anywhere: 0.13,
    checkpoint_damage.in_the_weights: 0.06,
    checkpoint_damage.in_the_pickle: 0.13,
    checkpoint_damage.old_format: 0.08,
    checkpoint_damage.archive: 0.1,
    checkpoint_damage.program: 0.15,
    checkpoint_values.wrong_values: 0.2,
    checkpoint_values.weights: 0.1,
    checkpoint_damage.no_checkpoint: 0.05,
}


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``."""
    model_type = list(NETWORKS)[index % len(NETWORKS)]
    name, expected, content = list(_MAKERS)[int(rng.choice(len(_MAKERS), p=list(_MAKERS.values())))](
        model_type, rng, marker
    )
    path = folder / "in.pt"
    path.write_bytes(content)
    return Case(f"{model_type}: {name}", expected, lambda: read_checkpoint_file(path), _truth(model_type))


@cache
def _truth(model_type: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.pt"
        path.write_bytes(saved(record_of(model_type)))
        return read_checkpoint_file(path)


def read_checkpoint_file(path: Path) -> str:
    """As a gate session reads it: loaded, asked, its record looked up and put into a scorecard."""
    from lvm_gates.harness.base.record import jsonable
    from lvm_gates.harness.evaluation.contamination import RECORD
    from lvm_gates.harness.evaluation.resolve_model import load_named

    named = load_named(str(path))
    provenance = named.identity.provenance or {}
    shown = json.dumps(jsonable({key: value for key, value in provenance.items() if key != RECORD}), allow_nan=False)
    shown.encode()
    seen = sorted(set(provenance.get(RECORD) or []))
    corpus = provenance.get("corpus") or {}
    where = str(corpus.get("path", ""))
    assert named.dim is not None  # noqa: S101
    frames = np.resize(CONTEXTS, (4, named.context or CONTEXT, named.dim))
    found = named.predictor.predict(frames)  # type: ignore[union-attr]
    trained = named.trained_on
    kept = (
        [] if trained is None else [(p.mean.tolist(), p.signatures.tolist(), p.lengths.tolist()) for p in trained.parts]
    )
    said = repr((kept, named.context, named.dim, seen, where, corpus.get("fingerprint"), provenance.get("args")))
    return hashlib.sha256(found.tobytes() + said.encode("utf-8", "replace")).hexdigest()
