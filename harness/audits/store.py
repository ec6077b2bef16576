"""What is stored: the chunks that the record speaks of, of unit norm, in order, no window across a border."""

import numpy as np

from lvm_gates.harness.audits.outcome import Audit
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, content_fingerprint
from lvm_gates.harness.evaluation.session_data import Inputs

# A float16 store of unit vectors keeps norms within 8e-5 of 1 (measured on three corpora of 384 dimensions).
UNIT_NORM_SLACK = 1e-2


def fingerprint(inputs: Inputs) -> Audit:
    """The chunks are those that the folder's record speaks of; fits are cached and checkpoints matched by it."""
    corpus = inputs.corpus
    if corpus.path.is_file():  # an NPZ, which has no record that could be wrong
        return Audit("fingerprint", "pass", f"computed: {corpus.fingerprint[:12]}", {})
    if "fingerprint" not in corpus.meta:
        detail = f"the corpus.json of {corpus.path.name} records none to compare with; make the corpus again"
        return Audit("fingerprint", "not checkable", detail, {})
    if content_fingerprint(corpus) == corpus.fingerprint:
        return Audit("fingerprint", "pass", f"as recorded: {corpus.fingerprint[:12]}", {})
    detail = f"the content of {corpus.path.name} is not what its corpus.json records; make or copy the corpus again"
    return Audit("fingerprint", "fail", detail, {})


def unit_norm(inputs: Inputs) -> Audit:
    """Stored vectors are of unit norm, or are brought there on reading, and the report says so."""
    worst = 0.0
    for evaluation in inputs.evaluation.values():
        for part in slices(len(evaluation.rows), SCAN_ROWS):
            # In float64: 1e30 squared is beyond float32.
            norms = np.linalg.norm(inputs.corpus.raw(evaluation.rows[part]).astype(np.float64), axis=1)
            worst = max(worst, float(np.abs(norms - 1).max()))
    how = "stored at unit norm" if worst <= UNIT_NORM_SLACK else "normalised on reading"
    sources = inputs.corpus.meta.get("sources")
    recorded = (
        [one.get("norms_off_by") for one in sources if isinstance(one, dict)] if isinstance(sources, list) else []
    )
    if any(isinstance(off, int | float) and off > UNIT_NORM_SLACK for off in recorded):
        how += ", normalised on import"
    return Audit("unit norm", "pass", f"{how}; norms are off by at most {worst:.2g}", {})


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
