"""A running server: what it serves now, what it looks for, and how it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.serving.batcher import Batcher
from lvm_gates.serving.continuation import Library
from lvm_gates.serving.decoder import Decoder
from lvm_gates.serving.familiarity import Familiarity
from lvm_gates.serving.log import log
from lvm_gates.serving.messages import Corpus as CorpusMessage
from lvm_gates.serving.messages import VerdictAnswer
from lvm_gates.serving.metrics import Metrics
from lvm_gates.serving.passage import Reader
from lvm_gates.serving.service import Model, Serving, Stopwatch, load_model
from lvm_gates.serving.settings import Settings
from lvm_gates.serving.watched import Watched


@dataclass
class Server:
    """Everything that requests are answered with.

    Attributes:
        settings: as the operator has them.
        library: the served corpus.
        familiarity: how near texts must lie to it.
        decoder: tells vectors in words.
        reader: of texts; a sentence where texts cannot be read.
        serving: the model that answers now.
        metrics: of this server.
        takes_requests: False once it is told to stop.
    """

    settings: Settings
    library: Library
    familiarity: Familiarity
    decoder: Decoder
    reader: Reader | str
    serving: Serving
    metrics: Metrics
    takes_requests: bool = False

    def verdict(self, model: Model) -> VerdictAnswer:
        """What the scorecard of a model says."""
        standing = model.standing
        library, corpus = self.library, self.library.corpus
        same = None if standing.corpus is None else standing.corpus == corpus.fingerprint
        return VerdictAnswer(
            model=model.served,
            corpus=CorpusMessage(
                chunks=corpus.size,
                articles=len(corpus.starts),
                dim=corpus.dim,
                context=model.context,
                bank=library.bank.kind,
                recall=library.bank.recall,
                reads_text=not isinstance(self.reader, str),
                why_not=self.reader if isinstance(self.reader, str) else None,
            ),
            profile=standing.profile,
            rule=standing.rule,
            judged=standing.judged,
            report=None if standing.report is None else Path(standing.report).name,
            gates=dict(standing.gates),
            reasons=list(standing.reasons),
            same_corpus=same,
        )

    @contextmanager
    def timed(self, part: str) -> Iterator[Stopwatch]:
        """Times one part of a request, for `/metrics` as well."""
        watch = Stopwatch()
        with watch:
            yield watch
        self.metrics.part_seconds.labels(part).observe(watch.seconds)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From ready to stopped: what is being answered is answered to its end."""
        self.metrics.serves(self.serving.model.served)
        self.metrics.bank_recall.set(self.library.bank.recall)
        looking = asyncio.create_task(self._look()) if self.settings.watch_s else None
        self.takes_requests = True
        log("ready", model=self.serving.model.served.name, verdict=self.serving.model.standing.verdict)
        try:
            yield
        finally:
            self.takes_requests = False
            if looking is not None:
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking
            await self.serving.batcher.close()
            log("stopped")

    async def _look(self) -> None:
        """Look for a newly released model, again and again."""
        watched = Watched.of(self.settings)
        while True:
            await asyncio.sleep(self.settings.watch_s)
            if await asyncio.to_thread(watched.changed):
                await self.reload()

    async def reload(self) -> None:
        """Serve what the model file holds now, if it is released; keep what is served if not.

        Requests that have begun end with the model that they began with, and with the last of them it is let go.
        """
        try:
            model = await asyncio.to_thread(load_model, self.settings, self.library.corpus)
        except UserError as error:
            self.metrics.reloads.labels("refused").inc()
            log("reload refused", reason=brief(error))
            return
        if model.served == self.serving.model.served and model.standing == self.serving.model.standing:
            return
        self.serving = serving_of(model, self.settings, self.metrics)
        self.metrics.serves(model.served)
        self.metrics.reloads.labels("loaded").inc()
        log("reloaded", model=model.served.name, sha256=model.served.sha256, verdict=model.standing.verdict)


def serving_of(model: Model, settings: Settings, metrics: Metrics) -> Serving:
    """A model with a thread of its own."""
    return Serving(model, Batcher(model.predict, settings.limits.batch, lambda size: metrics.batch.observe(size)))
