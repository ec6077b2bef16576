"""Which chunks of a corpus the frames of a window are, by content alone.

A frame may equal several chunks (a heading, a licence), so a window is first tried as a whole: in reading order, with a
chunk skipped before the target, and backwards. Only a window that is none of these is put together frame by frame.
"""

import hashlib
from collections.abc import Iterable

import faiss
import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.npz import SAME_VECTOR_COSINE

# Equal chunks considered for one frame. A window is found if any one of its frames has fewer copies than this.
COPIES = 8


def locate_frames(batches: Iterable[Float[np.ndarray, "b frames d"]], corpus: Corpus) -> Int[np.ndarray, "n frames"]:
    """The corpus row of each frame of each window, -1 where no chunk equals it; windows come in batches."""
    index = _Index(corpus)
    return np.concatenate([_assemble(frames, index.candidates(frames), corpus) for frames in batches])


class _Index:
    """Chunks equal to a frame; each distinct frame is looked up once, since windows overlap."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._seen: dict[bytes, int] = {}
        self._found: list[Int[np.ndarray, " copies"]] = []

    def candidates(self, frames: Float[np.ndarray, "b frames d"]) -> Int[np.ndarray, "b frames copies"]:
        flat = np.asarray(unit(frames.reshape(-1, frames.shape[-1])), dtype=np.float32)
        keys = [hashlib.blake2b(vector.tobytes(), digest_size=16).digest() for vector in flat]
        fresh = {key: i for i, key in enumerate(keys) if key not in self._seen}
        if fresh:
            for key, rows in zip(fresh, self._look_up(flat[list(fresh.values())]), strict=True):
                self._seen[key] = len(self._found)
                self._found.append(rows)
        rows = np.stack([self._found[self._seen[key]] for key in keys]) if keys else np.empty((0, COPIES), np.int64)
        return rows.reshape(*frames.shape[:2], COPIES)

    def _look_up(self, vectors: Float[np.ndarray, "u d"]) -> Int[np.ndarray, "u copies"]:
        best = np.full((len(vectors), COPIES), -1.0, dtype=np.float32)
        rows = np.full((len(vectors), COPIES), -1, dtype=np.int64)
        finite = np.nan_to_num(vectors)  # a frame without a direction is near nothing
        for block in slices(self._corpus.size, SCAN_ROWS):
            stored = np.nan_to_num(self._corpus.vectors(np.arange(block.start, block.stop)))
            count = min(COPIES, len(stored))
            cosine, index = faiss.knn(finite, stored, count, metric=faiss.METRIC_INNER_PRODUCT)
            cosine = np.concatenate([best, cosine], axis=1)
            everything = np.concatenate([rows, index + block.start], axis=1)
            top = np.argsort(-cosine, axis=1, kind="stable")[:, :COPIES]
            best, rows = np.take_along_axis(cosine, top, 1), np.take_along_axis(everything, top, 1)
        return np.asarray(np.where(best > SAME_VECTOR_COSINE, rows, -1))


def _assemble(
    frames: Float[np.ndarray, "b frames d"], candidates: Int[np.ndarray, "b frames copies"], corpus: Corpus
) -> Int[np.ndarray, "b frames"]:
    context = frames.shape[1] - 1
    rows = np.full(frames.shape[:2], -1, dtype=np.int64)
    done = np.zeros(len(frames), dtype=bool)
    run = np.arange(-context, 1)
    skip = np.append(np.arange(-context - 1, -1), 0)
    for pattern in (run, skip, -run):
        for anchor in range(context, -1, -1):
            for copy in range(COPIES):
                open_ = np.flatnonzero(~done & (candidates[:, anchor, copy] >= 0))
                if len(open_) == 0:
                    break
                supposed = candidates[open_, anchor, copy][:, None] + pattern - pattern[anchor]
                right = _equal(frames[open_], supposed, corpus)
                rows[open_[right]] = supposed[right]
                done[open_[right]] = True
    for i in np.flatnonzero(~done):
        rows[i] = _one_by_one(candidates[i], corpus)
    return rows


def _equal(
    frames: Float[np.ndarray, "b frames d"], rows: Int[np.ndarray, "b frames"], corpus: Corpus
) -> Bool[np.ndarray, " b"]:
    inside = np.asarray(((rows >= 0) & (rows < corpus.size)).all(axis=1))
    stored = corpus.vectors(np.where(inside[:, None], rows, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (frames * stored).sum(axis=2) / np.linalg.norm(frames, axis=2)
    return np.asarray(inside & (cosine > SAME_VECTOR_COSINE).all(axis=1))


def _one_by_one(candidates: Int[np.ndarray, "frames copies"], corpus: Corpus) -> Int[np.ndarray, " frames"]:
    """From the target back: among equal chunks the one nearest the frame after it, in its article if there is one."""
    rows = np.full(len(candidates), -1, dtype=np.int64)
    after = -1
    for i in range(len(candidates) - 1, -1, -1):
        known = candidates[i][candidates[i] >= 0]
        if len(known) == 0:
            continue
        if after >= 0:
            other = corpus.article_of[known] != corpus.article_of[after]
            known = known[np.lexsort((np.abs(known - (after - 1)), other))]
        rows[i] = after = int(known[0])
    return rows
