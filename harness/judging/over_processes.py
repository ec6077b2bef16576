"""The work of a run shared by the processes that `torchrun` started, on one machine or on many.

Each process asks every predictor over windows of its own, whole batches, and does its part of the other pieces; what it
finds goes to the first one, which judges. A bank that streams is shared too: every process ranks all predictions among
its part of the candidates, and the counts are added. So nothing that is found depends on how many processes there are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.processes import Ranks
from lvm_gates.harness.corpus.splits import SplitName
from lvm_gates.harness.evaluation.bank import Bank, BankRanks
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.faiss_bank import SearchedBank
from lvm_gates.harness.evaluation.faults import load_fault, save_fault
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.observe import joined, observe_share, ranked_in, room_for_predictions, share_of
from lvm_gates.harness.evaluation.observed import Observed
from lvm_gates.harness.judging.observing import Asked, Observing
from lvm_gates.harness.judging.shared_work import OnProgress, Piece, do_all


class OverProcesses:
    """A run prepared by several processes, all of which call `prepare`.

    Args:
        observing: asks every model and control.
        evaluation: windows and candidates, by split.
        batch_size: contexts given to a predictor at once.
        ranks: the processes.
    """

    def __init__(
        self, observing: Observing, evaluation: Mapping[SplitName, EvaluationSet], batch_size: int, ranks: Ranks
    ) -> None:
        self._observing, self._evaluation, self._batch_size, self._ranks = observing, evaluation, batch_size, ranks

    def prepare(self, chains: Sequence[Sequence[Piece]], on_progress: OnProgress | None) -> None:
        """Make all observations and other pieces; in the end the first process has their files.

        Args:
            chains: the other pieces; those of one chain need one another, and are done by one process.
            on_progress: called with (what, done, total), of this process.

        Raises:
            UserError: something that none can go on from, in all of them.
        """
        ranks, all_asked = self._ranks, self._observing.asked()
        shares = [
            _Share(self._observing, asked, self._evaluation[asked.split], self._batch_size, ranks)
            for asked in all_asked
        ]
        mine = [piece for number, chain in enumerate(chains) if number % ranks.world == ranks.rank for piece in chain]
        with ranks.all_or_none():
            do_all([*(share.piece for share in shares), *mine], on_progress)
            content = {piece.file.name: piece.file.read_bytes() for piece in mine}
        found = [share.joined() for share in shares]
        files = ranks.to_first(content)
        # Nothing is written before all has been said: a process whose disk is full would leave the others waiting.
        with ranks.all_or_none():
            if ranks.first:
                for share, observed in zip(shares, found, strict=True):
                    share.keep(observed)
                for name, written in (item for others in files[1:] for item in others.items()):
                    with atomic_write(self._observing.folder / name) as stream:
                        stream.write(written)


class _Share:
    """What one process observes of predictors that are asked together."""

    def __init__(
        self, observing: Observing, asked: Asked, evaluation: EvaluationSet, batch_size: int, ranks: Ranks
    ) -> None:
        self._observing, self._asked, self._evaluation, self._ranks = observing, asked, evaluation, ranks
        self._batch_size = batch_size
        self._windows = [share_of(evaluation, batch_size, rank, ranks.world) for rank in range(ranks.world)]
        self._found: list[Observed] = []
        self._predictions: list[np.ndarray] = []
        self._fault = ""
        self.piece = asked.piece._replace(file=asked.piece.file.with_suffix(".share"), make=self._observe)

    def joined(self) -> list[Observations] | str:
        """What all processes have found: in the first one observations, or the sentence of a model that broke."""
        ranks, evaluation, bank = self._ranks, self._evaluation, self._evaluation.asked_bank
        if ranks.first and self._asked.may_break and self._asked.piece.file.is_file():  # given up before it was asked
            self._fault = load_fault(self._asked.piece.file) or self._fault
        faults = [fault for fault in ranks.gathered(self._fault) if fault]
        if faults:
            return faults[0]
        parts = ranks.to_first(self._found)
        in_bank = None if bank is None else self._ranked(bank)
        if not ranks.first:
            return []
        found = [
            joined([part[i] for part in parts], evaluation, rank_interval=self._observing.rank_interval(name))
            for i, name in enumerate(self._asked.names)
        ]
        if bank is None or in_bank is None:
            return found
        return ranked_in(bank, in_bank, self._predictions, found, evaluation.windows)

    def keep(self, found: list[Observations] | str) -> None:
        """Write what `joined` gave."""
        if isinstance(found, str):
            save_fault(self._asked.piece.file, found)
        else:
            self._observing.keep(self._asked, found)

    def _ranked(self, bank: Bank | SearchedBank) -> list[BankRanks] | None:
        """Ranks in a bank that was asked for: by all processes where its vectors stream, else by the first."""
        ranks, windows = self._ranks, self._evaluation.windows
        for rows in self._predictions:
            ranks.fill(rows, self._windows)
        if isinstance(bank, Bank):
            counts = ranks.summed(bank.part(ranks.rank, ranks.world).counts(self._predictions, windows))
            return bank.ranks_of(counts, self._predictions, windows) if ranks.first else None
        return bank.ranks(self._predictions, windows) if ranks.first else None

    def _observe(self, done: Path) -> None:
        evaluation = self._evaluation
        if evaluation.asked_bank is not None:
            self._predictions = [room_for_predictions(evaluation) for _ in self._asked.names]
        try:
            self._found = observe_share(
                [self._observing.predictor(name, self._asked.split) for name in self._asked.names],
                evaluation,
                self._windows[self._ranks.rank],
                batch_size=self._batch_size,
                predictions=self._predictions,
            )
        except UserError as error:
            if not self._asked.may_break:
                raise
            self._fault = str(error)
        done.touch()
