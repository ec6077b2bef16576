"""The files of a run's folder by name, found without reading one; nothing heavy is imported here."""

from pathlib import Path

BEST = "best_model.pt"
FINAL = "final_model.pt"
HISTORY = "training_history.json"
# In the middle of an epoch: gone once the epoch is saved.
UNFINISHED = "unfinished_epoch.pt"
# Weights after every epoch, without the optimiser's state, which is twice as large.
EPOCHS = "epochs"
# Folders inside a run's for what was tried again (P5.1).
RETRIES = "attempt-*"

Stamp = tuple[tuple[str, int, int], ...]


def saved_files(folder: Path) -> list[Path]:
    """What a run and its retries have left in a folder."""
    kept = [file for name in (BEST, FINAL, HISTORY, UNFINISHED) if (file := folder / name).exists()]
    retries = [file for retry in sorted(folder.glob(RETRIES)) for file in saved_files(retry)]
    return kept + sorted((folder / EPOCHS).glob("epoch-*.pt")) + retries


def epoch_file(epoch: int) -> str:
    """Name of an epoch's own checkpoint in `EPOCHS`."""
    return f"epoch-{epoch:03d}.pt"


def resumable(folder: Path) -> bool:
    """Whether a run in a folder has saved what it can be resumed from."""
    return any((folder / name).is_file() for name in (FINAL, UNFINISHED))


def stamp(folder: Path) -> Stamp:
    """Of the files that a run is resumed from: another one after every save, () where there is none."""
    found = []
    for name in (FINAL, UNFINISHED):
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        found.append((name, status.st_ino, status.st_mtime_ns))
    return tuple(found)
