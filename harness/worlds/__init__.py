"""Synthetic datasets whose law is known, so that the best possible predictor is known too."""
