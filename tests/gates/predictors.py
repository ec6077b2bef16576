"""Predictors that a user might bring with `--model=python:predictors:NAME`, good and bad."""

import os
import time
from pathlib import Path

import numpy as np

from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.windows import windows_of


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


def _repeats(contexts):
    """Whether each context is one frame repeated, which only the evaluation asks for, and the probe never."""
    return (contexts == contexts[:, -1:]).all()


class ExitsLater:
    """Passes the probe, and ends its process in the middle of the evaluation."""

    def predict(self, contexts):
        if _repeats(contexts):
            os._exit(0)
        return contexts[:, -1]


class Hangs:
    """Passes the probe, writes down who it is, and hangs in the middle of the evaluation."""

    def predict(self, contexts):
        if _repeats(contexts):
            Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
            time.sleep(600)
        return contexts[:, -1]


class Leaves:
    """Ends its process, and with it the session if it is the same, at the first question; with success."""

    def predict(self, contexts):
        os._exit(0)


class SaysWhere:
    """Writes down in which process it runs."""

    def __init__(self):
        Path(os.environ["PID_FILE"]).write_text(f"{os.getpid()} {os.getppid()}")

    def predict(self, contexts):
        return contexts[:, -1]


class Fickle:
    """Raises once it is told to."""

    def __init__(self):
        self.broken, self.asked = False, 0

    def predict(self, contexts):
        self.asked += 1
        if self.broken:
            raise RuntimeError("fell over")
        return contexts[:, -1]


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


def last_times(contexts, alpha, weights):
    return contexts[:, -1] * alpha


class BreaksInTheSecond:
    """Of the processes of a session."""

    def predict(self, contexts):
        if os.environ.get("RANK") == "1":
            raise RuntimeError("out of cheese")
        return contexts[:, -1]
