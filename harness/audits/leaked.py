"""Leaks judged: whole articles in two splits, and windows that stand in TRAIN or in the other judged split."""

import numpy as np

from lvm_gates.harness.audits.outcome import Audit, listing
from lvm_gates.harness.base.estimate import Estimate, cluster_share
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.contamination import MAX_LEAKED, article_hashes
from lvm_gates.harness.evaluation.session_data import Inputs, training_windows
from lvm_gates.harness.leaks.null import RATE

# An article of which more windows are leaked than not is the same document, cut or edited.
_MOSTLY = 0.5

UNNAMED = "no training split is named to compare with"


def disjoint_articles(inputs: Inputs) -> Audit:
    """No article is in two of TRAIN, VAL and OOD: as it is under another name, or most of its chunks.

    A few documents that share most of their text are found in any archive of revised documents; their windows are left
    out, and they are named.
    """
    shared = _whole_copies(inputs)
    some, beyond = [], False
    for (split, where), leaked in inputs.leaks.found.items():
        if split == where:
            continue
        clusters = inputs.evaluation[split].windows.clusters
        windows = np.bincount(clusters)
        articles, mostly = (
            np.unique(clusters),
            np.flatnonzero(np.bincount(clusters, weights=leaked) > _MOSTLY * windows),
        )
        if len(mostly):
            name = inputs.corpus.article_name(int(mostly[0]))
            some.append(f"{len(mostly)} of {len(articles)} {split} have most of their windows in {where} ({name}, …)")
            beyond |= len(mostly) > MAX_LEAKED * len(articles)
    if shared or beyond:
        return Audit("disjoint articles", "fail", "; ".join([*shared, *some]), {})
    counts = ", ".join(f"{len(inputs.evaluation[split].articles)} {split}" for split in JUDGED)
    counts += "".join(f", {_training_articles(inputs)} TRAIN" if inputs.has_training_split else f"; {UNNAMED}")
    return Audit("disjoint articles", "pass", "; ".join([f"no article is in two splits ({counts})", *some]), {})


def leaked_windows(inputs: Inputs) -> Audit:
    """The share of windows whose last frame and target stand next to each other in TRAIN or in the other split.

    They are left out of every metric. More than `MAX_LEAKED` of them in either fail; copies within one split are
    reported, since their windows count twice but nobody was told the answer.
    """
    metrics: dict[str, Estimate] = {}
    beyond = []
    for (split, where), leaked in inputs.leaks.found.items():
        name = f"within {split}" if split == where else f"{split} in {where}"
        clusters = inputs.evaluation[split].windows.clusters
        metrics[name] = cluster_share(leaked.astype(np.float64), clusters)
        if split != where and metrics[name].value > MAX_LEAKED:
            beyond.append(f"{leaked.sum():,} of {len(leaked):,} {name}")
    levels = [null.alone for (split, where), null in inputs.leaks.nulls.items() if split != where]
    detail = f"windows leaked: {listing(metrics)}; left out, but for those within a split"
    detail += f" (pairs alike beyond {min(levels):.2f} to {max(levels):.2f}, {RATE:g} of them by chance)"
    if beyond:
        detail = f"{', '.join(beyond)}, more than {MAX_LEAKED:.0%}; split by document, copies together; {detail}"
        return Audit("leaked windows", "fail", detail, metrics)
    if not inputs.has_training_split:
        # Nothing to compare with says nothing of what a model has seen; that is asked of its own record.
        detail = f"{UNNAMED}, so a model's own record decides; {detail}; it blocks nothing"
        return Audit("leaked windows", "not checkable", detail, metrics, required=False)
    return Audit("leaked windows", "pass", detail, metrics)


def _whole_copies(inputs: Inputs) -> list[str]:
    """For each two splits with an article in both, by content, one clause: a renamed copy is still a copy."""
    corpus = inputs.corpus
    content: dict[str, dict[str, str]] = {"TRAIN": {}}
    for part in training_windows(inputs):
        content["TRAIN"] |= article_hashes(part.corpus, np.unique(part.clusters))
    for split in JUDGED:
        content[split] = article_hashes(corpus, inputs.evaluation[split].articles)
    shared = []
    for one, other in (("TRAIN", "VAL"), ("TRAIN", "OOD"), ("VAL", "OOD")):
        both = content[one].keys() & content[other].keys()
        if both:
            example = content[other][min(both)]
            shared.append(f"{len(both)} of {other} also in {one} (article {example}, for one)")
    return shared


def _training_articles(inputs: Inputs) -> int:
    return sum(len(np.unique(part.clusters)) for part in training_windows(inputs))
