"""Several NPZ files as one corpus folder, split by article."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.scratch import scratch_array
from lvm_gates.harness.base.seeding import sampling_rng
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, UNASSIGNED, Corpus, check_vectors, write_corpus
from lvm_gates.harness.corpus.importing.sequence_articles import recover_articles
from lvm_gates.harness.corpus.npz import is_sequence_file, read_articles


class _Part(NamedTuple):
    corpus: Corpus
    source: dict[str, Any]


def join_articles(
    files: Sequence[Path], out: Path, *, val: float, ood: float, seed: int, names: Sequence[str] | None = None
) -> Corpus:
    """Read article and sequence NPZ files and split their articles at random.

    Articles keep their ids where no two files share one, so that original id ranges go on naming them; else they are
    numbered 0, 1, 2 … in order. Chunks pass through in blocks; the vectors are never in memory as a whole.

    Args:
        files: original NPZ files of one encoder.
        out: the corpus folder to write.
        val: share of articles for VAL.
        ood: share of articles for OOD; the rest is TRAIN.
        seed: of the split.
        names: what to call the files in the record, where they are conversions of others.

    Raises:
        UserError: a file that cannot be read, or files of different dimensions.
    """
    if not val + ood < 1:  # not a number, too
        raise UserError(f"--val {val} and --ood {ood} leave no articles for TRAIN; let them add to less than 1.")
    names = [path.name for path in files] if names is None else names
    parts = [_read(path, name, out) for path, name in zip(files, names, strict=True)]
    corpora = [part.corpus for part in parts]
    for corpus in corpora:
        if corpus.dim != corpora[0].dim:
            raise UserError(
                f"{corpus.path}: {corpus.dim} dimensions where {corpora[0].path} has {corpora[0].dim}; join files of "
                "one encoder."
            )
        check_vectors(corpus, np.arange(corpus.size))
    vectors = scratch_array(out, (sum(corpus.size for corpus in corpora), corpora[0].dim), "float16")
    begin = 0
    for corpus, part in zip(corpora, parts, strict=True):
        off = 0.0
        for block in slices(corpus.size, SCAN_ROWS):
            rows = np.arange(block.start, block.stop)
            vectors[begin + block.start : begin + block.stop] = corpus.vectors(rows)
            off = max(off, float(np.abs(np.linalg.norm(corpus.raw(rows), axis=1) - 1).max()))
        begin += corpus.size
        part.source["norms_off_by"] = off
    lengths = np.concatenate([corpus.lengths for corpus in corpora])
    ids = _article_ids(corpora)
    return write_corpus(
        out,
        vectors,
        lengths,
        splits=_split(len(lengths), val, ood, seed),
        article_ids=ids,
        chunk_index=np.concatenate([corpus.chunk_index for corpus in corpora]),
        meta={
            "kind": "imported",
            # Numbers that a file did not have were counted up; that nothing is missing between them nobody knows.
            "chunk_indices": "absent" if any(_uncounted(corpus) for corpus in corpora) else "present",
            "how": f"lvm-data import {' '.join(names)} --val {val} --ood {ood} --seed {seed}",
            "article_ids": "numbered anew" if ids is None else "as in the files",
            "sources": [part.source for part in parts],
        },
        dtype="float16",
    )


def _read(path: Path, name: str, out: Path) -> _Part:
    source: dict[str, Any] = {"file": name}
    if is_sequence_file(path):
        recovered = recover_articles(path, out)
        corpus = recovered.corpus
        source |= {"windows": recovered.windows, "contradicting_windows": recovered.contradicting}
    else:
        corpus = read_articles(path)
    return _Part(corpus, source | {"articles": len(corpus.lengths), "chunks": corpus.size})


def _uncounted(corpus: Corpus) -> bool:
    return corpus.meta.get("chunk_indices") == "absent"


def _article_ids(corpora: Sequence[Corpus]) -> Int[np.ndarray, " a"] | None:
    ids = np.concatenate([corpus.article_ids for corpus in corpora])
    return ids if len(np.unique(ids)) == len(ids) else None


def _split(articles: int, val: float, ood: float, seed: int) -> Shaped[np.ndarray, " a"]:
    shuffled = sampling_rng(seed).permutation(articles)
    splits = np.full(articles, UNASSIGNED, dtype="<U5")
    counts = np.diff(np.round(np.cumsum([0, val, ood]) * articles).astype(int))
    # What is asked for is an article at least, if that leaves one to train on: no session judges without VAL and OOD.
    some = np.maximum(counts, [val > 0, ood > 0])
    ends = np.cumsum(some if some.sum() < articles else counts)
    splits[shuffled[: ends[0]]] = "VAL"
    splits[shuffled[ends[0] : ends[1]]] = "OOD"
    splits[shuffled[ends[1] :]] = "TRAIN"
    return splits
