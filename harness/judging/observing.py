"""Every model and control asked over every split, each once, whoever asks first.

Observations live in one folder, one file per predictor and split. A model that breaks (an exception, a wrong shape, a
process that exits or hangs) leaves a sentence in place of its observations: the fault is recorded once, by whichever
process met it, and the model is not asked again on that split. Its metrics are those of `control:nan`, whose every
prediction is missing, too.
"""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import NamedTuple

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.controls import STANDARD_CONTROLS, Ingredients, build_control
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.faults import load_fault, save_fault
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.observe import observe, observe_together
from lvm_gates.harness.evaluation.original_battery import observe_published
from lvm_gates.harness.evaluation.resolve_model import CONTROL, is_control
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.judging.shared_work import Piece, as_file_name, do
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor


class Asked(NamedTuple):
    """Predictors that are asked together.

    Attributes:
        names: of them: a model, or all controls.
        split: that they are asked on.
        piece: the work.
    """

    names: tuple[str, ...]
    split: SplitName
    piece: Piece

    @property
    def may_break(self) -> bool:
        """Whether what goes wrong is the fault of the one model that is asked."""
        return not is_control(self.names[0])


class Observing:
    """What every model and control of a run predicts, made on demand and kept in ``folder``.

    Args:
        settings: of the run.
        inputs: what is judged on.
        loaded: name -> every model that is no control.
        ingredients: what controls are made of, by split.
        folder: shared by all processes of the session.
    """

    def __init__(
        self,
        settings: Settings,
        inputs: Inputs,
        loaded: Mapping[str, NamedPredictor],
        ingredients: Mapping[SplitName, Ingredients],
        folder: Path,
    ) -> None:
        self._settings, self._inputs, self._loaded, self._ingredients = settings, inputs, loaded, ingredients
        self.folder = folder
        self.predictor = cache(self._predictor)
        self.observations = cache(self._observations)

    @cached_property
    def control_names(self) -> tuple[str, ...]:
        """Controls shown and held to their expectations."""
        bayes = ("bayes",) if self._inputs.corpus.synthetic else ()
        return (*STANDARD_CONTROLS, *self._settings.additions.controls, *bayes)

    def both(self, name: str) -> dict[str, Observations]:
        """Observations of a model or control by split."""
        return {split: self.observations(name, split) for split in JUDGED}

    def give_up(self, model: str, sentence: str) -> None:
        """Record that a model cannot be asked, for all processes: it is blocked, and the others are judged."""
        for split in JUDGED:
            save_fault(self.file(model, split), sentence)

    def faults(self, model: str) -> tuple[str, ...]:
        """How a model broke, each sentence once; empty if it did not."""
        for split in JUDGED:
            do(self.piece(model, split))
        files = [self.file(model, split) for split in JUDGED]
        return tuple(dict.fromkeys(fault for file in files if (fault := load_fault(file))))

    def file(self, name: str, split: SplitName) -> Path:
        """Where the observations of a model or control are kept."""
        return self.folder / f"{as_file_name(name)}-{split}.npz"

    def pieces(self) -> list[Piece]:
        """All of the work, controls of one split together."""
        return [asked.piece for asked in self.asked()]

    def piece(self, name: str, split: SplitName) -> Piece:
        """The work after which the observations of a model or control are there."""
        if is_control(name):  # side by side: their windows are gathered and their candidates listed once
            return Piece(
                f"controls on {split}", self.folder / f"controls-{split}.txt", partial(self._observe_controls, split)
            )
        return Piece(f"{name} on {split}", self.file(name, split), partial(self._observe, name, split), alone=True)

    def asked(self) -> list[Asked]:
        """Who is asked together, in the order of `pieces`."""
        names: dict[Path, list[str]] = {}
        by_file = {}
        for name in self._names():
            for split in JUDGED:
                piece = self.piece(name, split)
                by_file[piece.file] = (split, piece)
                names.setdefault(piece.file, []).append(name)
        return [Asked(tuple(names[file]), *found) for file, found in by_file.items()]

    def rank_interval(self, name: str) -> bool:
        """Whether the effective rank of a predictor is compared: only those of models are judged, against ridge's."""
        return name in self._settings.models or name == f"{CONTROL}linear"

    def keep(self, asked: Asked, found: Sequence[Observations]) -> None:
        """Write what predictors did that were asked together."""
        for name, observed in zip(asked.names, found, strict=True):
            observed.save(self.file(name, asked.split))
        if not asked.may_break:
            with atomic_write(asked.piece.file) as stream:
                stream.write("\n".join(asked.names).encode(errors="surrogatepass"))

    def _names(self) -> list[str]:
        """Every model and control, each once."""
        return list(dict.fromkeys([*self._settings.models, *(f"{CONTROL}{name}" for name in self.control_names)]))

    def _predictor(self, name: str, split: SplitName) -> NamedPredictor:
        if not is_control(name):
            return self._loaded[name]
        own, ingredients = name.removeprefix(CONTROL), self._ingredients[split]
        added = self._settings.additions.controls.get(own)
        if added:
            return NamedPredictor(Identity(name), added.build(ingredients))
        return NamedPredictor(Identity(name), build_control(own, ingredients), only_reads=True)

    def _observe(self, name: str, split: SplitName, file: Path) -> None:
        try:
            if self._settings.published:
                observed = self._observe_published(name, split)
            else:
                observed = observe(
                    self.predictor(name, split),
                    self._inputs.evaluation[split],
                    batch_size=self._settings.batch_size,
                    rank_interval=self.rank_interval(name),
                )
        except UserError as error:
            save_fault(file, str(error))
        else:
            observed.save(file)

    def _observe_published(self, name: str, split: SplitName) -> Observations:
        evaluation = self._inputs.evaluation[split]
        return observe_published(self.predictor(name, split), evaluation, batch_size=self._settings.batch_size)

    def _observe_controls(self, split: SplitName, _: Path) -> None:
        asked = next(one for one in self.asked() if one.split == split and not one.may_break)
        names = asked.names
        if self._settings.published:
            found = [self._observe_published(name, split) for name in names]
        else:
            found = observe_together(
                [self.predictor(name, split) for name in names],
                self._inputs.evaluation[split],
                batch_size=self._settings.batch_size,
                rank_intervals=[*self._settings.models, f"{CONTROL}linear"],
            )
        self.keep(asked, found)

    def _observations(self, name: str, split: SplitName) -> Observations:
        do(self.piece(name, split))
        file = self.file(name, split)
        if load_fault(file) is not None:
            return self.observations(f"{CONTROL}nan", split)
        return Observations.load(file)


def ingredients_of(inputs: Inputs, seed: int) -> dict[SplitName, Ingredients]:
    """What controls and rivals are fitted on, by split; one and the same for both where there is a training split."""
    training = inputs.training
    if inputs.has_training_split:
        return dict.fromkeys(JUDGED, Ingredients(inputs.corpus, training["VAL"], seed))
    return {split: Ingredients(inputs.corpus, training[split], seed) for split in JUDGED}
