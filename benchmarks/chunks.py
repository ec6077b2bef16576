"""Chunks to time things on; random, since no metric is read off them."""

import numpy as np

CONTEXT, HORIZON = 5, 5


def random_units(rows, dim):
    drawn = np.random.default_rng(0).standard_normal((rows, dim), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
