"""Every random choice of a session, as a stream of numbers that depends on the session's seed and its purpose alone.

A choice does not depend on what was drawn before it: not on which process asks first, nor on which other controls or
audits a session has.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are drawn for. The numbers are part of what makes two reports comparable: none is reused."""

    GLOBAL_CANDIDATES = 3
    """Chunks of candidate set `global` (`harness.evaluation.evaluation_set`)."""
    RIDGE = 4
    """Windows that ridge is fitted and tuned on (`harness.controls.linear`)."""
    CONSTANT = 5
    """The direction of `control:constant`."""
    RANDOM_PAIRS = 6
    """Chunks of other articles, for the audit of coherence (`harness.audits.similarity`)."""
    FITTED_RIVALS = 7
    """Windows that the fitted rivals learn from (`harness.rivals.fitted`)."""
    ARROW_OF_TIME = 7
    """Folds and shuffled articles of `harness.corpus.arrow_of_time`. The one number that two purposes have, from before
    this list was kept: what they draw from has nothing in common, and another would change every reported AUC."""
    CORPUS_PAIRS = 8
    """Articles whose chunks are paired in `harness.corpus.corpus_statistics`."""
    DRAW_ORDER = 9
    """Articles or windows of `--sequential`, in the order in which they are judged."""


def rng_of(seed: int, stream: Stream) -> np.random.Generator:
    """A fresh generator at the beginning of a session's stream."""
    return np.random.default_rng([seed, stream.value])


def sampling_rng(seed: int) -> np.random.Generator:
    """The generator that chooses windows and articles: of sampling and splitting, where a seed has no other use."""
    return np.random.default_rng(seed)
