"""Several published article files as one corpus folder, split by article."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from harness.corpus import SCAN_ROWS, UNASSIGNED, Corpus, check_vectors, write_corpus
from harness.errors import UserError
from harness.npz import read_articles
from harness.predictor import slices


def join_articles(files: Sequence[Path], out: Path, *, val: float, ood: float, seed: int) -> Corpus:
    """Read article NPZ files, number their articles 0, 1, 2 … in order, and split them at random.

    Args:
        files: published article NPZ files of one encoder.
        out: the corpus folder to write.
        val: share of articles for VAL.
        ood: share of articles for OOD; the rest is TRAIN.
        seed: of the split.

    Raises:
        UserError: a file that cannot be read, or files of different dimensions.
    """
    if val + ood >= 1:
        raise UserError(f"--val {val} and --ood {ood} leave no articles for TRAIN; let them add to less than 1.")
    parts = [read_articles(path) for path in files]
    for part in parts:
        if part.dim != parts[0].dim:
            raise UserError(
                f"{part.path}: {part.dim} dimensions where {parts[0].path} has {parts[0].dim}; join files of one "
                "encoder."
            )
        check_vectors(part, np.arange(part.size))
    vectors = np.empty((sum(part.size for part in parts), parts[0].dim), dtype=np.float16)
    begin = 0
    for part in parts:
        for block in slices(part.size, SCAN_ROWS):
            vectors[begin + block.start : begin + block.stop] = part.vectors(np.arange(block.start, block.stop))
        begin += part.size
    lengths = np.concatenate([part.lengths for part in parts])
    return write_corpus(
        out,
        vectors,
        lengths,
        splits=_split(len(lengths), val, ood, seed),
        chunk_index=np.concatenate([part.chunk_index for part in parts]),
        meta={
            "kind": "imported",
            "how": f"lvm-data import {' '.join(path.name for path in files)} --val {val} --ood {ood} --seed {seed}",
            "sources": [{"file": part.path.name, "articles": len(part.lengths), "chunks": part.size} for part in parts],
        },
        dtype="float16",
    )


def _split(articles: int, val: float, ood: float, seed: int) -> Shaped[np.ndarray, " a"]:
    shuffled = np.random.default_rng(seed).permutation(articles)
    splits = np.full(articles, UNASSIGNED, dtype="<U5")
    ends = np.round(np.cumsum([val, ood]) * articles).astype(int)
    splits[shuffled[: ends[0]]] = "VAL"
    splits[shuffled[ends[0] : ends[1]]] = "OOD"
    splits[shuffled[ends[1] :]] = "TRAIN"
    return splits
