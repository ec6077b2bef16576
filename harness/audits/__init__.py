"""Data audits: what must be true of the chunks before any metric computed on them means something.

Every audit says pass, fail or *not checkable*, and one that could not look never says pass: the original audit printed
zero errors because the index fields it needed were absent (docs/sources.md, "An audit that could not look"). What is
not checkable blocks like a failure where a release needs it (`Audit.required`). An audit without a limit only
describes: its metrics tell what the corpus is like, and if they cannot be measured, that stands in no model's way.
"""

from lvm_gates.harness.audits.direction import direction
from lvm_gates.harness.audits.leaked import disjoint_articles, leaked_windows
from lvm_gates.harness.audits.outcome import Audit, Auditor, Status
from lvm_gates.harness.audits.overlap import duplicate_chunks, repeated_frames
from lvm_gates.harness.audits.similarity import coherence, lag_curve, positions, temporal_signal
from lvm_gates.harness.audits.store import contiguity, fingerprint, unit_norm, windows_match
from lvm_gates.harness.audits.training import train_against_val
from lvm_gates.harness.evaluation.session_data import Inputs

__all__ = [
    "ASK_FOR_LEAKS",
    "AUDITS",
    "Audit",
    "Auditor",
    "Status",
    "audit",
    "coherence",
    "contiguity",
    "direction",
    "disjoint_articles",
    "duplicate_chunks",
    "fingerprint",
    "lag_curve",
    "leaked_windows",
    "positions",
    "repeated_frames",
    "temporal_signal",
    "train_against_val",
    "unit_norm",
    "windows_match",
]

AUDITS: dict[str, Auditor] = {
    "fingerprint": fingerprint,
    "unit norm": unit_norm,
    "contiguity": contiguity,
    "windows": windows_match,
    "disjoint articles": disjoint_articles,
    "leaked windows": leaked_windows,
    "duplicate chunks": duplicate_chunks,
    "repeated frames": repeated_frames,
    "coherence": coherence,
    "position to target": positions,
    "temporal signal": temporal_signal,
    "lag curve": lag_curve,
    "train against val": train_against_val,
    "arrow of time": direction,
}

# Audits that read `Inputs.leaks`, which takes a search.
ASK_FOR_LEAKS = ("disjoint articles", "leaked windows")


def audit(inputs: Inputs) -> list[Audit]:
    """Run every audit over the data of a session."""
    return [run(inputs) for run in AUDITS.values()]
