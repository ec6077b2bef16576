"""What follows a context: predicted vectors, and the real chunks that are nearest to them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.chunk_text import ChunkText
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.serving.bank import Bank

Ask = Callable[[Float[np.ndarray, "b c d"]], Awaitable[Float[np.ndarray, "b d"]]]
# Two copies of one chunk lie nearer than this: float16 moves a unit vector by 1e-3 at most.
_SAME_CHUNK = 1.0 - 1e-4
# What needs no network, beside every answer: the last chunk, and a decaying mean of all.
TRIVIAL = {"persistence": Ewma(0.0), "ewma": Ewma(0.5)}


@dataclass(frozen=True)
class Neighbour:
    """A real chunk near a prediction.

    Attributes:
        rank: 1 for the nearest that does not stand in the context.
        row: of the corpus.
        article: its id.
        title: of the article, where the corpus has one.
        chunk: its number in the article.
        cosine: to the prediction.
        text: where the corpus keeps it.
    """

    rank: int
    row: int
    article: str
    title: str | None
    chunk: int
    cosine: float
    text: str | None


@dataclass(frozen=True)
class Library:
    """The served corpus as it is told: vectors, titles and texts.

    Attributes:
        bank: its index.
        text: of its chunks; None where it keeps none.
        titles: of its articles; empty where it has none.
    """

    bank: Bank
    text: ChunkText | None
    titles: tuple[str, ...] = ()

    @property
    def corpus(self) -> Corpus:
        """Whose chunks they are."""
        return self.bank.corpus

    def neighbours(
        self, vectors: Float[np.ndarray, "n d"], context: Float[np.ndarray, "c d"], count: int
    ) -> list[list[Neighbour]]:
        """The nearest chunks of each vector, those left out that stand in the context.

        Args:
            vectors: unit vectors.
            context: what was read; a copy of it is no continuation.
            count: chunks wanted of each.
        """
        # A copy of a frame may stand anywhere in the corpus, often several times.
        rows, cosines = self.bank.nearest(vectors, count + 4 * len(context))
        found = []
        for own, near in zip(rows, cosines, strict=True):
            own, near = own[own >= 0], near[own >= 0]
            copies = (self.corpus.vectors(own) @ context.T.astype(np.float32)).max(axis=1, initial=-1.0) > _SAME_CHUNK
            kept = np.flatnonzero(~copies)[:count]
            found.append([self._tell(n, int(own[i]), float(near[i])) for n, i in enumerate(kept, start=1)])
        return found

    def words(self, row: int) -> str:
        """A chunk in words; by its place where the corpus keeps no text."""
        return self.corpus.describe_row(row) if self.text is None else self.text[row]

    def _tell(self, rank: int, row: int, cosine: float) -> Neighbour:
        corpus = self.corpus
        article = int(corpus.article_of[row])
        return Neighbour(
            rank=rank,
            row=row,
            article=str(corpus.article_ids[article]),
            title=self.titles[article] if article < len(self.titles) else None,
            chunk=int(corpus.chunk_index[row]),
            cosine=cosine,
            text=None if self.text is None else self.text[row],
        )


async def rollout(ask: Ask, contexts: Float[np.ndarray, "b c d"], steps: int) -> Float[np.ndarray, "b h d"]:
    """(B, H, D) predictions, each fed back as the newest frame of the next context."""
    found = []
    for _ in range(steps):
        predicted = await ask(contexts)
        found.append(predicted)
        contexts = np.concatenate([contexts[:, 1:], predicted[:, None].astype(contexts.dtype)], axis=1)
    return np.stack(found, axis=1)


def trivial_rollout(name: str, context: Float[np.ndarray, "c d"], steps: int) -> Float[np.ndarray, "h d"]:
    """(H, D) what a trivial predictor of that name would have answered."""
    found, frames = [], context[None]
    for _ in range(steps):
        predicted = unit(TRIVIAL[name].predict(frames))
        found.append(predicted[0])
        frames = np.concatenate([frames[:, 1:], predicted[:, None].astype(frames.dtype)], axis=1)
    return np.stack(found)


def offset_curve(vector: Float[np.ndarray, " d"], context: Float[np.ndarray, "c d"]) -> dict[int, float]:
    """Cosine of a prediction to each frame that was read, by offset: 0 is the last one, -1 the one before."""
    cosine = context.astype(np.float64) @ vector
    return {k - len(context) + 1: float(value) for k, value in enumerate(cosine)}
