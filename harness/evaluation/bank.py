"""Candidates of set `global` by the hundred thousand: they stream past all predictions once, and are never held.

Ranks are exact, as in `lvm_gates.harness.evaluation.ranks`; the cost is that of one float32 product of all predictions
with all candidates.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from lvm_gates.harness.base.threads import threads
from lvm_gates.harness.base.vectors import dots, slices, unit
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.ranks import Ahead, Pairs, count_ahead, mean_rank

# Windows compared with a block of candidates at once, by one thread.
_WINDOWS = 256

BankRanks = tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]
"""Rank of the target of each window, and the number of candidates."""


@dataclass(frozen=True)
class Bank:
    """Chunks among which targets are ranked, of the judged corpus or of another.

    Attributes:
        corpus: that they are in.
        rows: of that corpus, rising.
        name: in words, for the scorecard.
        of_judged: whether rows are those of the judged corpus although the vectors are held elsewhere.
        device: where candidates are compared with predictions.
    """

    corpus: Corpus
    rows: Int[np.ndarray, " m"]
    name: str = ""
    of_judged: bool = False
    device: str = "cpu"

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, rank: int, world: int) -> "Bank":
        """What one of several processes reads of it."""
        begin, end = (len(self) * r // world for r in (rank, rank + 1))
        return replace(self, rows=self.rows[begin:end])

    def ranks(self, predictions: Sequence[Float[np.ndarray, "n d"]], windows: Windows) -> list[BankRanks]:
        """Rank of the target of each window and the number of candidates, target included, for each predictor.

        Candidates that equal the target are the same answer and leave the set, wherever they come from; so do the
        frames of the context, where they are in the bank.

        Args:
            predictions: of each predictor, unit vectors, NaN throughout where there is no direction.
            windows: that were asked for.
        """
        return self.ranks_of(self.counts(predictions, windows), predictions, windows)

    def ranks_of(
        self, counts: Int[np.ndarray, "p 4 n"], predictions: Sequence[Float[np.ndarray, "n d"]], windows: Windows
    ) -> list[BankRanks]:
        """The same from `counts`, or from the sum of those of parts that make up the whole."""
        found = []
        for own, (above, tied, equal, barred) in zip(predictions, counts, strict=True):
            rivals = len(self) - barred - equal
            found.append((mean_rank(Ahead(above, tied, equal), rivals, _cosines(own, windows)), rivals + 1))
        return found

    def counts(self, predictions: Sequence[Float[np.ndarray, "n d"]], windows: Windows) -> Int[np.ndarray, "p 4 n"]:
        """For each predictor and window how many candidates are more alike to the prediction than the target is, as
        alike, equal to the target, and do not count.
        """
        parts = list(slices(len(windows), _WINDOWS))
        targets = unit(windows.target_vectors())
        cosines = [_cosines(own, windows) for own in predictions]
        barred = [self.barred(windows.take(part)) for part in parts]
        counts = np.zeros((len(predictions), 4, len(windows)), dtype=np.int64)
        for part, pairs in zip(parts, barred, strict=True):
            counts[:, 3, part] = np.bincount(pairs.window, minlength=part.stop - part.start)
        if self.device != "cpu":
            counts[:, :3] = self._counts_on_device(predictions, cosines, targets, windows)
            return counts
        workers = threads()
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
            for block in slices(len(self), SCAN_ROWS):
                vectors = self.corpus.vectors(self.rows[block])

                def compare(part: slice, pairs: Pairs, block: slice = block, vectors: np.ndarray = vectors) -> None:
                    here = pairs.among(block)
                    for own, cosine, total in zip(predictions, cosines, counts, strict=True):
                        (found,) = count_ahead(own[part], cosine[part], vectors, [here], targets=targets[part])
                        total[:3, part] += found

                list(pool.map(compare, parts, barred))
        return counts

    def _counts_on_device(
        self,
        predictions: Sequence[Float[np.ndarray, "n d"]],
        cosines: Sequence[Float[np.ndarray, " n"]],
        targets: Float[np.ndarray, "n d"],
        windows: Windows,
    ) -> Int[np.ndarray, "p 3 n"]:
        from lvm_gates.harness.base.device import resolve_device
        from lvm_gates.harness.evaluation.bank_on_device import count_on

        barred = self.barred(windows)
        blocks = ((self.corpus.vectors(self.rows[b]), barred.among(b)) for b in slices(len(self), SCAN_ROWS))
        return count_on(resolve_device(self.device), predictions, cosines, targets, blocks)

    def barred(self, windows: Windows) -> Pairs:
        """Frames and targets that are in the bank."""
        if not self.knows(windows) or len(self) == 0:
            return Pairs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        return Pairs.in_rows(np.column_stack([windows.context_rows, windows.targets]), self.rows)

    def knows(self, windows: Windows) -> bool:
        """Whether the chunks of some windows can be told among these by their rows."""
        return self.of_judged or self.corpus is windows.corpus


def _cosines(predictions: Float[np.ndarray, "n d"], windows: Windows) -> Float[np.ndarray, " n"]:
    """Of predictions to the targets."""
    parts = slices(len(windows), _WINDOWS)
    return np.concatenate([dots(predictions[p], unit(windows.take(p).target_vectors())) for p in parts])
