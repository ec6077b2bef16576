"""Which way time runs, as far as a small classifier can tell. It informs; no corpus fails by it."""

import numpy as np

from lvm_gates.harness.audits.outcome import Audit, describing, not_described
from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES
from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.corpus.arrow_of_time import cached_arrow_of_time
from lvm_gates.harness.evaluation.session_data import Inputs


def direction(inputs: Inputs) -> Audit:
    """AUC of forward against reversed windows beside that of shuffled articles, over all articles with a split."""
    evaluation = inputs.evaluation["VAL"]
    articles = np.flatnonzero(inputs.corpus.splits != "")
    found = cached_arrow_of_time(inputs.corpus, articles, evaluation.windows.context, evaluation.seed)
    if not np.isfinite(found.auc.low):
        why = f"{found.auc.articles} articles with windows, an interval needs {MINIMUM_ARTICLES}"
        return not_described("arrow of time", why, {"AUC": found.auc, "AUC shuffled": found.null})
    detail = (
        f"forward against reversed windows: AUC {metric_text(found.auc)}, "
        f"a lower bound on the direction that is there; {metric_text(found.null)} with chunks shuffled inside articles"
    )
    return describing("arrow of time", detail, {"AUC": found.auc, "AUC shuffled": found.null})
