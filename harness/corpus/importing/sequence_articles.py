"""The chunks of an original sequence file, put back into articles.

Windows overlap, so a file of stride-1 windows holds every chunk C+1 times. The index fields say where a target stands
in its article; targets are believed. A context is believed only for chunks that are no target anywhere (the first C
of an article), and only in articles where no context contradicts the targets: a window that crosses articles or skips
a chunk would put its frames in the wrong place. Where most windows contradict (P6), no context is believed.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.scratch import scratch_array
from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.corpus import UNASSIGNED, Corpus
from lvm_gates.harness.corpus.npz import SAME_VECTOR_COSINE, SequenceFile

BATCH = 2048


class Recovered(NamedTuple):
    """Articles put together from windows."""

    corpus: Corpus
    windows: int
    contradicting: int
    """Windows whose context is not the chunks before the target: they cross articles or skip a chunk."""


def recover_articles(path: Path, beside: Path) -> Recovered:
    """Every distinct chunk of a sequence file, in reading order, as a corpus without splits.

    Args:
        path: the sequence NPZ.
        beside: a path on the disk where the chunks may be kept meanwhile.

    Raises:
        UserError: no index fields, or a file that cannot be read.
    """
    file = SequenceFile.open(path)
    if file.article_ids is None or file.positions is None:
        raise UserError(
            f"{path}: article_ids and target_indices are missing, so its windows cannot be put back into articles; use "
            "`lvm-data rebuild` with the article NPZ, or --trust-pickle where they are in an object array."
        )
    if len(file) == 0:
        raise UserError(f"{path}: holds no windows; make the file again.")
    known, first = np.unique(np.stack([file.article_ids, file.positions], axis=1), axis=0, return_index=True)
    where = {(int(a), int(p)): int(window) for (a, p), window in zip(known, first, strict=True)}
    contradicts, absent = _contexts(file, file.article_ids, file.positions, where)
    # Slot C of a window is its target, slots below are context frames.
    chunks, source, slot = known, first, np.full(len(first), file.context)
    believed = ~np.isin(file.article_ids, file.article_ids[contradicts])
    # A window alone in its article has nothing to contradict it; it is then as good as the rest of the file.
    believed &= contradicts.mean() < 0.5
    window, frame = np.nonzero(absent & believed[:, None])
    if len(window):
        claims = np.stack([file.article_ids[window], file.positions[window] - file.context + frame], axis=1)
        more, at = np.unique(claims, axis=0, return_index=True)
        chunks = np.concatenate([chunks, more])
        source, slot = np.concatenate([source, window[at]]), np.concatenate([slot, frame[at]])
    order = np.lexsort((chunks[:, 1], chunks[:, 0]))
    chunks, source, slot = chunks[order], source[order], slot[order]
    stored = scratch_array(beside, (len(chunks), file.targets.shape[1]), "float32")
    for part in slices(len(chunks), BATCH):
        stored[part] = file.frames(source[part])[np.arange(len(source[part])), slot[part]]
    ids, starts, lengths = np.unique(chunks[:, 0], return_index=True, return_counts=True)
    corpus = Corpus(
        path,
        stored,
        ids,
        starts.astype(np.int64),
        lengths.astype(np.int64),
        np.ascontiguousarray(chunks[:, 1]),
        np.full(len(ids), UNASSIGNED, dtype="<U5"),
        None,
        {"kind": "sequences", "chunk_indices": "present"},
    )
    return Recovered(corpus, len(file), int(contradicts.sum()))


def _contexts(
    file: SequenceFile,
    article_ids: Int[np.ndarray, " n"],
    positions: Int[np.ndarray, " n"],
    where: dict[tuple[int, int], int],
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, "n c"]]:
    """Which windows contradict the targets, and which context frames stand where no target does.

    ``where`` maps (article, chunk index) to a window with that target. A window that starts before its article does
    (position below C) contradicts too, whatever its frames are.
    """
    contradicts = np.zeros(len(file), dtype=bool)
    absent = np.zeros((len(file), file.context), dtype=bool)
    for part in slices(len(file), BATCH):
        ids = article_ids[part]
        wanted = positions[part][:, None] + np.arange(-file.context, 0)
        rows = np.array([[where.get((int(a), int(p)), -1) for p in line] for a, line in zip(ids, wanted, strict=True)])
        frames = unit(file.frames(part))[:, :-1]
        targets = unit(np.asarray(file.targets[np.maximum(rows, 0).ravel()], dtype=np.float64))
        cosine = (frames * targets.reshape(frames.shape)).sum(axis=2)
        wrong = (rows >= 0) & ~(cosine > SAME_VECTOR_COSINE)
        contradicts[part] = wrong.any(axis=1) | (wanted < 0).any(axis=1)
        absent[part] = (rows < 0) & (wanted >= 0)
    return contradicts, absent
