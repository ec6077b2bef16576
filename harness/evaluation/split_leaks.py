"""The leaks of a session: windows of VAL and OOD that stand in TRAIN, in each other, or twice in their own split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Bool, Int

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.cache import cached_arrays, code_digest
from lvm_gates.harness.corpus.splits import SplitName
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.leaks.chunks import Chunks, chunks_of, joined
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.leaks.null import Null

# Neighbours tell runs of copies, so all pairs of a split are searched for, and not only those of the sampled windows,
# up to twice the default sample: two splits against 438,000 chunks of 768 dimensions are then 13 TFLOP, minutes on two
# cores.
MOST_PAIRS = 10_000


@dataclass(frozen=True)
class Leaks:
    """Where the windows of each split were found.

    Attributes:
        found: (split, where) -> for each window of the split whether it is leaked there; a split in itself: in another
            article. TRAIN is absent where no training split is named.
        nulls: the thresholds used.
    """

    found: dict[tuple[SplitName, SplitName], Bool[np.ndarray, " n"]]
    nulls: dict[tuple[SplitName, SplitName], Null]

    def left_out(self, split: str) -> Bool[np.ndarray, " n"]:
        """Windows of a split that nobody is judged on: what stands in TRAIN, or in the other judged split.

        The fitted controls learn from the one and, without a training split, from the other; and a window in both
        judged splits says nothing of generalisation. One that stands twice in its own split is merely counted twice.
        """
        masks = [mask for (own, where), mask in self.found.items() if own == split and where != split]
        return np.asarray(np.logical_or.reduce(masks))

    def save(self, path: Path) -> None:
        """Write atomically; another process may be waiting to read."""
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **self.arrays())

    @classmethod
    def load(cls, path: Path) -> "Leaks":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls.of(dict(stored))

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it by name, for an NPZ."""
        masks = {f"{split} {where}": mask for (split, where), mask in self.found.items()}
        return masks | {f"{split} {where} null": np.array(null) for (split, where), null in self.nulls.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "Leaks":
        """What `arrays` gave."""
        found: dict[tuple[SplitName, SplitName], np.ndarray] = {}
        nulls: dict[tuple[SplitName, SplitName], Null] = {}
        for name, values in arrays.items():
            own, place, *null = name.split()
            split, where = cast(SplitName, own), cast(SplitName, place)
            if null:
                alone, in_run, votes = values.tolist()
                nulls[split, where] = Null(alone, in_run, int(votes))
            else:
                found[split, where] = values
        return cls(found, nulls)


def split_leaks(evaluation: Mapping[SplitName, EvaluationSet], training: Sequence[Windows]) -> Leaks:
    """Search TRAIN, the other judged split and its own for every window of each split.

    Args:
        evaluation: split -> its windows and articles.
        training: windows of the training articles, by corpus; empty where no training split is named.
    """
    places: dict[SplitName, Chunks] = {
        split: chunks_of(judged.corpus, np.sort(judged.articles)) for split, judged in evaluation.items()
    }
    if training:
        places["TRAIN"] = joined([chunks_of(part.corpus, np.unique(part.clusters)) for part in training])
    found: dict[tuple[SplitName, SplitName], np.ndarray] = {}
    nulls: dict[tuple[SplitName, SplitName], Null] = {}
    for split, judged in evaluation.items():
        lasts, windows = searched_pairs(judged, places[split])
        for where, reference in places.items():
            result = find_leaks(places[split], lasts, reference, own=where == split)
            found[split, where], nulls[split, where] = result.leaked[windows], result.null
    return Leaks(found, nulls)


def cached_split_leaks(evaluation: Mapping[SplitName, EvaluationSet], training: Sequence[Windows]) -> Leaks:
    """`split_leaks`, kept under the content of the corpora and of the code: candidates are gated on one corpus."""
    code = code_digest(__name__, "lvm_gates.harness.leaks", "lvm_gates.harness.corpus.windows")
    digest = hashlib.sha256(code.encode())
    for split, judged in evaluation.items():
        digest.update(f"|{split}|{judged.corpus.fingerprint}|".encode())
        digest.update(np.concatenate([[len(judged.articles)], judged.articles, judged.windows.targets]).tobytes())
    for part in training:
        digest.update(f"|TRAIN|{part.corpus.fingerprint}|".encode() + np.unique(part.clusters).tobytes())
    places = [*evaluation, *(("TRAIN",) if training else ())]
    names = [f"{split} {where}{null}" for split in evaluation for where in places for null in ("", " null")]
    return Leaks.of(
        cached_arrays("leaks", digest.hexdigest()[:32], names, lambda: split_leaks(evaluation, training).arrays())
    )


def searched_pairs(evaluation: EvaluationSet, queries: Chunks) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " n"]]:
    """Positions of the first chunk of every pair that is searched for, and which of them each window's is.

    Args:
        evaluation: the windows; only a large split is searched for them alone.
        queries: the chunks of the split in row order.
    """
    lasts = np.searchsorted(evaluation.rows, evaluation.windows.targets) - 1
    pairs = np.flatnonzero(queries.runs[1:] == queries.runs[:-1])
    if len(pairs) > MOST_PAIRS:
        pairs = np.unique(lasts)
    return pairs, np.searchsorted(pairs, lasts)
