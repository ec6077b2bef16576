"""Is VAL drawn from what training saw? What the two differ in, a model's VAL figures are not about training alone."""

import numpy as np

from lvm_gates.harness.audits.outcome import Audit, describing, not_described
from lvm_gates.harness.base.figure_text import figure_text
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
    figures = {
        name: difference(figure, training.figures[name], paired=False) for name, figure in judged.figures.items()
    }
    unknown = [name for name, one in figures.items() if not np.isfinite(one.low)]
    apart = [f"{name} {figure_text(one, signed=True)}" for name, one in figures.items() if excludes_zero(one)]
    what = f"VAL less TRAIN: {len(apart)} of {len(figures) - len(unknown)} figures differ"
    what += f" ({'; '.join(apart)})" if apart else ""
    if unknown:
        why = f"too few articles for an interval of {', '.join(unknown)}"
        return not_described("train against val", f"{why}; {what}", figures)
    return describing("train against val", what, figures)
