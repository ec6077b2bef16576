"""The ways a context is spoiled to see whether a predictor uses it.

Every choice (which permutation, which donor chunk) is a function of the seed and the window's own row, so it does
not depend on how windows are batched or ordered.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.hashing import hash64
from lvm_gates.harness.corpus.windows import Windows

SHUFFLE, REVERSE, REPEAT_LAST, CROSS_ARTICLE = "shuffle", "reverse", "repeat_last", "cross_article"
_SHUFFLE_STREAM, _DONOR_STREAM = 1, 2


def leave_out_name(frame: int) -> str:
    """Name of the ablation that hides context frame ``frame`` (0 is the oldest)."""
    return f"leave_out_{frame}"


def ablation_names(context: int) -> list[str]:
    """Every ablation of a context of ``context`` frames, in a fixed order."""
    left_out = [leave_out_name(frame) for frame in range(context)]
    return [SHUFFLE, REVERSE, *left_out, REPEAT_LAST, CROSS_ARTICLE]


def spoiled_places(name: str, windows: Windows, seed: int) -> Int[np.ndarray, "n c"]:
    """Which frame stands where in the contexts of ``windows`` as they are spoiled in one way.

    Args:
        name: one of `ablation_names`.
        windows: whose contexts are spoiled.
        seed: of the session.

    Returns:
        For each place the frame, 0 for the oldest; C for the one that `donor_rows` gives.
    """
    context = windows.context
    if name == SHUFFLE:
        return permutations(windows.targets, context, seed)
    places = np.tile(np.arange(context), (len(windows), 1))
    if name == REVERSE:
        return places[:, ::-1]
    if name == REPEAT_LAST:
        return np.full_like(places, context - 1)
    if name == CROSS_ARTICLE:
        places[:, -1] = context
        return places
    frame = int(name.removeprefix("leave_out_"))
    # The original leave-one-out put the last frame back when it left the last frame out, so the frame that matters
    # most was never missing (docs/sources.md, "Leave-one-out that restores the last frame"). Here the neighbour takes
    # the place: the one before, or the one after for the oldest frame.
    places[:, frame] = frame - 1 if frame else min(1, context - 1)
    return places


def ablate(
    name: str,
    contexts: Float[np.ndarray, "b c d"],
    windows: Windows,
    donors: Int[np.ndarray, " m"],
    seed: int,
) -> Float[np.ndarray, "b c d"]:
    """Spoil ``contexts``, those of ``windows``, in one way.

    Args:
        name: one of `ablation_names`.
        contexts: intact contexts, left as they are.
        windows: the windows they belong to.
        donors: sorted rows from which a frame of another article may be taken.
        seed: of the session.
    """
    places = spoiled_places(name, windows, seed)
    foreign = places == windows.context
    spoiled = contexts[np.arange(len(contexts))[:, None], np.where(foreign, 0, places)]
    if foreign.any():
        spoiled[foreign] = windows.corpus.vectors(donor_rows(windows, donors, seed)[np.nonzero(foreign)[0]])
    return spoiled


def permutations(rows: Int[np.ndarray, " n"], length: int, seed: int) -> Int[np.ndarray, "n length"]:
    """One permutation a row, never the identity (unless ``length`` is 1, where there is no other)."""
    identity = np.arange(length)
    order = np.tile(identity, (len(rows), 1))
    pending = np.arange(len(rows)) if length > 1 else np.empty(0, dtype=np.int64)
    attempt = 0
    while len(pending):
        keys = np.stack(
            [hash64(rows[pending], seed, _SHUFFLE_STREAM + 16 * (attempt * length + slot)) for slot in range(length)],
            axis=1,
        )
        order[pending] = np.argsort(keys, axis=1, kind="stable")
        pending = pending[(order[pending] == identity).all(axis=1)]
        attempt += 1
    return order


def donor_rows(windows: Windows, donors: Int[np.ndarray, " m"], seed: int) -> Int[np.ndarray, " n"]:
    """For each window a row of ``donors`` that belongs to another article.

    Windows of the only article of ``donors`` get their own last frame: see `has_donor`.
    """
    first, count = _own_block(windows, donors)
    others = len(donors) - count
    uniform = hash64(windows.targets, seed, _DONOR_STREAM).astype(np.float64) / 2.0**64
    pick = np.minimum((uniform * others).astype(np.int64), np.maximum(others - 1, 0))
    pick = np.where(pick >= first, pick + count, pick)
    return np.where(others > 0, donors[np.minimum(pick, len(donors) - 1)], windows.targets - 1)


def has_donor(windows: Windows, donors: Int[np.ndarray, " m"]) -> Bool[np.ndarray, " n"]:
    """Whether some row of ``donors`` belongs to another article than the window."""
    return np.asarray(_own_block(windows, donors)[1] < len(donors))


def _own_block(windows: Windows, donors: Int[np.ndarray, " m"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    corpus, articles = windows.corpus, windows.clusters
    first = np.searchsorted(donors, corpus.starts[articles])
    last = np.searchsorted(donors, corpus.starts[articles] + corpus.lengths[articles])
    return first, last - first
