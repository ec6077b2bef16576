"""Windows of an original sequence file, found again in the article store, judged, and rebuilt forward.

The original builder took runs of rows across article boundaries and flagged a window as crossing only where its last
frame and its target differed, so most crossing windows went unseen; the P6 builder skipped a chunk before the target.
Here every frame is found by its content, and the rows it came from say what the window is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.estimate import Estimate, cluster_share
from lvm_gates.harness.base.scratch import Member, scratch_array, whole, write_npz
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus, check_vectors, write_corpus
from lvm_gates.harness.corpus.importing.frame_location import locate_frames
from lvm_gates.harness.corpus.npz import SequenceFile, matching_rows
from lvm_gates.harness.corpus.windows import Windows

BATCH = 2048

Kind = Literal["forward", "crossing", "skipping", "reversed", "disordered", "unknown"]
KINDS: dict[Kind, str] = {
    "forward": "consecutive chunks of one article, in reading order",
    "crossing": "chunks of more than one article",
    "skipping": "in reading order, but a chunk is left out",
    "reversed": "against the reading order",
    "disordered": "of one article in no order",
    "unknown": "a frame that equals no chunk of the article file",
}


@dataclass(frozen=True)
class Found:
    """Where the frames of each window come from.

    Attributes:
        windows: the article store and C.
        rows: (n, C+1) corpus row of each frame, target last; -1 where no chunk equals it.
        kinds: (n,) one of `KINDS`.
        older_only: (n,) crosses articles, though its last frame and target share one: the original flag misses it.
        target_skips: (n,) a forward context and then the chunk after the next (P6).
        misnumbered: (n,) a forward window whose index fields name another chunk.
    """

    corpus: Corpus
    rows: Int[np.ndarray, "n frames"]
    kinds: Shaped[np.ndarray, " n"]
    older_only: Bool[np.ndarray, " n"]
    target_skips: Bool[np.ndarray, " n"]
    misnumbered: Bool[np.ndarray, " n"]

    @property
    def clusters(self) -> Int[np.ndarray, " n"]:
        """(n,) article of each window's target, -1 where it is unknown."""
        last = self.rows[:, -1]
        return np.where(last >= 0, self.corpus.article_of[last], -1)

    def share(self, flags: Bool[np.ndarray, " n"]) -> Estimate:
        """The share of windows that are flagged."""
        return cluster_share(flags.astype(np.float64), self.clusters)

    def rebuilt(self) -> Windows:
        """A forward window for each distinct target that has C chunks before it in its article.

        The target of a reversed window is its last chunk in reading order.
        """
        targets = np.where(self.kinds == "reversed", self.rows.max(axis=1), self.rows[:, -1])
        targets = np.unique(targets[targets >= 0])
        context = self.rows.shape[1] - 1
        return Windows(self.corpus, targets[targets - self.corpus.run_start[targets] >= context], context)


def find_windows(path: Path, corpus: Corpus) -> Found:
    """Find every window of a sequence file in the article store, by index where that holds, else by content.

    Raises:
        UserError: a file that cannot be read, or whose frames are not in the store.
    """
    file = SequenceFile.open(path, corpus.dim, corpus.path)
    claimed, matches = matching_rows(file, corpus)
    rows = claimed[:, None] + np.arange(-file.context, 1)
    odd = np.flatnonzero(~matches)
    if len(odd):
        rows[odd] = locate_frames((file.frames(odd[part]) for part in slices(len(odd), BATCH)), corpus)
    if len(file) == 0 or (rows < 0).all():
        raise UserError(
            f"{path}: no frame of its {len(file)} windows equals a chunk of {corpus.path}; the two files do not belong "
            "together, name the articles the sequences were made from."
        )
    return _judge(corpus, rows, claimed, has_index=file.positions is not None)


def _judge(
    corpus: Corpus, rows: Int[np.ndarray, "n frames"], claimed: Int[np.ndarray, " n"], *, has_index: bool
) -> Found:
    article, chunk = corpus.article_of[rows], corpus.chunk_index[rows]
    step = np.diff(chunk, axis=1)
    known = (rows >= 0).all(axis=1)
    crossing = known & (article != article[:, -1:]).any(axis=1)
    inside = known & ~crossing
    forward = inside & (step == 1).all(axis=1)
    kinds = np.full(len(rows), "disordered", dtype="<U10")
    kinds[~known] = "unknown"
    kinds[crossing] = "crossing"
    kinds[inside & (step >= 1).all(axis=1)] = "skipping"
    kinds[inside & (step <= -1).all(axis=1)] = "reversed"
    kinds[forward] = "forward"
    return Found(
        corpus,
        rows,
        kinds,
        older_only=crossing & (article[:, -1] == article[:, -2]),
        target_skips=inside & (step[:, :-1] == 1).all(axis=1) & (step[:, -1] == 2),
        misnumbered=forward & (claimed != rows[:, -1]) if has_index else np.zeros(len(rows), dtype=bool),
    )


def write_articles(windows: Windows, out: Path, *, split: str, how: str) -> Corpus:
    """A corpus folder of the articles that ``windows`` are in, whole, under their own ids.

    Raises:
        UserError: there is no window.
    """
    _require_some(windows)
    corpus = windows.corpus
    articles = np.unique(windows.clusters)
    rows = corpus.rows_of(articles)
    check_vectors(corpus, rows)
    vectors = scratch_array(out, (len(rows), corpus.dim), "float16")
    for part in slices(len(rows), SCAN_ROWS):
        vectors[part] = corpus.vectors(rows[part])
    return write_corpus(
        out,
        vectors,
        corpus.lengths[articles],
        splits=np.full(len(articles), split, dtype="<U5"),
        article_ids=corpus.article_ids[articles],
        chunk_index=corpus.chunk_index[rows],
        meta={"kind": "rebuilt", "how": how, "chunk_indices": corpus.meta.get("chunk_indices", "present")},
        dtype="float16",
    )


def write_sequences(windows: Windows, out: Path) -> None:
    """The windows as a sequence NPZ with index fields, a batch at a time.

    Raises:
        UserError: there is no window.
    """
    _require_some(windows)
    corpus, n = windows.corpus, len(windows)
    single = np.dtype(np.float32)

    def contexts() -> Iterator[Float[np.ndarray, "b c d"]]:
        return (batch.contexts() for batch in windows.batches(BATCH))

    def targets() -> Iterator[Float[np.ndarray, "b d"]]:
        return (batch.target_vectors() for batch in windows.batches(BATCH))

    members = {
        "contexts": Member((n, windows.context, corpus.dim), single, contexts()),
        "targets": Member((n, corpus.dim), single, targets()),
        "article_ids": whole(corpus.article_ids[windows.clusters]),
        "target_indices": whole(corpus.chunk_index[windows.targets]),
    }
    write_npz(out, members)


def _require_some(windows: Windows) -> None:
    if len(windows) == 0:
        raise UserError(
            f"{windows.corpus.path}: no target of the sequence file has {windows.context} chunks before it in its "
            "article, so there is nothing to write; name the articles the sequences were made from."
        )
