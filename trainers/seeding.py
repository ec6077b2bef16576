"""Randomness as a function of (seed, epoch) alone.

Every epoch starts from its own seed, so a resumed run draws the numbers that an uninterrupted one would have,
without any generator's state being saved, and on whatever device.
"""

import os

import numpy as np
import torch
from jaxtyping import Int

# Streams of one epoch; they must not share numbers.
_NETWORK, _ORDER, _NEGATIVES = 0, 1, 2


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed torch's generators, all devices, for one epoch; epoch 0 draws the initial weights."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, _NETWORK]).generate_state(1)[0]))


def epoch_order(n: int, seed: int, epoch: int) -> Int[np.ndarray, " n"]:
    """(n,) the order in which one epoch visits its windows."""
    return np.random.default_rng([seed, epoch, _ORDER]).permutation(n)


def negatives_rng(seed: int, epoch: int) -> np.random.Generator:
    """The generator that draws the negatives of one epoch."""
    return np.random.default_rng([seed, epoch, _NEGATIVES])


def make_deterministic(device: torch.device) -> None:
    """Ask CUDA for reproducible kernels; the CPU's are, for a fixed number of threads."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
