"""What every reader of a table gives: blocks of rows, each a chunk with its vector and its article."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

# Chunks that are in memory at once: 3 MiB at 768 dimensions.
BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Block:
    """Some rows, in the order of the file.

    Attributes:
        vectors: (b, D) as stored.
        articles: (b,) the id of each row's article, whole numbers or texts.
        chunks: (b,) number of each chunk in its article; None where the file numbers none.
        texts: (b,) what the vectors were made from; None where the file does not say.
        where: names a row of the block for messages, such as "row 17".
    """

    vectors: Float[np.ndarray, "b d"]
    articles: Int[np.ndarray, " b"] | list[str]
    chunks: Int[np.ndarray, " b"] | None
    texts: list[str] | None
    where: Callable[[int], str]


@dataclass(frozen=True)
class Table:
    """A file whose rows can be read from the first on, again and again.

    Attributes:
        path: a file or a folder.
        what: the format, in words.
        columns: what each was taken for -> its name; recorded and shown.
        blocks: starts over from the first row; at most `BLOCK_ROWS` rows at a time, or one article.
    """

    path: Path
    what: str
    columns: Mapping[str, str]
    blocks: Callable[[], Iterator[Block]]
