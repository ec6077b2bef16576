"""Signatures: 80 bits a chunk that copies share, also copies rounded, scaled or embedded anew.

Bit i says on which side of hyperplane i the chunk lies, seen from the mean of the training chunks (random hyperplanes:
Charikar 2002). Two chunks at an angle of t differ in t/pi of the bits, so signatures as vectors of signs have cosines
of their own, and the search for leaks works on them as on embeddings (`harness.leaks.search`).
"""

import hashlib

import numpy as np
from jaxtyping import Float, Int, UInt8

from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.leaks.chunks import Chunks

# Ten bytes a chunk: a megabyte for 100,000. At a cosine of .99 four or five of 80 bits differ; of strangers, half.
BITS = 80
BYTES = BITS // 8
# Names the hyperplanes; they must be the same everywhere, for ever.
_NAME = b"lvm-gates chunk signatures, version 1"


def hyperplanes(dim: int) -> Float[np.ndarray, "d bits"]:
    """Normals of the hyperplanes, coordinates 1 and -1; from a hash, since no random generator promises its stream."""
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(_NAME).digest(dim * BYTES), dtype=np.uint8))
    return np.asarray(2 * bits.reshape(dim, BITS).astype(np.float32) - 1)


def mean_chunk(corpus: Corpus, rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """Mean of the unit vectors, as a record holds it: rounded to float16."""
    total = np.zeros(corpus.dim)
    for part in slices(len(rows), SCAN_ROWS):
        total += corpus.vectors(rows[part]).sum(axis=0, dtype=np.float64)
    return np.asarray((total / max(1, len(rows))).astype(np.float16), dtype=np.float32)


def sign(corpus: Corpus, rows: Int[np.ndarray, " n"], mean: Float[np.ndarray, " d"]) -> UInt8[np.ndarray, "n bytes"]:
    """The signature of each row, seen from ``mean``."""
    normals = hyperplanes(corpus.dim)
    signatures = np.empty((len(rows), BYTES), dtype=np.uint8)
    for part in slices(len(rows), SCAN_ROWS):
        signatures[part] = np.packbits((corpus.vectors(rows[part]) - mean) @ normals > 0, axis=1)
    return signatures


def signed_chunks(
    signatures: UInt8[np.ndarray, "n bytes"], runs: Int[np.ndarray, " n"], articles: Int[np.ndarray, " n"]
) -> Chunks:
    """Signatures as chunks to search in or for: unit vectors of signs, unpacked as they are asked for."""

    def vectors(positions: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k bits"]:
        bits = np.unpackbits(signatures[positions], axis=1).astype(np.float32)
        return np.asarray((2 * bits - 1) / np.float32(np.sqrt(BITS)))

    return Chunks(vectors, runs, articles)
