"""An encoder without a model: vectors from a hash of the text, and a count of what was asked."""

import hashlib

import numpy as np


class FakeEncoder:
    name = "fake"
    dim = 8

    def __init__(self, *, limit=40, version=1, fail_after=None, pause=None):
        self.identity = {"sha256": "0" * 64, "version": version}
        self.limit, self.fail_after, self.pause = limit, fail_after, pause
        self.asked = []

    def encode(self, texts):
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise KeyboardInterrupt
        if self.pause is not None:
            self.pause(len(self.asked))
        self.asked.extend(texts)
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") for text in texts]
        return np.stack([np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds]).astype(np.float32)

    def truncated(self, texts):
        return sum(len(text) > self.limit for text in texts)
