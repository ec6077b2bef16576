"""What a predictor is, and how one is asked.

Anything with ``predict(contexts: float32 (B, C, D)) -> (B, D)`` can be gated. A control that must know the truth to
exist at all (the oracle, the skip) is an *oracle*: it is told which row follows, and checks for itself that the
context it sees is the run of chunks before that row, so a mistake in the engine's indices shows as a wrong answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt

from lvm_gates.harness.base.device import ranks_there
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.leaks.record import TrainingRecord
from lvm_gates.harness.predictors.isolation.factory import as_array, told
from lvm_gates.harness.predictors.training_history import Training
from lvm_gates.harness.predictors.width import broke

if TYPE_CHECKING:
    import torch

# Largest distance between two answers to one context, as unit vectors. Float32 moves them by up to 8.5e-7: measured on
# the four original architectures at 64, 384 and 768 dimensions, batches of 256, 64, 16, 7 and 1, two seeds each
# (transformer 6.4e-7, LSTM 1.9e-7, GRU 4.9e-7, AMN 8.5e-7). BFloat16 moves them by up to 8e-3, an active dropout by
# 5e-3 and more in one coordinate alone. No cosine changes by more than this, a hundredth of the finest limit.
BATCH_TOLERANCE = 1e-4
BATCH_PROBE = 256
PROBED_AGAIN, PROBED_ALONE = 64, 16


@runtime_checkable
class Predictor(Protocol):
    """Reads the last C chunk embeddings, returns the next."""

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """Predict the next embedding of each context; row i may depend on context i only."""
        ...


@runtime_checkable
class OraclePredictor(Protocol):
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
        assumed: what the file does not say and was taken to be so, in words.
        files: SHA-256 of every file that is known to have a part in it, by name, where that is not one checkpoint.
        training: the run that it is of, where its history lies beside it.
    """

    name: str
    sha256: str | None = None
    provenance: dict[str, Any] | None = None
    assumed: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    training: Training | None = None


@dataclass(frozen=True)
class NamedPredictor:
    """A predictor under its name, with what is known of it.

    Attributes:
        identity: who it is.
        predictor: what is asked.
        context: C the predictor was trained for, None if any.
        dim: D the predictor reads, None if any.
        trained_on: what it says it was trained on (`harness.leaks.record`), None where it says nothing.
        only_reads: whether it is known to leave the contexts that it is given as they are; all others get a copy.
    """

    identity: Identity
    predictor: Predictor | OraclePredictor
    context: int | None = None
    dim: int | None = None
    trained_on: TrainingRecord | None = None
    only_reads: bool = False

    @property
    def name(self) -> str:
        """As given on the command line."""
        return self.identity.name


def accelerator_of(predictors: Sequence[NamedPredictor]) -> "torch.device | None":
    """The accelerator on which all of some predictors answer tensors (`harness.predictors.tensors`) that can be ranked
    there; None where there is no such one.
    """
    devices = {
        getattr(n.predictor, "device", None) if hasattr(n.predictor, "predict_tensor") else None for n in predictors
    }
    device = devices.pop() if len(devices) == 1 else None
    return device if device is not None and ranks_there(device.type) else None


def ask(
    named: NamedPredictor,
    contexts: Float[np.ndarray, "b c d"],
    rows: Int[np.ndarray, " b"],
    batch_size: int,
) -> Float[np.ndarray, "b d"]:
    """Predictions as unit vectors in float64; a prediction without a direction (zero, non-finite) is all NaN.

    Raises:
        UserError: the predictor returned something that is not (B, D) numbers.
    """
    return unit(answers(named, contexts, rows, batch_size))


