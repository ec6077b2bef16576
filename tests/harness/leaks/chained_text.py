"""Texts to search in and for: chains of chunks that are alike as sentences of articles are."""

import numpy as np

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.leaks.chunks import Chunks


def chunks(vectors, lengths):
    """Articles one after another."""
    held = unit(np.asarray(vectors)).astype(np.float32)
    articles = np.repeat(np.arange(len(lengths)), lengths)
    return Chunks(lambda positions: held[positions], articles, articles)


def all_lasts(queries):
    return np.flatnonzero(queries.runs[1:] == queries.runs[:-1])


def text(articles, length, seed, dim=64):
    """Chains whose neighbours have cosines of about .45, around a topic of their own, as sentences of articles do."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(articles):
        topic, state = rng.standard_normal((2, dim))
        for _ in range(length):
            state = 0.6 * state + 0.8 * rng.standard_normal(dim)
            found.append(0.5 * topic + state + 0.5 * rng.standard_normal(dim))
    return unit(np.array(found))
