"""The folder a run leaves: ``best_model.pt``, ``final_model.pt``, ``training_history.json`` and ``epochs/``.

After each epoch its own checkpoint is written first, then the best model, the final model and the history, each
atomically. A run cut short anywhere is resumed from ``final_model.pt``, which holds the history too; the rest is made
anew, identically. Inside an epoch ``unfinished_epoch.pt`` is written now and then; it is resumed from in place of
``final_model.pt`` until its epoch is saved.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from lvm_gates.harness.base.atomic import write_json
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.splitting import split_digest
from lvm_gates.harness.evaluation.contamination import RECORD, article_hashes
from lvm_gates.harness.evaluation.recorded_leaks import record_of
from lvm_gates.harness.leaks.record import TrainingRecord
from lvm_gates.harness.leaks.record_file import record_fields
from lvm_gates.harness.predictors.checkpoint import Checkpoint
from lvm_gates.harness.predictors.checkpoint_file import save_checkpoint
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.position import Position
from lvm_gates.trainers.saved import BEST, EPOCHS, FINAL, HISTORY, UNFINISHED, epoch_file, saved_files
from lvm_gates.trainers.saved_run import read_run

# epoch, windows, lr, position_scale and `guards` (whether auxiliary terms were on), as in the epoch; train_loss,
# train_cosine, train_margin and train_loss.NAME of each term that was computed; val_loss, val_cosine and val_margin;
# score, by which the best epoch is chosen; and sentinel, the metrics of `trainers.sentinel`. Margins here are cosines
# to the target minus those to the last frame, measured in every epoch.
EpochRecord = dict[str, Any]


class States(NamedTuple):
    """State dicts of what a run consists of.

    Where weights are averaged ``model`` is the average, which is judged, and ``trained`` what training goes on from.
    """

    model: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    trained: Mapping[str, Any] | None = None
    averaged_steps: int | None = None

    def resumable(self, history: list[EpochRecord]) -> dict[str, Any]:
        """What a checkpoint holds for a resumed run alone, weights apart."""
        averaged = {} if self.averaged_steps is None else {"averaged_steps": self.averaged_steps}
        return {"scheduler": self.scheduler, "history": history, **averaged}


@dataclass
class RunFolder:
    """Where one run on one corpus is saved.

    Attributes:
        path: the folder, made when the first file is written.
        config: the run.
        corpus: what it trains on.
        model_type: key of `models.registry.ARCHITECTURES`.
        model_config: constructor arguments of the network.
        start: whose weights the run starts from, None for fresh ones.
        begun: whether what lies there is of this run, and not of one that it replaces.
    """

    path: Path
    config: RunConfig
    corpus: Corpus
    model_type: str
    model_config: Mapping[str, Any]
    start: Checkpoint | None = None
    begun: bool = False

    @cached_property
    def trained_on(self) -> list[str]:
        """Content hashes of the training articles, for the checkpoint; those of ``start`` too, as far as it says."""
        before = None if self.start is None else self.start.metadata.get(RECORD)
        return sorted({*article_hashes(self.corpus, self.corpus.articles("TRAIN")), *(before or ())})

    @cached_property
    def fingerprints(self) -> dict[str, Any]:
        """Signatures of the training chunks, for the checkpoint; those of ``start`` too, as far as it says."""
        before = None
        if self.start is not None:
            before = self.start.trained_on or TrainingRecord((), complete=False)
        return record_fields(record_of(self.corpus, self.corpus.articles("TRAIN"), before))

    @cached_property
    def trained_from(self) -> dict[str, str]:
        """The corpus and its splits, for the checkpoint; the fingerprint is of the chunks alone."""
        return {
            "path": str(self.corpus.path.absolute()),
            "fingerprint": self.corpus.fingerprint,
            "splits": split_digest(self.corpus.article_ids, self.corpus.splits),
        }

    def prepare(self, *, overwrite: bool) -> None:
        """Make sure that a new run may be saved here; what it replaces goes when it saves for the first time.

        Raises:
            UserError: a run is there already and ``overwrite`` is off, or the folder cannot be written.
        """
        old = saved_files(self.path)
        # What a run leaves that was killed while it saved its first epoch: nothing to resume, nothing to lose.
        first = self.path / EPOCHS / epoch_file(1)
        stillborn = old in ([first], [self.path / BEST, first])
        if old and not (overwrite or stillborn):
            raise UserError(
                f"{self.path}: already holds a run ({old[0].name}); add --resume to continue it, "
                "--overwrite to replace it, or give another --out."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def claim(self, history: list[EpochRecord], *, resume: bool, overwrite: bool) -> None:
        """Make ready what is to be written to: by the one process that writes.

        Args:
            history: as resumed.
            resume: whether the run is there already.
            overwrite: whether another one may be.

        Raises:
            UserError: see `prepare`.
        """
        if resume:
            self.mend_history(history)
        else:
            self.prepare(overwrite=overwrite)

    def read(self) -> dict[Any, Any]:
        """What was saved last, to be resumed: see `trainers.saved_run.read_run`."""
        record = read_run(self.path, self.config, self.trained_from)
        self.begun = True
        return record

    def save(self, history: list[EpochRecord], states: States) -> None:
        """Save the epoch that ends ``history``; as the best too if its score is the highest so far.

        Raises:
            UserError: the disk refuses.
        """
        last = history[-1]
        earlier = [record["score"] for record in history[:-1]]
        # An undefined score is no better than any, so the first epoch stands until there is a defined one.
        known = [score for score in earlier if score is not None]
        improved = not earlier or (last["score"] is not None and all(last["score"] > score for score in known))
        resumable = states.resumable(history)
        alone = states._replace(optimizer={})
        with self._said_in_words():
            self._clear()
            (self.path / EPOCHS).mkdir(exist_ok=True)
            self._write(EPOCHS + "/" + epoch_file(last["epoch"]), last, alone, None)
            if improved:
                self._write(BEST, last, states, resumable)
            self._write(FINAL, last, states, resumable)
            self.write_history(history)
            (self.path / UNFINISHED).unlink(missing_ok=True)

    def save_unfinished(
        self, history: list[EpochRecord], states: States, position: Position, scale: float | None
    ) -> None:
        """Save the middle of the epoch that follows ``history``.

        Args:
            history: of the epochs before.
            states: as they are now.
            position: where in the epoch.
            scale: of the position channel in it.

        Raises:
            UserError: the disk refuses.
        """
        nothing = {"epoch": 0, "val_loss": math.nan, "val_cosine": math.nan}
        last = {**(history[-1] if history else nothing), "position_scale": scale}
        resumable = states.resumable(history) | {"position": position.as_plain()}
        with self._said_in_words():
            self._clear()
            self._write(UNFINISHED, last, states, resumable)

    def _clear(self) -> None:
        """Remove the run that this one replaces, once it is about to save."""
        for file in saved_files(self.path) if not self.begun else ():
            file.unlink()
        self.begun = True

    def _write(self, name: str, last: EpochRecord, states: States, state: Mapping[str, Any] | None) -> None:
        save_checkpoint(
            self.path / name,
            model_type=self.model_type,
            model_state=states.model,
            model_config=self.model_config,
            optimizer_state=states.optimizer,
            epoch=last["epoch"],
            val_loss=last["val_loss"],
            val_cosine=last["val_cosine"],
            # The scale that this epoch trained with is the one that its weights must be asked with.
            args={**self.config.as_args(), "position_scale": last["position_scale"]},
            context=self.config.context,
            dim=self.corpus.dim,
            recipe=self.config.recipe,
            corpus=self.trained_from,
            train_article_hashes=self.trained_on,
            train_fingerprints=self.fingerprints,
            training_state=state,
            # An epoch's own checkpoint is there to be asked, not to be resumed.
            trained_state=None if state is None else states.trained,
        )

    def mend_history(self, history: list[EpochRecord]) -> None:
        """Write the history again if it is not what the models hold: written last, it may be older after a kill."""
        try:
            found = json.loads((self.path / HISTORY).read_text())["history"]
        except (OSError, ValueError, KeyError, TypeError):
            found = None
        if found != json.loads(json.dumps(history)):
            self.write_history(history)

    def write_history(self, history: list[EpochRecord]) -> None:
        """Write the history beside the models, which hold it too."""
        write_json(self.path / HISTORY, {"args": self.config.as_args(), "history": history})

    @contextmanager
    def _said_in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unwritable(error) from error
        except RuntimeError as error:
            # What torch makes of a full disk.
            raise self._unwritable(OSError(str(error).splitlines()[0])) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"{self.path}: cannot be written ({error.strerror or error}); make room and add --resume, or give another "
            "--out."
        )
