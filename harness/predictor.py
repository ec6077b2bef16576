"""What a predictor is, and how one is asked.

Anything with ``predict(contexts: float32 (B, C, D)) -> (B, D)`` can be gated. A control that must know the truth to
exist at all (the oracle, the skip) is *clairvoyant*: it is told which row follows, and checks for itself that the
context it sees is the run of chunks before that row, so a mistake in the engine's indices shows as a wrong answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from harness.errors import UserError
from harness.isolation.worker import told
from harness.leaks.record import TrainingRecord

# Largest change of one coordinate between batches of 64 and 1, measured on the four published architectures: 9e-8. An
# active dropout moves it by 5e-3 (LSTM) to 4e-2 (transformer).
BATCH_TOLERANCE = 1e-4
BATCH_PROBE = 16


@runtime_checkable
class Predictor(Protocol):
    """Reads the last C chunk embeddings, returns the next."""

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """Predict the next embedding of each context; row i may depend on context i only."""
        ...


@runtime_checkable
class Clairvoyant(Protocol):
    """A control that is told where each context claims to come from."""

    def predict_knowing(
        self, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, "b d"]:
        """Predict for contexts said to end right before corpus row ``rows``."""
        ...


@dataclass(frozen=True)
class Identity:
    """What the scorecard says of who was judged.

    Attributes:
        name: as given on the command line.
        sha256: of the checkpoint file, None where there is no file.
        provenance: what the checkpoint records of its training (recipe, corpus), plain values.
    """

    name: str
    sha256: str | None = None
    provenance: dict[str, Any] | None = None


@dataclass(frozen=True)
class Subject:
    """A predictor that can be asked.

    Attributes:
        identity: who it is.
        predictor: what is asked.
        context: C the predictor was trained for, None if any.
        dim: D the predictor reads, None if any.
        trained_on: what it says it was trained on (`harness.leaks.record`), None where it says nothing.
    """

    identity: Identity
    predictor: Predictor | Clairvoyant
    context: int | None = None
    dim: int | None = None
    trained_on: TrainingRecord | None = None

    @property
    def name(self) -> str:
        """As given on the command line."""
        return self.identity.name


def ask(
    subject: Subject,
    contexts: Float[np.ndarray, "b c d"],
    rows: Int[np.ndarray, " b"],
    batch_size: int,
) -> Float[np.ndarray, "b d"]:
    """Predictions as unit vectors in float64; a prediction without a direction (zero, non-finite) is all NaN.

    Raises:
        UserError: the predictor returned something that is not (B, D) numbers.
    """
    parts = [_ask_once(subject, contexts[part], rows[part]) for part in slices(len(contexts), batch_size)]
    return np.concatenate(parts) if parts else np.empty((0, contexts.shape[2]))


def _ask_once(
    subject: Subject, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]
) -> Float[np.ndarray, "b d"]:
    contexts = contexts.copy()  # a predictor that works in place must not spoil what it is asked next
    try:
        if isinstance(subject.predictor, Clairvoyant):
            answer = subject.predictor.predict_knowing(contexts, rows)
        else:
            answer = subject.predictor.predict(contexts)
        predictions = np.asarray(answer)
    except UserError:
        raise
    except Exception as error:  # whatever a user's predictor raises is told in one sentence, not as our traceback
        raise UserError(f"{subject.name}: predict() raised {told(error)}.") from error
    check_answer(subject.name, predictions.shape, str(predictions.dtype), predictions.dtype.kind, contexts.shape)
    return unit(predictions)


def check_answer(name: str, shape: tuple[int, ...], dtype: str, kind: str, asked: tuple[int, ...]) -> None:
    """Whether what ``predict`` returned is (B, D) numbers.

    Args:
        name: of the model.
        shape: of the answer.
        dtype: of the answer, in words.
        kind: numpy's letter for that dtype's kind.
        asked: shape of the contexts.

    Raises:
        UserError: it is not.
    """
    expected = (asked[0], asked[2])
    if shape != expected or kind not in "fiu":
        raise UserError(
            f"{name}: predict() returned {dtype} of shape {shape} for contexts of shape {asked}; it must return floats "
            f"of shape {expected}."
        )


def unit(vectors: Float[np.ndarray, "*b d"]) -> Float[np.ndarray, "*b d"]:
    """Scale to unit norm in float64; rows without a direction become NaN throughout."""
    wide = vectors.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = np.asarray(wide / np.linalg.norm(wide, axis=-1, keepdims=True))
    scaled[~np.isfinite(scaled).all(axis=-1)] = np.nan
    return scaled


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into consecutive slices of at most ``size``."""
    for begin in range(0, n, size):
        yield slice(begin, min(begin + size, n))


def check_batch_invariance(subject: Subject, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]) -> None:
    """Ask for a few contexts together, then one at a time, and compare.

    Raises:
        UserError: a prediction depends on its neighbours in the batch, or on chance.
    """
    contexts, rows = contexts[:BATCH_PROBE], rows[:BATCH_PROBE]
    together = ask(subject, contexts, rows, batch_size=len(contexts))
    alone = ask(subject, contexts, rows, batch_size=1)
    apart = np.abs(together - alone)
    # NaN on both sides agrees; NaN on one side only does not.
    differs = np.isnan(together) != np.isnan(alone)
    worst = float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0
    if differs.any() or worst > BATCH_TOLERANCE:
        raise UserError(
            f"{subject.name}: predictions change with the batch size (by {worst:.2g} in one coordinate between batches "
            f"of {len(contexts)} and 1, where {BATCH_TOLERANCE:g} is rounding); put the network in eval mode and "
            "remove batch statistics and unseeded randomness."
        )
