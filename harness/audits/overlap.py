"""What occurs twice: articles in two splits, chunks within a split or in training, frames within a window."""

import numpy as np
from jaxtyping import Bool, Int

from harness.audits.outcome import Audit, describing, listing
from harness.contamination import article_hashes
from harness.corpus import SCAN_ROWS, Corpus, SplitName
from harness.evaluation_set import EvaluationSet
from harness.inputs import JUDGED, Inputs, training_windows
from harness.predictor import slices
from harness.stats import Estimate, cluster_share

# Distance between unit vectors. Rounding to float16 moves a coordinate by at most 2^-11 of itself, so a vector by
# at most 4.9e-4.
COPY = 5e-4

# To copy the last frame is right where it equals the target. With cosines of .4 between neighbours, a repeat in this
# share of windows of five frames, at the target in a fifth of them, moves the cosine of persistence by .012, which is
# the width of its interval. Measured: 6 of 3,185 windows of Wikipedia, none of 9,554 of Brown and 9,933 of PEPs.
MAX_REPEATED = 0.1

UNNAMED = "; no training split is named to compare with"


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
    detail = f"no content shared between splits ({counts} articles)"
    if not inputs.has_training_split:
        detail += UNNAMED
    return Audit("disjoint articles", "pass", detail, {})


def duplicate_chunks(inputs: Inputs) -> Audit:
    """Shares of chunks that equal another chunk of their split, and that equal a training chunk.

    They have no limit: revised documents share most of their text (90 % of the chunks of PEP 333 are in others), and
    targets that near a training chunk are left out of skill figures as they are (`harness.near_duplicates`).
    """
    figures: dict[str, Estimate] = {}
    mostly = []
    for split, evaluation in inputs.evaluation.items():
        clusters = inputs.corpus.article_of[evaluation.rows]
        repeated = np.bincount(evaluation.labels)[evaluation.labels] > 1
        figures[f"within {split}"] = cluster_share(repeated.astype(np.float64), clusters)
        if inputs.has_training_split:
            copied = training_copies(evaluation, inputs)
            figures[f"{split} in TRAIN"] = cluster_share(copied.astype(np.float64), clusters)
            chunks, copies = np.bincount(clusters), np.bincount(clusters, weights=copied)
            mostly += [f"{inputs.corpus.article_ids[a]} of {split}" for a in np.flatnonzero(2 * copies > chunks)]
    detail = listing(figures)
    if not inputs.has_training_split:
        detail += UNNAMED
    if mostly:
        some = ", ".join(mostly[:3]) + (", …" if len(mostly) > 3 else "")
        detail += f"; {len(mostly)} articles have most of their chunks in TRAIN ({some})"
    return describing("duplicate chunks", detail, figures)


def training_copies(evaluation: EvaluationSet, inputs: Inputs) -> Bool[np.ndarray, " k"]:
    """Whether each chunk of a split equals some chunk of the training articles, up to the rounding of float16.

    Copies have the same signs (`harness.contamination`), so only chunks of equal signs are compared; the training
    chunks stream through in blocks.
    """
    places: dict[bytes, list[int]] = {}
    for part in slices(len(evaluation.rows), SCAN_ROWS):
        for i, key in enumerate(_signs(evaluation.corpus, evaluation.rows[part]), start=part.start):
            places.setdefault(key, []).append(i)
    copied = np.zeros(len(evaluation.rows), dtype=bool)
    for windows in training_windows(inputs):
        corpus = windows.corpus
        rows = corpus.rows_of(np.unique(windows.clusters))
        for part in slices(len(rows), SCAN_ROWS):
            pairs = [
                (i, row)
                for row, key in zip(rows[part], _signs(corpus, rows[part]), strict=True)
                for i in places.get(key, ())
            ]
            for some in slices(len(pairs), SCAN_ROWS):
                here, there = np.array(pairs[some]).T
                gap = evaluation.corpus.vectors(evaluation.rows[here]) - corpus.vectors(there)
                copied[here[np.linalg.norm(gap, axis=1) <= COPY]] = True
    return copied


def repeated_frames(inputs: Inputs) -> Audit:
    """Share of windows in which a frame equals the one before: to copy the last frame is then right for no merit."""
    figures: dict[str, Estimate] = {}
    counts, worst = [], 0.0
    for split, evaluation in inputs.evaluation.items():
        has_repeat = _has_repeat(evaluation)
        figures[split] = cluster_share(has_repeat.astype(np.float64), evaluation.windows.clusters)
        counts.append(f"{has_repeat.sum()} of {len(has_repeat)} {split}")
        worst = max(worst, figures[split].value)
    detail = f"windows with two equal adjacent frames: {', '.join(counts)}"
    if worst <= MAX_REPEATED:
        return Audit("repeated frames", "pass", detail, figures)
    detail += f"; more than {MAX_REPEATED:.0%} makes copying the last frame right; drop the repeated chunks"
    return Audit("repeated frames", "fail", detail, figures)


def _has_repeat(evaluation: EvaluationSet) -> Bool[np.ndarray, " n"]:
    windows = evaluation.windows
    frames = windows.targets[:, None] + np.arange(-windows.context, 1)
    labels = evaluation.labels[np.searchsorted(evaluation.rows, frames)]
    return np.asarray((labels[:, 1:] == labels[:, :-1]).any(axis=1))


def _signs(corpus: Corpus, rows: Int[np.ndarray, " k"]) -> list[bytes]:
    return [bits.tobytes() for bits in np.packbits(corpus.raw(rows) > 0, axis=1)]
