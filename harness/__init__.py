"""The engine of the release gate: corpus, windows, predictions, statistics, judgement, scorecard.

>>> from harness import load_predictor
>>> load_predictor("best_model.pt").predict(contexts)  # float32 (B, C, D) -> (B, D)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.corpus import Corpus, open_corpus
    from harness.errors import UserError
    from harness.npz import read_articles
    from harness.predictor import Predictor
    from harness.resolve_model import load_predictor
    from harness.windows import Windows, windows_of

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
    "Corpus": "corpus",
    "open_corpus": "corpus",
    "UserError": "errors",
    "read_articles": "npz",
    "Predictor": "predictor",
    "load_predictor": "resolve_model",
    "Windows": "windows",
    "windows_of": "windows",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `lvm-train --help` must not pay for numpy.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"harness.{_HOME[name]}"), name)
