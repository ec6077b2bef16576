"""Randomness as a function of (seed, epoch) alone.

Every epoch starts from its own seed, so a run resumed after an epoch draws the numbers that an uninterrupted one would
have, without any generator's state being saved, and on whatever device. Inside an epoch torch's state is saved
(`trainers.position`).
"""

import os

import numpy as np
import torch
from jaxtyping import Int

# Streams of one epoch; they must not share numbers.
_NETWORK, _ORDER, _NEGATIVES, _SHARE = 0, 1, 2, 3


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed torch's generators, all devices, for one epoch; epoch 0 draws the initial weights."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, _NETWORK]).generate_state(1)[0]))


def seed_share(seed: int, epoch: int, step: int, call: int, rank: int) -> None:
    """Seed torch's generators for what one of several processes draws inside the network.

    Args:
        seed: of the run.
        epoch: from 1.
        step: of the epoch, from 1.
        call: of the step, from 1; a recipe may ask the network more than once.
        rank: of the process.
    """
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, _SHARE, step, call, rank]).generate_state(1)[0]))


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
