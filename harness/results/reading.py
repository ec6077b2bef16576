"""Reports read back from disk: ``scorecard.json``, and ``samples.npz`` beside it."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file, is_folder
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.files.json_file import read_json
from lvm_gates.harness.files.npz_file import NpzFile
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.results.folder import SAMPLES, SCORECARD, WITHDRAWN, check_one_report, is_withdrawn
from lvm_gates.harness.results.model import SCHEMA_VERSION, Scorecard
from lvm_gates.harness.results.paired import Sampled
from lvm_gates.harness.results.place import first_fault
from lvm_gates.harness.results.samples import member_name, read_columns

PUBLISHED = "5cat-published"
# A scorecard of one model and all controls has 0.4 MB.
_LARGEST = 64 << 20


@dataclass(frozen=True)
class Report:
    """One report.

    Attributes:
        path: of ``scorecard.json``.
        scorecard: what it holds.
        origin: where it was read from; "" of a folder.
    """

    path: Path
    scorecard: Scorecard
    origin: str = ""

    @property
    def label(self) -> str:
        """How the report is named beside others."""
        return self.origin or str(self.path.parent)

    @property
    def models(self) -> list[str]:
        """Names of the models, as they were given to ``--model``."""
        return [card.name for card in self.scorecard.models]

    @property
    def names(self) -> list[str]:
        """Models, then controls."""
        return list(dict.fromkeys([*self.models, *(card.name for card in self.scorecard.controls)]))

    @property
    def is_released(self) -> bool:
        """Whether every model is, and there is one: what the session ended with 0 for."""
        return bool(self.models) and all(card.verdict == "release" for card in self.scorecard.models)

    def card(self, name: str) -> CardRecord:
        """What was found of a model or control.

        Raises:
            KeyError: there is none of that name.
        """
        cards: list[CardRecord] = [*self.scorecard.models, *self.scorecard.controls]
        found = {card.name: card for card in reversed(cards)}
        return found[name]

    @property
    def fingerprint(self) -> str | None:
        """Of the corpus."""
        return self.scorecard.corpus.fingerprint


def read_report(path: Path) -> Report:
    """Read a report.

    Args:
        path: a report folder, or its ``scorecard.json``.

    Raises:
        UserError: no scorecard there, one that is no JSON, of another schema version, incomplete or withdrawn, or one
            beside files of another report.
    """
    file = path / SCORECARD if is_folder(path) else path
    if file.name.endswith(WITHDRAWN) or (file.name == SCORECARD and is_withdrawn(file.parent)):
        raise UserError(
            f"{path}: the report was withdrawn when a later session began to gate, and that session left none; gate "
            "the model again."
        )
    if not is_file(file):
        where = f"{path}: no {SCORECARD} in that folder" if is_folder(path) else f"{path}: no such report"
        raise UserError(f"{where}; name a folder that `pytest gates/ --report=DIR` wrote.")
    try:
        card = read_json(file, _LARGEST)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file}: cannot be read as JSON ({brief(error)}); name a scorecard.json, or gate again."
        ) from error
    if not isinstance(card, dict) or "schema_version" not in card:
        raise UserError(f"{file}: is not a scorecard; name one that `pytest gates/ --report=DIR` wrote.")
    if card["schema_version"] != SCHEMA_VERSION or isinstance(card["schema_version"], bool):
        version = brief(repr(card["schema_version"]))
        raise UserError(
            f"{file}: schema version {version} is not {SCHEMA_VERSION}, the one this version reads; gate the "
            "model again."
        )
    try:
        scorecard = msgspec.convert(_current(card), Scorecard)
    except msgspec.ValidationError as error:
        fault = first_fault(card, Scorecard, error)
        raise UserError(f"{file}: the scorecard is incomplete or damaged ({fault}); gate the model again.") from error
    if file.name == SCORECARD:
        check_one_report(file, scorecard)
    return Report(file, scorecard)


def _current(card: dict[str, Any]) -> dict[str, Any]:
    """The same in the form of today: the share of the skill kept on OOD once had no interval."""
    cards = [each for group in ("models", "controls") if isinstance(card.get(group), list) for each in card[group]]
    for each in cards:
        skill = each.get("skill") if isinstance(each, dict) else None
        share = skill.get("retained") if isinstance(skill, dict) else None
        if isinstance(skill, dict) and isinstance(share, int | float) and not isinstance(share, bool):
            skill["retained"] = {"value": share, "low": None, "high": None, "n": 0}
    return card


def check_comparable(first: Report, second: Report) -> None:
    """Whether windows of the two mean the same thing.

    Raises:
        UserError: another corpus, or one of them under the original protocol, which counts offsets otherwise.
    """
    for report in (first, second):
        if report.fingerprint is None:
            raise UserError(f"{report.path}: records no corpus fingerprint to compare by; gate the model again.")
    if first.fingerprint != second.fingerprint:
        raise UserError(
            f"{first.label} is on corpus {_corpus(first)} and {second.label} on {_corpus(second)}; only models gated "
            "on one corpus are compared."
        )
    published = [report.scorecard.profile == PUBLISHED for report in (first, second)]
    if published[0] != published[1]:
        one = first if published[0] else second
        raise UserError(
            f"{one.label}: profile {PUBLISHED} counts offsets and ranks otherwise; gate both models under one profile."
        )


def choose(report: Report, name: str | None, option: str) -> str:
    """The model that is meant.

    Args:
        report: to choose from.
        name: as the user gave it, None where not.
        option: that names it.

    Raises:
        UserError: a name that the report lacks, or none and not exactly one model.
    """
    if name is None:
        if len(report.models) != 1:
            known = ", ".join(report.models or report.names)
            raise UserError(f"{report.label}: holds {len(report.models)} models; name one with {option}: {known}.")
        return report.models[0]
    if name not in report.names:
        raise UserError(f"{option} {name}: not in {report.label}; {did_you_mean(name, report.names)}.")
    return name


def read_samples(report: Report, name: str, split: str) -> Sampled:
    """What one model did on one split, window by window.

    Raises:
        UserError: no ``samples.npz``, one that is damaged, or one without that model.
    """
    file = report.path.parent / SAMPLES
    if not is_file(file):
        raise UserError(f"{file}: is missing; models are compared window by window, so keep it beside {SCORECARD}.")
    # A control has met nothing beyond the session's data; nor do reports of earlier versions know of more.
    shared = ("article", "chunk", "leaked")
    keys = {
        f.name: f"{split}/{f.name}" if f.name in shared else member_name(split, name, f.name) for f in fields(Sampled)
    }
    own = member_name(split, name, "leaked")
    return read_columns(file, keys | ({"leaked": own} if own in NpzFile.open(file).members else {}))


def _corpus(report: Report) -> str:
    return f"{brief(report.scorecard.corpus.path)} ({brief(str(report.fingerprint)[:12])})"
