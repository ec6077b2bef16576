"""A gate run that judges a growing part of the sample and stops when the verdict of every model is known.

Articles or windows are drawn in a random order that depends on the seed alone. After each share of `SHARES` every
model has been asked for the windows drawn so far, each once, and what the whole sample would say is decided or not
(`harness.judging.early_verdict`). The part at which all is decided becomes the evaluation set of the session: controls,
rivals and statistics are those of these windows. Audits and leaks are those of the whole sample: they cost no
prediction, and what they refuse is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.collapse import groups_of, ranks_without, spread
from lvm_gates.harness.evaluation.contamination import judge_training_data
from lvm_gates.harness.evaluation.draw_order import SHARES, DrawOrder, Unit, draw_orders
from lvm_gates.harness.evaluation.faults import load_fault, save_fault
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.evaluation.resolve_model import is_control
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.evaluation.window_facts import WindowFacts, window_facts
from lvm_gates.harness.judging.early_checks import Seen
from lvm_gates.harness.judging.early_verdict import LEVEL, EarlyVerdict, SeenPart, Sequential, early_verdict
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.judging.shared_work import OnProgress, Piece, do, do_all, save_array
from lvm_gates.harness.judging.verdict import Card, make_card
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor

# What is measured on all predictions together, and so again on those of a part.
_TOGETHER = ("spread", "target_spread", "rank_without")


class SequentialRun(GateRun):
    """A run whose inputs are, once it has settled, the windows that were needed.

    Args:
        settings: how to judge.
        inputs: the whole sample.
        predictors: as for `GateRun`.
        folder: shared by all processes of the session.
        by: what is drawn, articles or windows.
    """

    def __init__(
        self, settings: Settings, inputs: Inputs, predictors: Sequence[NamedPredictor], folder: Path, by: Unit
    ) -> None:
        super().__init__(settings, inputs, predictors, folder)
        self.by = by
        self.whole = GateRun(settings, inputs, predictors, folder)
        self.sequential: Sequential | None = None

    def prepare(self, on_progress: OnProgress | None = None) -> None:
        """See `GateRun.prepare`; the models first, until their verdicts are known."""
        self.settle(on_progress)
        super().prepare(on_progress)

    def settle(self, on_progress: OnProgress | None = None) -> None:
        """Ask the models until their verdicts are known, or learn from other processes where that was."""
        if self.sequential is not None:
            return
        for look in range(len(SHARES)):
            pieces = [self._asked(name, split, look) for name in self.settings.models for split in JUDGED]
            if look == 0:
                findings = self.whole.findings
                pieces.append(findings.searching)
                pieces += [findings.asking(n, s) for n in self.loaded.values() if n.trained_on for s in JUDGED]
            do_all(pieces, on_progress)
            deciding = self._deciding(look)
            do(deciding)
            found = msgspec.convert(json.loads(deciding.file.read_bytes()), Sequential)
            if look + 1 == len(SHARES) or all(model.outcome != "open" for model in found.models):
                self._restrict(look, found)
                return

    def _restrict(self, look: int, found: Sequential) -> None:
        """Judge what has been seen at a look, and nothing else."""
        names, seen = self.settings.models, {split: self._orders[split].seen(look) for split in JUDGED}
        models = [msgspec.structs.replace(one, model=name) for one, name in zip(found.models, names, strict=True)]
        self.sequential = msgspec.structs.replace(found, models=models)
        leaks = self.whole.leaks
        part = replace(
            self.inputs,
            evaluation={split: self.inputs.evaluation[split].part(seen[split]) for split in JUDGED},
            known_leaks=Leaks({pair: mask[seen[pair[0]]] for pair, mask in leaks.found.items()}, leaks.nulls),
        )
        folder = self.folder / "seen"
        folder.mkdir(exist_ok=True)
        self.judge_on(part, self.whole.ingredients, folder)
        for name, named in self.loaded.items():  # controls are observed again, side by side
            for split in JUDGED:
                kept = self.observing.piece(name, split)
                do(kept._replace(make=partial(self._keep, name, split, look)))
                if named.trained_on:
                    recorded = self.whole.findings.recorded(named, split)[seen[split]]
                    do(self.findings.asking(named, split)._replace(make=partial(save_array, values=recorded)))

    @cached_property
    def _orders(self) -> dict[SplitName, DrawOrder]:
        clusters = {split: self.whole.inputs.evaluation[split].windows.clusters for split in JUDGED}
        return draw_orders(clusters, self.by, self.settings.seed)

    @cached_property
    def _facts(self) -> dict[SplitName, WindowFacts]:
        return {split: window_facts(self.whole.inputs.evaluation[split]) for split in JUDGED}

    def _asked(self, name: str, split: SplitName, look: int) -> Piece:
        """The windows of one look, of one model: its observations there, and its predictions."""
        return Piece(
            f"{name} on {split}, {SHARES[look]:.0%} of the windows",
            self._part(name, split, look),
            lambda file: self._ask(name, split, look, file),
            alone=True,
        )

    def _part(self, name: str, split: SplitName, look: int) -> Path:
        return self.whole.observing.file(f"{look} {name}", split)

    def _ask(self, name: str, split: SplitName, look: int, file: Path) -> None:
        new = self._orders[split].new(look)
        if fault := self._fault(name, split, look):
            save_fault(file, fault)
            return
        if not len(new):
            with atomic_write(file) as stream:
                np.savez(stream, allow_pickle=False)
            return
        predictions: list[np.ndarray] = []
        try:
            observed = observe(
                self.whole.observing.predictor(name, split),
                self.whole.inputs.evaluation[split].part(new),
                batch_size=self.settings.batch_size,
                predictions=predictions,
            )
        except UserError as error:
            save_fault(file, str(error))
            return
        with atomic_write(file) as stream:
            np.savez(stream, allow_pickle=False, **observed.arrays(), predictions=predictions[0])

    def _fault(self, name: str, split: SplitName, look: int) -> str | None:
        """How a model broke, before a look."""
        files = [self.whole.observing.file(name, split), *(self._part(name, split, earlier) for earlier in range(look))]
        return next((fault for file in files if file.is_file() and (fault := load_fault(file))), None)

    def _joined(self, name: str, split: SplitName, look: int) -> Observations:
        """Everything that a model did up to a look, as if it had been asked at once."""
        columns: dict[str, list[np.ndarray]] = {}
        names = [f.name for f in fields(Observations) if f.name not in _TOGETHER]
        for earlier in range(look + 1):
            if len(self._orders[split].new(earlier)):
                with np.load(self._part(name, split, earlier), allow_pickle=False) as stored:
                    for field in (*names, "predictions"):
                        columns.setdefault(field, []).append(stored[field])
        joined = {field: np.concatenate(parts) for field, parts in columns.items()}
        order = np.argsort(joined["rows"], kind="stable")
        predictions = joined.pop("predictions")[order]
        values = {field: column[order] for field, column in joined.items()}
        part = self.whole.inputs.evaluation[split].part(self._orders[split].seen(look))
        return Observations(
            **values,
            spread=spread(predictions),
            target_spread=part.target_spread,
            rank_without=ranks_without(predictions, groups_of(values["clusters"])),
        )

    def _keep(self, name: str, split: SplitName, look: int, file: Path) -> None:
        fault = self._fault(name, split, look + 1)
        if fault:
            save_fault(file, fault)
        else:
            self._joined(name, split, look).save(file)

    def _deciding(self, look: int) -> Piece:
        def make(file: Path) -> None:
            with atomic_write(file) as stream:
                stream.write(json.dumps(jsonable(self._decided(look))).encode())

        return Piece(f"what {SHARES[look]:.0%} of the windows decide", self.folder / f"decided-{look}.json", make)

    def _decided(self, look: int) -> Sequential:
        last = look + 1 == len(SHARES)
        models = [self._verdict(name, look) for name in self.settings.models]
        open_models = [model for model in models if model.outcome == "open"]
        if not open_models:
            reason = models[0].reason if len(models) == 1 else "the verdict of every model is known"
        else:
            reason = open_models[0].reason if not last else "the whole sample was needed"
        return Sequential(
            unit=self.by,
            seed=self.settings.seed,
            level=LEVEL,
            shares=list(SHARES[: look + 1]),
            splits={split: self._size(split, look) for split in JUDGED},
            models=models,
            reason=reason,
        )

    def _size(self, split: SplitName, look: int) -> SeenPart:
        clusters, seen = self.whole.inputs.evaluation[split].windows.clusters, self._orders[split].seen(look)
        return SeenPart(
            windows=len(seen),
            of_windows=len(clusters),
            articles=len(np.unique(clusters[seen])),
            of_articles=len(np.unique(clusters)),
        )

    def _verdict(self, name: str, look: int) -> EarlyVerdict:
        faults = tuple(dict.fromkeys(f for s in JUDGED if (f := self._fault(name, s, look + 1))))
        if faults:
            return EarlyVerdict(outcome="no release", reason=faults[0])
        observed = {split: self._joined(name, split, look) for split in JUDGED}
        for split, values in observed.items():
            if not values.finite.all():
                return EarlyVerdict(outcome="no release", reason=f"a prediction on {split} is not finite")
        settings, identity = self.settings, Identity(name) if is_control(name) else self.loaded[name].identity
        recorded = self._recorded_windows(name)
        left_out = {split: self.whole.left_out[split] | recorded.get(split, False) for split in JUDGED}
        drawn = {split: self._orders[split].seen(look) for split in JUDGED}
        own: Card | None = None
        if settings.profile.name != "skill":
            own = make_card(
                identity,
                {str(split): values for split, values in observed.items()},
                settings.profile,
                settings.rule,
                skill_inputs=None,
                task=settings.task,
                added=settings.additions.gates,
                outside=self._contaminated(name, {split: mask[drawn[split]] for split, mask in recorded.items()}),
                left_out={str(split): mask[drawn[split]] for split, mask in left_out.items()},
            )
        seen = {split: self._seen(split, look, observed[split], left_out[split]) for split in JUDGED}
        rule = settings.profile.rule(settings.rule)
        return early_verdict(seen, settings.profile, rule, own, self._contaminated(name, recorded))

    def _recorded_windows(self, name: str) -> dict[SplitName, Bool[np.ndarray, " n"]]:
        """Which windows of the whole sample stand in what a model says it was trained on."""
        named = self.loaded.get(name)
        if named is None or named.trained_on is None:
            return {}
        return {split: self.whole.findings.recorded(named, split) for split in JUDGED}

    def _contaminated(self, name: str, recorded: dict[SplitName, Bool[np.ndarray, " _"]]) -> tuple[str, ...]:
        """What blocks a model by its own record of what it was trained on."""
        named = self.loaded.get(name)
        if named is None:
            return ()
        return judge_training_data(named.identity.provenance, named.trained_on, recorded, self.whole.inputs).reasons

    def _seen(self, split: SplitName, look: int, observed: Observations, left_out: Bool[np.ndarray, " n"]) -> Seen:
        nothing = np.zeros(len(left_out), dtype=bool)
        skill = self.settings.profile.name == "skill"
        return Seen(
            observed=observed,
            facts=self._facts[split],
            kept=~left_out,
            near_duplicate=self.whole.findings.near_duplicates_of(split) if skill else nothing,
            clusters=self.whole.inputs.evaluation[split].windows.clusters,
            order=self._orders[split],
            look=look,
        )
