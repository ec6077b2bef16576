"""Predictors that a user might bring with `--model=python:predictors:NAME`, good and bad."""

import os
from pathlib import Path

import numpy as np

from harness.corpus import open_corpus
from harness.windows import windows_of


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


class OrderFree:
    """Knows what follows each set of frames of the corpus named in the environment, in whatever order they come."""

    def __init__(self):
        corpus = open_corpus(Path(os.environ["KNOWN_CORPUS"]))
        windows = windows_of(corpus, np.arange(len(corpus.starts)), 5)
        self.next = {
            frozenset(frame.tobytes() for frame in context): target
            for context, target in zip(windows.contexts(), windows.target_vectors(), strict=True)
        }

    def predict(self, contexts):
        frames = np.ascontiguousarray(contexts, dtype=np.float32)
        return np.stack([self.next.get(frozenset(f.tobytes() for f in c), c[-1]) for c in frames])


class Knowing:
    """Knows what follows each context of the corpus named in the environment; moves away from any other."""

    def __init__(self):
        corpus = open_corpus(Path(os.environ["KNOWN_CORPUS"]))
        windows = windows_of(corpus, np.arange(len(corpus.starts)), 5)
        self.chunks = {row.tobytes() for row in corpus.vectors(np.arange(corpus.size))}
        self.next = {
            context.tobytes(): target
            for context, target in zip(windows.contexts(), windows.target_vectors(), strict=True)
        }

    def predict(self, contexts):
        frames = np.ascontiguousarray(contexts, dtype=np.float32)
        return np.stack([self.next.get(c.tobytes(), -c[-1]) for c in frames])


class KnowingWithoutRepeats(Knowing):
    """Divides by the variance of its context: NaN where one frame is repeated."""

    def predict(self, contexts):
        found = super().predict(contexts)
        found[(contexts == contexts[:, :1]).all(axis=(1, 2))] = np.nan
        return found


class KnowingWithoutFeedback(Knowing):
    """NaN on a frame that is no chunk of the corpus, as its own output is."""

    def predict(self, contexts):
        found = super().predict(contexts).astype(np.float64)
        frames = np.ascontiguousarray(contexts[:, -1], dtype=np.float32)
        found[[frame.tobytes() not in self.chunks for frame in frames]] = np.nan
        # Not quite a chunk of the corpus either, so that its own output is told from one.
        return found + 1e-4


class BatchMeanAbove16:
    """Centres on the batch, where the batch is large."""

    def predict(self, contexts):
        last = contexts[:, -1]
        return last - last.mean(axis=0) if len(last) > 16 else last
