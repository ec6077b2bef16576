"""The original battery's evaluation pass, faults included, for profile `5cat-published`.

Kept so that old tables can be compared and so that a test can show what went wrong: a perfect oracle gets margin lag-1
cosine minus 1, rollout = lag-1 cosine and 3 of 5 gates. The faults (docs/sources.md, "Measurement faults"): offsets and
rollout counted from the target, rank over two float paths with optimistic ties and NaN first, leave-one-out that
restores the last frame and is averaged, a "cross-article" frame that comes from the same context, shuffles that may be
the identity. Facts from the original script; none of its code.
"""

import random

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.collapse import RANK_GROUPS, spread
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS, EvaluationSet
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.predictors.predictor import NamedPredictor, ask

_SHUFFLE_SEED = 17
_EPSILON = 1e-9


def observe_published(named: NamedPredictor, evaluation: EvaluationSet, *, batch_size: int) -> Observations:
    """Run a predictor the original way over the windows of ``evaluation``.

    Offset k of the result is counted from the target. Candidate sets `novel` and `global` did not exist and are NaN.
    """
    windows = evaluation.windows
    contexts = windows.contexts()
    base = _normalise(ask(named, contexts, windows.targets, batch_size))
    targets = _normalise(windows.target_vectors())
    frames = _normalise(contexts)
    cosine = _dot(base, targets)
    offset, offset_exists = _offsets(base, windows)
    rollout, rollout_exists = _rollout(named, contexts, windows, evaluation.horizon, batch_size)
    ablation = _ablations(named, contexts, windows, targets, batch_size) - cosine[:, None]
    rank = np.full((len(windows), len(POOLS)), np.nan)
    rank[:, 0] = _ranks(base, windows)
    size = np.tile(windows.corpus.lengths[windows.clusters][:, None], (1, len(POOLS)))
    return Observations(
        rows=windows.targets,
        clusters=windows.clusters,
        cosine=cosine,
        coherence=np.einsum("bcd,bcd->bc", frames[:, :-1], frames[:, 1:]).mean(axis=1, dtype=np.float64)
        if windows.context > 1
        else np.full(len(windows), np.nan),
        nearest_context=np.einsum("bcd,bd->bc", frames, base).max(axis=1).astype(np.float64),
        nearest_reference=np.einsum("bcd,bd->bc", frames, targets).max(axis=1).astype(np.float64),
        offset=offset,
        offset_exists=offset_exists,
        rank=rank,
        pool_size=size,
        ablation=ablation,
        cross_exists=np.ones(len(windows), dtype=bool),
        index_sample=np.full((len(windows), 2), np.nan),
        rollout=rollout,
        rollout_exists=rollout_exists,
        finite=np.isfinite(cosine)
        & np.isfinite(ablation).all(axis=1)
        & (np.isfinite(rollout).all(axis=1) | ~rollout_exists),
        spread=spread(base.astype(np.float64)),
        target_spread=spread(targets.astype(np.float64)),
        rank_without=np.full((RANK_GROUPS, 3), np.nan),
    )


def _normalise(vectors: np.ndarray) -> Float[np.ndarray, "*b d"]:
    narrow = vectors.astype(np.float32)
    return np.asarray(narrow / (np.linalg.norm(narrow, axis=-1, keepdims=True) + np.float32(_EPSILON)))


def _dot(a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, " b"]:
    return np.asarray(np.einsum("bd,bd->b", a, b), dtype=np.float64)


def _offsets(base: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    cosines, exists = [], np.ones(len(windows), dtype=bool)
    for k in OFFSETS:
        rows, there = windows.offset(k + 1)  # one later than our k: the original zero is the target
        cosines.append(_dot(base, _normalise(windows.corpus.vectors(rows))))
        exists &= there
    return np.stack(cosines, axis=1), exists


def _ranks(base: np.ndarray, windows: Windows) -> Float[np.ndarray, " n"]:
    corpus = windows.corpus
    ranks = np.empty(len(windows))
    for i, (row, article) in enumerate(zip(windows.targets, windows.clusters, strict=True)):
        start = int(corpus.starts[article])
        candidates = _normalise(corpus.vectors(np.arange(start, start + corpus.lengths[article])))
        similarity = candidates @ _normalise(base[i])
        # A second float path for the very same cosine: normalised once more and taken as a dot product.
        own = np.dot(_normalise(base[i]), _normalise(candidates[row - start]))
        ranks[i] = 1 + np.count_nonzero(similarity > own)  # ties and NaN count for the model
    return ranks


def _ablations(
    named: NamedPredictor, contexts: np.ndarray, windows: Windows, targets: np.ndarray, batch_size: int
) -> Float[np.ndarray, "n ablations"]:
    def cosine(spoiled: np.ndarray) -> np.ndarray:
        return _dot(_normalise(ask(named, spoiled, windows.targets, batch_size)), targets)

    length = windows.context
    rng = random.Random(_SHUFFLE_SEED)  # noqa: S311
    shuffled = contexts.copy()
    for i in range(len(contexts)):
        order = list(range(length))
        rng.shuffle(order)
        shuffled[i] = contexts[i, order]
    left_out = np.mean(
        [
            cosine(np.concatenate([np.delete(contexts, frame, axis=1), contexts[:, -1:]], axis=1))
            for frame in range(length)
        ],
        axis=0,
    )
    crossed = contexts.copy()
    crossed[:, -1] = contexts[:, 0]
    # Every frame's column holds the original average, so that the most harmful frame is that average too.
    columns = [
        cosine(shuffled),
        cosine(contexts[:, ::-1].copy()),
        *[left_out] * length,
        cosine(np.repeat(contexts[:, -1:], length, axis=1)),
        cosine(crossed),
    ]
    return np.stack(columns, axis=1)


def _rollout(
    named: NamedPredictor, contexts: np.ndarray, windows: Windows, horizon: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    exists = windows.offset(horizon + 1)[1]
    kept = windows.take(np.flatnonzero(exists))
    context = contexts[exists]
    cosines = np.full((len(windows), horizon), np.nan)
    for step in range(1, horizon + 1):
        prediction = ask(named, context, kept.targets + step - 1, batch_size)
        context = np.concatenate([context[:, 1:], prediction[:, None].astype(np.float32)], axis=1)
        rows, _ = kept.offset(step + 1)  # compared with the chunk after the one it predicts
        cosines[exists, step - 1] = _dot(_normalise(prediction), _normalise(windows.corpus.vectors(rows)))
    return cosines, exists
