"""From options to a `GateRun`, with everything that can be wrong found before the first gate."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.base.processes import ranks
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.evaluation.draw_order import UNITS
from lvm_gates.harness.evaluation.faiss_bank import FAISS
from lvm_gates.harness.evaluation.named_bank import ALL
from lvm_gates.harness.evaluation.resolve_model import check_spec, identified, is_control, is_python, load_named
from lvm_gates.harness.evaluation.session_data import CorpusArguments, Inputs, resolve
from lvm_gates.harness.judging.additions import Additions, load_additions
from lvm_gates.harness.judging.early import SequentialRun
from lvm_gates.harness.judging.profile import Profile, load_profile
from lvm_gates.harness.judging.release import check_rule
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.predictors.isolation.predictor import START_SECONDS, IsolatedPredictor, Isolation, close_isolated
from lvm_gates.harness.predictors.predictor import BATCH_PROBE, Identity, NamedPredictor, check_batch_invariance
from lvm_gates.harness.worlds.world import default_corpus

TASKS = ("frontier", "retrieval", "decoding")
_AT_LEAST = {
    "max_samples": 1,
    "context": 1,
    "batch_size": 1,
    # The first step of a rollout is the prediction itself: gate A judges it, and gate D would ask it for less.
    "horizon": 2,
}
_DEFAULT_CONTEXT = 5


def open_run(options: Mapping[str, Any], folder: Path, root: Path, *, probe: bool = True) -> GateRun:
    """Resolve the options into a run that keeps its files in ``folder``.

    Args:
        options: by name, as `gates.options` declares them.
        folder: shared by all processes of the session.
        root: folder that relative paths start from.
        probe: ask each model for a few windows first. One that fails is given up for all processes of the session,
            which goes on if there is another.

    Raises:
        UserError: anything wrong with the options, the data or every model, in one sentence each.
    """
    for name, least in _AT_LEAST.items():
        if options[name] is not None and options[name] < least:
            raise UserError(f"--{name.replace('_', '-')}={options[name]}: give a number of at least {least}.")
    if options["task"] not in TASKS:
        raise UserError(f"--task={options['task']}: no such task; {did_you_mean(options['task'], TASKS)}.")
    if options["seed"] < 0:
        raise UserError(f"--seed={options['seed']}: give a seed of at least 0.")
    additions = load_additions(options["gate"] or (), options["control"] or (), options["audit"] or (), root)
    models = [check_spec(spec, additions.controls) for spec in options["model"]]
    repeated = {m for m in models if models.count(m) > 1}
    if repeated:
        raise UserError(f"--model={min(repeated)} is given twice; name each model once.")
    profile = _profile(options["profile"], additions)
    _check_sequential(options, profile)
    settings = Settings(
        models=tuple(models),
        profile=profile,
        task=options["task"],
        rule=check_rule(options["require"], profile),
        seed=options["seed"],
        batch_size=options["batch_size"],
        additions=additions,
    )
    isolation = _isolation(options, models)
    device = options["device"] if ranks().alone else str(ranks().device(options["device"]))
    predictors = [_load(m, device, root, isolation) for m in models if not is_control(m)]
    try:
        for named in predictors if probe else []:
            if isinstance(named.predictor, IsolatedPredictor):
                named.predictor.start()  # it imports while the data are read
        inputs = _inputs(options, settings, predictors, root, device)
        if options["sequential"]:
            run: GateRun = SequentialRun(settings, inputs, predictors, folder, options["sequential_unit"] or UNITS[0])
        else:
            run = GateRun(settings, inputs, predictors, folder)
        if probe:
            _probe(run, predictors)
            run.loaded.update((named.name, identified(named, root)) for named in predictors)
    except BaseException:
        close_isolated(named.predictor for named in predictors)
        raise
    return run


def _profile(name: str, additions: Additions) -> Profile:
    """The session's profile, with the gates that were added."""
    profile = load_profile(name)
    if additions.gates and profile.protocol == "published":
        raise UserError(f"--profile={name}: reproduces old tables and takes no other gates; leave out --gate.")
    return profile.with_thresholds(row for gate in additions.gates for row in gate.thresholds)


