"""``/chat``: a text, what the model predicts to follow, and the real chunks that are nearest to it."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from fastapi import HTTPException
from jaxtyping import Float

from lvm_gates.serving.continuation import TRIVIAL, offset_curve, rollout, trivial_rollout
from lvm_gates.serving.messages import ChatAnswer, ChatRequest, Familiar, Step, Times, Told
from lvm_gates.serving.server import Server
from lvm_gates.serving.service import Serving, Stopwatch


class Talk:
    """One request to ``/chat``, with the model that it began with."""

    def __init__(self, server: Server, now: Serving, request: ChatRequest) -> None:
        self.server, self.now, self.request = server, now, request

    async def answer(self) -> ChatAnswer:
        """What follows.

        Raises:
            HTTPException: texts cannot be read here, this one is shorter than the model's context, or no chunks stand
                before that row.
        """
        began = time.perf_counter()
        server, request = self.server, self.request
        with server.timed("encoder") as encoding:
            read = await self._read(request.text) if request.text is not None else self._row(request.row or 0)
        nearness = await asyncio.to_thread(server.familiarity.of, server.library.bank, read.context)
        threshold = server.familiarity.threshold
        far = server.familiarity.is_far(nearness)
        predicting = Stopwatch()
        steps: list[Step] = []
        trivial: dict[str, list[Told]] = {}
        refused = None
        if far:
            server.metrics.far.inc()
            refused = (
                f"this text is far from the corpus: its chunks lie at cosine {nearness:.2f} to the nearest ones, and "
                f"of the corpus's own texts 99 in 100 lie above {threshold:.2f}; no chunk of it would be an answer"
            )
        else:
            with server.timed("model") as predicting:
                vectors = (await rollout(self.now.ask, read.context[None], request.steps))[0]
            told = await asyncio.to_thread(self._tell, vectors, read.context)
            steps = [self._step(each, vectors[n], read, n) for n, each in enumerate(told)]
            for name in TRIVIAL:
                other = trivial_rollout(name, read.context, request.steps)
                trivial[name] = await asyncio.to_thread(self._tell, other, read.context)
        words = [step.text for step in steps if step.text]
        return ChatAnswer(
            answer=" ".join(words) or None,
            refused=refused,
            read=list(read.chunks),
            familiar=Familiar(cosine=nearness, threshold=threshold, far=far),
            continuation=steps,
            trivial=trivial,
            model=self.now.model.served,
            milliseconds=_times(time.perf_counter() - began, encoding.seconds, predicting.seconds),
        )

    async def _read(self, text: str) -> "_Read":
        """The last chunks of a text."""
        reader, wanted = self.server.reader, self.now.model.context
        if isinstance(reader, str):
            raise HTTPException(422, reader)
        chunks = reader.cut(text)
        if len(chunks) < wanted:
            raise HTTPException(
                422,
                f"the text has {len(chunks)} {reader.chunker.unit}s and the model reads {wanted}; write "
                f"{wanted - len(chunks)} more",
            )
        passage = await asyncio.to_thread(reader.read, chunks[-wanted:])
        if not np.isfinite(passage.vectors).all():
            raise HTTPException(422, "a sentence has no embedding; write it in words")
        return _Read(passage.chunks, passage.vectors, np.empty((0, self.now.model.dim)))

    def _row(self, row: int) -> "_Read":
        """The chunks of the corpus before a row, and those that do follow."""
        library, wanted = self.server.library, self.now.model.context
        corpus = library.corpus
        if row >= corpus.size or row - wanted < corpus.run_start[row]:
            raise HTTPException(
                422, f"row {row:,} is not one of the {corpus.size:,} that follow {wanted} chunks of their article"
            )
        rows = np.arange(row - wanted, row)
        end = min(row + self.request.steps, int(corpus.run_end[row]))
        return _Read(
            tuple(library.words(int(one)) for one in rows), corpus.vectors(rows), corpus.vectors(np.arange(row, end))
        )

    def _step(self, told: Told, vector: Float[np.ndarray, " d"], read: "_Read", n: int) -> Step:
        actual = float(read.actual[n] @ vector) if n < len(read.actual) else None
        return Step(
            step=told.step,
            text=told.text,
            nearest=told.nearest,
            offsets=offset_curve(vector, read.context),
            actual=actual,
        )

    def _tell(self, vectors: Float[np.ndarray, "h d"], context: Float[np.ndarray, "c d"]) -> list[Told]:
        near = self.server.library.neighbours(vectors, context, self.request.neighbours)
        words = self.server.decoder.decode(vectors, [each[0].text if each else None for each in near])
        return [
            Told(step=n, text=text, nearest=each)
            for n, (text, each) in enumerate(zip(words, near, strict=True), start=1)
        ]


@dataclass(frozen=True)
class _Read:
    """What the model reads, and the chunks that follow where they are known."""

    chunks: tuple[str, ...]
    context: Float[np.ndarray, "c d"]
    actual: Float[np.ndarray, "h d"]


def _times(total: float, encoder: float, model: float) -> Times:
    return Times(encoder=encoder * 1e3, model=model * 1e3, rest=max(0.0, total - encoder - model) * 1e3)
