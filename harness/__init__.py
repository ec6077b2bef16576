"""The engine of the release gate: corpus, windows, predictions, statistics, judgement, scorecard."""
