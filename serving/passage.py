"""A text as the contexts that the model reads: cut and embedded as the corpus was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.text.articles import Article
from lvm_gates.harness.text.chunking import Chunker, make_chunker
from lvm_gates.harness.text.embedding import Encoder


@dataclass(frozen=True)
class Passage:
    """A text that was read.

    Attributes:
        chunks: it was cut into.
        vectors: (N, D) unit vectors of them.
    """

    chunks: tuple[str, ...]
    vectors: Float[np.ndarray, "n d"]


@dataclass(frozen=True)
class Reader:
    """Cuts and embeds texts as one corpus was.

    Attributes:
        chunker: cuts.
        encoder: embeds.
    """

    chunker: Chunker
    encoder: Encoder

    def cut(self, text: str) -> tuple[str, ...]:
        """The chunks of a text."""
        return tuple(self.chunker.cut(Article("", text)).texts)

    def read(self, chunks: tuple[str, ...]) -> Passage:
        """Embed chunks; only as many as the model reads should be given."""
        return Passage(chunks, unit(self.encoder.encode(list(chunks))).astype(np.float32))


def open_reader(corpus: Corpus, model: str | None, device: str) -> Reader:
    """What reads text for a corpus.

    Args:
        corpus: whose record names encoder and unit.
        model: folder or name of the encoder; as recorded by default.
        device: where it runs.

    Raises:
        UserError: the corpus was not made of text, the extra is missing, or the encoder is another.
    """
    from lvm_gates.harness.base.device import resolve_device
    from lvm_gates.harness.text.embedding import SentenceEncoder

    recorded = corpus.meta.get("encoder")
    if not isinstance(recorded, Mapping) or "name" not in recorded:
        raise UserError(
            # Clients are told this; where files lie is the operator's business.
            f"{corpus.path.name}: records no encoder, so text cannot be read for it; embed a corpus of text with "
            "`lvm-data embed`, and use /v1/predict with this one."
        )
    unit_of = corpus.meta.get("unit", "sentence")
    chunker = make_chunker("paragraph" if unit_of == "paragraph" else "sentence")
    limit: Any = recorded.get("max_tokens")
    encoder = SentenceEncoder(model or recorded["name"], device=resolve_device(device), max_tokens=limit)
    if recorded.get("sha256") not in (None, encoder.identity["sha256"]) or encoder.dim != corpus.dim:
        raise UserError(
            f"{corpus.path}: was embedded by {recorded['name']}, and --encoder {encoder.name} has other weights; name "
            "the encoder of the corpus."
        )
    return Reader(chunker, encoder)
