"""A corpus is embedded in shards: a fixed number of chunks each, cut at article boundaries, one file each.

The name of a shard's file holds a hash of everything that decides its vectors: the chunks, the encoder and the
storage type. So a finished shard is found again after a kill, and a changed text or option never meets an old one.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.text.chunking import Chunker, flat
from lvm_gates.harness.text.embedding import Encoder
from lvm_gates.harness.text.sources import Source

DType = Literal["float16", "float32"]
# Twenty seconds of work on two cores to lose, and 6 MiB of 384-wide vectors to hold.
SHARD_CHUNKS = 4096
# Chunks between two steps of the progress bar.
STEP_CHUNKS = 512


@dataclass(frozen=True)
class Shard:
    """Whole articles in reading order.

    Attributes:
        titles: of the articles.
        lengths: chunks of each article.
        texts: all chunks, one article after another.
        index: position of each chunk in its article.
    """

    titles: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    index: list[int] = field(default_factory=list)


@dataclass
class Tally:
    """What was left out on the way."""

    dropped_chunks: int = 0
    empty_articles: int = 0


def cut_shards(source: Source, chunker: Chunker, size: int, tally: Tally) -> Iterator[Shard]:
    """Shards of at least ``size`` chunks (the last may be smaller); articles without a chunk are only counted."""
    shard = Shard()
    for article in source.read():
        chunks = chunker.cut(article)
        tally.dropped_chunks += chunks.dropped
        if not chunks.texts:
            tally.empty_articles += 1
            continue
        shard.titles.append(flat(article.title))
        shard.lengths.append(len(chunks.texts))
        shard.texts.extend(chunks.texts)
        shard.index.extend(chunks.index)
        if len(shard.texts) >= size:
            yield shard
            shard = Shard()
    if shard.texts:
        yield shard


def shard_key(shard: Shard, job: Mapping[str, Any]) -> str:
    """SHA-256 of the chunks and of ``job``, which is all else that decides the vectors."""
    digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode())
    for text in shard.texts:
        data = text.encode()
        # The length in front keeps "ab", "c" from hashing like "a", "bc".
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def shard_file(work: Path, number: int, key: str) -> Path:
    """Where shard ``number`` lies once it is finished."""
    return work / f"{number:06d}-{key[:32]}.npz"


class Finished(NamedTuple):
    """What a finished shard holds.

    Attributes:
        vectors: of its chunks.
        truncated: how many of them the encoder cut short.
        texts: what was embedded.
    """

    vectors: Shaped[np.ndarray, "n d"]
    truncated: int
    texts: list[str]


def read_shard(path: Path) -> Finished | None:
    """A finished shard; None where there is no readable one."""
    try:
        # Opened here: np.load leaves a file that is no zip archive open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            texts = found["texts"].tobytes().decode().split("\n")
            return Finished(found["vectors"], int(found["truncated"]), texts)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def embed_shard(shard: Shard, encoder: Encoder, dtype: DType, path: Path, tick: Callable[[int], None]) -> None:
    """Embed one shard and write it, whole or not at all.

    Chunks go to the encoder longest first: batches of like lengths need little padding, and a batch too large for
    the memory fails at once, not after an hour.

    Raises:
        UserError: a vector without a direction.
    """
    lengths = np.array([len(text) for text in shard.texts])
    order = np.argsort(-lengths, kind="stable")
    vectors = np.empty((len(order), encoder.dim), dtype=dtype)
    for begin in range(0, len(order), STEP_CHUNKS):
        rows = order[begin : begin + STEP_CHUNKS]
        found = encoder.encode([shard.texts[row] for row in rows])
        norms = np.linalg.norm(found.astype(np.float64), axis=1, keepdims=True)
        lost = ~(np.isfinite(norms) & (norms > 0)).ravel()
        if lost.any():
            text = shard.texts[int(rows[int(np.argmax(lost))])]
            raise UserError(
                f"{encoder.name}: gives no finite, non-zero vector for the chunk {text[:60]!r}; remove it from the "
                "text or choose another --model."
            )
        vectors[rows] = found / norms
        tick(len(rows))
    with atomic_write(path) as stream:
        # A chunk is one line (`harness.text.chunking.flat`).
        texts = np.frombuffer("\n".join(shard.texts).encode(), dtype=np.uint8)
        np.savez(stream, vectors=vectors, truncated=np.int64(encoder.truncated(shard.texts)), texts=texts)
