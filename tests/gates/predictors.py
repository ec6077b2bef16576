"""Predictors that a user might bring with `--model=python:predictors:NAME`, good and bad."""

import os
from pathlib import Path

import numpy as np


class LastFrame:
    def predict(self, contexts):
        return contexts[:, -1]


class Counting:
    """Writes down how many contexts each call was asked for."""

    def predict(self, contexts):
        with Path(os.environ["COUNT_FILE"]).open("a") as stream:
            stream.write(f"{len(contexts)}\n")
        return contexts[:, -1]


class WrongShape:
    def predict(self, contexts):
        return contexts


class OneRow:
    def predict(self, contexts):
        return contexts[0, -1]


class BatchMean:
    """Centres on the batch, as a network left in train mode does."""

    def predict(self, contexts):
        return contexts[:, -1] - contexts[:, -1].mean(axis=0)


class Unseeded:
    def predict(self, contexts):
        return contexts[:, -1] + np.random.default_rng().normal(size=contexts[:, -1].shape)


class Words:
    def predict(self, contexts):
        return np.full((len(contexts), contexts.shape[2]), "x")


class Raises:
    def predict(self, contexts):
        raise RuntimeError("out of cheese")


class Deaf:
    """Has no predict at all."""


def broken_factory():
    raise ValueError("no weights")


class InPlace:
    """Returns the last frame, and ruins its input on the way."""

    def predict(self, contexts):
        last = contexts[:, -1].copy()
        contexts[:] = 0
        return last
