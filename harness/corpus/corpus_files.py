"""The three files of a corpus folder, read and checked against one another before anything is made of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.corpus.corpus_advice import no_corpus
from lvm_gates.harness.files.json_file import read_json
from lvm_gates.harness.files.npz_file import NpzFile, map_npy, whole_numbers

FORMAT_VERSION = 1
_ARTICLES = ("article_ids", "lengths", "chunk_index", "splits")
SPLIT_NAMES = ("TRAIN", "VAL", "OOD", "")
# A record is a few kilobytes; one that lists thousands of sources, a megabyte.
_LARGEST_RECORD = 64 << 20
# Bytes that a member of articles.npz may take for a chunk: no article is without one, and the widest items are splits.
_BYTES_A_CHUNK, _BYTES_BESIDE = 32, 4096


class CorpusFiles(NamedTuple):
    """What a corpus folder holds; see `harness.corpus.corpus.Corpus`."""

    meta: Mapping[str, Any]
    stored: Shaped[np.ndarray, "n d"]
    article_ids: Int[np.ndarray, " a"]
    lengths: Int[np.ndarray, " a"]
    chunk_index: Int[np.ndarray, " n"]
    splits: Shaped[np.ndarray, " a"]


def read_corpus_files(folder: Path) -> CorpusFiles:
    """Read a corpus folder; vectors stay on disk.

    Raises:
        UserError: a missing, truncated, damaged or inconsistent folder.
    """
    record_file = folder / "corpus.json"
    if not is_file(record_file):
        raise no_corpus(folder)
    try:
        meta = read_json(record_file, _LARGEST_RECORD)
    except (OSError, ValueError) as error:
        raise _unreadable(folder, f"corpus.json: {brief(error)}") from error
    version = meta.get("format_version") if isinstance(meta, dict) else None
    if version != FORMAT_VERSION or not isinstance(meta, dict):
        raise UserError(
            f"{record_file}: corpus format {brief(repr(version))} is not {FORMAT_VERSION}, the one this version reads; "
            "make the corpus again."
        )
    try:
        stored = map_npy(folder / "vectors.npy")
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise _unreadable(folder, f"vectors.npy: {brief(error)}") from error
    if stored.ndim != 2 or stored.dtype.kind != "f" or len(stored) == 0:
        raise UserError(
            f"{folder}: vectors.npy holds {stored.dtype} of shape {stored.shape}; it must hold floats of shape "
            "(chunks, dim), copy the corpus again."
        )
    archive = NpzFile.open(folder / "articles.npz")
    most = _BYTES_A_CHUNK * len(stored) + _BYTES_BESIDE
    if absent := [name for name in _ARTICLES if name not in archive.members]:
        raise _unreadable(folder, f"articles.npz has no {absent[0]}")
    members = archive.read(_ARTICLES, most)
    for name, values in members.items():
        found = values if name == "splits" and values.dtype.kind == "U" else whole_numbers(values)
        if found is None or found.ndim != 1:
            raise UserError(
                f"{folder}: {name} of articles.npz is {values.dtype} of shape {values.shape}; it must be a list of "
                f"{'text' if name == 'splits' else 'integers'}, copy the corpus again."
            )
        members[name] = found
    files = CorpusFiles(meta, stored, **members)
    _check_consistent(folder, files)
    return files


def _check_consistent(folder: Path, files: CorpusFiles) -> None:
    meta, stored, ids, lengths, chunk_index, splits = files
    if not len(ids) == len(lengths) == len(splits):
        raise UserError(
            f"{folder}: {len(ids)} article ids, {len(lengths)} lengths and {len(splits)} splits; each article has one "
            "of each, copy the corpus again."
        )
    # Each length is bounded before they are added, so that no sum wraps round.
    impossible = (lengths < 1) | (lengths > len(stored))
    if impossible.any() or lengths.sum() != len(stored) or len(chunk_index) != len(stored):
        raise UserError(
            f"{folder}: vectors.npy and articles.npz disagree on the number of chunks; copy the corpus again."
        )
    if len(np.unique(ids)) < len(ids):
        raise UserError(f"{folder}: two articles have one id; make the corpus again.")
    if unknown := sorted(set(np.unique(splits).tolist()) - set(SPLIT_NAMES)):
        raise UserError(f"{folder}: split {brief(unknown[0])!r} is none of TRAIN, VAL and OOD; make the corpus again.")
    if not isinstance(meta.get("fingerprint"), str | None):
        raise UserError(f"{folder}: the fingerprint in corpus.json is no text; make or copy the corpus again.")
    counted = {"chunks": len(stored), "dim": stored.shape[1], "articles": len(ids)}
    for name, count in counted.items():
        if meta.get(name, count) != count:
            raise UserError(
                f"{folder}: corpus.json records {brief(repr(meta[name]))} as {name}, and the files hold {count}; copy "
                "the corpus again."
            )


def _unreadable(folder: Path, why: str) -> UserError:
    return UserError(f"{folder}: the corpus cannot be read ({why}); make or copy it again.")
