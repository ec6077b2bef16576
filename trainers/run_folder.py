"""The folder a run leaves: ``best_model.pt``, ``final_model.pt`` and ``training_history.json``.

After each epoch the best model is written first, then the final model, then the history, each atomically. A
run cut short anywhere is resumed from ``final_model.pt``, which holds the history too; the rest is made anew,
identically.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.atomic import write_json
from harness.checkpoint_file import read_record, save_checkpoint
from harness.contamination import article_hashes
from harness.corpus import Corpus
from harness.errors import UserError
from trainers.config import RunConfig

BEST = "best_model.pt"
FINAL = "final_model.pt"
HISTORY = "training_history.json"

# epoch, train_loss, train_cosine, val_loss, val_cosine, lr
EpochRecord = dict[str, int | float]


@dataclass(frozen=True)
class RunFolder:
    """Where one run on one corpus is saved.

    Attributes:
        path: the folder, made when the first file is written.
        config: the run.
        corpus: what it trains on.
    """

    path: Path
    config: RunConfig
    corpus: Corpus

    @cached_property
    def trained_on(self) -> list[str]:
        """Content hashes of the training articles, for the checkpoint."""
        return sorted(article_hashes(self.corpus, self.corpus.articles("TRAIN")))

    def prepare(self, *, overwrite: bool) -> None:
        """Make room for a new run.

        Raises:
            UserError: a run is there already and ``overwrite`` is off, or the folder cannot be written.
        """
        old = [file for name in (BEST, FINAL, HISTORY) if (file := self.path / name).exists()]
        if old and not overwrite:
            raise UserError(
                f"{self.path}: already holds a run ({old[0].name}); add --resume to continue it, "
                "--overwrite to replace it, or give another --out."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for file in old:
                file.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def read(self) -> dict[Any, Any]:
        """The last epoch saved, to be resumed.

        Raises:
            UserError: nothing to resume, or it was another run.
        """
        file = self.path / FINAL
        if not file.is_file():
            raise UserError(f"{self.path}: holds no {FINAL} to resume from; start the run without --resume.")
        record = read_record(file)
        args, corpus = record.get("args"), record.get("corpus")
        if not isinstance(record.get("training_state"), dict) or not isinstance(args, dict):
            raise UserError(f"{file}: was not written by lvm-train and cannot be resumed; start a new run.")
        differences = self.config.differences(args)
        if not isinstance(corpus, dict) or corpus.get("fingerprint") != self.corpus.fingerprint:
            differences.append(f"the corpus is another than {(corpus or {}).get('path')}")
        if differences:
            raise UserError(
                f"{file}: is another run ({'; '.join(differences)}); give the options it was started with, "
                "or another --out."
            )
        return record

    def save(
        self,
        history: list[EpochRecord],
        *,
        model_state: Mapping[str, Any],
        optimizer_state: Mapping[str, Any],
        scheduler_state: Mapping[str, Any],
    ) -> None:
        """Save the epoch that ends ``history``; as the best too if its validation loss is the lowest so far.

        Raises:
            UserError: the disk refuses.
        """
        last = history[-1]
        improved = all(last["val_loss"] < earlier["val_loss"] for earlier in history[:-1])
        try:
            for name in (BEST, FINAL) if improved else (FINAL,):
                save_checkpoint(
                    self.path / name,
                    model_type=self.config.model_type,
                    model_state=model_state,
                    model_config=self.config.model_config(self.corpus.dim),
                    optimizer_state=optimizer_state,
                    epoch=int(last["epoch"]),
                    val_loss=last["val_loss"],
                    val_cosine=last["val_cosine"],
                    args=self.config.as_args(),
                    context=self.config.context,
                    dim=self.corpus.dim,
                    recipe=self.config.recipe,
                    corpus={
                        "path": str(self.corpus.path.absolute()),
                        "fingerprint": self.corpus.fingerprint,
                    },
                    train_article_hashes=self.trained_on,
                    training_state={"scheduler": scheduler_state, "history": history},
                )
            write_json(self.path / HISTORY, {"args": self.config.as_args(), "history": history})
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"{self.path}: cannot be written ({error.strerror or error}); give another --out.")
