"""Records of training data made and asked: which windows stand in what a model was trained on?"""

import numpy as np
from jaxtyping import Bool, Int

from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.split_leaks import searched_pairs
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.leaks.record import Part, TrainingRecord
from lvm_gates.harness.leaks.signatures import mean_chunk, sign, signed_chunks


def record_of(corpus: Corpus, articles: Int[np.ndarray, " m"], before: TrainingRecord | None = None) -> TrainingRecord:
    """The record of training on some articles.

    Args:
        corpus: where they lie.
        articles: their positions.
        before: of the weights that training starts from; its parts are kept. None for fresh weights.
    """
    rows = np.sort(corpus.rows_of(articles))
    mean = mean_chunk(corpus, rows)
    lengths = np.unique(corpus.run_start[rows], return_counts=True)[1]
    new = Part(mean, sign(corpus, rows, mean), lengths.astype(np.int64))
    kept = () if before is None else before.parts
    known = any(np.array_equal(part.signatures, new.signatures) for part in kept)
    return TrainingRecord(kept if known else (*kept, new), before is None or before.complete)


def recorded_leaks(record: TrainingRecord | None, evaluation: EvaluationSet) -> Bool[np.ndarray, " n"]:
    """Which windows of a split have last frame and target next to each other in what a model was trained on."""
    corpus, rows = evaluation.corpus, evaluation.rows
    leaked = np.zeros(len(evaluation.windows), dtype=bool)
    for part in () if record is None else record.parts:
        queries = signed_chunks(sign(corpus, rows, part.mean), corpus.run_start[rows], corpus.article_of[rows])
        runs = np.repeat(np.arange(len(part.lengths)), part.lengths)
        lasts, windows = searched_pairs(evaluation, queries)
        leaked |= find_leaks(queries, lasts, signed_chunks(part.signatures, runs, runs)).leaked[windows]
    return leaked
