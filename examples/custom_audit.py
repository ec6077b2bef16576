"""A data audit of your own: are the articles long enough to be judged on?

    pytest gates/ --model=control:oracle --audit=python:examples.custom_audit:article_lengths

The function's name, with spaces, is the audit's. One that fails blocks every model; one that only describes passes
``required=False`` where it could not look.
"""

import numpy as np

from lvm_gates.harness.audits import Audit
from lvm_gates.harness.evaluation.session_data import Inputs

MOST_SHORT = 0.5


def article_lengths(inputs: Inputs) -> Audit:
    """At most half of the judged articles are too short for a single window."""
    lengths = {split: inputs.corpus.lengths[evaluation.articles] for split, evaluation in inputs.evaluation.items()}
    needed = {split: evaluation.windows.context + 1 for split, evaluation in inputs.evaluation.items()}
    short = {split: float(np.mean(lengths[split] < needed[split])) for split in lengths}
    status = "fail" if max(short.values()) > MOST_SHORT else "pass"
    detail = "; ".join(f"{split}: {share:.0%} of {len(lengths[split])} articles" for split, share in short.items())
    return Audit("article lengths", status, f"too short for one window: {detail}", {})
