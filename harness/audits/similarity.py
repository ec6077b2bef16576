"""How alike chunks are: neighbours and strangers, at every lag, from every place of the context to the target."""

import numpy as np

from lvm_gates.harness.audits.outcome import Audit, describing, listing
from lvm_gates.harness.base.estimate import Estimate, cluster_mean, paired_difference
from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS
from lvm_gates.harness.corpus.corpus_statistics import LAGS, portray
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.session_data import Inputs


def coherence(inputs: Inputs) -> Audit:
    """Mean adjacent cosine beside that of random pairs: how much of the similarity is mere anisotropy."""
    metrics = {}
    for split, evaluation in inputs.evaluation.items():
        adjacent, random = _pair_cosines(evaluation)
        metrics[f"adjacent {split}"], metrics[f"random pair {split}"] = adjacent, random
    return describing("coherence", listing(metrics), metrics)


def lag_curve(inputs: Inputs) -> Audit:
    """Mean cosine of chunks 1, 2, … apart, over all pairs of a split that no gap parts."""
    metrics: dict[str, Estimate] = {}
    for split, evaluation in inputs.evaluation.items():
        found = portray([(inputs.corpus, evaluation.articles)], evaluation.windows.context).metrics
        metrics |= {f"lag {lag} {split}": found[f"lag {lag}"].estimate for lag in LAGS}
    return describing("lag curve", _short(metrics), metrics)


def positions(inputs: Inputs) -> Audit:
    """Mean cosine of each frame of the context to the target, oldest first."""
    metrics: dict[str, Estimate] = {}
    for split, evaluation in inputs.evaluation.items():
        parts = [
            np.einsum("bcd,bd->bc", batch.contexts(), batch.target_vectors())
            for batch in evaluation.windows.batches(SCAN_ROWS)
        ]
        cosines = np.concatenate(parts).astype(np.float64)
        for slot in range(cosines.shape[1]):
            metrics[f"frame {slot} {split}"] = cluster_mean(cosines[:, slot], evaluation.windows.clusters)
    return describing("position to target", _short(metrics), metrics)


def temporal_signal(inputs: Inputs) -> Audit:
    """cos(last, target) - cos(first, target): how fast similarity decays. It does not say which way time runs."""
    metrics: dict[str, Estimate] = {}
    for split, evaluation in inputs.evaluation.items():
        first, last = [], []
        for batch in evaluation.windows.batches(SCAN_ROWS):
            targets, frames = batch.target_vectors(), batch.contexts()
            first.append(np.einsum("bd,bd->b", frames[:, 0], targets))
            last.append(np.einsum("bd,bd->b", frames[:, -1], targets))
        metrics[split] = paired_difference(
            np.concatenate(last).astype(np.float64),
            np.concatenate(first).astype(np.float64),
            evaluation.windows.clusters,
        )
    return describing("temporal signal", listing(metrics, signed=True), metrics)


def _short(metrics: dict[str, Estimate]) -> str:
    """A curve a split: the values, and the widest half interval."""
    by_split: dict[str, list[Estimate]] = {}
    for name, metric in metrics.items():
        by_split.setdefault(name.rsplit(" ", 1)[1], []).append(metric)
    curves = []
    for split, curve in by_split.items():
        values = " ".join(metric_text(Estimate(one.value, np.nan, np.nan, one.n)) for one in curve)
        widest = max(one.high - one.value for one in curve)
        curves.append(f"{split} {values}" + (f" (each ±{widest:.3f} at most)" if np.isfinite(widest) else ""))
    names = [name.rsplit(" ", 1)[0] for name in metrics][: len(next(iter(by_split.values())))]
    return f"{names[0]} to {names[-1].split()[-1]}: " + "; ".join(curves)


def _pair_cosines(evaluation: EvaluationSet) -> tuple[Estimate, Estimate]:
    corpus, rows = evaluation.corpus, evaluation.rows
    partner = rng_of(evaluation.seed, Stream.RANDOM_PAIRS).permutation(rows)
    adjacent, random, follows = [], [], []
    for part in slices(len(rows), SCAN_ROWS):
        here = rows[part]
        has_next = here + 1 < corpus.run_end[here]
        vectors = corpus.vectors(here)
        adjacent.append(np.einsum("nd,nd->n", vectors, corpus.vectors(np.where(has_next, here + 1, here))))
        random.append(np.einsum("nd,nd->n", vectors, corpus.vectors(partner[part])))
        follows.append(has_next)
    clusters, chained = corpus.article_of[rows], np.concatenate(follows)
    apart = clusters != corpus.article_of[partner]
    return (
        cluster_mean(np.concatenate(adjacent)[chained].astype(np.float64), clusters[chained]),
        cluster_mean(np.concatenate(random)[apart].astype(np.float64), clusters[apart]),
    )
