"""Ranks within a FAISS index of the user's: exact in a flat one, what it finds in one that is approximate.

An approximate index (IVF, HNSW) is searched for the chunks nearest to each prediction; those found that are more alike
to it than the target is, by their float64 cosines, are ahead. What the index misses is ahead of nobody, so such ranks
are too good by as much as it misses. So a sample of the windows is ranked exactly too, among all of its vectors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.scratch import scratch_array
from lvm_gates.harness.base.vectors import dots, slices, unit
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.equality import SAME
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.bank import Bank, BankRanks
from lvm_gates.harness.evaluation.ranks import TIE, Ahead, mean_rank
from lvm_gates.harness.files.faiss_file import FaissHeader, flat_vectors, read_header

FAISS = "faiss:"
NEIGHBOURS = 100
"""Chunks that are asked for around each prediction. A target behind all of them takes the worst rank."""
SAMPLE = 100
"""Windows of a split that are ranked exactly too."""
# Float16 leaves norms off by 5e-4; and so far apart are a chunk in float32 and the same in a float16 corpus.
_ROUNDED = 1e-3
# Windows whose neighbours are looked at again at once: 20 MB of float64 at 768 dimensions.
_WINDOWS = 32


@dataclass(frozen=True)
class SearchedBank:
    """An approximate index as candidates.

    Attributes:
        index: of FAISS.
        exact: all of its vectors, by their numbers in the index.
    """

    index: Any
    exact: Bank

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def name(self) -> str:
        """In words, for the scorecard."""
        return self.exact.name

    def ranks(self, predictions: Sequence[Float[np.ndarray, "n d"]], windows: Windows) -> list[BankRanks]:
        """Rank of the target of each window among what the index finds, and the number of candidates; see `Bank.ranks`.

        A target that is behind everything found has the worst rank.
        """
        return [self._ranks(own, windows) for own in predictions]

    def compared(
        self, predictions: Sequence[Float[np.ndarray, "n d"]], windows: Windows
    ) -> list[Float[np.ndarray, "n 2"]]:
        """What the index misses, on `SAMPLE` of the windows: NaN elsewhere.

        Returns:
            For each predictor the share of the `NEIGHBOURS` chunks nearest to the prediction that the index finds, and
            the exact rank of the target.
        """
        some = sampled(len(windows))
        asked, few = [own[some] for own in predictions], windows.take(some)
        exact = self.exact.ranks(asked, few)
        found = [np.full((len(windows), 2), np.nan) for _ in predictions]
        for own, columns, (rank, _) in zip(asked, found, exact, strict=True):
            columns[some, 0] = self._recall(own)
            columns[some, 1] = rank
        return found

    def _ranks(self, predictions: Float[np.ndarray, "n d"], windows: Windows) -> BankRanks:
        n = len(windows)
        ahead, target = Ahead.nothing(n), dots(predictions, unit(windows.target_vectors()))
        barred = self.exact.barred(windows)
        size = len(self) - np.bincount(barred.window, minlength=n)
        beyond = np.zeros(n, dtype=bool)
        for part in slices(n, _WINDOWS):
            asked = windows.take(part)
            nearest = self._search(predictions[part])
            there = nearest >= 0
            units = unit(self.exact.corpus.vectors(np.maximum(nearest, 0)))
            cosine = np.einsum("nkd,nd->nk", units, predictions[part])
            equal = np.einsum("nkd,nd->nk", units, unit(asked.target_vectors())) >= 1.0 - SAME**2 / 2
            own, shown = np.zeros_like(there), np.zeros_like(there)
            if self.exact.knows(asked):
                own = nearest == asked.targets[:, None]
                shown = (nearest[..., None] == asked.context_rows[:, None]).any(axis=2)
            counts = there & ~shown & ~own
            gap = cosine - target[part, None]
            ahead.above[part] = (counts & ~equal & (gap > TIE)).sum(axis=1)
            ahead.tied[part] = (counts & ~equal & (np.abs(gap) <= TIE)).sum(axis=1)
            ahead.equal[part] = (counts & equal).sum(axis=1)
            beyond[part] = ~(there & (own | equal | (gap <= TIE))).any(axis=1)
        worst = np.where(beyond, np.nan, target)
        return mean_rank(ahead, size - ahead.equal, worst), size - ahead.equal + 1

    def _search(self, predictions: Float[np.ndarray, "b d"]) -> Int[np.ndarray, "b k"]:
        """Numbers of the vectors found around each prediction; -1 where there are fewer, or it has no direction."""
        finite = np.isfinite(predictions).all(axis=1)
        found = np.full((len(predictions), min(NEIGHBOURS, len(self))), -1, dtype=np.int64)
        if finite.any():
            asked = np.ascontiguousarray(predictions[finite], dtype=np.float32)
            found[finite] = self.index.search(asked, found.shape[1])[1]
        return found

    def _recall(self, predictions: Float[np.ndarray, "s d"]) -> Float[np.ndarray, " s"]:
        """Share of the nearest chunks that the index finds; undefined where a prediction has no direction."""
        recall = np.full(len(predictions), np.nan)
        finite = np.flatnonzero(np.isfinite(predictions).all(axis=1))
        nearest = self._nearest(predictions[finite].astype(np.float32))
        for window, true, found in zip(finite, nearest, self._search(predictions[finite]), strict=True):
            recall[window] = np.isin(true, found).mean()
        return recall

    def _nearest(self, predictions: Float[np.ndarray, "s d"]) -> Int[np.ndarray, "s k"]:
        """The same by a product with every vector."""
        k, n = min(NEIGHBOURS, len(self)), len(predictions)
        cosine, number = np.empty((n, 0), dtype=np.float32), np.empty((n, 0), dtype=np.int64)
        for block in slices(len(self), SCAN_ROWS):
            here = np.arange(block.start, block.stop)
            cosine = np.concatenate([cosine, predictions @ self.exact.corpus.vectors(here).T], axis=1)
            number = np.concatenate([number, np.broadcast_to(here, (n, len(here)))], axis=1)
            if cosine.shape[1] > k:
                best = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
                cosine, number = np.take_along_axis(cosine, best, axis=1), np.take_along_axis(number, best, axis=1)
        return number


def sampled(n: int) -> Int[np.ndarray, " m"]:
    """Which of n windows are ranked exactly beside an approximate index."""
    return np.linspace(0, n - 1, SAMPLE).astype(np.int64) if n > SAMPLE else np.arange(n)


def open_faiss_bank(path: Path, corpus: Corpus) -> Bank | SearchedBank:
    """The vectors of an index as candidates for the windows of ``corpus``.

    Raises:
        UserError: not an index that can be read, of other dimensions, or of vectors that are no unit vectors.
    """
    header = read_header(path)
    if header.dim != corpus.dim:
        raise UserError(
            f"--bank=faiss:{path}: {header.dim} dimensions where {corpus.path} has {corpus.dim}; rank among embeddings "
            "of one encoder."
        )
    if header.kind == "Flat":
        return _exact(header, flat_vectors(header), corpus, "exact")
    index = _opened(header)
    if header.kind == "IVF":
        return SearchedBank(
            index,
            _exact(header, _of_lists(header, index), corpus, f"{index.nlist:,} lists, {index.nprobe:,} searched"),
        )
    return SearchedBank(index, _exact(header, _of_graph(header, index), corpus, f"efSearch {index.hnsw.efSearch:,}"))


def _opened(header: FaissHeader) -> Any:
    import faiss

    try:
        return faiss.read_index(str(header.path))
    except (RuntimeError, MemoryError) as error:
        raise UserError(
            f"--bank=faiss:{header.path}: FAISS cannot read it ({brief(error)}); write the index again."
        ) from error


def _of_lists(header: FaissHeader, index: Any) -> Float[np.ndarray, "n d"]:
    """The vectors of an IVF index in the order of their numbers, on the disk of temporary files."""
    import faiss

    vectors = scratch_array(Path(gettempdir()) / "index", (header.total, header.dim), "float32")
    seen = np.zeros(header.total, dtype=bool)
    for number in range(index.nlist):
        size = index.invlists.list_size(number)
        if not size:
            continue
        ids = faiss.rev_swig_ptr(index.invlists.get_ids(number), size)
        if ids.min() < 0 or ids.max() >= header.total or seen[ids].any():
            raise UserError(
                f"--bank=faiss:{header.path}: its vectors are not numbered from 0; build it with add, not with "
                "add_with_ids."
            )
        codes = faiss.rev_swig_ptr(index.invlists.get_codes(number), size * 4 * header.dim)
        vectors[ids], seen[ids] = codes.view(np.float32).reshape(size, header.dim), True
    if not seen.all():
        raise UserError(f"--bank=faiss:{header.path}: has lists that do not hold all of its vectors; build it again.")
    return vectors


def _of_graph(header: FaissHeader, index: Any) -> Float[np.ndarray, "n d"]:
    """The vectors of an HNSW index, where FAISS holds them."""
    import faiss

    storage = faiss.downcast_index(index.storage)
    if not isinstance(storage, faiss.IndexFlat) or storage.ntotal != header.total or storage.d != header.dim:
        raise UserError(f"--bank=faiss:{header.path}: graph and vectors do not belong together; build it again.")
    held = faiss.rev_swig_ptr(storage.get_xb(), header.total * header.dim)
    return np.asarray(held.reshape(header.total, header.dim))


def _exact(header: FaissHeader, vectors: Float[np.ndarray, "n d"], corpus: Corpus, how: str) -> Bank:
    """All of an index's vectors, which are unit vectors; those of the judged corpus itself are known as such."""
    n, same = header.total, header.total == corpus.size
    held = Corpus(
        path=header.path,
        stored=vectors,
        article_ids=np.zeros(1, dtype=np.int64),
        starts=np.zeros(1, dtype=np.int64),
        lengths=np.array([n]),
        chunk_index=np.arange(n),
        splits=np.array([""]),
    )
    for block, raw in _blocks(held):
        off = np.abs(np.linalg.norm(raw.astype(np.float64), axis=1) - 1.0)
        if not (off <= _ROUNDED).all():
            at = block.start + int(np.argmax(~(off <= _ROUNDED)))
            raise UserError(
                f"--bank=faiss:{header.path}: vector {at} is no unit vector; ranks are by cosine, so scale the "
                "vectors to norm 1 before they are added."
            )
        same = same and bool(
            (np.linalg.norm(corpus.vectors(np.arange(block.start, block.stop)) - raw, axis=1) <= 2 * _ROUNDED).all()
        )
    name = f"faiss index {header.path.name}: {header.kind} ({how}), {header.metric}, {n:,} vectors"
    return Bank(held, np.arange(n), name, of_judged=same)


def _blocks(corpus: Corpus) -> Iterator[tuple[slice, Float[np.ndarray, "m d"]]]:
    for block in slices(corpus.size, SCAN_ROWS):
        yield block, corpus.raw(np.arange(block.start, block.stop))
