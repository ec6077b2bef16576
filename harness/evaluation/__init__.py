"""Predictors asked over the windows of a session, and what is observed of each window."""
