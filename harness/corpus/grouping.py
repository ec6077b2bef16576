"""Rows of chunks in any order, put into articles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import UNASSIGNED, Corpus


class Grouped(NamedTuple):
    """Articles one after another; see `harness.corpus.corpus.Corpus`.

    Attributes:
        article_ids: (A,) in rising order.
        starts: (A,).
        lengths: (A,).
        chunk_index: (N,) in reading order.
        order: (N,) which row each is; None where they are in reading order already.
    """

    article_ids: Int[np.ndarray, " a"]
    starts: Int[np.ndarray, " a"]
    lengths: Int[np.ndarray, " a"]
    chunk_index: Int[np.ndarray, " n"]
    order: Int[np.ndarray, " n"] | None

    def corpus(
        self,
        path: Path,
        stored: Shaped[np.ndarray, "n d"],
        meta: Mapping[str, Any],
        names: tuple[str, ...] | None = None,
    ) -> Corpus:
        """These articles as a corpus, assigned to no split; ``stored`` is (N, D) in the order that rows came in."""
        return Corpus(
            path=path,
            stored=stored,
            splits=np.full(len(self.lengths), UNASSIGNED, dtype="<U5"),
            meta=meta,
            names=names,
            **self._asdict(),
        )


def group_rows(
    path: Path, ids: Int[np.ndarray, " n"], chunks: Int[np.ndarray, " n"] | None, names: list[str] | None = None
) -> Grouped:
    """Sort rows by article and chunk.

    Args:
        path: for messages.
        ids: article of each row.
        chunks: number of each row in its article; None where there is none, and the rows' own order is taken.
        names: what article ``i`` is called, where ids are but places in this list.

    Raises:
        UserError: a chunk that stands twice.
    """
    order = np.lexsort((np.arange(len(ids)) if chunks is None else chunks, ids))
    ids = ids[order]
    article_ids, starts, lengths = np.unique(ids, return_index=True, return_counts=True)
    if chunks is None:
        index = np.arange(len(ids)) - np.repeat(starts, lengths)
    else:
        index = chunks[order]
        repeated = np.flatnonzero((np.diff(ids) == 0) & (np.diff(index) == 0))
        if len(repeated):
            at = int(repeated[0])
            article = ids[at] if names is None else names[ids[at]]
            raise UserError(
                f"{path}: article {article} holds chunk index {index[at]} twice ({len(repeated)} such rows in all); "
                "number the chunks of an article 0, 1, 2 … and save again."
            )
    sorted_already = np.array_equal(order, np.arange(len(order)))
    return Grouped(
        article_ids, starts.astype(np.int64), lengths.astype(np.int64), index, None if sorted_already else order
    )
