"""A saved run, read to be resumed: the right one of its files, and of the right run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.checkpoint_file import read_record
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.saved import FINAL, UNFINISHED


def read_run(folder: Path, config: RunConfig, trained_from: Mapping[str, str]) -> dict[Any, Any]:
    """What a run saved last: an epoch, or the middle of the next one.

    Args:
        folder: of the run.
        config: the run that is to go on.
        trained_from: its corpus, as checkpoints record it (`trainers.run_folder`).

    Raises:
        UserError: nothing to resume, or it was another run.
    """
    found = [_read(file, config, trained_from) for name in (FINAL, UNFINISHED) if (file := folder / name).is_file()]
    if not found:
        raise UserError(f"{folder}: holds no {FINAL} to resume from; start the run without --resume.")
    # The second is older where a kill came between the epoch's files and its removal.
    last: dict[Any, Any] = max(reversed(found), key=lambda one: int(one["epoch"]))
    return last


def _read(file: Path, config: RunConfig, trained_from: Mapping[str, str]) -> dict[Any, Any]:
    record = read_record(file)
    args, state = record.get("args"), record.get("training_state")
    if not (isinstance(state, dict) and isinstance(args, dict) and isinstance(record.get("epoch"), int)):
        raise UserError(f"{file}: was not written by lvm-train and cannot be resumed; start a new run.")
    differences = config.differences(args)
    recorded = record.get("corpus")
    corpus = recorded if isinstance(recorded, dict) else {}
    if corpus.get("fingerprint") != trained_from["fingerprint"]:
        differences.append(f"the corpus is another than {corpus.get('path')}")
    elif corpus.get("splits") != trained_from["splits"]:
        differences.append("articles have changed their split since")
    if differences:
        raise UserError(
            f"{file}: is another run ({'; '.join(differences)}); give the options it was started with, "
            "or another --out."
        )
    return record
