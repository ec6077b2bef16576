"""A model that is served: loaded, judged, warmed up. One object, replaced whole when a newer model is released."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.evaluation.resolve_model import is_control, load_named
from lvm_gates.harness.predictors.predictor import NamedPredictor, ask
from lvm_gates.serving.batcher import Batcher
from lvm_gates.serving.messages import Served
from lvm_gates.serving.released import Standing, reports_near, require_released, standing_of
from lvm_gates.serving.settings import Settings

# Frames of a predictor that reads any number of them, as everywhere else.
_CONTEXT = 5


class NoDirectionError(UserError):
    """The model answered with something that has no direction."""


@dataclass(frozen=True)
class Model:
    """A loaded model and its verdict.

    Attributes:
        named: whom contexts are given to.
        standing: its verdict.
        context: C that it reads.
        dim: D that it reads.
    """

    named: NamedPredictor
    standing: Standing
    context: int
    dim: int

    @property
    def served(self) -> Served:
        """What every answer says of it."""
        standing, identity = self.standing, self.named.identity
        warning = None
        if not standing.released:
            reason = standing.reasons[0] if standing.reasons else "no reason recorded"
            warning = f"this model is not released ({standing.verdict}: {reason}); it is served by --allow-blocked"
        return Served.model_validate(
            {
                "name": Path(identity.name).name if identity.sha256 else identity.name,
                "sha256": identity.sha256,
                "released": standing.released,
                "verdict": standing.verdict,
                "warning": warning,
            }
        )

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """(B, D) unit predictions; NaN where the model gave no direction."""
        return ask(self.named, contexts, np.zeros(len(contexts), dtype=np.int64), max(1, len(contexts)))


def load_model(settings: Settings, corpus: Corpus) -> Model:
    """Load the model of a server, look up its verdict, and ask it once.

    Args:
        settings: of the server.
        corpus: whose embeddings it must read.

    Raises:
        UserError: it cannot be loaded, is not released, or does not fit the corpus.
    """
    if is_control(settings.model):
        raise UserError(f"{settings.model}: controls are there to prove the gates; serve a model.")
    named = load_named(settings.model, device=settings.device)
    reports = settings.reports or reports_near(settings.model, Path.cwd())
    standing = standing_of(named.identity, reports)
    if not settings.allow_blocked:
        require_released(settings.model, standing, reports)
    dim = corpus.dim
    if named.dim not in (None, dim):
        raise UserError(
            f"{settings.model}: reads embeddings of {named.dim} dimensions and {corpus.path} has {dim}; name the "
            "corpus of its encoder with --corpus."
        )
    model = Model(named, standing, named.context or _CONTEXT, dim)
    # The first answer of a network takes longer than any other; and a model that cannot answer must not be ready.
    trial = np.eye(dim, dtype=np.float32)[np.arange(model.context) % dim][None]
    if not np.isfinite(model.predict(trial)).all():
        raise UserError(f"{settings.model}: answers a context of unit vectors with no direction; gate it first.")
    return model


@dataclass(frozen=True)
class Serving:
    """A model and the thread that asks it.

    Attributes:
        model: who answers.
        batcher: puts requests together.
    """

    model: Model
    batcher: Batcher

    async def ask(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """(B, D) unit predictions.

        Raises:
            NoDirectionError: one of them has none.
        """
        found = await self.batcher.ask(contexts)
        if not np.isfinite(found).all():
            raise NoDirectionError(f"{self.model.served.name}: answered with something that has no direction.")
        return found


@dataclass
class Stopwatch:
    """Seconds that a request spends waiting for one thing."""

    seconds: float = 0.0

    def __enter__(self) -> "Stopwatch":
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