def answers(
    named: NamedPredictor,
    contexts: Float[np.ndarray, "b c d"],
    rows: Int[np.ndarray, " b"],
    batch_size: int,
) -> Float[np.ndarray, "b d"] | Int[np.ndarray, "b d"] | UInt[np.ndarray, "b d"]:
    """Predictions as they come.

    The one place where a session cuts contexts into batches: neither who asks nor who answers does.

    Raises:
        UserError: the predictor returned something that is not (B, D) numbers.
    """
    parts = [_ask_once(named, contexts[part], rows[part]) for part in slices(len(contexts), batch_size)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty((0, contexts.shape[2]))


@dataclass(frozen=True)
class InBatches:
    """A predictor for use without a session: asked for any number of contexts, it reads some at a time.

    Attributes:
        predictor: what is asked.
        batch_size: contexts it reads at once; predictions do not depend on it beyond rounding.
    """

    predictor: Predictor
    batch_size: int

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """See `Predictor.predict`."""
        # An empty batch is asked for as well, so that a wrong shape is still reported.
        parts = list(slices(len(contexts), self.batch_size)) or [slice(0, 0)]
        return np.concatenate([self.predictor.predict(contexts[part]) for part in parts])


def _ask_once(named: NamedPredictor, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]) -> np.ndarray:
    if not named.only_reads:
        contexts = contexts.copy()  # a predictor that works in place must not spoil what it is asked next
    try:
        if hasattr(named.predictor, "predict_knowing"):  # as `isinstance` asks, a hundred times as fast
            answer = named.predictor.predict_knowing(contexts, rows)
        else:
            answer = named.predictor.predict(contexts)
        predictions: np.ndarray = as_array(answer)
    except UserError:
        raise
    except Exception as error:  # whatever a user's predictor raises is reported in one sentence, not as our traceback
        raise UserError(broke(named.name, told(error), contexts.shape)) from error
    check_answer(named.name, predictions.shape, str(predictions.dtype), predictions.dtype.kind, contexts.shape)
    return predictions


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
    if shape == expected and kind in "fiu":
        return
    said = (
        f"predict() returned {dtype} of shape {shape} for contexts of shape {asked}; it must return floats of shape "
        f"{expected}"
    )
    if len(shape) == 2 and shape[0] == asked[0] and shape[1] != asked[2] and kind in "fiu":
        said = (
            f"predicts embeddings of {shape[1]} dimensions, but the corpus has {asked[2]}; name one of its own encoder "
            f"with --corpus ({said})"
        )
    raise UserError(f"{name}: {said}.")


def check_batch_invariance(
    named: NamedPredictor,
    contexts: Float[np.ndarray, "b c d"],
    rows: Int[np.ndarray, " b"],
    batch_size: int,
    said: Float[np.ndarray, "b d"] | None = None,
) -> None:
    """Ask for the same contexts again in other company, and compare.

    They are asked for in another order, in batches of other sizes than the session's, and a few of them alone. Chance
    shows in either.

    Args:
        named: who is asked.
        contexts: (B, C, D) of windows as the session has them, at most `BATCH_PROBE` of them where memory counts.
        rows: (B,) corpus rows of their targets.
        batch_size: contexts that the session gives at once.
        said: (B, D) what the session was answered, from `ask`; asked for here by default, in its batches.

    Raises:
        UserError: a prediction depends on its neighbours in the batch, on their order, or on chance.
    """
    n = len(contexts)
    if said is None:
        said = ask(named, contexts, rows, batch_size)
    order = np.random.default_rng(n).permutation(n)
    # All at once where the session asks for less, so that the verdict does not hang on --batch-size; else two batches.
    other = n if batch_size < n else max(1, n - n // 3)
    again = ask(named, contexts[order], rows[order], other)
    _require_same(named, said[order], again, f"asked in another order, {other} at once")
    few = order[:PROBED_ALONE]
    _require_same(named, said[few], ask(named, contexts[few], rows[few], 1), "asked one at a time")


def _require_same(
    named: NamedPredictor, said: Float[np.ndarray, "b d"], again: Float[np.ndarray, "b d"], how: str
) -> None:
    # NaN on both sides agrees; NaN on one side only does not.
    differs = (np.isnan(said) != np.isnan(again)).any()
    apart = np.linalg.norm(said - again, axis=1)
    worst = float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0
    if differs or worst > BATCH_TOLERANCE:
        raise UserError(
            f"{named.name}: predictions change with the batch size, with their order or by themselves (by "
            f"{'NaN' if differs else f'{worst:.2g}'} when {how}, where {BATCH_TOLERANCE:g} is rounding); put the "
            "network in eval mode and remove batch statistics and unseeded randomness."
        )
