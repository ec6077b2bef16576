"""The engine of the release gate: corpus, windows, predictions, statistics, judgement, scorecard.

>>> from lvm_gates.harness import load_predictor
>>> load_predictor("best_model.pt").predict(contexts)  # float32 (B, C, D) -> (B, D)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.corpus.corpus import Corpus, open_corpus
    from lvm_gates.harness.corpus.npz import read_articles
    from lvm_gates.harness.corpus.windows import Windows, windows_of
    from lvm_gates.harness.evaluation.resolve_model import load_predictor
    from lvm_gates.harness.predictors.predictor import Predictor

__all__ = [
    "Corpus",
    "Predictor",
    "UserError",
    "Windows",
    "load_predictor",
    "open_corpus",
    "read_articles",
    "windows_of",
]

_HOME = {
    "Corpus": "corpus.corpus",
    "open_corpus": "corpus.corpus",
    "UserError": "base.errors",
    "read_articles": "corpus.npz",
    "Predictor": "predictors.predictor",
    "load_predictor": "evaluation.resolve_model",
    "Windows": "corpus.windows",
    "windows_of": "corpus.windows",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `lvm-train --help` must not pay for numpy.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"lvm_gates.harness.{_HOME[name]}"), name)
