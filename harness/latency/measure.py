"""A candidate, and the accepted model beside it, loaded and timed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.resolve_model import check_spec, is_control, is_python, load_named
from lvm_gates.harness.latency.records import Latency, Times, rounded
from lvm_gates.harness.latency.turns import ROUNDS, Call, Reference, Turns, calls_a_round, one_thread, undisturbed
from lvm_gates.harness.predictors.predictor import NamedPredictor, Predictor, answers

BATCHES = (1, 64)
SECONDS = 6.0
_CONTEXT = 5


@dataclass(frozen=True)
class Asked:
    """What models are asked for.

    Attributes:
        context: C; None for that of the models, else 5.
        dim: D; None for that of the models.
        device: for checkpoints.
        root: folder that paths start from.
        seconds: that a batch size should take on an idle machine.
    """

    context: int | None = None
    dim: int | None = None
    device: str = "cpu"
    root: Path | None = None
    seconds: float = SECONDS


class Bench:
    """The models of one measurement, ready to be asked.

    Args:
        candidate: as for ``--model``.
        accepted: the same, or None.
        asked: what they are asked for.

    Raises:
        UserError: one cannot be loaded, they read contexts of different shapes, or nobody says how wide they are.
    """

    def __init__(self, candidate: str, accepted: str | None, asked: Asked) -> None:
        specs = [*([accepted] if accepted else []), candidate]
        self._asked = asked
        self.models = [_load(spec, asked) for spec in specs]
        self.context = _agreed("context", "frames", asked.context, {m.name: m.context for m in self.models}, _CONTEXT)
        self.dim = _agreed("dim", "dimensions", asked.dim, {m.name: m.dim for m in self.models}, None)

    def measure(self, batch: int) -> Latency:
        """Both models in turns.

        Raises:
            UserError: one of them does not answer.
        """
        return self.measure_by(batch, lambda turns, _, count: turns.take(count))

    def measure_by(self, batch: int, take: Callable[[Turns, Call, int], Any]) -> Latency:
        """The same, with somebody else to time the candidate.

        Args:
            batch: B.
            take: takes so many turns, given the candidate's call; the times of that are to stand in
                ``turns.seconds[-1]``.
        """
        contexts = contexts_of(batch, self.context, self.dim)
        with one_thread():
            calls = [_call(model, contexts) for model in self.models]
            reference = Reference(contexts, calls[-1])
            each = calls_a_round([*calls, *[reference] * len(calls)], self._asked.seconds)
            turns = Turns(reference, reference.times, calls)
            with undisturbed():
                take(turns, calls[-1], ROUNDS * each)
                turns.finish()
        times = [
            Times(
                model.name,
                model.identity.sha256,
                rounded(np.reshape(turns.seconds[i], (ROUNDS, each))),
                rounded(np.reshape(turns.products[i], (ROUNDS, each))),
                dict(model.identity.files),
            )
            for i, model in enumerate(self.models)
        ]
        return Latency(
            batch=batch,
            context=self.context,
            dim=self.dim,
            device=self._asked.device,
            candidate=times[-1],
            accepted=times[0] if len(times) == 2 else None,
        )


def contexts_of(batch: int, context: int, dim: int) -> Float[np.ndarray, "b c d"]:
    """Random unit vectors: no time depends on what they say."""
    drawn = np.random.default_rng(0).standard_normal((batch * context, dim))
    return unit(drawn).reshape(batch, context, dim).astype(np.float32)


def _load(spec: str, asked: Asked) -> NamedPredictor:
    spec = check_spec(spec)
    root = asked.root or Path.cwd()
    if is_control(spec):
        raise UserError(
            f"{spec}: a control has no latency to guard; name a model file or python:package.module:factory."
        )
    if not is_python(spec) and not is_file(root / spec):
        raise UserError(f"{spec}: no such file; name a model file or python:package.module:factory.")
    return load_named(spec, device=asked.device, root=root)


def _agreed(name: str, what: str, given: int | None, known: Mapping[str, int | None], otherwise: int | None) -> int:
    """C or D that all models can be asked for."""
    said = {model: size for model, size in known.items() if size is not None}
    if len(set(said.values())) > 1:
        (one, first), (two, second) = said.items()
        raise UserError(
            f"{two}: reads contexts of {second} {what}, and {one} of {first}; only models that answer the same "
            "question can be timed beside each other."
        )
    size = given or next(iter(said.values()), otherwise)
    if size is None:
        raise UserError(f"{next(iter(known))}: does not say how wide its embeddings are; name their width with --dim.")
    return size


def _call(model: NamedPredictor, contexts: Float[np.ndarray, "b c d"]) -> Call:
    predictor = model.predictor
    assert isinstance(predictor, Predictor)  # noqa: S101 - only controls are oracles
    try:
        answers(model, contexts, np.zeros(len(contexts), dtype=np.int64), len(contexts))
    except UserError as error:
        shape = ", ".join(map(str, contexts.shape))
        raise UserError(
            f"{model.name}: cannot be asked for contexts of shape ({shape}); name another width or length with --dim "
            f"or --context ({brief(error)})."
        ) from error
    return lambda: predictor.predict(contexts)


def measure(candidate: str, accepted: str | None, asked: Asked, batches: Sequence[int] = BATCHES) -> list[Latency]:
    """See `Bench`."""
    bench = Bench(candidate, accepted, asked)
    return [bench.measure(batch) for batch in batches]
