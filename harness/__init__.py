"""The engine of the release gate: corpus, windows, predictions, statistics, judgement, scorecard.

>>> from lvm_gates.harness import load_predictor
>>> load_predictor("best_model.pt").predict(contexts)  # float32 (B, C, D) -> (B, D)  # doctest: +SKIP

What is exported here is described in docs/api.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.corpus.chunk_text import open_chunk_text
    from lvm_gates.harness.corpus.corpus import Corpus, open_corpus
    from lvm_gates.harness.corpus.npz import read_articles
    from lvm_gates.harness.corpus.opening import open_any
    from lvm_gates.harness.corpus.windows import Windows, windows_of
    from lvm_gates.harness.evaluation.resolve_model import load_predictor
    from lvm_gates.harness.predictors.predictor import Predictor
    from lvm_gates.harness.results.comparing import compare_given as compare
    from lvm_gates.harness.results.reading import Report, read_report

__all__ = [
    "Corpus",
    "Predictor",
    "Report",
    "UserError",
    "Windows",
    "compare",
    "load_predictor",
    "open_any",
    "open_chunk_text",
    "open_corpus",
    "read_articles",
    "read_report",
    "windows_of",
]

_HOME = {
    "Corpus": "corpus.corpus.Corpus",
    "Predictor": "predictors.predictor.Predictor",
    "Report": "results.reading.Report",
    "UserError": "base.errors.UserError",
    "Windows": "corpus.windows.Windows",
    "compare": "results.comparing.compare_given",
    "load_predictor": "evaluation.resolve_model.load_predictor",
    "open_any": "corpus.opening.open_any",
    "open_chunk_text": "corpus.chunk_text.open_chunk_text",
    "open_corpus": "corpus.corpus.open_corpus",
    "read_articles": "corpus.npz.read_articles",
    "read_report": "results.reading.read_report",
    "windows_of": "corpus.windows.windows_of",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `lvm-train --help` must not pay for numpy.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module, _, found = _HOME[name].rpartition(".")
    return getattr(importlib.import_module(f"lvm_gates.harness.{module}"), found)
