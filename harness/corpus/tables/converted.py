"""A table of vectors named as a corpus: converted once into the cache folder, and opened there from then on."""

import dataclasses
import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock

from lvm_gates.harness.base.cache import cache_dir, code_digest
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import is_folder
from lvm_gates.harness.base.scratch import scratch_array
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, UNASSIGNED, Corpus, open_corpus, write_corpus
from lvm_gates.harness.corpus.tables.gather import gather, texts_in_order
from lvm_gates.harness.corpus.tables.opening import TableOptions, open_table, table_files
from lvm_gates.harness.corpus.tables.side_files import SideFiles

# What conversions may take on the disk, the one in use apart.
_KEPT = 8 << 30
_CODE = "lvm_gates.harness.corpus.tables"


def converted_table(path: Path) -> Corpus:
    """The table at ``path`` as a corpus without splits, its vectors as they are in the file (float32).

    Raises:
        UserError: a table that cannot be read, or no place in the cache.
    """
    folder = cache_dir() / "tables" / _key(path)
    if (found := _opened(folder)) is None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{folder}.lock"):
                found = _opened(folder) or _convert(path, folder)
                _trim(folder)
        except OSError as error:
            raise UserError(
                f"{path}: there is no place for its conversion in {folder.parent} ({error.strerror or error}); set "
                f"LVM_GATES_CACHE to a folder that has, or write it with `lvm-data import {path} --out DIR`."
            ) from error
    with suppress(OSError):
        os.utime(folder / "corpus.json")
    unsplit = np.full(len(found.splits), UNASSIGNED, dtype="<U5")
    return dataclasses.replace(found, path=path, splits=unsplit)


def _convert(path: Path, folder: Path) -> Corpus:
    table = open_table(path, TableOptions())
    gathered = gather(table, folder)
    corpus = gathered.corpus
    vectors = corpus.stored
    if corpus.order is not None:
        vectors = scratch_array(folder, corpus.stored.shape, "float32")
        for part in slices(corpus.size, SCAN_ROWS):
            vectors[part] = corpus.raw(np.arange(part.start, part.stop))
    whole = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        write_corpus(
            whole,
            vectors,
            corpus.lengths,
            splits=corpus.splits,
            article_ids=corpus.article_ids,
            chunk_index=corpus.chunk_index,
            meta={**corpus.meta, "columns": dict(table.columns)},
            texts=None if gathered.texts is None else texts_in_order(gathered),
            names=corpus.names,
        )
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    return open_corpus(folder)


def _opened(folder: Path) -> Corpus | None:
    try:
        return open_corpus(folder)
    except UserError:
        return None


def _key(path: Path) -> str:
    """Changes with the files, where they are, and with the code that reads them."""
    files = table_files(path)[1] if is_folder(path) else [path]
    files = [*files, *(one for one in SideFiles().paths(path) if one is not None)]
    stats = [(str(file.resolve()), *_stat(file)) for file in files]
    digest = hashlib.sha256(repr((code_digest(_CODE), stats)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _stat(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _trim(used: Path) -> None:
    """Let the conversions go that were unused for longest."""
    kept = 0
    folders = [one for one in used.parent.iterdir() if (one / "corpus.json").is_file()]
    for folder in sorted(folders, key=lambda one: (one / "corpus.json").stat().st_mtime_ns, reverse=True):
        kept += sum(file.stat().st_size for file in folder.iterdir())
        if kept > _KEPT and folder != used:
            shutil.rmtree(folder, ignore_errors=True)