def _check_sequential(options: Mapping[str, Any], profile: Profile) -> None:
    unit = options["sequential_unit"]
    if unit is not None and unit not in UNITS:
        raise UserError(f"--sequential-unit={unit}: no such unit; {did_you_mean(unit, UNITS)}.")
    if options["sequential"] and profile.protocol == "published":
        raise UserError(
            f"--profile={profile.name}: reproduces old tables on all of their windows; leave out --sequential."
        )


def _isolation(options: Mapping[str, Any], models: Sequence[str]) -> Isolation | None:
    """Where ``python:`` models run; None for this process."""
    seconds = options["batch_timeout"]
    if not (math.isfinite(seconds) and seconds > 0):
        raise UserError(f"--batch-timeout={seconds:g}: give the seconds that a batch may take, more than 0.")
    if options["python"] is not None and not any(map(is_python, models)):
        raise UserError(f"--python={options['python']}: no --model=python:... is there to run under it.")
    if not options["in_process"]:
        return Isolation(options["python"], seconds, max(seconds, START_SECONDS))
    if options["python"] is not None:
        raise UserError("--python and --in-process contradict each other; give one of them.")
    return None


class _Refusing(NamedTuple):
    """In place of a predictor that could not be made: says why to whoever asks, as one of another process does."""

    sentence: str

    def predict(self, contexts: np.ndarray) -> np.ndarray:
        raise UserError(self.sentence)


def _load(model: str, device: str, root: Path, isolation: Isolation | None) -> NamedPredictor:
    """A model; where code of a user's runs in this process and fails, that costs the model and not the session."""
    try:
        return load_named(model, device=device, root=root, isolation=isolation)
    except UserError as error:
        if not is_python(model):
            raise
        return NamedPredictor(Identity(model), _Refusing(str(error)))


def _probe(run: GateRun, predictors: Sequence[NamedPredictor]) -> None:
    """Ask each model for a few windows, so that a wrong shape shows at once and not after an hour.

    Raises:
        UserError: there is no other model for which the session would be worth going on.
    """
    windows = run.inputs.evaluation["VAL"].windows.take(slice(0, BATCH_PROBE))
    broken = {}
    for named in predictors:
        try:
            check_batch_invariance(named, windows.contexts(), windows.targets, run.settings.batch_size)
        except UserError as error:
            broken[named.name] = str(error)
    if broken and len(broken) == len(run.settings.models):
        raise UserError(*broken.values())
    for name, sentence in broken.items():
        run.observing.give_up(name, sentence)


def _inputs(
    options: Mapping[str, Any], settings: Settings, predictors: list[NamedPredictor], root: Path, device: str
) -> Inputs:
    def path(name: str) -> Path | None:
        value = options[name]
        return None if value is None else root / value

    arguments = CorpusArguments(
        corpus=path("corpus"),
        articles_npz=path("articles_npz"),
        val_articles=options["val_articles"],
        ood_articles=options["ood_articles"],
        val_npz=path("val_npz"),
        ood_npz=path("ood_npz"),
        train_corpus=tuple(root / value for value in options["train_corpus"] or ()),
        bank=_bank(options["bank"], root),
    )
    contexts = [s.context for s in predictors if s.context is not None]
    return resolve(
        arguments,
        context=options["context"] or (contexts[0] if contexts else _DEFAULT_CONTEXT),
        max_samples=options["max_samples"],
        horizon=options["horizon"],
        seed=settings.seed,
        first_in_file=settings.profile.protocol == "published",
        fallback=_fallback(arguments, predictors),
        device=device,
    )


def _bank(value: str | None, root: Path) -> str | None:
    """What ``--bank`` names; a path starts from ``root``."""
    if value is None or value == ALL or value.isdigit():
        return value
    prefix = FAISS if value.startswith(FAISS) else ""
    return prefix + str(root / value.removeprefix(prefix))


def _fallback(arguments: CorpusArguments, predictors: list[NamedPredictor]) -> Corpus | None:
    """The corpus a checkpoint records, if it is still there and unchanged; else the embedded default."""
    if arguments.corpus is not None or arguments.articles_npz is not None:
        return None
    for named in predictors:
        recorded = (named.identity.provenance or {}).get("corpus") or {}
        folder = Path(str(recorded.get("path", "")))
        if recorded.get("path") and is_file(folder / "corpus.json"):
            corpus = open_any(folder)
            if corpus.fingerprint == recorded.get("fingerprint"):
                return corpus
    return default_corpus()
