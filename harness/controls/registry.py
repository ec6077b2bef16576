"""Controls by name.

Each is built for one split, because two of them are fitted, and what they may be fitted on depends on the split.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.degenerate import NoisyConstant, NotANumber, RandomUnit
from lvm_gates.harness.controls.linear import Linear, LinearFit, cached_linear
from lvm_gates.harness.controls.oracle import Oracle
from lvm_gates.harness.controls.simple import Backward, Constant, Ewma
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows
from lvm_gates.harness.predictors.predictor import OraclePredictor, Predictor

# Climatology is a mean of unit vectors: that of 20,000 has cosine .9998 to that of all 54,803 (Brown corpus).
_CLIMATOLOGY_SAMPLE = 20_000
EWMA_PREFIX = "ewma-"
# Decays that are listed by name, though any in [0, 1] will do; the ends are persistence and context-mean.
EWMA_GRID: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# `control:ewma` without a decay: the one of best cosine on Wikipedia sentence embeddings
# (docs/specification.md, "Cosine against rank").
EWMA_DEFAULT = 0.8


@dataclass(frozen=True)
class Ingredients:
    """What controls are made of, for one split.

    Attributes:
        corpus: the corpus the split is in.
        training: windows that fitted controls may learn from; no article of the split is among them.
        seed: of the session.
    """

    corpus: Corpus
    training: Sequence[Windows]
    seed: int

    @cached_property
    def linear_fit(self) -> LinearFit:
        return cached_linear(self.training, self.seed)

    @property
    def linear(self) -> Linear:
        return self.linear_fit.model

    @cached_property
    def climatology(self) -> Constant:
        share = _CLIMATOLOGY_SAMPLE // len(self.training)
        sums = [
            batch.target_vectors().sum(axis=0, dtype=np.float64)
            for part in self.training
            for batch in sample_windows(part, share, self.seed).batches(1024)
        ]
        return Constant(unit(np.sum(sums, axis=0)).astype(np.float32))

    @cached_property
    def constant(self) -> Constant:
        direction = rng_of(self.seed, Stream.CONSTANT).standard_normal(self.corpus.dim)
        return Constant(unit(direction).astype(np.float32))


@dataclass(frozen=True)
class Control:
    """A control from outside.

    Attributes:
        name: after ``control:``.
        build: makes it, for one split.
        passes: gates that it must pass on any corpus, or no model gets a verdict.
        fails: gates that it must fail; the same.
    """

    name: str
    build: Callable[[Ingredients], Predictor | OraclePredictor]
    passes: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()


def check_control(control: object, source: str) -> Control:
    """A control from outside, if it says what it is for.

    Args:
        control: what was found.
        source: where, for messages.

    Raises:
        UserError: no `Control`, one of a name that is taken, or one of which nothing is expected.
    """
    if not isinstance(control, Control):
        raise UserError(f"{source}: is {type(control).__name__}, not a Control of lvm_gates.harness.controls.")
    if control.name in (*CONTROL_NAMES, *_ALIASES) or _ANY_EWMA.fullmatch(control.name):
        raise UserError(f"{source}: control:{control.name} is there already; give it another name.")
    if not control.passes and not control.fails:
        raise UserError(
            f"{source}: control:{control.name} does not say which gates it must pass or fail; name at least one in "
            "passes or fails, since a control of which nothing is expected proves nothing."
        )
    return control


def _bayes(ingredients: Ingredients) -> Predictor:
    from lvm_gates.harness.worlds.optimum import bayes_predictor

    return bayes_predictor(ingredients.corpus)


_BUILDERS: dict[str, Callable[[Ingredients], Predictor | OraclePredictor]] = {
    "oracle": lambda i: Oracle(i.corpus),
    "skip": lambda i: Oracle(i.corpus, ahead=2),
    "persistence": lambda i: Ewma(0.0),
    "context-mean": lambda i: Ewma(1.0),
    "ewma": lambda i: Ewma(EWMA_DEFAULT),
    "climatology": lambda i: i.climatology,
    "linear": lambda i: i.linear,
    "backward": lambda i: Backward(),
    "random": lambda i: RandomUnit(i.seed),
    "constant": lambda i: i.constant,
    "noisy-constant": lambda i: NoisyConstant(i.constant, i.seed),
    "nan": lambda i: NotANumber(),
    "bayes": _bayes,
}
# Other names under which people look for the same thing; underscores and capitals do not matter either.
_ALIASES = {
    "ridge": "linear",
    "copy-last": "persistence",
    "mean": "context-mean",
    "random-unit": "random",
    "noisy": "noisy-constant",
    "constant-noise": "noisy-constant",
    "kalman": "bayes",
}
_ANY_EWMA = re.compile(r"ewma[-:=]?(0?\.\d+|[01](?:\.0)?)")

CONTROL_NAMES: tuple[str, ...] = (*_BUILDERS, *(f"{EWMA_PREFIX}{g:g}" for g in EWMA_GRID))

# Run with every session that gates a model. `bayes` joins on synthetic corpora, where it exists.
STANDARD_CONTROLS: tuple[str, ...] = (
    "oracle",
    "persistence",
    "context-mean",
    "ewma",
    "climatology",
    "linear",
    "backward",
    "skip",
    "random",
    "constant",
    "noisy-constant",
    "nan",
)


def control_name(name: str) -> str:
    """The one spelling of a control's name; ``ewma-0.35`` is an EWMA of that decay.

    Raises:
        UserError: no such control, with the nearest names.
    """
    wanted = name.strip().lower().replace("_", "-")
    wanted = _ALIASES.get(wanted, wanted)
    if wanted in CONTROL_NAMES:
        return wanted
    if ewma := _ANY_EWMA.fullmatch(wanted):
        return f"{EWMA_PREFIX}{float(ewma[1]):g}"
    raise UserError(f"control:{name}: no such control; {did_you_mean(name, CONTROL_NAMES)}.")


def build_control(name: str, ingredients: Ingredients) -> Predictor | OraclePredictor:
    """Make the control of that name for one split."""
    name = control_name(name)
    if name.startswith(EWMA_PREFIX):
        return Ewma(float(name.removeprefix(EWMA_PREFIX)))
    return _BUILDERS[name](ingredients)
