"""Is VAL drawn from what training saw? What the two differ in, a model's VAL metrics are not about training alone."""

import numpy as np

from lvm_gates.harness.audits.outcome import Audit, describing, not_described
from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.corpus.corpus_statistics import difference, excludes_zero, portray, some_articles
from lvm_gates.harness.evaluation.session_data import Inputs, training_windows


def train_against_val(inputs: Inputs) -> Audit:
    """VAL minus TRAIN for every metric of `harness.corpus.corpus_statistics`; articles differ: no pairs."""
    parts = training_windows(inputs)
    if not parts:
        return not_described("train against val", "no training split is named, nothing to compare")
    val = inputs.evaluation["VAL"]
    context = val.windows.context
    judged = portray([(inputs.corpus, val.articles)], context)
    training = portray(
        [(part.corpus, some_articles(part.corpus, np.unique(part.clusters), val.seed)) for part in parts], context
    )
    metrics = {
        name: difference(metric, training.metrics[name], paired=False) for name, metric in judged.metrics.items()
    }
    unknown = [name for name, one in metrics.items() if not np.isfinite(one.low)]
    apart = [f"{name} {metric_text(one, signed=True)}" for name, one in metrics.items() if excludes_zero(one)]
    what = f"VAL minus TRAIN: {len(apart)} of {len(metrics) - len(unknown)} metrics differ"
    what += f" ({'; '.join(apart)})" if apart else ""
    if unknown:
        why = f"too few articles for an interval of {', '.join(unknown)}"
        return not_described("train against val", f"{why}; {what}", metrics)
    return describing("train against val", what, metrics)
