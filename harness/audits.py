"""Data audits: what must be true of the chunks before any figure computed on them means something.

Every audit says pass, fail or *not checkable*; the last counts as a failure. The published audit printed zero errors
because the index fields it needed were absent (seed facts 5.10).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from harness.contamination import article_hashes
from harness.corpus import SCAN_ROWS, SplitName, content_fingerprint
from harness.evaluation_set import EvaluationSet
from harness.inputs import JUDGED, Inputs, training_windows
from harness.predictor import slices
from harness.stats import Estimate, cluster_mean, paired_difference

Status = Literal["pass", "fail", "not checkable"]
# A float16 store of unit vectors keeps norms within 8e-5 of 1 (measured on three corpora of 384 dimensions).
UNIT_NORM_SLACK = 1e-2


@dataclass(frozen=True)
class Audit:
    """The outcome of one audit.

    Attributes:
        name: of the audit.
        status: "pass", "fail" or "not checkable".
        detail: one sentence with the figures.
        figures: name -> Estimate.
    """

    name: str
    status: Status
    detail: str
    figures: dict[str, Estimate]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "figures": self.figures}


def audit(inputs: Inputs) -> list[Audit]:
    """Run every audit over the data of a session."""
    return [run(inputs) for run in AUDITS.values()]


def unit_norm(inputs: Inputs) -> Audit:
    """Stored vectors are of unit norm, or are brought there on reading, and the report says so."""
    worst = 0.0
    for evaluation in inputs.evaluation.values():
        for part in slices(len(evaluation.rows), SCAN_ROWS):
            norms = np.linalg.norm(inputs.corpus.raw(evaluation.rows[part]), axis=1)
            worst = max(worst, float(np.abs(norms - 1).max()))
    how = "stored at unit norm" if worst <= UNIT_NORM_SLACK else "normalised on reading"
    return Audit("unit norm", "pass", f"{how}; norms are off by at most {worst:.2g}", {})


def fingerprint(inputs: Inputs) -> Audit:
    """The chunks are those that the folder's record speaks of; fits are cached and checkpoints matched by it."""
    corpus = inputs.corpus
    if "fingerprint" not in corpus.meta:
        return Audit("fingerprint", "pass", f"computed: {corpus.fingerprint[:12]}", {})
    if content_fingerprint(corpus) == corpus.fingerprint:
        return Audit("fingerprint", "pass", f"as recorded: {corpus.fingerprint[:12]}", {})
    detail = f"the content of {corpus.path.name} is not what its corpus.json records; make or copy the corpus again"
    return Audit("fingerprint", "fail", detail, {})


def contiguity(inputs: Inputs) -> Audit:
    """Chunks of an article are numbered one after another, so that neighbours really are neighbours."""
    corpus = inputs.corpus
    if corpus.meta.get("chunk_indices") == "absent":
        detail = (
            f"{corpus.path.name} has no chunk indices (chunk_indices or seq_idx), so a missing chunk cannot be seen"
        )
        return Audit("contiguity", "not checkable", detail, {})
    articles = np.concatenate([e.articles for e in inputs.evaluation.values()])
    rows = corpus.rows_of(articles)
    gaps = int((np.diff(corpus.chunk_index[rows])[np.diff(corpus.article_of[rows]) == 0] != 1).sum())
    detail = f"{gaps} gaps in {len(articles)} articles" + ("; no window spans one" if gaps else "")
    return Audit("contiguity", "pass", detail, {})


def windows_match(inputs: Inputs) -> Audit:
    """Windows of a sequence file are runs of consecutive chunks of one article of the store."""
    bad = {split: count for split, count in inputs.mismatched.items() if count}
    if not bad:
        return Audit("windows", "pass", "every window is a run of consecutive chunks of one article", {})
    listing = ", ".join(f"{count} of {split}" for split, count in bad.items())
    detail = f"windows that are no run of consecutive chunks of one article: {listing}; rebuild the sequence file"
    return Audit("windows", "fail", detail, {})


def disjoint_articles(inputs: Inputs) -> Audit:
    """No article is in two of TRAIN, VAL and OOD, by content: a renamed copy is still a copy."""
    corpus = inputs.corpus
    content = {split: article_hashes(corpus, inputs.evaluation[split].articles) for split in JUDGED}
    content["TRAIN"] = {}
    for part in training_windows(inputs):
        articles = part.corpus.articles("TRAIN")
        if len(articles) == 0:  # a corpus without splits that was named for training is training material as a whole
            articles = np.arange(len(part.corpus.starts))
        content["TRAIN"] |= article_hashes(part.corpus, articles)
    shared = []
    pairs: tuple[tuple[SplitName, SplitName], ...] = (("TRAIN", "VAL"), ("TRAIN", "OOD"), ("VAL", "OOD"))
    for one, other in pairs:
        both = content[one].keys() & content[other].keys()
        if both:
            example = content[other][min(both)]
            shared.append(f"{len(both)} of {other} also in {one} (article {example}, for one)")
    if shared:
        return Audit("disjoint articles", "fail", "; ".join(shared), {})
    counts = ", ".join(f"{len(hashes)} {split}" for split, hashes in content.items() if hashes)
    return Audit("disjoint articles", "pass", f"no content shared between splits ({counts} articles)", {})


def coherence(inputs: Inputs) -> Audit:
    """Mean adjacent cosine beside that of random pairs: how much of the similarity is mere anisotropy."""
    figures = {}
    for split, evaluation in inputs.evaluation.items():
        adjacent, random = _pair_cosines(evaluation)
        figures[f"adjacent {split}"], figures[f"random pair {split}"] = adjacent, random
    detail = "; ".join(f"{name} {figure.value:.3f}" for name, figure in figures.items())
    return Audit("coherence", "pass", detail, figures)


def temporal_signal(inputs: Inputs) -> Audit:
    """cos(last, target) - cos(first, target): how fast similarity decays. It does not say which way time runs."""
    figures: dict[str, Estimate] = {}
    for split, evaluation in inputs.evaluation.items():
        first, last = [], []
        for batch in evaluation.windows.batches(SCAN_ROWS):
            targets, frames = batch.target_vectors(), batch.contexts()
            first.append(np.einsum("bd,bd->b", frames[:, 0], targets))
            last.append(np.einsum("bd,bd->b", frames[:, -1], targets))
        figures[split] = paired_difference(
            np.concatenate(last).astype(np.float64),
            np.concatenate(first).astype(np.float64),
            evaluation.windows.clusters,
        )
    detail = "; ".join(f"{split} {figure.value:+.3f}" for split, figure in figures.items())
    return Audit("temporal signal", "pass", detail, figures)


AUDITS: dict[str, Callable[[Inputs], Audit]] = {
    "fingerprint": fingerprint,
    "unit norm": unit_norm,
    "contiguity": contiguity,
    "windows": windows_match,
    "disjoint articles": disjoint_articles,
    "coherence": coherence,
    "temporal signal": temporal_signal,
}


def _pair_cosines(evaluation: EvaluationSet) -> tuple[Estimate, Estimate]:
    corpus, rows = evaluation.corpus, evaluation.rows
    partner = np.random.default_rng([evaluation.seed, 6]).permutation(rows)
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
